/*
 * A scripted mock provider: speaks OpenAI chat completions and Anthropic
 * messages over HTTP/1.1 on 127.0.0.1, with keep-alive, streaming or not, and
 * every fault a provider can have.  One epoll loop, or several (-t).
 *
 *	mock_llm [-p PORT] [-t THREADS] [-q]
 *
 * prints "port N" when it listens; -p 0 (default) chooses a port; -q keeps no
 * copies of requests (for load).  What it does with a request is said by words
 * joined with "-" (see mock_llm -h), taken from the first of:
 *
 *	POST /__set {"key": "sk-x" | "*", "do": "429", "times": 2}
 *			behaviour by API key; times 0 = until unset (do: "")
 *	[[do:paced-5x20]]	a marker anywhere in the request's text
 *	model "mock-paced-5x20"	the model's name after "mock-"
 *
 * and, for looking at what came:
 *
 *	GET  /__stats	calls by path, key and model, connections, chunks
 *			sent, clients that went away (with ms since 1970)
 *	GET  /__last	the last request of each path: its head and body
 *	GET  /__log	the last 64 requests
 *	POST /__reset	forget all of it
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "mock.h"
#include "mock_stats.h"

#define REQUEST_MAX ((size_t)64 * 1024 * 1024)
#define HUGE_BODY (200L * 1024 * 1024)
#define NEVER INT64_MAX

struct conn {
	int fd;
	struct bytes in, out;
	size_t sent;  /* of out */
	size_t allow; /* of out, while dripping */
	uint32_t events;
	bool busy;    /* an answer is being given */
	bool closing; /* when out is sent */
	struct script script;
	int step;    /* -1 head, then chunks, then the end */
	long filler; /* bytes of a huge body still to send */
	bool ended;
	int64_t due; /* NEVER: nothing is */
	int heap;    /* place in the loop's heap, -1 none */
};

struct loop {
	int ep, listen;
	struct conn **heap;
	int nheap, room;
	pthread_t thread;
};

static void conn_go(struct loop *, struct conn *);

static int64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* Timers: a heap of connections by what is due first. */

static void
heap_set(struct loop *l, int i, struct conn *c)
{
	l->heap[i] = c;
	c->heap = i;
}

static void
heap_fix(struct loop *l, int i)
{
	struct conn *c = l->heap[i];

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

static void
timer_stop(struct loop *l, struct conn *c)
{
	int i = c->heap;

	if (i < 0)
		return;
	c->heap = -1;
	struct conn *last = l->heap[--l->nheap];
	if (last != c) {
		heap_set(l, i, last);
		heap_fix(l, i);
	}
}

static void
timer_at(struct loop *l, struct conn *c, int64_t due)
{
	c->due = due;
	if (c->heap < 0) {
		if (l->nheap == l->room) {
			l->room = l->room ? l->room * 2 : 64;
			l->heap = realloc(
			    l->heap, (size_t)l->room * sizeof(*l->heap));
			if (!l->heap)
				abort();
		}
		heap_set(l, l->nheap++, c);
	}
	heap_fix(l, c->heap);
}

/* Connections. */

static void
conn_events(struct loop *l, struct conn *c, uint32_t want)
{
	struct epoll_event ev = { .events = want, .data.ptr = c };

	if (c->events != want)
		epoll_ctl(l->ep, c->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD,
		    c->fd, &ev);
	c->events = want;
}

static void
conn_end(struct loop *l, struct conn *c, bool reset)
{
	struct linger hard = { 1, 0 };

	if (reset)
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	timer_stop(l, c);
	if (c->busy)
		stats_answer_end();
	stats_closed();
	close(c->fd);
	bytes_free(&c->in);
	bytes_free(&c->out);
	script_free(&c->script);
	free(c);
}

/* True: all that may be sent is. */
static bool
conn_flush(struct conn *c)
{
	size_t end = c->out.n < c->allow ? c->out.n : c->allow;
	size_t most = c->busy && c->script.plan.split > 0
	                  ? (size_t)c->script.plan.split
	                  : SIZE_MAX;

	while (c->sent < end) {
		size_t n = end - c->sent < most ? end - c->sent : most;
		ssize_t k = send(c->fd, c->out.p + c->sent, n, MSG_NOSIGNAL);
		if (k < 0)
			return false; /* full, or gone: epoll tells */
		c->sent += (size_t)k;
	}
	if (c->sent == c->out.n && c->sent > 0) {
		c->out.n = c->sent = 0;
		if (c->allow != SIZE_MAX)
			c->allow = 0;
	}
	return true;
}

/* Frame body bytes as one HTTP chunk. */
static void
framed(struct conn *c, const struct bytes *b)
{
	if (b->n == 0)
		return;
	bytes_addf(&c->out, "%zx\r\n", b->n);
	bytes_add(&c->out, b->p, b->n);
	bytes_adds(&c->out, "\r\n");
}

static void
answer_done(struct conn *c)
{
	c->ended = true;
	if (c->script.plan.close)
		c->closing = true;
}

static void
answer_whole(struct conn *c)
{
	struct bytes b = { 0 };
	const struct plan *p = &c->script.plan;

	if (p->status != 200 || p->html)
		wire_refusal(&c->script, &b);
	else
		wire_whole(&c->script, &b);
	wire_head(&c->script, &c->out, b.n);
	if (p->drip_ms > 0)
		c->allow = c->out.n;
	bytes_add(&c->out, b.p, b.n);
	bytes_free(&b);
	answer_done(c);
}

static void
answer_begin(struct conn *c)
{
	struct bytes b = { 0 };
	const struct plan *p = &c->script.plan;

	if (p->status != 200 || p->html || !c->script.stream) {
		answer_whole(c);
		return;
	}
	if (p->huge) {
		wire_head(&c->script, &c->out, (size_t)HUGE_BODY);
		c->filler = HUGE_BODY;
		return;
	}
	wire_head(&c->script, &c->out, SIZE_MAX);
	if (p->drip_ms > 0)
		c->allow = c->out.n;
	wire_begin(&c->script, &b);
	framed(c, &b);
	bytes_free(&b);
}

/* Faults that stand before piece ${i}; true: nothing follows. */
static bool
fault_at(struct loop *l, struct conn *c, int i, bool *dead)
{
	const struct plan *p = &c->script.plan;
	struct bytes b = { 0 };

	if (p->stall_at == i) {
		conn_flush(c);
		return true; /* and no timer: silence */
	}
	if (p->cut_at == i || p->rst_at == i) {
		conn_flush(c);
		conn_end(l, c, p->rst_at == i);
		*dead = true;
		return true;
	}
	if (p->error_at == i) {
		wire_error(&c->script, &b);
		framed(c, &b);
		bytes_free(&b);
		bytes_adds(&c->out, "0\r\n\r\n");
		answer_done(c);
		return true;
	}
	return false;
}

/* Say what is due; false: the connection is no more. */
static bool
answer_step(struct loop *l, struct conn *c)
{
	const struct plan *p = &c->script.plan;
	struct bytes b = { 0 };
	bool dead = false;

	if (c->step < 0) {
		if (p->stall_at == 0)
			return true;
		answer_begin(c);
		c->step = 0;
	}
	while (!c->ended && !c->filler) {
		if (fault_at(l, c, c->step, &dead))
			return !dead;
		if (c->step < p->chunks) {
			b.n = 0;
			wire_chunk(&c->script, c->step++, &b);
			framed(c, &b);
			stats_chunk();
			if (p->gap_ms > 0 && !p->drip_ms) {
				timer_at(
				    l, c, c->due + (int64_t)p->gap_ms * 1000);
				break;
			}
			continue;
		}
		b.n = 0;
		wire_end(&c->script, &b);
		framed(c, &b);
		bytes_adds(&c->out, "0\r\n\r\n");
		answer_done(c);
	}
	bytes_free(&b);
	return true;
}

/* Requests. */

static size_t
head_value(const char *head, size_t n, const char *name, const char **v)
{
	size_t k = strlen(name);

	for (const char *p = head; p && p < head + n;) {
		const char *end = memchr(p, '\n', (size_t)(head + n - p));
		if (!end)
			break;
		if ((size_t)(end - p) > k && strncasecmp(p, name, k) == 0 &&
		    p[k] == ':') {
			p += k + 1;
			while (*p == ' ')
				p++;
			*v = p;
			while (end > p && (end[-1] == '\r' || end[-1] == ' '))
				end--;
			return (size_t)(end - p);
		}
		p = end + 1;
	}
	*v = "";
	return 0;
}

/* The value of a top-level-looking key, without parsing: quotes inside texts
 * are escaped, so the pattern cannot stand in one. */
static const char *
scan_key(const char *body, size_t n, const char *key)
{
	const char *p = memmem(body, n, key, strlen(key));

	if (!p || (p > body && p[-1] == '\\'))
		return NULL;
	p += strlen(key);
	while (p < body + n && (*p == ' ' || *p == ':'))
		p++;
	return p < body + n ? p : NULL;
}

static void
ask_read(struct ask *a, const char *path, const char *body, size_t n)
{
	const char *p;

	memset(a, 0, sizeof(*a));
	a->anthropic = strncmp(path, "/v1/messages", 12) == 0;
	a->body = body;
	a->body_len = n;
	p = scan_key(body, n, "\"stream\"");
	a->stream = p && *p == 't';
	p = scan_key(body, n, "\"model\"");
	if (p && *p == '"') {
		const char *end =
		    memchr(p + 1, '"', (size_t)(body + n - p - 1));
		if (end && (size_t)(end - p - 1) < sizeof(a->model))
			memcpy(a->model, p + 1, (size_t)(end - p - 1));
	}
}

/* Which words say what to do; the first that there are. */
static bool
choose_plan(const struct ask *a, const char *key, size_t kn, struct plan *p)
{
	char words[256];
	const char *m;

	plan_default(p);
	if (stats_setting(key, kn, words, sizeof(words)))
		return plan_parse(p, words, strlen(words));
	m = memmem(a->body, a->body_len, "[[do:", 5);
	if (m) {
		const char *end =
		    memmem(m, a->body_len - (size_t)(m - a->body), "]]", 2);
		return end && plan_parse(p, m + 5, (size_t)(end - m) - 5);
	}
	if (strncmp(a->model, "mock-", 5) == 0)
		return plan_parse(p, a->model + 5, strlen(a->model) - 5);
	return true;
}

static void
answer_json(struct conn *c, int status, const struct bytes *b)
{
	bytes_addf(&c->out,
	    "HTTP/1.1 %d Mock\r\nContent-Type: application/json\r\n"
	    "Content-Length: %zu\r\n\r\n",
	    status, b->n);
	bytes_add(&c->out, b->p ? b->p : "", b->n);
}

static bool
control(struct conn *c, const char *path, const char *body, size_t n)
{
	struct bytes b = { 0 };
	int status = 200;

	if (strncmp(path, "/__", 3) != 0)
		return false;
	if (strcmp(path, "/__stats") == 0)
		stats_write(&b);
	else if (strcmp(path, "/__last") == 0)
		stats_last(&b);
	else if (strcmp(path, "/__log") == 0)
		stats_log(&b);
	else if (strcmp(path, "/__reset") == 0)
		stats_reset();
	else if (strcmp(path, "/__set") != 0 || !stats_set(body, n))
		status = 400;
	if (b.n == 0)
		bytes_adds(&b, status == 200 ? "{}" : "{\"error\":\"?\"}");
	answer_json(c, status, &b);
	bytes_free(&b);
	return true;
}

static void
serve(struct loop *l, struct conn *c, const char *head, size_t hn,
    const char *path, const char *body, size_t n)
{
	static unsigned long ids;
	unsigned long id;
	const char *key;
	struct ask a;
	struct plan p;
	size_t kn;

	if (control(c, path, body, n))
		return;
	ask_read(&a, path, body, n);
	kn = head_value(
	    head, hn, a.anthropic ? "x-api-key" : "authorization", &key);
	if (kn > 7 && strncasecmp(key, "bearer ", 7) == 0) {
		key += 7;
		kn -= 7;
	}
	stats_request(path, key, kn, a.model, head, hn, body, n);
	id = __atomic_add_fetch(&ids, 1, __ATOMIC_RELAXED);
	if (!choose_plan(&a, key, kn, &p))
		p.status = 400;
	plan_flaky(&p, id);
	if (!strstr(path, "/chat/completions") && !a.anthropic)
		p.status = 404;
	script_make(&c->script, &a, &p, id);
	c->busy = true;
	c->ended = false;
	c->step = -1;
	c->allow = SIZE_MAX;
	stats_answer_begin();
	if (p.first_ms > 0 || p.gap_ms > 0 || p.drip_ms > 0)
		timer_at(l, c, now_us() + (int64_t)p.first_ms * 1000);
}

/* Take one whole request out of what came; false: not whole yet. */
static bool
take_request(struct loop *l, struct conn *c, bool *bad)
{
	char path[256];
	const char *cl;
	char *end;
	size_t body = 0, hn;

	if (c->in.n == 0)
		return false;
	end = memmem(c->in.p, c->in.n, "\r\n\r\n", 4);
	if (!end)
		return false;
	hn = (size_t)(end - c->in.p) + 4;
	if (head_value(c->in.p, hn, "content-length", &cl) > 0)
		body = strtoul(cl, NULL, 10);
	if (body > REQUEST_MAX ||
	    sscanf(c->in.p, "%*15s %255[^ ?]", path) != 1) {
		*bad = true;
		return false;
	}
	if (c->in.n < hn + body)
		return false;
	serve(l, c, c->in.p, hn, path, c->in.p + hn, body);
	bytes_drop(&c->in, hn + body);
	return true;
}

static void
fill(struct conn *c)
{
	static char block[16384];

	memset(block, 'x', sizeof(block)); /* one endless line */
	while (c->filler > 0 && c->out.n - c->sent < 262144) {
		size_t n = (size_t)c->filler < sizeof(block) ? (size_t)c->filler
		                                             : sizeof(block);
		bytes_drop(&c->out, c->sent);
		c->sent = 0;
		bytes_add(&c->out, block, n);
		c->filler -= (long)n;
	}
	if (c->filler == 0)
		answer_done(c);
}

/* An answer is out: ready for the next. */
static void
conn_idle(struct loop *l, struct conn *c)
{
	c->busy = false;
	c->ended = false;
	timer_stop(l, c);
	stats_answer_end();
	script_free(&c->script);
}

/* Do all that can be done now. */
static void
conn_go(struct loop *l, struct conn *c)
{
	bool bad = false;

	for (;;) {
		if (!c->busy && !take_request(l, c, &bad))
			break;
		if (c->busy && c->heap < 0 && !c->ended && !c->filler &&
		    !answer_step(l, c))
			return;
		if (c->filler)
			fill(c);
		if (!conn_flush(c) || c->sent < c->out.n || !c->ended)
			if (c->busy)
				break;
		if (c->busy && c->ended) {
			bool closing = c->closing;
			conn_idle(l, c);
			if (closing) {
				conn_end(l, c, false);
				return;
			}
		}
	}
	if (bad) {
		conn_end(l, c, false);
		return;
	}
	bool full = c->sent < c->out.n && c->sent < c->allow;
	conn_events(
	    l, c, EPOLLIN | EPOLLRDHUP | (full || c->filler ? EPOLLOUT : 0u));
	if (c->busy && c->heap < 0 && c->allow != SIZE_MAX && c->ended)
		timer_at(l, c, now_us() + c->script.plan.drip_ms * 1000L);
}

static void
conn_timer(struct loop *l, struct conn *c)
{
	const struct plan *p = &c->script.plan;

	if (!c->ended && c->step < p->chunks) {
		int64_t due = c->due;
		if (!answer_step(l, c))
			return;
		if (c->due == due)
			timer_stop(l, c);
	} else if (!c->ended) {
		if (!answer_step(l, c))
			return;
		timer_stop(l, c);
	} else if (c->allow != SIZE_MAX) {
		c->allow++;
		timer_at(l, c, c->due + (int64_t)p->drip_ms * 1000);
		if (c->allow >= c->out.n) {
			c->allow = SIZE_MAX;
			timer_stop(l, c);
		}
	} else {
		timer_stop(l, c);
	}
	conn_go(l, c);
}

static void
conn_read(struct loop *l, struct conn *c)
{
	char part[65536];
	ssize_t n;

	while ((n = recv(c->fd, part, sizeof(part), MSG_DONTWAIT)) > 0) {
		bytes_add(&c->in, part, (size_t)n);
		if ((size_t)n < sizeof(part))
			break;
	}
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		if (c->busy)
			stats_client_gone(c->script.model, c->step);
		conn_end(l, c, false);
		return;
	}
	conn_go(l, c);
}

static void
accept_all(struct loop *l)
{
	int fd, one = 1;

	while ((fd = accept4(l->listen, NULL, NULL,
		    SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct conn *c = calloc(1, sizeof(*c));
		if (!c)
			abort();
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		c->fd = fd;
		c->heap = -1;
		c->allow = SIZE_MAX;
		stats_opened();
		conn_events(l, c, EPOLLIN | EPOLLRDHUP);
	}
}

static void *
loop_run(void *arg)
{
	struct loop *l = arg;
	struct epoll_event ev[256];

	for (;;) {
		int64_t now = now_us();
		int ms = -1;
		while (l->nheap > 0 && l->heap[0]->due <= now)
			conn_timer(l, l->heap[0]);
		if (l->nheap > 0) {
			int64_t left = (l->heap[0]->due - now + 999) / 1000;
			ms = left > 60000 ? 60000 : (int)left;
		}
		int n = epoll_wait(l->ep, ev, 256, ms);
		for (int i = 0; i < n; i++) {
			struct conn *c = ev[i].data.ptr;
			if (!c)
				accept_all(l);
			else if (ev[i].events & ~(uint32_t)EPOLLOUT)
				conn_read(l, c);
			else
				conn_go(l, c);
		}
	}
	return NULL;
}

static int
listen_on(int port, bool shared, int *got)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);
	int one = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (shared)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, n) != 0 ||
	    listen(fd, 4096) != 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &n) != 0) {
		perror("mock_llm: listen");
		exit(1);
	}
	*got = ntohs(a.sin_port);
	return fd;
}

int
main(int argc, char **argv)
{
	int port = 0, threads = 1, opt;
	bool quiet = false;

	while ((opt = getopt(argc, argv, "p:t:qh")) != -1) {
		if (opt == 'p')
			port = (int)strtol(optarg, NULL, 10);
		else if (opt == 't')
			threads = (int)strtol(optarg, NULL, 10);
		else if (opt == 'q')
			quiet = true;
		else {
			printf("usage: mock_llm [-p PORT] [-t THREADS] [-q]\n"
			       "words of a behaviour:\n");
			plan_help();
			return opt == 'h' ? 0 : 2;
		}
	}
	if (threads < 1 || threads > 64)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	stats_start(!quiet);
	struct loop *l = calloc((size_t)threads, sizeof(*l));
	if (!l)
		abort();
	for (int i = 0; i < threads; i++) {
		struct epoll_event ev = { .events = EPOLLIN };
		l[i].listen = listen_on(port, threads > 1, &port);
		l[i].ep = epoll_create1(EPOLL_CLOEXEC);
		epoll_ctl(l[i].ep, EPOLL_CTL_ADD, l[i].listen, &ev);
	}
	printf("port %d\n", port);
	fflush(stdout);
	for (int i = 1; i < threads; i++)
		pthread_create(&l[i].thread, NULL, loop_run, &l[i]);
	loop_run(&l[0]);
	return 0;
}
