/* The event stream parser beyond the published framing cases. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "llm/sse.h"
#include "util/mem.h"

struct seen {
	struct buf log;
	int n, stop_at, rc;
};

static int
on_event(void *arg, const char *event, const char *data, size_t len)
{
	struct seen *s = arg;

	buf_addf(&s->log, "[%s|", event);
	buf_add(&s->log, data, len);
	buf_adds(&s->log, "]");
	s->n++;
	return s->n == s->stop_at ? s->rc : 0;
}

static void *ctx;
static struct seen seen;
static struct sse_parser parser;

static void
start(size_t max)
{
	mem_free(ctx);
	ctx = mem_root("sse");
	memset(&seen, 0, sizeof(seen));
	buf_init(&seen.log, ctx, 1 << 24);
	sse_init(&parser, ctx, max, on_event, &seen);
}

static int
feed(const char *s)
{
	return sse_feed(&parser, s, strlen(s));
}

static void
test_limits(void **state)
{
	char line[300];

	(void)state;
	/* A line as long as the limit, but no longer; whole or in parts. */
	memset(line, 'x', sizeof(line));
	memcpy(line, "data:", 5);
	for (int parts = 0; parts < 2; parts++) {
		start(100);
		line[100] = '\n';
		assert_int_equal(sse_feed(&parser, line, parts ? 50 : 101), 0);
		if (parts)
			assert_int_equal(sse_feed(&parser, line + 50, 51), 0);
		start(100);
		line[100] = 'x';
		line[101] = '\n';
		int rc = sse_feed(&parser, line, parts ? 50 : 102);
		if (parts)
			rc = sse_feed(&parser, line + 50, 52);
		assert_int_equal(rc, -1);
		/* And nothing more is taken. */
		assert_int_equal(feed("\ndata: a\n\n"), -1);
		assert_int_equal(seen.n, 0);
	}
	/* An endless line. */
	start(1000);
	int rc = 0;
	for (int i = 0; i < 100000 && rc == 0; i++)
		rc = sse_feed(&parser, line, 100);
	assert_int_equal(rc, -1);
	assert_true(parser.line.cap <= 1001);
	/* Endless data lines of one event. */
	start(1000);
	rc = 0;
	for (int i = 0; i < 100000 && rc == 0; i++)
		rc = feed("data: 12345678\n");
	assert_int_equal(rc, -1);
	/* Comments may be many. */
	start(100);
	for (int i = 0; i < 10000; i++)
		assert_int_equal(feed(": keep-alive\n\n"), 0);
	assert_int_equal(seen.n, 0);
}

static void
test_stops(void **state)
{
	(void)state;
	start(1000);
	seen.stop_at = 2;
	seen.rc = 7;
	assert_int_equal(
	    feed("data: 1\n\ndata: 2\n\ndata: 3\n\ndata: 4\n\n"), 7);
	assert_string_equal(seen.log.data, "[message|1][message|2]");
	assert_int_equal(feed("data: 5\n\n"), 7);
	assert_int_equal(seen.n, 2);
}

static void
test_odd(void **state)
{
	(void)state;
	start(1000);
	/* A mark only at the very start, and only a whole one. */
	assert_int_equal(feed("\xef\xbb"), 0);
	assert_int_equal(feed("data: a\n\n"), 0); /* field "\xef\xbb""data" */
	assert_int_equal(feed("data: b\n\n\xef\xbb\xbf"), 0);
	assert_int_equal(feed("data: c\n\ndata: d\n\n"), 0);
	assert_string_equal(seen.log.data, "[message|b][message|d]");
	start(1000);
	assert_int_equal(feed("\xef\xbb\xbf\xef\xbb\xbf"
			      "data: a\n\n"),
	    0);
	assert_int_equal(seen.n, 0);
	/* Event names: the last counts, long ones are cut, spaces kept. */
	start(1000);
	feed("event: a\nevent: b\ndata: 1\n\n");
	feed("event:  c \ndata: 2\n\n");
	feed("event: eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"
	     "eeeeeeeeeeeeeeee\ndata: 3\n\n");
	assert_memory_equal(seen.log.data, "[b|1][ c |2][eeee", 17);
	/* NULs are bytes like others. */
	start(1000);
	sse_feed(&parser, "data: a\0b\n\n", 11);
	assert_int_equal(seen.log.len, strlen("[message|") + 3 + 1);
}

static unsigned rnd = 12345;

static unsigned
dice(unsigned n)
{
	rnd = rnd * 1664525u + 1013904223u;
	return (rnd >> 8) % n;
}

/* A stream of random lines with random line ends. */
static size_t
random_stream(char *out, size_t size)
{
	static const char *const parts[] = { "data: ", "data:", "event: x",
		"data", ": c", "id: 1", "retry: 5", "foo", "", "", "a:b",
		"\xc3\xbc\xf0\x9f\x9a\x80", "{\"a\":1}", ":" };
	static const char *const ends[] = { "\n", "\r\n", "\r" };
	size_t n = 0;

	while (n + 64 < size) {
		for (unsigned k = dice(3); k > 0; k--) {
			const char *p = parts[dice(14)];
			memcpy(out + n, p, strlen(p));
			n += strlen(p);
		}
		const char *e = ends[dice(3)];
		memcpy(out + n, e, strlen(e));
		n += strlen(e);
		if (dice(40) == 0)
			break;
	}
	return n;
}

/* 10,000 streams cut at random places say what the whole ones say. */
static void
test_random_splits(void **state)
{
	static char s[4096], want[65536];

	(void)state;
	for (int i = 0; i < 10000; i++) {
		size_t n = random_stream(s, sizeof(s)), at = 0;
		start(5000);
		assert_int_equal(sse_feed(&parser, s, n), 0);
		assert_true(seen.log.len < sizeof(want));
		memcpy(want, seen.log.data, seen.log.len + 1);
		start(5000);
		while (at < n) {
			size_t k = 1 + dice(dice(2) ? 5 : 200);
			if (k > n - at)
				k = n - at;
			assert_int_equal(sse_feed(&parser, s + at, k), 0);
			at += k;
		}
		assert_string_equal(seen.log.data, want);
	}
}

/* One event of 64 KiB and more in pieces of 5 bytes. */
static void
test_large_event(void **state)
{
	size_t n = 200000;
	char *s = malloc(n + 10);

	(void)state;
	memset(s, 'y', n);
	memcpy(s, "data: ", 6);
	memcpy(s + n, "\n\n", 2);
	start(1 << 20);
	for (size_t at = 0; at < n + 2; at += 5)
		assert_int_equal(
		    sse_feed(&parser, s + at, n + 2 - at < 5 ? n + 2 - at : 5),
		    0);
	assert_int_equal(seen.n, 1);
	assert_int_equal(seen.log.len, n - 6 + strlen("[message|]"));
	free(s);
}

static int
teardown(void **state)
{
	(void)state;
	mem_free(ctx);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_stops),
		cmocka_unit_test(test_odd),
		cmocka_unit_test(test_random_splits),
		cmocka_unit_test(test_large_event),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
