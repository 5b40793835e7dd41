/* JSON read in place: what is found, escapes, order, limits, using it again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "util/json_doc.h"
#include "util/mem.h"

#include "util/banned.h"

#define WIDE (&(struct json_limits){ 64, 100000 })

static struct json_doc doc;

static const struct json_val *
read_text(const char *text)
{
	return json_doc_read(&doc, text, strlen(text), WIDE);
}

static void
assert_text(const struct json_val *v, const char *want)
{
	size_t n;
	const char *s = json_val_str(v, &n);

	assert_int_equal(n, strlen(want));
	assert_memory_equal(s, want, n);
}

static void
test_members(void **state)
{
	const struct json_val *v = read_text(
	    " {\"a\": {\"b\": [1, {\"c\": \"x\"}, []]}, \"d\" : \"y\","
	    "\"e\":{}, \"f\":null, \"g\":true, \"h\":false, \"d\":\"z\"} ");
	const struct json_val *list;
	double d;

	(void)state;
	assert_true(json_val_is(v, '{'));
	assert_text(json_val_get(v, "d"), "y"); /* the first counts */
	list = json_val_get(json_val_get(v, "a"), "b");
	assert_true(json_val_is(list, '['));
	assert_int_equal(list->len, strlen("[1, {\"c\": \"x\"}, []]"));
	assert_memory_equal(list->text, "[1, {\"c\": \"x\"}, []]", list->len);
	v = json_val_next(list, NULL);
	assert_true(json_val_number(v, &d) && d > 0.9 && d < 1.1);
	v = json_val_next(list, v);
	assert_text(json_val_get(v, "c"), "x");
	v = json_val_next(list, v);
	assert_true(json_val_is(v, '[') && json_val_next(v, NULL) == NULL);
	assert_null(json_val_next(list, v));
	v = doc.val;
	assert_null(json_val_next(json_val_get(v, "e"), NULL));
	assert_true(json_val_is(json_val_get(v, "f"), 'n'));
	assert_true(json_val_is(json_val_get(v, "g"), 't'));
	assert_true(json_val_is(json_val_get(v, "h"), 'f'));
}

/* Nothing is there, whatever is asked. */
static void
test_absent(void **state)
{
	const struct json_val *v = read_text("[\"a\", 1]");
	double d;
	size_t n;

	(void)state;
	assert_null(json_val_get(v, "a"));
	assert_null(json_val_get(NULL, "a"));
	assert_null(json_val_next(NULL, NULL));
	assert_null(json_val_next(json_val_next(v, NULL), NULL));
	assert_string_equal(json_val_str(NULL, &n), "");
	assert_int_equal(n, 0);
	assert_false(json_val_number(NULL, &d));
	assert_false(json_val_number(json_val_next(v, NULL), &d));
	assert_false(json_val_eq(NULL, "a"));
	assert_true(json_val_eq(json_val_next(v, NULL), "a"));
	assert_false(json_val_eq(json_val_next(v, NULL), "ab"));
}

static void
test_escapes(void **state)
{
	const struct json_val *v =
	    read_text("{\"\\u0061b\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\","
		      "\"c\":\"\\u00e4\\u20ac\\ud83d\\ude80x\","
		      "\"d\\n\":\"plain\",\"e\":\"\\u007f\"}");

	(void)state;
	assert_text(json_val_get(v, "ab"), "\"\\/\b\f\n\r\t");
	assert_text(
	    json_val_get(v, "c"), "\xc3\xa4\xe2\x82\xac\xf0\x9f\x9a\x80x");
	assert_text(json_val_get(v, "d\n"), "plain");
	assert_text(json_val_get(v, "e"), "\x7f");
}

static void
test_numbers(void **state)
{
	static const struct {
		const char *text;
		bool good;
	} rows[] = { { "0", true }, { "-12.5e1", true }, { "1e308", true },
		{ "1e309", false }, { "-1e400", false },
		{ "1000000000000000000000000000000000000000000000000000000000"
		  "00000000000000",
		    false } };
	double d;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(
		    json_val_number(read_text(rows[i].text), &d), rows[i].good);
	assert_true(json_val_number(read_text("-12.5e1"), &d));
	assert_true(d > -125.1 && d < -124.9);
}

static void
test_refused(void **state)
{
	static const char *const rows[] = { "", " ", "{", "[1", "[1,]",
		"{\"a\"}", "{\"a\":1,}", "\"a", "01", "nul", "[] x",
		"\"\\ud800\"", "\"\xff\"", "\"\\u0000\"" };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_null(read_text(rows[i]));
	assert_null(
	    json_doc_read(&doc, "[[1]]", 5, &(struct json_limits){ 1, 100 }));
	assert_null(
	    json_doc_read(&doc, "[1,2,3]", 7, &(struct json_limits){ 8, 3 }));
}

/* Many texts, each with its own; memory stays what the largest needed. */
static void
test_again(void **state)
{
	char text[4096] = "[";
	const struct json_val *v;
	size_t cap;

	(void)state;
	for (int i = 0; i < 600; i++)
		memcpy(text + 1 + 4 * i, "\"a\",", 5);
	memcpy(text + 1 + 4 * 600, "\"\\n\"]", 6);
	v = read_text(text);
	assert_non_null(v);
	assert_int_equal(v->span, 602);
	cap = doc.cap;
	for (int i = 0; i < 100; i++) {
		assert_text(read_text("\"x\\ty\""), "x\ty");
		assert_non_null(read_text(text));
	}
	assert_int_equal(doc.cap, cap);
	v = NULL;
	for (int i = 0; i < 601; i++)
		v = json_val_next(doc.val, v);
	assert_text(v, "\n");
}

static int
setup(void **state)
{
	*state = mem_root("test");
	json_doc_init(&doc, *state);
	return 0;
}

static int
teardown(void **state)
{
	mem_free(*state);
	return 0;
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = { T(test_members), T(test_absent),
		T(test_escapes), T(test_numbers), T(test_refused),
		T(test_again) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
