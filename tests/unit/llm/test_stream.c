/* The neutral side: whole characters, tool calls, usage, JSON that is mended.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "llm/provider_priv.h"
#include "llm/stream_priv.h"
#include "net/call.h"
#include "util/mem.h"
#include "util/str.h"

#define FFFD "\xef\xbf\xbd"

static void *ctx;
static struct llm_stream s;
static struct llm_reply r;
static struct llm_sink sink;
static struct llm_request rq;
static int pieces, refuse_at;

static int
hear(struct llm_sink *k, const char *p, size_t n)
{
	(void)k;
	assert_true(n > 0);
	assert_true(str_utf8_valid(p, n));
	return ++pieces == refuse_at ? -1 : 0;
}

static int
setup(void **state)
{
	(void)state;
	ctx = mem_root("stream");
	memset(&r, 0, sizeof(r));
	memset(&rq, 0, sizeof(rq));
	pieces = refuse_at = 0;
	sink = (struct llm_sink){ .text = hear, .gone_fd = -1 };
	buf_init(&r.text, ctx, 10000);
	stream_init(&s, &llm_openai, &r, &sink, ctx, ctx, 10000);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	mem_free(ctx);
	return 0;
}

static void
test_utf8(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "abc", "abc" },
		{ "Z\xc3\xbcrich \xf0\x9f\x9a\x80 \xe6\x97\xa5",
		    "Z\xc3\xbcrich \xf0\x9f\x9a\x80 \xe6\x97\xa5" },
		{ "a\xff"
		  "b",
		    "a" FFFD "b" },
		{ "\xc3(", FFFD "(" },
		{ "\xe6\x97", FFFD }, /* never finished */
		{ "\xe6\x97x", FFFD FFFD "x" },
		{ "\xc0\xaf", FFFD FFFD }, /* too long a form */
		{ "\xe0\x80\x80", FFFD FFFD FFFD },
		{ "\xed\xa0\x80", FFFD FFFD FFFD }, /* a surrogate */
		{ "\xf4\x90\x80\x80", FFFD FFFD FFFD FFFD },
		{ "\xf0\x9f\xc3\xbc", FFFD FFFD "\xc3\xbc" },
		{ "\x80", FFFD },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t n = strlen(rows[i].in);
		/* Every cut in three. */
		for (size_t a = 0; a <= n; a++)
			for (size_t b = a; b <= n; b++) {
				teardown(state);
				setup(state);
				stream_text(&s, rows[i].in, a);
				stream_text(&s, rows[i].in + a, b - a);
				stream_text(&s, rows[i].in + b, n - b);
				stream_end(&s, &rq);
				/* Pieces of one bad sequence may count
				 * differently; what is good may not. */
				assert_true(
				    str_utf8_valid(r.text.data, r.text.len));
				if (a == 0 && b == 0)
					assert_string_equal(
					    r.text.data, rows[i].out);
				if (str_utf8_valid(rows[i].in, n))
					assert_string_equal(
					    r.text.data, rows[i].out);
			}
	}
}

static void
test_nul(void **state)
{
	(void)state;
	assert_int_equal(stream_text(&s, "a\0b", 3), 0);
	assert_string_equal(r.text.data, "a" FFFD "b");
}

static void
test_sink_stops(void **state)
{
	(void)state;
	refuse_at = 2;
	assert_int_equal(stream_text(&s, "one", 3), 0);
	assert_int_equal(stream_text(&s, "two", 3), NET_STOP);
	stream_end(&s, &rq);
	assert_true(s.gone);
	assert_int_equal(r.finish, LLM_CANCELLED);
	assert_string_equal(r.text.data, "onetwo");
}

static void
test_sink_ignored(void **state)
{
	(void)state;
	refuse_at = 1;
	sink.ignore_gone = true;
	assert_int_equal(stream_text(&s, "one", 3), 0);
	assert_int_equal(stream_text(&s, "two", 3), 0);
	assert_false(s.gone);
}

static void
test_text_limit(void **state)
{
	char big[6000];

	(void)state;
	memset(big, 'x', sizeof(big));
	assert_int_equal(stream_text(&s, big, sizeof(big)), 0);
	assert_int_equal(stream_text(&s, big, sizeof(big)), NET_STOP);
	assert_true(s.garbled);
}

static void
test_calls(void **state)
{
	struct stream_call *c;

	(void)state;
	for (int i = 0; i < 9; i++) {
		c = stream_call(&s, i * 2 + 1);
		assert_non_null(c);
		stream_call_name(c, "name", 4);
		stream_call_name(c, "", 0);
		stream_call_name(c, "other", 5);
		stream_call_args(c, "{\"a\":", 5);
	}
	c = stream_call(&s, 3);
	stream_call_args(c, "1}", 2);
	stream_call_id(c, "id-3", 4);
	stream_call_id(c, "", 0);
	stream_finish(&s, LLM_STOP);
	stream_end(&s, &rq);
	assert_int_equal(r.ncalls, 9);
	assert_string_equal(r.calls[1].id, "id-3");
	assert_string_equal(r.calls[1].name, "name");
	assert_string_equal(r.calls[1].arguments, "{\"a\":1}");
	/* Missing ids are made, each its own. */
	assert_true(strlen(r.calls[0].id) > 10);
	assert_string_not_equal(r.calls[0].id, r.calls[2].id);
	assert_int_equal(r.finish, LLM_TOOL_CALLS);
}

static void
test_too_many_calls(void **state)
{
	(void)state;
	for (int i = 0; i < STREAM_CALLS; i++)
		assert_non_null(stream_call(&s, i));
	assert_null(stream_call(&s, STREAM_CALLS));
	assert_non_null(stream_call(&s, 5));
}

static void
test_usage(void **state)
{
	(void)state;
	rq.system = "12345678"; /* 2 tokens and the frame of a message */
	/* Nothing counted: an estimate, and it says so. */
	stream_text(&s, "12345678", 8);
	stream_hidden(&s, 40);
	stream_finish(&s, LLM_STOP);
	stream_end(&s, &rq);
	assert_true(r.usage.estimated);
	assert_int_equal(r.usage.input, 6);
	assert_int_equal(r.usage.output, 12);
	/* Counted once, then cut: what is known stays, the rest is guessed. */
	teardown(state);
	setup(state);
	r.usage = (struct llm_usage){ .input = 100, .output = 1 };
	s.usage_seen = true;
	stream_text(&s, "1234567812345678", 16);
	stream_end(&s, &rq);
	assert_int_equal(r.usage.input, 100);
	assert_int_equal(r.usage.output, 4);
	assert_true(r.usage.estimated);
	assert_int_equal(r.finish, LLM_ERROR);
	/* Parts are never more than the whole. */
	teardown(state);
	setup(state);
	r.usage = (struct llm_usage){ .input = 10,
		.cached = 50,
		.cache_write = 3,
		.output = 5,
		.reasoning = 9 };
	s.usage_seen = s.usage_final = true;
	stream_finish(&s, LLM_STOP);
	stream_end(&s, &rq);
	assert_int_equal(r.usage.cached, 10);
	assert_int_equal(r.usage.cache_write, 0);
	assert_int_equal(r.usage.reasoning, 5);
	assert_false(r.usage.estimated);
}

static void
test_finish(void **state)
{
	(void)state;
	/* "tool_calls" without one is a stop. */
	stream_finish(&s, LLM_TOOL_CALLS);
	stream_end(&s, &rq);
	assert_int_equal(r.finish, LLM_STOP);
	teardown(state);
	setup(state);
	s.refused = true;
	stream_finish(&s, LLM_STOP);
	stream_end(&s, &rq);
	assert_int_equal(r.finish, LLM_CONTENT_FILTER);
	teardown(state);
	setup(state);
	s.done = true; /* the end without a reason */
	stream_end(&s, &rq);
	assert_int_equal(r.finish, LLM_STOP);
	teardown(state);
	setup(state);
	stream_end(&s, &rq);
	assert_int_equal(r.finish, LLM_ERROR);
}

static void
test_event_read(void **state)
{
	static const struct {
		const char *in, *out; /* NULL: refused */
	} rows[] = {
		{ "{\"a\":\"b\"}", "b" },
		{ "{\"a\":\"\\ud83d\\ude80\"}", "\xf0\x9f\x9a\x80" },
		{ "{\"a\":\"x\\ud83d\"}", "x" FFFD },
		{ "{\"a\":\"\\ude80x\"}", FFFD "x" },
		{ "{\"a\":\"\\ud83d\\n\"}", FFFD "\n" },
		{ "{\"a\":\"x\\u0000y\"}", "x" FFFD "y" },
		{ "{\"a\":\"x\xff\"}", "x" FFFD },
		{ "{\"a\":\"\xf0\x9f\"}", FFFD FFFD },
		{ "{\"a\":\"\\\\u0000\xff\"}", "\\u0000" FFFD },
		{ "{\"a\":\"b\"", NULL },
		{ "{\"a\":\"\\", NULL },
		{ "{\"a\":\"\\u12", NULL },
		{ "", NULL },
		{ "[DONE]", NULL },
		{ "{\"a\":\"b\"} x", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct json_val *v =
		    event_read(&s, rows[i].in, strlen(rows[i].in));
		size_t n;
		const char *text = event_text(v, "a", &n);

		if (!rows[i].out) {
			assert_null(v);
			continue;
		}
		assert_int_equal(n, strlen(rows[i].out));
		assert_memory_equal(text, rows[i].out, n);
	}
}

static void
test_event_count(void **state)
{
	static const char text[] =
	    "{\"i\":5,\"f\":7.0,\"s\":\"9\",\"neg\":-1,\"null\":null,"
	    "\"big\":1152921504606846976,\"huge\":1e999}";
	const struct json_val *v = event_read(&s, text, sizeof(text) - 1);

	(void)state;
	assert_int_equal(event_count(v, "i"), 5);
	assert_int_equal(event_count(v, "f"), 7);
	assert_int_equal(event_count(v, "s"), 0);
	assert_int_equal(event_count(v, "neg"), 0);
	assert_int_equal(event_count(v, "null"), 0);
	assert_int_equal(event_count(v, "big"), 0);
	assert_int_equal(event_count(v, "huge"), 0);
	assert_int_equal(event_count(v, "none"), 0);
	assert_int_equal(event_count(NULL, "none"), 0);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_utf8),
		T(test_nul),
		T(test_sink_stops),
		T(test_sink_ignored),
		T(test_text_limit),
		T(test_calls),
		T(test_too_many_calls),
		T(test_usage),
		T(test_finish),
		T(test_event_read),
		T(test_event_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
