/* A connection as the web server sees it: a socket pair and real records. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/fcgi.h"
#include "http/request.h"
#include "http/response.h"
#include "http/sse.h"
#include "records.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

#define BODY_MAX 65536

static const struct fcgi_opts opts = { 400, 400, 256 * 1024 };

/* What the handler saw. */
struct seen {
	int calls, body_rc;
	enum err_code body_code, bad;
	const char *bad_kind;
	char method[32], path[256], query[256];
	char body[BODY_MAX + 1];
	size_t len;
	int pieces; /* of a stream: how many went out */
	bool stream, silent, no_body;
	int gone_fd;
	size_t reply;     /* size of the answer's body */
	int close_before; /* the reader's end, closed before writing */
};

static void
handler(void *arg, struct http_req *req, struct http_resp *resp)
{
	struct seen *s = arg;
	const char *body = "";
	struct err e = { 0 };

	s->calls++;
	s->bad = req->bad.code;
	s->bad_kind = req->bad.kind;
	s->gone_fd = req->gone_fd;
	snprintf(s->method, sizeof(s->method), "%s", req->method);
	snprintf(s->path, sizeof(s->path), "%s", req->path);
	snprintf(s->query, sizeof(s->query), "%s", req->query);
	if (!s->no_body) {
		s->body_rc = http_body(req, BODY_MAX, &body, &s->len, &e);
		s->body_code = e.code;
		if (s->body_rc == 0)
			memcpy(s->body, body, s->len + 1);
	}
	if (s->silent)
		return;
	if (s->stream) {
		sse_begin(resp);
		if (s->close_before >= 0)
			close(s->close_before);
		while (s->pieces < 100 &&
		       sse_event(resp, "delta", "t", s->pieces, "{}", 2) == 0)
			s->pieces++;
		return;
	}
	if (s->reply > 0) {
		char *p = mem_zalloc(req->ctx, s->reply, "reply");

		memset(p, 'x', s->reply);
		http_send(resp, "text/plain", p, s->reply);
		return;
	}
	http_send(resp, "text/plain", "hello", 5);
}

static void
pair(int sv[2])
{
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	fcgi_accepted(sv[0], &opts);
}

static void
send_all(int fd, const void *p, size_t n)
{
	const char *from = p;

	while (n > 0) {
		ssize_t k = send(fd, from, n, MSG_NOSIGNAL);

		assert_true(k > 0);
		from += k;
		n -= (size_t)k;
	}
}

/* Everything that lies in the socket now, or until its end. */
static size_t
receive(int fd, uint8_t *to, size_t max, bool *end)
{
	size_t have = 0;
	ssize_t k;

	*end = false;
	while ((k = recv(fd, to + have, max - have, MSG_DONTWAIT)) > 0)
		have += (size_t)k;
	if (k == 0)
		*end = true;
	return have;
}

static struct seen seen;
static struct wire wire;
static uint8_t raw[1024 * 1024];
static char text[1024 * 1024];

static int
setup(void **state)
{
	(void)state;
	memset(&seen, 0, sizeof(seen));
	seen.close_before = -1;
	wire.n = 0;
	return 0;
}

/* Send the wire, serve, and take the answer apart. */
static int
exchange(struct fcgi *f, int sv[2], int *answer, bool *end)
{
	int fd;

	send_all(sv[1], wire.b, wire.n);
	fd = fcgi_serve(f, sv[0], &opts, handler, &seen);
	*answer = wire_answer(
	    raw, receive(sv[1], raw, sizeof(raw), end), text, sizeof(text));
	return fd;
}

static void
test_kept(void **state)
{
	struct fcgi *f = fcgi_new();
	int sv[2], answer;
	bool end;

	(void)state;
	pair(sv);
	for (int i = 1; i <= 5; i++) {
		wire.n = 0;
		wire_request(&wire, 1, "POST", "/a/b?c=d", "3", "xyz", 3);
		assert_int_equal(exchange(f, sv, &answer, &end), sv[0]);
		assert_int_equal(answer, 1);
		assert_false(end);
		assert_int_equal(seen.calls, i);
		assert_string_equal(seen.method, "POST");
		assert_string_equal(seen.path, "/a/b");
		assert_string_equal(seen.query, "c=d");
		assert_string_equal(seen.body, "xyz");
		assert_int_equal(seen.gone_fd, sv[0]);
		assert_string_equal(text,
		    "Status: 200 OK\r\nX-Content-Type-Options: nosniff\r\n"
		    "Content-Type: text/plain\r\nContent-Length: 5\r\n\r\n"
		    "hello");
	}
	/* its end: closed, the handler not called */
	shutdown(sv[1], SHUT_WR);
	assert_int_equal(fcgi_serve(f, sv[0], &opts, handler, &seen), -1);
	assert_int_equal(seen.calls, 5);
	assert_int_equal(fcntl(sv[0], F_GETFD), -1);
	close(sv[1]);
	fcgi_free(f);
}

static void
test_not_kept(void **state)
{
	struct fcgi *f = fcgi_new();
	int sv[2], answer;
	bool end;

	(void)state;
	pair(sv);
	wire_request(&wire, 0, "GET", "/", NULL, NULL, 0);
	assert_int_equal(exchange(f, sv, &answer, &end), -1);
	assert_int_equal(answer, 1);
	assert_true(end);
	close(sv[1]);
	fcgi_free(f);
}

static void
test_head(void **state)
{
	struct fcgi *f = fcgi_new();
	int sv[2], answer;
	bool end;

	(void)state;
	pair(sv);
	wire_request(&wire, 1, "HEAD", "/", NULL, NULL, 0);
	assert_int_equal(exchange(f, sv, &answer, &end), sv[0]);
	assert_int_equal(answer, 1);
	assert_non_null(strstr(text, "Content-Length: 5\r\n\r\n"));
	assert_null(strstr(text, "hello"));
	close(sv[0]);
	close(sv[1]);
	fcgi_free(f);
}

/* Bodies up to the limit come whole; a handler that reads none loses nothing
 * for the next request; one too large is drained and the connection kept. */
static void
test_bodies(void **state)
{
	static char big[BODY_MAX + 1000];
	struct fcgi *f = fcgi_new();
	int sv[2], answer;
	bool end;

	(void)state;
	memset(big, 'b', sizeof(big));
	pair(sv);

	wire_request(&wire, 1, "POST", "/", "65536", big, BODY_MAX);
	assert_int_equal(exchange(f, sv, &answer, &end), sv[0]);
	assert_int_equal(seen.body_rc, 0);
	assert_int_equal(seen.len, BODY_MAX);

	wire.n = 0;
	wire_request(&wire, 1, "POST", "/", NULL, big, sizeof(big));
	assert_int_equal(exchange(f, sv, &answer, &end), sv[0]);
	assert_int_equal(seen.body_rc, -1);
	assert_int_equal(seen.body_code, ERR_TOO_LARGE);
	assert_int_equal(answer, 1);

	wire.n = 0;
	wire_request(&wire, 1, "POST", "/", "66536", big, sizeof(big));
	assert_int_equal(exchange(f, sv, &answer, &end), sv[0]);
	assert_int_equal(seen.body_code, ERR_TOO_LARGE);

	seen.no_body = true;
	wire.n = 0;
	wire_request(&wire, 1, "POST", "/", "66536", big, sizeof(big));
	assert_int_equal(exchange(f, sv, &answer, &end), sv[0]);
	assert_int_equal(answer, 1);
	seen.no_body = false;

	wire.n = 0;
	wire_request(&wire, 1, "POST", "/", "2", "ok", 2);
	assert_int_equal(exchange(f, sv, &answer, &end), sv[0]);
	assert_string_equal(seen.body, "ok");
	close(sv[0]);
	close(sv[1]);
	fcgi_free(f);
}

/* D16: the length said and the bytes read must agree. */
static void
test_lengths(void **state)
{
	static const char *const wrong[] = { "2", "4", "0" };
	static const char *const junk[] = { "-1", "+3", "3,3", "0x3", "3 ",
		"99999999999999999999" };
	struct fcgi *f = fcgi_new();
	int sv[2], answer;
	bool end;

	(void)state;
	pair(sv);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		wire.n = 0;
		wire_request(&wire, 1, "POST", "/", wrong[i], "xyz", 3);
		assert_int_equal(exchange(f, sv, &answer, &end), sv[0]);
		assert_int_equal(seen.body_rc, -1);
		assert_int_equal(seen.body_code, ERR_MALFORMED);
	}
	for (size_t i = 0; i < sizeof(junk) / sizeof(*junk); i++) {
		wire.n = 0;
		wire_request(&wire, 1, "POST", "/", junk[i], "xyz", 3);
		assert_int_equal(exchange(f, sv, &answer, &end), sv[0]);
		assert_int_equal(seen.bad, ERR_MALFORMED);
	}
	close(sv[0]);
	close(sv[1]);
	fcgi_free(f);
}

struct drip {
	int fd;
	size_t at;
};

static bool
taken(int fd)
{
	int unread = 0;

	return ioctl(fd, SIOCOUTQ, &unread) != 0 || unread == 0;
}

/* The second part only when the first has been read. */
static void *
send_split(void *arg)
{
	const struct drip *d = arg;

	send_all(d->fd, wire.b, d->at);
	while (!taken(d->fd))
		sched_yield();
	send_all(d->fd, wire.b + d->at, wire.n - d->at);
	return NULL;
}

static void
test_split_everywhere(void **state)
{
	struct fcgi *f = fcgi_new();
	pthread_t thread;
	int sv[2];
	bool end;

	(void)state;
	wire_request(&wire, 1, "POST", "/p?q", "11", "hello world", 11);
	pair(sv);
	for (size_t at = 1; at < wire.n; at++) {
		struct drip d = { sv[1], at };

		seen.len = 0;
		assert_int_equal(
		    pthread_create(&thread, NULL, send_split, &d), 0);
		assert_int_equal(
		    fcgi_serve(f, sv[0], &opts, handler, &seen), sv[0]);
		pthread_join(thread, NULL);
		assert_string_equal(seen.body, "hello world");
		assert_int_equal(
		    wire_answer(raw, receive(sv[1], raw, sizeof(raw), &end),
			text, sizeof(text)),
		    1);
	}
	close(sv[0]);
	close(sv[1]);
	fcgi_free(f);
}

/* Cut off or left hanging after each byte: back in time, nothing held. */
static void
test_half_open(void **state)
{
	static const struct fcgi_opts quick = { 2, 50, 4096 };
	struct fcgi *f = fcgi_new();
	int sv[2];

	(void)state;
	wire_request(&wire, 1, "POST", "/p", "5", "hello", 5);
	for (size_t at = 0; at < wire.n; at++) {
		for (int hang = 0; hang < 2; hang++) {
			int64_t start = clock_mono();

			pair(sv);
			fcgi_accepted(sv[0], &quick);
			send_all(sv[1], wire.b, at);
			if (!hang)
				shutdown(sv[1], SHUT_WR);
			assert_int_equal(
			    fcgi_serve(f, sv[0], &quick, handler, &seen), -1);
			assert_int_equal(fcntl(sv[0], F_GETFD), -1);
			assert_true(clock_mono() - start < 2 * CLOCK_S);
			close(sv[1]);
		}
	}
	fcgi_free(f);
}

/* A slow body gets its own answer: 408 is the face's to make. */
static void
test_slow_body(void **state)
{
	static const struct fcgi_opts quick = { 20, 50, 4096 };
	struct fcgi *f = fcgi_new();
	int sv[2];
	bool end;

	(void)state;
	pair(sv);
	fcgi_accepted(sv[0], &quick);
	wire_request(&wire, 1, "POST", "/p", "5", "hello", 5);
	send_all(sv[1], wire.b, wire.n - 8);
	assert_int_equal(fcgi_serve(f, sv[0], &quick, handler, &seen), -1);
	assert_int_equal(seen.body_code, ERR_TIMEOUT);
	assert_int_equal(
	    wire_answer(raw, receive(sv[1], raw, sizeof(raw), &end), text,
		sizeof(text)),
	    1);
	assert_true(end);
	close(sv[1]);
	fcgi_free(f);
}

static uint32_t
next(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

/*
 * Bytes that are no request.  Lengths of parameters are left alone: libfcgi
 * aborts on some (ROBUSTNESS 1), which is why its socket is private.
 */
static void
test_garbage(void **state)
{
	static const struct fcgi_opts quick = { 1, 50, 4096 };
	struct fcgi *f = fcgi_new();
	uint32_t seed = 7;
	int sv[2];

	(void)state;
	for (int i = 0; i < 300; i++) {
		uint8_t junk[64];

		pair(sv);
		fcgi_accepted(sv[0], &quick);
		for (size_t k = 0; k < sizeof(junk); k++)
			junk[k] = (uint8_t)next(&seed);
		junk[0] = (uint8_t)(i % 3 == 0 ? 2 : 1);
		junk[1] = (uint8_t)(2 + next(&seed) % 9);
		if (junk[2] == 0 && junk[3] == 0)
			junk[3] = 1; /* no management record */
		send_all(sv[1], junk, sizeof(junk));
		shutdown(sv[1], SHUT_WR);
		assert_int_equal(
		    fcgi_serve(f, sv[0], &quick, handler, &seen), -1);
		close(sv[1]);
	}
	assert_int_equal(seen.calls, 0);
	/* and the object still works */
	pair(sv);
	wire_request(&wire, 0, "GET", "/", NULL, NULL, 0);
	send_all(sv[1], wire.b, wire.n);
	assert_int_equal(fcgi_serve(f, sv[0], &opts, handler, &seen), -1);
	assert_int_equal(seen.calls, 1);
	close(sv[1]);
	fcgi_free(f);
}

static void
test_other_roles(void **state)
{
	struct fcgi *f = fcgi_new();
	int sv[2];

	(void)state;
	for (int role = 0; role < 5; role++) {
		if (role == 1)
			continue;
		pair(sv);
		wire.n = 0;
		wire_begin(&wire, role, 1);
		wire_param(&wire, "REQUEST_METHOD", "GET");
		wire_record(&wire, REC_PARAMS, NULL, 0, 0);
		wire_body(&wire, NULL, 0);
		send_all(sv[1], wire.b, wire.n);
		assert_int_equal(
		    fcgi_serve(f, sv[0], &opts, handler, &seen), -1);
		close(sv[1]);
	}
	assert_int_equal(seen.calls, 0);
	fcgi_free(f);
}

static void
test_abort_in_body(void **state)
{
	struct fcgi *f = fcgi_new();
	int sv[2], answer;
	bool end;

	(void)state;
	pair(sv);
	wire_request(&wire, 1, "POST", "/", "5", "he", 2);
	wire.n -= 8; /* instead of the end record */
	wire_record(&wire, REC_ABORT, NULL, 0, 0);
	assert_int_equal(exchange(f, sv, &answer, &end), -1);
	assert_int_equal(seen.body_code, ERR_MALFORMED);
	assert_true(end);
	close(sv[1]);
	fcgi_free(f);
}

static void
test_many_params(void **state)
{
	struct fcgi *f = fcgi_new();
	char name[32];
	int sv[2], answer;
	bool end;

	(void)state;
	pair(sv);
	wire_begin(&wire, 1, 1);
	wire_param(&wire, "REQUEST_METHOD", "GET");
	wire_param(&wire, "REQUEST_URI", "/first");
	wire_param(&wire, "REQUEST_URI", "/second");
	for (int i = 0; i < 400; i++) {
		snprintf(name, sizeof(name), "HTTP_X_%d", i);
		wire_param(&wire, name, "v");
	}
	wire_record(&wire, REC_PARAMS, NULL, 0, 0);
	wire_body(&wire, NULL, 0);
	assert_int_equal(exchange(f, sv, &answer, &end), sv[0]);
	assert_int_equal(seen.bad, ERR_MALFORMED);
	assert_string_equal(seen.bad_kind, "headers-too-large");
	assert_string_equal(seen.path, "/first");

	wire.n = 0;
	wire_begin(&wire, 1, 1);
	wire_param(&wire, "REQUEST_METHOD", "GET");
	memset(text, 'c', 66000);
	text[66000] = '\0';
	wire_param(&wire, "HTTP_COOKIE", text);
	wire_record(&wire, REC_PARAMS, NULL, 0, 0);
	wire_body(&wire, NULL, 0);
	assert_int_equal(exchange(f, sv, &answer, &end), sv[0]);
	assert_string_equal(seen.bad_kind, "headers-too-large");
	close(sv[0]);
	close(sv[1]);
	fcgi_free(f);
}

static void
test_stream(void **state)
{
	struct fcgi *f = fcgi_new();
	int sv[2], answer;
	bool end;

	(void)state;
	pair(sv);
	seen.stream = true;
	wire_request(&wire, 1, "POST", "/", "0", NULL, 0);
	assert_int_equal(exchange(f, sv, &answer, &end), sv[0]);
	assert_int_equal(answer, 1);
	assert_int_equal(seen.pieces, 100);
	assert_non_null(strstr(text, "Content-Type: text/event-stream\r\n"));
	assert_non_null(strstr(text, "X-Accel-Buffering: no\r\n"));
	assert_null(strstr(text, "Content-Length"));
	assert_non_null(strstr(text, "\r\n\r\nretry: 500\n\n"));
	assert_non_null(strstr(text, "event: delta\nid: t:99\ndata: {}\n\n"));
	close(sv[0]);
	close(sv[1]);
	fcgi_free(f);
}

/* The reader has gone: the first flush after says so and all later ones do,
 * no second write is tried, the connection is closed. */
static void
test_stream_gone(void **state)
{
	struct fcgi *f = fcgi_new();
	int sv[2];

	(void)state;
	pair(sv);
	seen.stream = true;
	seen.close_before = sv[1];
	wire_request(&wire, 1, "POST", "/", "0", NULL, 0);
	send_all(sv[1], wire.b, wire.n);
	assert_int_equal(fcgi_serve(f, sv[0], &opts, handler, &seen), -1);
	assert_int_equal(seen.pieces, 0);
	assert_int_equal(fcntl(sv[0], F_GETFD), -1);
	fcgi_free(f);
}

/* A reader that takes nothing is given up after write_ms, once. */
static void
test_stuck_reader(void **state)
{
	static const struct fcgi_opts quick = { 400, 1000, 4096 };
	struct fcgi *f = fcgi_new();
	int sv[2];
	int64_t start;

	(void)state;
	pair(sv);
	fcgi_accepted(sv[0], &quick);
	seen.reply = 4 * 1024 * 1024;
	wire_request(&wire, 1, "GET", "/", NULL, NULL, 0);
	send_all(sv[1], wire.b, wire.n);
	start = clock_mono();
	assert_int_equal(fcgi_serve(f, sv[0], &quick, handler, &seen), -1);
	start = clock_mono() - start;
	assert_true(start >= 950 * CLOCK_MS);
	assert_true(start < 1900 * CLOCK_MS); /* twice would be 2 s */
	close(sv[1]);
	fcgi_free(f);
}

static void
test_no_answer(void **state)
{
	struct fcgi *f = fcgi_new();
	int sv[2], answer;
	bool end;

	(void)state;
	pair(sv);
	seen.silent = true;
	wire_request(&wire, 1, "GET", "/", NULL, NULL, 0);
	assert_int_equal(exchange(f, sv, &answer, &end), -1);
	assert_int_equal(answer, 0);
	assert_true(end);
	close(sv[1]);
	fcgi_free(f);
}

static void
test_setup_signals(void **state)
{
	struct sigaction act;

	(void)state;
	assert_int_equal(fcgi_setup(), 0);
	sigaction(SIGTERM, NULL, &act);
	assert_true(act.sa_handler == SIG_DFL);
	sigaction(SIGUSR1, NULL, &act);
	assert_true(act.sa_handler == SIG_DFL);
	sigaction(SIGPIPE, NULL, &act);
	assert_true(act.sa_handler == SIG_IGN);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_setup_signals),
		cmocka_unit_test_setup(test_kept, setup),
		cmocka_unit_test_setup(test_not_kept, setup),
		cmocka_unit_test_setup(test_head, setup),
		cmocka_unit_test_setup(test_bodies, setup),
		cmocka_unit_test_setup(test_lengths, setup),
		cmocka_unit_test_setup(test_split_everywhere, setup),
		cmocka_unit_test_setup(test_half_open, setup),
		cmocka_unit_test_setup(test_slow_body, setup),
		cmocka_unit_test_setup(test_garbage, setup),
		cmocka_unit_test_setup(test_other_roles, setup),
		cmocka_unit_test_setup(test_abort_in_body, setup),
		cmocka_unit_test_setup(test_many_params, setup),
		cmocka_unit_test_setup(test_stream, setup),
		cmocka_unit_test_setup(test_stream_gone, setup),
		cmocka_unit_test_setup(test_stuck_reader, setup),
		cmocka_unit_test_setup(test_no_answer, setup),
	};

	if (fcgi_setup() != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
