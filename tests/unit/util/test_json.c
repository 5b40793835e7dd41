/* util/json: limits, strictness, and places of errors (ROBUSTNESS D2). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "util/buf.h"
#include "util/json.h"
#include "util/mem.h"

#define ROWS(t) (sizeof(t) / sizeof((t)[0]))

static int
parse(const char *s, size_t n, json_t **ret, struct err *e)
{
	return json_parse(s, n, &JSON_LIMITS_REQUEST, ret, e);
}

static void
test_good(void **state)
{
	static const char *const rows[] = { "{}", "[]", "0", "-0", "-1", "1.5",
		"1e5", "1E-5", "0.1e+2", "\"\"", "true", "false", "null",
		" \t\r\n{ } \n", "[1,2,[3,{\"a\":[]}]]",
		"{\"a\":{\"b\":1},\"c\":[true,false,null]}",
		"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\"",
		"\"\xc3\xa9\xf0\x9f\x98\x80\"", "\"\x7f\"",
		"9223372036854775807", "-9223372036854775808",
		"{\"\":1,\" \":2}", "123456789.123456789",
		"{\"a\":1,\"b\":{\"a\":1}}" };
	struct err e;

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		json_t *v = NULL;

		if (parse(rows[i], strlen(rows[i]), &v, &e) != 0)
			fail_msg("%s: %s", rows[i], e.text);
		assert_non_null(v);
		json_decref(v);
	}
}

static void
test_bad(void **state)
{
	static const struct {
		const char *s;
		size_t n; /* 0: strlen */
		const char *text;
	} rows[] = {
		{ "", 0, "line 1, column 1: the text ends too early" },
		{ "  ", 0, "line 1, column 3: the text ends too early" },
		{ "{", 0, "line 1, column 2: the text ends too early" },
		{ "[1,", 0, "line 1, column 4: the text ends too early" },
		{ "{\"a\"", 0, "line 1, column 5: the text ends too early" },
		{ "{\"a\":", 0, "line 1, column 6: the text ends too early" },
		{ "\"abc", 0, "line 1, column 5: the text ends too early" },
		{ "\"abc\\", 0, "line 1, column 6: the text ends too early" },
		{ "[1 2]", 0, "line 1, column 4: a comma or ] was expected" },
		{ "[1,]", 0, "line 1, column 4: a value was expected" },
		{ "[,1]", 0, "line 1, column 2: a value was expected" },
		{ "{\"a\":1,}", 0,
		    "line 1, column 8: a key in quotes was expected" },
		{ "{a:1}", 0,
		    "line 1, column 2: a key in quotes was expected" },
		{ "{\"a\" 1}", 0, "line 1, column 6: a colon was expected" },
		{ "{\"a\":1 \"b\":2}", 0,
		    "line 1, column 8: a comma or } was expected" },
		{ "[1}", 0, "line 1, column 3: a comma or ] was expected" },
		{ "{\"a\":1]", 0,
		    "line 1, column 7: a comma or } was expected" },
		{ "]", 0, "line 1, column 1: a value was expected" },
		{ "{} x", 0,
		    "line 1, column 4: something follows the end of the "
		    "text" },
		{ "{}{}", 0,
		    "line 1, column 3: something follows the end of the "
		    "text" },
		{ "tru", 0, "line 1, column 1: a value was expected" },
		{ "True", 0, "line 1, column 1: a value was expected" },
		{ "NaN", 0, "line 1, column 1: a value was expected" },
		{ "'a'", 0, "line 1, column 1: a value was expected" },
		{ "// x\n1", 0, "line 1, column 1: a value was expected" },
		{ "\xef\xbb\xbf{}", 0,
		    "line 1, column 1: a value was expected" },
		{ "01", 0, "line 1, column 1: a number must not start with 0" },
		{ "-", 0, "line 1, column 2: the text ends too early" },
		{ "-x", 0, "line 1, column 2: a number wants a digit here" },
		{ "1.", 0, "line 1, column 3: the text ends too early" },
		{ "[1.]", 0, "line 1, column 4: a number wants a digit here" },
		{ "[1e]", 0, "line 1, column 4: a number wants a digit here" },
		{ "[+1]", 0, "line 1, column 2: a value was expected" },
		{ "[.5]", 0, "line 1, column 2: a value was expected" },
		{ "\"a\nb\"", 0,
		    "line 1, column 3: control characters must be "
		    "escaped" },
		{ "\"\\x41\"", 0, "line 1, column 2: unknown escape" },
		{ "\"\\u12g4\"", 0,
		    "line 1, column 2: \\u wants four hex digits" },
		{ "\"\\ud800\"", 0, "line 1, column 2: lone surrogate" },
		{ "\"\\udc00\"", 0, "line 1, column 2: lone surrogate" },
		{ "\"\\ud800\\u0041\"", 0, "line 1, column 2: lone surrogate" },
		{ "\"a\\u0000\"", 0,
		    "line 1, column 3: a NUL character is not allowed" },
		{ "{\"a\\u0000\":1}", 0,
		    "line 1, column 4: a NUL character is not allowed" },
		{ "\"a\0b\"", 5,
		    "line 1, column 3: a NUL byte is not allowed" },
		{ "{}\0", 3, "line 1, column 3: a NUL byte is not allowed" },
		{ "\0", 1, "line 1, column 1: a NUL byte is not allowed" },
		{ "\"\xff\"", 0, "line 1, column 2: not UTF-8" },
		{ "\"\xc3\"", 0, "line 1, column 2: not UTF-8" },
		{ "\"\xed\xa0\x80\"", 0, "line 1, column 2: not UTF-8" },
		{ "{\"\xc0\x80\":1}", 0, "line 1, column 3: not UTF-8" },
		/* places: lines, and columns in characters */
		{ "{\n  \"a\": 1,\n  \"b\": x\n}", 0,
		    "line 3, column 8: a value was expected" },
		{ "[\"\xc3\xa9\xc3\xa9\xf0\x9f\x98\x80\", x]", 0,
		    "line 1, column 9: a value was expected" },
		/* what jansson finds */
		{ "{\"a\":1,\"a\":2}", 0,
		    "line 1, column 8: this key stands twice in its "
		    "object" },
		{ "{\n\"role\":1,\n\"ro\\u006ce\":2}", 0,
		    "line 3, column 1: this key stands twice in its "
		    "object" },
		{ "{\"q\\\"\":1,\n \"q\\\"\":2}", 0,
		    "line 2, column 2: this key stands twice in its "
		    "object" },
		{ "[1e400]", 0,
		    "line 1, column 2: this number is out of range" },
		{ "[-1e400]", 0,
		    "line 1, column 2: this number is out of range" },
		{ "{\"n\": 9223372036854775808}", 0,
		    "line 1, column 7: this number is out of range" },
		{ "[ -9223372036854775809]", 0,
		    "line 1, column 3: this number is out of range" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		json_t *v = (json_t *)(void *)&rows;
		struct err e;
		size_t n = rows[i].n > 0 ? rows[i].n : strlen(rows[i].s);
		/* In memory of just its size: a read beyond is seen. */
		char *copy = malloc(n > 0 ? n : 1);

		memcpy(copy, rows[i].s, n);
		assert_int_equal(parse(copy, n, &v, &e), -1);
		free(copy);
		assert_int_equal(e.code, ERR_MALFORMED);
		assert_string_equal(e.text, rows[i].text);
		assert_ptr_equal(v, (json_t *)(void *)&rows);
	}
}

/* n times ${open}, then ${mid}, then n times ${close}. */
static void
nest(struct buf *b, int n, const char *open, const char *mid, const char *close)
{
	buf_clear(b);
	for (int i = 0; i < n; i++)
		buf_adds(b, open);
	buf_adds(b, mid);
	for (int i = 0; i < n; i++)
		buf_adds(b, close);
}

static void
test_depth(void **state)
{
	static const struct {
		const char *open, *close;
		int column; /* of the 33rd opening */
	} rows[] = { { "[", "]", 33 }, { "{\"a\":", "}", 161 },
		{ "[{\"a\":", "}]", 97 } };
	struct buf b;
	struct err e;
	json_t *v;

	(void)state;
	buf_init(&b, NULL, 1 << 20);
	for (size_t i = 0; i < 2; i++) {
		char want[80];

		nest(&b, 32, rows[i].open, "1", rows[i].close);
		assert_int_equal(parse(b.data, b.len, &v, &e), 0);
		json_decref(v);
		nest(&b, 33, rows[i].open, "1", rows[i].close);
		assert_int_equal(parse(b.data, b.len, &v, &e), -1);
		(void)snprintf(want, sizeof(want),
		    "line 1, column %d: nested too deeply", rows[i].column);
		assert_string_equal(e.text, want);
		/* Refused where it goes wrong, whatever follows. */
		nest(&b, 1025, rows[i].open, "", "");
		assert_int_equal(parse(b.data, b.len, &v, &e), -1);
		assert_string_equal(e.text, want);
	}
	nest(&b, 16, rows[2].open, "1", rows[2].close);
	assert_int_equal(parse(b.data, b.len, &v, &e), 0);
	json_decref(v);
	nest(&b, 16, rows[2].open, "[]", rows[2].close);
	assert_int_equal(parse(b.data, b.len, &v, &e), -1);
	buf_free(&b);
}

/* An array with n - 1 values of ${item}: n nodes if the item is one. */
static int
parse_items(const char *item, int n)
{
	struct buf b;
	struct err e;
	json_t *v;
	int rc;

	buf_init(&b, NULL, 1 << 20);
	buf_addc(&b, '[');
	for (int i = 0; i < n - 1; i++) {
		if (i > 0)
			buf_addc(&b, ',');
		buf_adds(&b, item);
	}
	buf_addc(&b, ']');
	rc = parse(b.data, b.len, &v, &e);
	if (rc == 0)
		json_decref(v);
	else
		assert_non_null(strstr(e.text, "too many values"));
	buf_free(&b);
	return rc;
}

static void
test_nodes(void **state)
{
	(void)state;
	assert_int_equal(parse_items("7", 10000), 0);
	assert_int_equal(parse_items("7", 10001), -1);
	assert_int_equal(parse_items("\"s\"", 10000), 0);
	assert_int_equal(parse_items("\"s\"", 10001), -1);
	assert_int_equal(parse_items("{}", 10001), -1);
	/* Keys are no nodes, their values are. */
	assert_int_equal(parse_items("{\"k\":1}", 5000), 0);
	assert_int_equal(parse_items("{\"k\":1}", 5002), -1);
}

/* 1 MiB of what costs most is refused or small; see the limits above. */
static void
test_hostile(void **state)
{
	struct json_limits wide = { 1000000, 1000000 };
	struct buf b;
	struct err e;
	json_t *v;

	(void)state;
	buf_init(&b, NULL, 1 << 21);
	while (b.len < 1 << 20 && !buf_failed(&b))
		buf_adds(&b, "[{},");
	assert_int_equal(parse(b.data, b.len, &v, &e), -1);
	/* Whatever the caller allows, jansson's recursion is bounded. */
	nest(&b, 200000, "[", "", "]");
	assert_int_equal(json_parse(b.data, b.len, &wide, &v, &e), -1);
	assert_non_null(strstr(e.text, "nested too deeply"));
	nest(&b, 512, "[", "", "]");
	assert_int_equal(json_parse(b.data, b.len, &wide, &v, &e), 0);
	json_decref(v);
	buf_clear(&b);
	buf_adds(&b, "{\"");
	while (b.len < 1 << 20 && !buf_failed(&b))
		buf_adds(&b, "kkkkkkkkkkkkkkkk");
	buf_adds(&b, "\":1}");
	assert_int_equal(parse(b.data, b.len, &v, &e), 0);
	json_decref(v);
	buf_free(&b);
}

static void
test_write(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "{ \"a\" : 0.2, \"b\": [ 1, -2.50, 1e3 ] }",
		    "{\"a\":0.2,\"b\":[1,-2.5,1000.0]}" },
		{ "\"\\u00e9\\n\\\"/\"", "\"\xc3\xa9\\n\\\"/\"" },
		{ "null", "null" },
		{ "9223372036854775807", "9223372036854775807" },
		{ "123456.789012345", "123456.789012345" },
		{ "{}", "{}" },
	};
	struct buf b;
	struct err e;
	json_t *v;

	(void)state;
	buf_init(&b, NULL, 1000);
	for (size_t i = 0; i < ROWS(rows); i++) {
		assert_int_equal(
		    parse(rows[i].in, strlen(rows[i].in), &v, &e), 0);
		buf_clear(&b);
		json_write(&b, v);
		assert_string_equal(b.data, rows[i].out);
		json_decref(v);
	}
	buf_free(&b);
	buf_init(&b, NULL, 5);
	v = json_string("longer than five");
	json_write(&b, v);
	assert_true(buf_failed(&b));
	json_decref(v);
	buf_free(&b);
}

/* Without memory the process stops: no value is left out of what is made. */
static void
test_memory(void **state)
{
	json_malloc_t make;
	json_free_t drop;

	(void)state;
	json_get_alloc_funcs(&make, &drop);
	assert_true(make == mem_malloc);
	assert_true(drop == free);
}

static int
setup(void **state)
{
	(void)state;
	json_setup();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_nodes),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
