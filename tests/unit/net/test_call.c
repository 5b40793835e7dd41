/* net_call against servers that do each thing wrong once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/call.h"
#include "net/net_priv.h"
#include "server.h"
#include "util/clock.h"

/* Scheduling on a busy machine; limits themselves are held to 10 %. */
#define SLACK_MS 250

static struct net *net;

struct got {
	char text[65536];
	size_t n;
	int heads, status;
	int gone;
	int beats, beat_rc;
	int body_rc;
};

static int
take_body(void *arg, const char *p, size_t n)
{
	struct got *g = arg;

	if (g->n + n < sizeof(g->text)) {
		memcpy(g->text + g->n, p, n);
		g->n += n;
		g->text[g->n] = '\0';
	}
	return g->body_rc;
}

static void
take_head(void *arg, int status)
{
	struct got *g = arg;

	g->heads++;
	g->status = status;
}

static int
take_beat(void *arg)
{
	struct got *g = arg;

	g->beats++;
	return g->beat_rc;
}

static struct net_call
call_to(const char *url, struct got *g)
{
	static const char *const none[] = { "Content-Type: text/plain", NULL };

	memset(g, 0, sizeof(*g));
	return (struct net_call){ .method = "POST",
		.url = url,
		.headers = none,
		.body = "hello",
		.body_len = 5,
		.connect_ms = 2000,
		.first_byte_ms = 5000,
		.idle_ms = 5000,
		.deadline = clock_mono() + 20 * CLOCK_S,
		.on_body = take_body,
		.on_head = take_head,
		.arg = g,
		.gone_fd = -1 };
}

static int64_t
timed(struct net *nt, const struct net_call *c, struct net_reply *r,
    struct err *e, int *rc)
{
	int64_t t = clock_mono();

	*rc = net_call(nt, c, r, e);
	return (clock_mono() - t) / CLOCK_MS;
}

static void
assert_limit(int64_t ms, int limit)
{
	if (ms < limit * 9 / 10 || ms > limit * 11 / 10 + SLACK_MS)
		fail_msg("took %lld ms, limit %d ms", (long long)ms, limit);
}

/* Keep-alive server: "you sent <path>". */
static void
serve_ok(struct server *s, int fd)
{
	char head[8192], out[512];

	(void)s;
	while (server_request(fd, head, sizeof(head)) == 0) {
		snprintf(out, sizeof(out),
		    "HTTP/1.1 200 OK\r\nContent-Type: text/plain; x=y\r\n"
		    "Retry-After: 7\r\nretry-after-ms: 1500\r\n"
		    "X-Should-Retry: false\r\nX-Request-Id: req-1\x01"
		    "z\r\nDate: Thu, 15 Jan 2026 10:00:00 GMT\r\n"
		    "Content-Length: 2\r\n\r\nok");
		server_send(fd, out);
	}
}

static void
test_ok(void **state)
{
	struct server *s = server_start(serve_ok, NULL);
	struct got g;
	struct net_reply r;
	struct err e = { 0 };
	struct net_wait *wait = NULL;

	(void)state;
	for (int i = 0; i < 5; i++) {
		struct net_call c = call_to(server_url(s, "/a"), &g);
		c.wait = &wait;
		assert_int_equal(net_call(net, &c, &r, &e), 0);
		assert_int_equal(r.end, NET_OK);
		assert_int_equal(r.status, 200);
		assert_string_equal(g.text, "ok");
		assert_int_equal(g.heads, 1);
		assert_int_equal(g.status, 200);
		assert_int_equal(r.bytes, 2);
		assert_true(r.first_byte_ns > 0);
		assert_string_equal(r.content_type, "text/plain; x=y");
		assert_string_equal(r.retry_after, "7");
		assert_string_equal(r.retry_after_ms, "1500");
		assert_string_equal(r.should_retry, "false");
		assert_string_equal(r.upstream_id, "req-1?z");
		assert_string_equal(r.date, "Thu, 15 Jan 2026 10:00:00 GMT");
		assert_false(r.encoded);
		assert_null(wait);
	}
	assert_int_equal(server_accepts(s), 1);
	server_stop(s);
}

static void
serve_echo_head(struct server *s, int fd)
{
	char *head = server_arg(s);

	if (server_request(fd, head, 8192) == 0)
		server_send(fd,
		    "HTTP/1.1 204 No Content\r\nContent-Encoding: gzip"
		    "\r\n\r\n");
}

/* What we send: no proxy words, no encodings, our headers; and that an
 * encoding nobody asked for is noticed. */
static void
test_request_head(void **state)
{
	static const char *const hs[] = { "X-A: 1", "X-B: 2", NULL };
	char *head = calloc(1, 8192);
	struct server *s = server_start(serve_echo_head, head);
	struct got g;
	struct net_reply r;
	struct err e;

	(void)state;
	struct net_call c = call_to(server_url(s, "/v1/x?y=z"), &g);
	c.headers = hs;
	assert_int_equal(net_call(net, &c, &r, &e), 0);
	server_stop(s);
	assert_non_null(strstr(head, "POST /v1/x?y=z HTTP/1.1\r\n"));
	assert_non_null(strstr(head, "X-A: 1\r\n"));
	assert_non_null(strstr(head, "X-B: 2\r\n"));
	assert_non_null(strstr(head, "Content-Length: 5\r\n"));
	assert_null(strcasestr(head, "accept-encoding"));
	assert_null(strcasestr(head, "expect:"));
	assert_null(strcasestr(head, "cookie"));
	assert_true(r.encoded);
	assert_int_equal(r.status, 204);
	free(head);
}

struct caller {
	pthread_t t;
	const char *url;
	int calls, failed;
};

static void *
caller_thread(void *arg)
{
	struct caller *w = arg;
	struct got *g = malloc(sizeof(*g));

	for (int i = 0; i < w->calls; i++) {
		struct net_call c = call_to(w->url, g);
		struct net_reply r;
		struct err e;
		if (net_call(net, &c, &r, &e) != 0 ||
		    strcmp(g->text, "ok") != 0)
			w->failed++;
	}
	free(g);
	return NULL;
}

/* One thread after the other: the connection is handed on. */
static void
test_warm_across_threads(void **state)
{
	struct server *s = server_start(serve_ok, NULL);
	char url[128];
	struct caller w[8];

	(void)state;
	snprintf(url, sizeof(url), "%s", server_url(s, "/"));
	for (int i = 0; i < 4; i++) {
		w[0] = (struct caller){ .url = url, .calls = 3 };
		pthread_create(&w[0].t, NULL, caller_thread, &w[0]);
		pthread_join(w[0].t, NULL);
		assert_int_equal(w[0].failed, 0);
	}
	assert_int_equal(server_accepts(s), 1);
	/* All at once: no more connections than threads, then kept. */
	for (int i = 0; i < 8; i++) {
		w[i] = (struct caller){ .url = url, .calls = 50 };
		pthread_create(&w[i].t, NULL, caller_thread, &w[i]);
	}
	for (int i = 0; i < 8; i++) {
		pthread_join(w[i].t, NULL);
		assert_int_equal(w[i].failed, 0);
	}
	assert_true(server_accepts(s) <= 8);
	server_stop(s);
}

static void
serve_once(struct server *s, int fd)
{
	char head[8192];

	(void)s;
	if (server_request(fd, head, sizeof(head)) == 0)
		server_send(
		    fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
}

/* The server has closed the kept connection: a fresh one serves. */
static void
test_stale_warm(void **state)
{
	struct server *s = server_start(serve_once, NULL);
	struct got g;
	struct net_reply r;
	struct err e;

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct net_call c = call_to(server_url(s, "/"), &g);
		assert_int_equal(net_call(net, &c, &r, &e), 0);
		assert_string_equal(g.text, "ok");
		if (i % 2)
			sleep_ms(20);
	}
	assert_int_equal(server_accepts(s), 4);
	server_stop(s);
}

static void
test_pool_bound(void **state)
{
	struct net *small = net_new(2);
	struct server *s[4];
	struct got g;
	struct net_reply r;
	struct err e;

	(void)state;
	for (int i = 0; i < 4; i++) {
		s[i] = server_start(serve_ok, NULL);
		struct net_call c = call_to(server_url(s[i], "/"), &g);
		assert_int_equal(net_call(small, &c, &r, &e), 0);
		assert_true(net_warm(small) <= 2);
	}
	/* The last used is still there, the first used is not. */
	struct net_call c = call_to(server_url(s[3], "/"), &g);
	assert_int_equal(net_call(small, &c, &r, &e), 0);
	assert_int_equal(server_accepts(s[3]), 1);
	c = call_to(server_url(s[0], "/"), &g);
	assert_int_equal(net_call(small, &c, &r, &e), 0);
	assert_int_equal(server_accepts(s[0]), 2);
	net_free(small);
	for (int i = 0; i < 4; i++)
		server_stop(s[i]);
}

/* A listener nobody accepts from, its queue full: SYNs are dropped. */
static void
test_connect_limit(void **state)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0), fill[8], rc;
	char url[64];
	struct got g;
	struct net_reply r;
	struct err e;

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&a, n), 0);
	assert_int_equal(listen(fd, 0), 0);
	getsockname(fd, (struct sockaddr *)&a, &n);
	for (int i = 0; i < 8; i++) {
		fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(fill[i], (struct sockaddr *)&a, n);
	}
	sleep_ms(20);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/", ntohs(a.sin_port));
	struct net_call c = call_to(url, &g);
	c.connect_ms = 400;
	int64_t ms = timed(net, &c, &r, &e, &rc);
	assert_int_equal(rc, -1);
	assert_int_equal(r.end, NET_TIMEOUT);
	assert_int_equal(e.code, ERR_TIMEOUT);
	assert_limit(ms, 400);
	for (int i = 0; i < 8; i++)
		close(fill[i]);
	/* Closed: refused at once. */
	close(fd);
	ms = timed(net, &c, &r, &e, &rc);
	assert_int_equal(rc, -1);
	assert_int_equal(r.end, NET_CONNECT);
	assert_int_equal(e.code, ERR_UPSTREAM);
	assert_string_equal(e.kind, "upstream-unreachable");
	assert_true(ms < 300);
}

static void
serve_silent(struct server *s, int fd)
{
	char head[8192];

	(void)s;
	if (server_request(fd, head, sizeof(head)) == 0)
		server_hold(fd);
}

static void
serve_head_only(struct server *s, int fd)
{
	char head[8192];

	(void)s;
	if (server_request(fd, head, sizeof(head)) != 0)
		return;
	server_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n");
	server_hold(fd);
}

static void
test_first_byte_limit(void **state)
{
	server_handler hs[] = { serve_silent, serve_head_only };
	struct got g;
	struct net_reply r;
	struct err e;
	int rc;

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct server *s = server_start(hs[i], NULL);
		struct net_call c = call_to(server_url(s, "/"), &g);
		c.first_byte_ms = 400;
		c.idle_ms = 100;
		int64_t ms = timed(net, &c, &r, &e, &rc);
		assert_int_equal(rc, -1);
		assert_int_equal(r.end, NET_TIMEOUT);
		assert_int_equal(r.status, i ? 200 : 0);
		assert_int_equal(e.code, ERR_TIMEOUT);
		assert_string_equal(e.kind, "upstream-timeout");
		assert_limit(ms, 400);
		server_stop(s);
	}
}

static void
serve_some_then_silent(struct server *s, int fd)
{
	char head[8192];

	(void)s;
	if (server_request(fd, head, sizeof(head)) != 0)
		return;
	server_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab");
	server_hold(fd);
}

static void
test_idle_limit(void **state)
{
	struct server *s = server_start(serve_some_then_silent, NULL);
	struct got g;
	struct net_reply r;
	struct err e;
	int rc;

	(void)state;
	struct net_call c = call_to(server_url(s, "/"), &g);
	c.idle_ms = 400;
	int64_t ms = timed(net, &c, &r, &e, &rc);
	assert_int_equal(rc, -1);
	assert_int_equal(r.end, NET_TIMEOUT);
	assert_string_equal(g.text, "ab");
	assert_limit(ms, 400);
	server_stop(s);
}

static void
serve_drip(struct server *s, int fd)
{
	char head[8192];

	(void)s;
	if (server_request(fd, head, sizeof(head)) != 0)
		return;
	server_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n");
	for (int i = 0; i < 500; i++) {
		if (send(fd, "x", 1, MSG_NOSIGNAL) != 1)
			return;
		sleep_ms(20);
	}
}

static void
test_total_limit(void **state)
{
	struct server *s = server_start(serve_drip, NULL);
	struct got g;
	struct net_reply r;
	struct err e;
	int rc;

	(void)state;
	struct net_call c = call_to(server_url(s, "/"), &g);
	c.idle_ms = 300;
	c.deadline = clock_mono() + 500 * CLOCK_MS;
	int64_t ms = timed(net, &c, &r, &e, &rc);
	assert_int_equal(rc, -1);
	assert_int_equal(r.end, NET_TIMEOUT);
	assert_limit(ms, 500);
	assert_true(r.bytes > 5);
	server_stop(s);
	/* A deadline that is past costs nothing. */
	c.deadline = clock_mono() - 1;
	assert_true(timed(net, &c, &r, &e, &rc) < 50);
	assert_int_equal(r.end, NET_TIMEOUT);
}

static void
serve_cut(struct server *s, int fd)
{
	const char *how = server_arg(s);
	char head[8192];

	if (server_request(fd, head, sizeof(head)) != 0)
		return;
	if (strcmp(how, "nothing") == 0)
		return;
	if (strcmp(how, "head") == 0) {
		server_send(fd, "HTTP/1.1 200 OK\r\nContent-Le");
		return;
	}
	if (strcmp(how, "junk") == 0) {
		server_send(fd, "no http at all\r\n\r\n");
		return;
	}
	if (strcmp(how, "chunk") == 0) {
		server_send(fd,
		    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		    "5\r\nabcde\r\n5\r\nab");
		return;
	}
	server_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab");
	if (strcmp(how, "rst") == 0) {
		struct linger l = { 1, 0 };
		sleep_ms(50);
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
		/* connect(AF_UNSPEC) resets without giving up the number. */
		struct sockaddr none = { .sa_family = AF_UNSPEC };
		connect(fd, &none, sizeof(none));
	}
}

static void
test_cuts(void **state)
{
	static char *const hows[] = { "nothing", "head", "junk", "chunk",
		"length", "rst" };
	struct got g;
	struct net_reply r;
	struct err e;
	int rc;

	(void)state;
	for (size_t i = 0; i < sizeof(hows) / sizeof(hows[0]); i++) {
		struct server *s = server_start(serve_cut, hows[i]);
		struct net_call c = call_to(server_url(s, "/"), &g);
		int64_t ms = timed(net, &c, &r, &e, &rc);
		assert_int_equal(rc, -1);
		assert_int_equal(r.end, NET_BROKEN);
		assert_int_equal(e.code, ERR_UPSTREAM);
		assert_string_equal(e.kind, "upstream-broken");
		assert_true(ms < 1000);
		/* Nothing is sent twice. */
		assert_int_equal(server_accepts(s), 1);
		server_stop(s);
	}
}

static void
serve_huge(struct server *s, int fd)
{
	char head[8192], block[65536];

	(void)s;
	if (server_request(fd, head, sizeof(head)) != 0)
		return;
	server_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 209715200\r\n\r\n");
	memset(block, 'x', sizeof(block));
	for (int i = 0; i < 3200; i++)
		if (send(fd, block, sizeof(block), MSG_NOSIGNAL) <= 0)
			return;
}

static void
test_huge_body(void **state)
{
	struct server *s = server_start(serve_huge, NULL);
	struct got g;
	struct net_reply r;
	struct err e;

	(void)state;
	struct net_call c = call_to(server_url(s, "/"), &g);
	assert_int_equal(net_call(net, &c, &r, &e), -1);
	assert_int_equal(r.end, NET_TOO_LARGE);
	assert_string_equal(e.kind, "upstream-too-large");
	assert_true(r.bytes <= 4 * 1024 * 1024);
	c.response_max = 10000;
	assert_int_equal(net_call(net, &c, &r, &e), -1);
	assert_int_equal(r.end, NET_TOO_LARGE);
	assert_true(r.bytes <= 10000);
	server_stop(s);
}

static void
serve_header_bomb(struct server *s, int fd)
{
	char head[8192], line[64];

	if (server_request(fd, head, sizeof(head)) != 0)
		return;
	server_send(fd, "HTTP/1.1 200 OK\r\n");
	if (server_arg(s)) { /* one endless line */
		memset(line, 'a', sizeof(line));
		for (int i = 0; i < 100000; i++)
			if (send(fd, line, sizeof(line), MSG_NOSIGNAL) <= 0)
				return;
	}
	for (int i = 0; i < 100000; i++) {
		int n = snprintf(line, sizeof(line), "X-%d: y\r\n", i);
		if (send(fd, line, (size_t)n, MSG_NOSIGNAL) <= 0)
			return;
	}
	server_send(fd, "Content-Length: 0\r\n\r\n");
}

static void
test_header_bomb(void **state)
{
	struct got g;
	struct net_reply r;
	struct err e;

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct server *s =
		    server_start(serve_header_bomb, i ? "" : NULL);
		struct net_call c = call_to(server_url(s, "/"), &g);
		assert_int_equal(net_call(net, &c, &r, &e), -1);
		if (i == 0)
			assert_int_equal(r.end, NET_TOO_LARGE);
		assert_int_equal(e.code, ERR_UPSTREAM);
		assert_int_equal(g.heads, 0);
		server_stop(s);
	}
}

struct hang {
	int fd, ms;
	bool write_only;
	int64_t at;
};

static void *
hang_up(void *arg)
{
	struct hang *h = arg;

	sleep_ms(h->ms);
	h->at = clock_mono();
	if (h->write_only)
		send(h->fd, "more", 4, 0);
	else
		close(h->fd);
	return NULL;
}

static void
test_reader_gone(void **state)
{
	server_handler hs[] = { serve_silent, serve_drip };
	struct got g;
	struct net_reply r;
	struct err e;
	int sv[2];
	pthread_t t;

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct server *s = server_start(hs[i], NULL);
		socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
		struct hang h = { .fd = sv[1], .ms = 100 };
		struct net_call c = call_to(server_url(s, "/"), &g);
		c.gone_fd = sv[0];
		pthread_create(&t, NULL, hang_up, &h);
		assert_int_equal(net_call(net, &c, &r, &e), -1);
		int64_t end = clock_mono();
		pthread_join(t, NULL);
		assert_int_equal(r.end, NET_GONE);
		assert_int_equal(e.code, ERR_GONE);
		assert_true(end - h.at < 100 * CLOCK_MS);
		/* Gone before the call: the peer is not even asked. */
		int before = server_accepts(s);
		assert_int_equal(net_call(net, &c, &r, &e), -1);
		assert_int_equal(r.end, NET_GONE);
		assert_int_equal(server_accepts(s), before);
		/* Unless the call is to be finished anyway. */
		c.ignore_gone = true;
		c.deadline = clock_mono() + 200 * CLOCK_MS;
		assert_int_equal(net_call(net, &c, &r, &e), -1);
		assert_int_equal(r.end, NET_TIMEOUT);
		close(sv[0]);
		server_stop(s);
	}
}

static int
go_on_twice(void *arg)
{
	struct got *g = arg;

	return g->gone++ < 2 ? 100 : 0;
}

/* Without its reader a call goes on for as long as it is told to. */
static void
test_reader_may_come_back(void **state)
{
	server_handler hs[] = { serve_silent, serve_drip };
	struct got g;
	struct net_reply r;
	struct err e;
	int sv[2], rc;

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct server *s = server_start(hs[i], NULL);
		socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
		struct net_call c = call_to(server_url(s, "/"), &g);
		c.gone_fd = sv[0];
		c.on_gone = go_on_twice;
		close(sv[1]);
		int64_t ms = timed(net, &c, &r, &e, &rc);
		assert_int_equal(rc, -1);
		assert_int_equal(r.end, NET_GONE);
		assert_int_equal(g.gone, 3);
		assert_limit(ms, 200);
		/* as with one that is found out by a beat */
		g.gone = 0;
		g.beat_rc = -1;
		c.gone_fd = -1;
		c.beat_ms = 50;
		c.on_beat = take_beat;
		ms = timed(net, &c, &r, &e, &rc);
		assert_int_equal(r.end, NET_GONE);
		assert_true(ms >= 50);
		close(sv[0]);
		server_stop(s);
	}
}

static int64_t
cpu_ms(void)
{
	struct rusage u;

	getrusage(RUSAGE_THREAD, &u);
	return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000 +
	       (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1000;
}

/* A reader that sends more is there; and looking at it does not spin. */
static void
test_reader_talks(void **state)
{
	struct server *s = server_start(serve_silent, NULL);
	struct got g;
	struct net_reply r;
	struct err e;
	int sv[2];
	pthread_t t;

	(void)state;
	socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
	struct hang h = { .fd = sv[1], .ms = 50, .write_only = true };
	struct net_call c = call_to(server_url(s, "/"), &g);
	c.gone_fd = sv[0];
	c.first_byte_ms = 600;
	pthread_create(&t, NULL, hang_up, &h);
	int64_t cpu = cpu_ms();
	assert_int_equal(net_call(net, &c, &r, &e), -1);
	pthread_join(t, NULL);
	assert_int_equal(r.end, NET_TIMEOUT);
	assert_true(cpu_ms() - cpu < 150);
	close(sv[0]);
	close(sv[1]);
	server_stop(s);
}

static void
test_beats(void **state)
{
	struct server *s = server_start(serve_silent, NULL);
	struct got g;
	struct net_reply r;
	struct err e;

	(void)state;
	struct net_call c = call_to(server_url(s, "/"), &g);
	c.first_byte_ms = 550;
	c.beat_ms = 100;
	c.on_beat = take_beat;
	assert_int_equal(net_call(net, &c, &r, &e), -1);
	assert_int_equal(r.end, NET_TIMEOUT);
	assert_in_range(g.beats, 3, 5);
	g.beats = 0;
	g.beat_rc = -1;
	assert_int_equal(net_call(net, &c, &r, &e), -1);
	assert_int_equal(r.end, NET_GONE);
	assert_int_equal(g.beats, 1);
	c.ignore_gone = true;
	assert_int_equal(net_call(net, &c, &r, &e), -1);
	assert_int_equal(r.end, NET_TIMEOUT);
	server_stop(s);
}

struct stopper {
	struct net_wait *wait;
	atomic_bool cancel;
	int ms;
	int64_t at;
};

static void *
cancel_thread(void *arg)
{
	struct stopper *k = arg;

	sleep_ms(k->ms);
	k->at = clock_mono();
	atomic_store(&k->cancel, true);
	net_wake(__atomic_load_n(&k->wait, __ATOMIC_SEQ_CST));
	return NULL;
}

static void
test_cancel(void **state)
{
	struct server *s = server_start(serve_silent, NULL);
	struct got g;
	struct net_reply r;
	struct err e;
	pthread_t t;

	(void)state;
	/* 0: before or while the call begins, which must not lose it. */
	for (int i = 0; i < 20; i++) {
		struct stopper k = { .ms = i < 3 ? 100 : 0 };
		struct net_call c = call_to(server_url(s, "/"), &g);
		c.cancel = &k.cancel;
		c.wait = &k.wait;
		pthread_create(&t, NULL, cancel_thread, &k);
		assert_int_equal(net_call(net, &c, &r, &e), -1);
		int64_t end = clock_mono();
		pthread_join(t, NULL);
		assert_int_equal(r.end, NET_CANCELLED);
		assert_int_equal(e.code, ERR_CANCELLED);
		assert_true(end - k.at < 100 * CLOCK_MS);
	}
	server_stop(s);
}

struct waker {
	struct net_wait *_Atomic last;
	struct net_wait *wait;
	atomic_bool stop;
};

static void *
wake_thread(void *arg)
{
	struct waker *k = arg;

	while (!atomic_load(&k->stop)) {
		struct net_wait *w =
		    __atomic_load_n(&k->wait, __ATOMIC_SEQ_CST);
		if (w)
			atomic_store(&k->last, w);
		/* Mostly too late: a wait of a call that has ended. */
		net_wake(atomic_load(&k->last));
	}
	return NULL;
}

static void
test_wake_any_time(void **state)
{
	struct server *s = server_start(serve_ok, NULL);
	struct net *cold = net_new(0); /* handles die after each call */
	struct waker k = { .wait = NULL };
	struct got g;
	struct net_reply r;
	struct err e;
	pthread_t t[2];

	(void)state;
	for (int i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, wake_thread, &k);
	for (int i = 0; i < 100; i++) {
		struct net_call c = call_to(server_url(s, "/"), &g);
		c.wait = &k.wait;
		assert_int_equal(net_call(cold, &c, &r, &e), 0);
	}
	atomic_store(&k.stop, true);
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	net_free(cold);
	server_stop(s);
}

static void
serve_redirect(struct server *s, int fd)
{
	struct server *other = server_arg(s);
	char head[8192], out[512];

	if (server_request(fd, head, sizeof(head)) != 0)
		return;
	snprintf(out, sizeof(out),
	    "HTTP/1.1 307 Temporary Redirect\r\nLocation: %s\r\n"
	    "Content-Length: 0\r\n\r\n",
	    server_url(other, "/stolen"));
	server_send(fd, out);
}

static void
test_redirect_not_followed(void **state)
{
	struct server *other = server_start(serve_ok, NULL);
	struct server *s = server_start(serve_redirect, other);
	struct got g;
	struct net_reply r;
	struct err e;

	(void)state;
	struct net_call c = call_to(server_url(s, "/"), &g);
	assert_int_equal(net_call(net, &c, &r, &e), 0);
	assert_int_equal(r.status, 307);
	assert_int_equal(server_accepts(other), 0);
	server_stop(s);
	server_stop(other);
}

static void
test_proxy_ignored(void **state)
{
	static const char *const names[] = { "http_proxy", "HTTPS_PROXY",
		"https_proxy", "ALL_PROXY", "all_proxy" };
	struct server *proxy = server_start(serve_ok, NULL);
	struct server *s = server_start(serve_ok, NULL);
	struct got g;
	struct net_reply r;
	struct err e;

	(void)state;
	for (size_t i = 0; i < 5; i++)
		setenv(names[i], server_url(proxy, ""), 1);
	struct net *nt = net_new(2);
	struct net_call c = call_to(server_url(s, "/"), &g);
	assert_int_equal(net_call(nt, &c, &r, &e), 0);
	net_free(nt);
	for (size_t i = 0; i < 5; i++)
		unsetenv(names[i]);
	assert_int_equal(server_accepts(proxy), 0);
	assert_int_equal(server_accepts(s), 1);
	server_stop(proxy);
	server_stop(s);
}

static void
test_bad_urls(void **state)
{
	static const char *const urls[] = { "", "x", "file:///etc/passwd",
		"gopher://127.0.0.1:1/", "ftp://127.0.0.1/", "http://",
		"http:///x", "dict://127.0.0.1:1/", "http://a b/" };
	struct got g;
	struct net_reply r;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		struct net_call c = call_to(urls[i], &g);
		assert_int_equal(net_call(net, &c, &r, &e), -1);
		assert_int_equal(r.end, NET_CONNECT);
	}
}

static void
test_body_stops(void **state)
{
	struct server *s = server_start(serve_drip, NULL);
	struct got g;
	struct net_reply r;
	struct err e;
	int rc;

	(void)state;
	struct net_call c = call_to(server_url(s, "/"), &g);
	g.body_rc = NET_STOP;
	assert_int_equal(net_call(net, &c, &r, &e), -1);
	assert_int_equal(r.end, NET_STOPPED);
	assert_int_equal(g.n, 1);
	/* Enough: what follows is not wanted, a late end is not waited for,
	 * and a reader who leaves meanwhile has had all of it. */
	int sv[2];
	socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
	struct hang h = { .fd = sv[1], .ms = 20 };
	pthread_t t;
	pthread_create(&t, NULL, hang_up, &h);
	c.gone_fd = sv[0];
	g.n = 0;
	g.body_rc = NET_ENOUGH;
	assert_true(timed(net, &c, &r, &e, &rc) < 100 + SLACK_MS);
	assert_int_equal(rc, 0);
	assert_int_equal(r.end, NET_OK);
	assert_int_equal(g.n, 1);
	pthread_join(t, NULL);
	close(sv[0]);
	server_stop(s);
	/* Enough, and the end comes at once: the connection is kept. */
	s = server_start(serve_ok, NULL);
	for (int i = 0; i < 3; i++) {
		c = call_to(server_url(s, "/"), &g);
		g.body_rc = NET_ENOUGH;
		assert_int_equal(net_call(net, &c, &r, &e), 0);
	}
	assert_int_equal(server_accepts(s), 1);
	server_stop(s);
}

static int
slow_lookup(const char *host, struct resolved *out)
{
	if (strcmp(host, "slow.test") == 0)
		sleep_ms(1200);
	if (strcmp(host, "none.test") == 0)
		return -1;
	out->n = 2;
	/* The first address refuses: the second is tried. */
	snprintf(out->addr[0], sizeof(out->addr[0]), "127.255.0.1");
	snprintf(out->addr[1], sizeof(out->addr[1]), "127.0.0.1");
	return 0;
}

static void
test_names(void **state)
{
	struct net_opts o = { .warm = 4,
		.resolve = { .threads = 2,
		    .ttl_ms = 1000,
		    .negative_ms = 1000,
		    .lookup = slow_lookup } };
	struct net *nt = net_new_opts(&o);
	struct server *s = server_start(serve_ok, NULL);
	char url[64];
	struct got g;
	struct net_reply r;
	struct err e;
	int rc, sv[2];
	pthread_t t;

	(void)state;
	snprintf(url, sizeof(url), "http://fast.test:%d/", server_port(s));
	struct net_call c = call_to(url, &g);
	assert_int_equal(net_call(nt, &c, &r, &e), 0);
	assert_string_equal(g.text, "ok");

	snprintf(url, sizeof(url), "http://none.test:%d/", server_port(s));
	assert_int_equal(net_call(nt, &c, &r, &e), -1);
	assert_int_equal(r.end, NET_CONNECT);

	/* The connect limit holds though the resolver does not answer; so do
	 * the reader's hang-up and heartbeats. */
	snprintf(url, sizeof(url), "http://slow.test:%d/", server_port(s));
	c.connect_ms = 300;
	c.beat_ms = 100;
	c.on_beat = take_beat;
	int64_t ms = timed(nt, &c, &r, &e, &rc);
	assert_int_equal(rc, -1);
	assert_int_equal(r.end, NET_TIMEOUT);
	assert_limit(ms, 300);
	assert_true(g.beats >= 1);
	socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
	struct hang h = { .fd = sv[1], .ms = 50 };
	c.gone_fd = sv[0];
	pthread_create(&t, NULL, hang_up, &h);
	assert_int_equal(net_call(nt, &c, &r, &e), -1);
	pthread_join(t, NULL);
	assert_int_equal(r.end, NET_GONE);
	close(sv[0]);
	net_free(nt);
	server_stop(s);
}

static void
test_peer_gone(void **state)
{
	int sv[2];

	(void)state;
	socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
	assert_int_equal(net_peer_gone(sv[0]), 0);
	send(sv[1], "x", 1, 0);
	assert_int_equal(net_peer_gone(sv[0]), -1);
	char c;
	assert_int_equal(recv(sv[0], &c, 1, 0), 1);
	assert_int_equal(net_peer_gone(sv[0]), 0);
	close(sv[1]);
	assert_int_equal(net_peer_gone(sv[0]), 1);
	close(sv[0]);
}

static int
setup(void **state)
{
	(void)state;
	net = net_new(16);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	net_free(net);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ok),
		cmocka_unit_test(test_request_head),
		cmocka_unit_test(test_warm_across_threads),
		cmocka_unit_test(test_stale_warm),
		cmocka_unit_test(test_pool_bound),
		cmocka_unit_test(test_connect_limit),
		cmocka_unit_test(test_first_byte_limit),
		cmocka_unit_test(test_idle_limit),
		cmocka_unit_test(test_total_limit),
		cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_huge_body),
		cmocka_unit_test(test_header_bomb),
		cmocka_unit_test(test_reader_gone),
		cmocka_unit_test(test_reader_may_come_back),
		cmocka_unit_test(test_reader_talks),
		cmocka_unit_test(test_beats),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_wake_any_time),
		cmocka_unit_test(test_redirect_not_followed),
		cmocka_unit_test(test_proxy_ignored),
		cmocka_unit_test(test_bad_urls),
		cmocka_unit_test(test_body_stops),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_peer_gone),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
