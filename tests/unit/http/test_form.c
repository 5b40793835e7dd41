/* Decoding of query strings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "http/form.h"
#include "util/mem.h"

#include "util/banned.h"

static void
test_pairs(void **state)
{
	static const char text[] = "&a=b=c&&d&=e&f=&";
	static const char *const want[][2] = { { "a", "b=c" }, { "d", "" },
		{ "", "e" }, { "f", "" } };
	const char *at = text, *end = text + sizeof(text) - 1;
	struct form_pair p;
	size_t i = 0;

	(void)state;
	while (form_next(&at, end, &p)) {
		assert_true(i < 4);
		assert_int_equal(p.name_len, strlen(want[i][0]));
		assert_memory_equal(p.name, want[i][0], p.name_len);
		assert_int_equal(p.value_len, strlen(want[i][1]));
		assert_memory_equal(p.value, want[i][1], p.value_len);
		i++;
	}
	assert_int_equal(i, 4);
	assert_false(form_next(&at, end, &p));
}

static void
test_decode(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = { { "", "" }, { "a+b", "a b" }, { "%41%7a", "Az" },
		{ "%2B", "+" }, { "%", NULL }, { "%4", NULL }, { "%4g", NULL },
		{ "a%", NULL }, { "%00", NULL }, { "%ff", NULL },
		{ "%c3%a9", "\xc3\xa9" }, { "%C3", NULL }, { "%25%34", "%4" },
		{ "\xc3\xa9", "\xc3\xa9" }, { "\xff", NULL } };
	void *ctx = mem_root("test");

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct err e = { 0 };
		char *out = NULL;
		int rc =
		    form_decode(ctx, rows[i].in, strlen(rows[i].in), &out, &e);

		if (rows[i].out == NULL) {
			assert_int_equal(rc, -1);
			assert_int_equal(e.code, ERR_MALFORMED);
			assert_null(out);
		} else {
			assert_int_equal(rc, 0);
			assert_string_equal(out, rows[i].out);
		}
	}
	mem_free(ctx);
}

static void
test_is(void **state)
{
	(void)state;
	assert_true(form_is("limit", 5, "limit"));
	assert_true(form_is("li%6dit", 7, "limit"));
	assert_false(form_is("limits", 6, "limit"));
	assert_false(form_is("limi", 4, "limit"));
	assert_false(form_is("li%6", 4, "li"));
	assert_false(form_is("a%00", 4, "a"));
	assert_true(form_is("", 0, ""));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
