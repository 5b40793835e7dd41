/* The test server. */
#include "server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNS_MAX 256

struct conn {
	struct server *s;
	int fd;
	pthread_t thread;
};

struct server {
	int fd, port;
	server_handler handler;
	void *arg;
	atomic_int accepts, stopping;
	pthread_t thread;
	pthread_mutex_t lock;
	struct conn conns[CONNS_MAX];
	int nconns;
};

void
sleep_ms(int ms)
{
	struct timespec t = { ms / 1000, (ms % 1000) * 1000000L };

	nanosleep(&t, NULL);
}

static void *
conn_thread(void *arg)
{
	struct conn *c = arg;

	c->s->handler(c->s, c->fd);
	/* Closed after the thread is joined, so that the number is not used
	 * again while server_stop() may still shut it down. */
	shutdown(c->fd, SHUT_RDWR);
	return NULL;
}

static void *
accept_thread(void *arg)
{
	struct server *s = arg;

	for (;;) {
		struct pollfd p = { s->fd, POLLIN, 0 };
		poll(&p, 1, 20);
		if (atomic_load(&s->stopping))
			return NULL;
		if (!(p.revents & POLLIN))
			continue;
		int fd = accept(s->fd, NULL, NULL);
		if (fd < 0)
			continue;
		pthread_mutex_lock(&s->lock);
		if (s->nconns == CONNS_MAX)
			abort();
		struct conn *c = &s->conns[s->nconns++];
		c->s = s;
		c->fd = fd;
		atomic_fetch_add(&s->accepts, 1);
		pthread_create(&c->thread, NULL, conn_thread, c);
		pthread_mutex_unlock(&s->lock);
	}
}

struct server *
server_start(server_handler h, void *arg)
{
	struct server *s = calloc(1, sizeof(*s));
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);

	if (!s)
		abort();
	s->handler = h;
	s->arg = arg;
	pthread_mutex_init(&s->lock, NULL);
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(s->fd, (struct sockaddr *)&a, n) != 0 ||
	    listen(s->fd, 128) != 0 ||
	    getsockname(s->fd, (struct sockaddr *)&a, &n) != 0)
		abort();
	s->port = ntohs(a.sin_port);
	pthread_create(&s->thread, NULL, accept_thread, s);
	return s;
}

void
server_stop(struct server *s)
{
	atomic_store(&s->stopping, 1);
	pthread_join(s->thread, NULL);
	close(s->fd);
	for (int i = 0; i < s->nconns; i++)
		shutdown(s->conns[i].fd, SHUT_RDWR);
	for (int i = 0; i < s->nconns; i++) {
		pthread_join(s->conns[i].thread, NULL);
		close(s->conns[i].fd);
	}
	pthread_mutex_destroy(&s->lock);
	free(s);
}

int
server_port(const struct server *s)
{
	return s->port;
}

int
server_accepts(const struct server *s)
{
	return atomic_load(&s->accepts);
}

void *
server_arg(const struct server *s)
{
	return s->arg;
}

const char *
server_url(const struct server *s, const char *path)
{
	static _Thread_local char text[8][128];
	static _Thread_local unsigned next;
	char *t = text[next++ % 8];

	snprintf(t, sizeof(text[0]), "http://127.0.0.1:%d%s", s->port, path);
	return t;
}

int
server_request(int fd, char *head, size_t size)
{
	size_t n = 0, body = 0;
	char drop[4096];

	while (n < 4 || memcmp(head + n - 4, "\r\n\r\n", 4) != 0) {
		if (n + 1 >= size || recv(fd, head + n, 1, 0) != 1)
			return -1;
		n++;
	}
	head[n] = '\0';
	const char *cl = strcasestr(head, "content-length:");
	if (cl)
		body = (size_t)strtoul(cl + 15, NULL, 10);
	while (body > 0) {
		ssize_t k = recv(
		    fd, drop, body < sizeof(drop) ? body : sizeof(drop), 0);
		if (k <= 0)
			return -1;
		body -= (size_t)k;
	}
	return 0;
}

void
server_send(int fd, const char *text)
{
	size_t n = strlen(text);

	while (n > 0) {
		ssize_t k = send(fd, text, n, MSG_NOSIGNAL);
		if (k <= 0)
			return;
		text += k;
		n -= (size_t)k;
	}
}

void
server_hold(int fd)
{
	char c;

	while (recv(fd, &c, 1, 0) > 0)
		;
}
