/* The simulator's threads: each with its listening socket, its connections and
 * their timers. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "simulate/caller_priv.h"
#include "simulate/simulate.h"
#include "simulate/stats_priv.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

/* Timers: a heap of connections by what is due first. */

static void
heap_set(struct loop *l, int i, struct caller *c)
{
	l->heap[i] = c;
	c->heap = i;
}

static void
heap_fix(struct loop *l, int i)
{
	struct caller *c = l->heap[i];

	while (i > 0 && l->heap[(i - 1) / 2]->due > c->due) {
		heap_set(l, i, l->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	for (;;) {
		int k = 2 * i + 1;
		if (k + 1 < l->nheap && l->heap[k + 1]->due < l->heap[k]->due)
			k++;
		if (k >= l->nheap || l->heap[k]->due >= c->due)
			break;
		heap_set(l, i, l->heap[k]);
		i = k;
	}
	heap_set(l, i, c);
}

void
timer_stop(struct loop *l, struct caller *c)
{
	int i = c->heap;

	if (i < 0)
		return;
	c->heap = -1;
	struct caller *last = l->heap[--l->nheap];
	if (last != c) {
		heap_set(l, i, last);
		heap_fix(l, i);
	}
}

void
timer_at(struct loop *l, struct caller *c, int64_t due)
{
	c->due = due;
	if (c->heap < 0) {
		if (l->nheap == l->room) {
			struct caller **more = mem_array(
			    l->ctx, struct caller *, (size_t)l->room * 2 + 64);

			if (l->nheap > 0)
				memcpy(more, l->heap,
				    (size_t)l->nheap * sizeof(struct caller *));
			mem_free(l->heap);
			l->heap = more;
			l->room = l->room * 2 + 64;
		}
		heap_set(l, l->nheap++, c);
	}
	heap_fix(l, c->heap);
}

static void
accept_all(struct loop *l)
{
	int fd, one = 1;

	while ((fd = accept4(l->listen, NULL, NULL,
		    SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		caller_open(l, fd);
	}
}

/* What came in on one descriptor; false: the end. */
static bool
serve_event(struct loop *l, const struct epoll_event *ev)
{
	struct caller *c = ev->data.ptr;

	if (ev->data.ptr == &l->stop)
		return false;
	if (ev->data.ptr == &l->listen)
		accept_all(l);
	else if (ev->events & ~(uint32_t)EPOLLOUT)
		caller_read(l, c);
	else
		caller_go(l, c);
	return true;
}

static void *
loop_run(void *arg)
{
	struct loop *l = arg;
	struct epoll_event ev[256];
	bool on = true;

	while (on) {
		int64_t now = clock_mono();
		int ms = -1, n;

		while (l->nheap > 0 && l->heap[0]->due <= now)
			caller_timer(l, l->heap[0]);
		if (l->nheap > 0)
			ms = clock_left_ms(l->heap[0]->due, 60000);
		n = epoll_wait(l->ep, ev, 256, ms);
		for (int i = 0; i < n; i++)
			on = serve_event(l, &ev[i]) && on;
	}
	return NULL;
}

static int
listen_on(const struct simulate_opts *o, int port, int *got, struct err *e)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port) };
	socklen_t n = sizeof a;
	int one = 1, fd;

	if (inet_pton(AF_INET, o->address, &a.sin_addr) != 1)
		return err_set(
		    e, ERR_INVALID, "%s is no IPv4 address", o->address);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_set(e, ERR_UNAVAILABLE, "socket: %m");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (o->threads > 1)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
	if (bind(fd, (struct sockaddr *)&a, n) != 0 || listen(fd, 4096) != 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &n) != 0) {
		int why = errno;

		close(fd);
		errno = why;
		return err_set(e, ERR_UNAVAILABLE, "listening on %s:%d: %m",
		    o->address, port);
	}
	*got = ntohs(a.sin_port);
	return fd;
}

static void
watch(struct loop *l, int fd, void *what)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = what };

	epoll_ctl(l->ep, EPOLL_CTL_ADD, fd, &ev);
}

static int
loop_open(struct loop *l, const struct simulate_opts *o, int stop, int *port,
    struct err *e)
{
	l->stop = stop;
	l->listen = listen_on(o, *port, port, e);
	if (l->listen < 0)
		return -1;
	l->ep = epoll_create1(EPOLL_CLOEXEC);
	if (l->ep < 0)
		return err_set(e, ERR_UNAVAILABLE, "epoll: %m");
	l->ctx = mem_root("simulate loop");
	watch(l, l->listen, &l->listen);
	watch(l, stop, &l->stop);
	return 0;
}

static void
loop_close(struct loop *l)
{
	mem_free(l->ctx);
	if (l->ep >= 0)
		close(l->ep);
	if (l->listen >= 0)
		close(l->listen);
}

/* Run the loops until a signal of ${ends} comes. */
static int
run(struct loop *loops, int n, int stop, const sigset_t *ends, struct err *e)
{
	const uint64_t one = 1;
	int started = 0, sig, rc = 0;

	while (started < n && pthread_create(&loops[started].thread, NULL,
				  loop_run, &loops[started]) == 0)
		started++;
	if (started < n)
		rc = err_set(e, ERR_UNAVAILABLE, "no more threads: %m");
	else
		sigwait(ends, &sig);
	while (write(stop, &one, sizeof one) < 0 && errno == EINTR)
		;
	for (int i = 0; i < started; i++)
		pthread_join(loops[i].thread, NULL);
	return rc;
}

int
simulate_llm(const struct simulate_opts *o, void (*ready)(void *arg, int port),
    void *arg, struct err *e)
{
	struct loop loops[SIMULATE_THREADS];
	int n = o->threads, port = o->port, rc = 0;
	/* Level-triggered and never read: it wakes every loop. */
	int stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	sigset_t ends, before;

	if (stop < 0)
		return err_set(e, ERR_UNAVAILABLE, "eventfd: %m");
	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &ends, &before);
	stats_start(!o->forget);
	meter_start(o->rpm, o->tpm, o->itpm);
	for (int i = 0; i < n; i++)
		loops[i] = (struct loop){ .ep = -1, .listen = -1 };
	for (int i = 0; i < n && rc == 0; i++)
		rc = loop_open(&loops[i], o, stop, &port, e);
	if (rc == 0) {
		ready(arg, port);
		rc = run(loops, n, stop, &ends, e);
	}
	for (int i = 0; i < n; i++)
		loop_close(&loops[i]);
	close(stop);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}
