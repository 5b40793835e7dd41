/* util/err: texts are cut, not overrun; codes have names of their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "util/err.h"

static void
test_set(void **state)
{
	struct err e;

	(void)state;
	memset(&e, 0x5a, sizeof(e));
	assert_int_equal(err_set(&e, ERR_LIMIT, "%d of %s", 3, "four"), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_string_equal(e.text, "3 of four");
	assert_null(e.kind);
	assert_int_equal(e.retry_after, 0);
	assert_int_equal(
	    err_set_kind(&e, ERR_UNAVAILABLE, "writer-full", 2, "later"), -1);
	assert_int_equal(e.code, ERR_UNAVAILABLE);
	assert_string_equal(e.kind, "writer-full");
	assert_int_equal(e.retry_after, 2);
	assert_string_equal(e.text, "later");
}

static void
test_null(void **state)
{
	(void)state;
	assert_int_equal(err_set(NULL, ERR_LIMIT, "x"), -1);
	assert_int_equal(err_set_kind(NULL, ERR_LIMIT, NULL, 0, "x"), -1);
	assert_int_equal(err_prefix(NULL, "x"), -1);
}

static void
test_cut(void **state)
{
	struct err e;
	char big[1000];

	(void)state;
	memset(big, 'x', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	(void)err_set(&e, ERR_INTERNAL, "%s", big);
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
	(void)err_prefix(&e, "%s", "file");
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
	assert_memory_equal(e.text, "file: xxx", 9);
	(void)err_prefix(&e, "%s", big);
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
	assert_int_equal(e.text[sizeof(e.text) - 2], 'x');
}

static void
test_prefix(void **state)
{
	struct err e;

	(void)state;
	(void)err_set_kind(&e, ERR_INVALID, "k", 9, "inner");
	assert_int_equal(err_prefix(&e, "line %d", 4), -1);
	assert_string_equal(e.text, "line 4: inner");
	assert_int_equal(e.code, ERR_INVALID);
	assert_string_equal(e.kind, "k");
	assert_int_equal(e.retry_after, 9);
}

/* An error may be told in the words of the one it replaces. */
static void
test_own_text(void **state)
{
	struct err e;

	(void)state;
	(void)err_set(&e, ERR_TIMEOUT, "slow");
	(void)err_set(&e, ERR_UPSTREAM, "provider: %s", e.text);
	assert_string_equal(e.text, "provider: slow");
	(void)err_prefix(&e, "[%s]", e.text);
	assert_string_equal(e.text, "[provider: slow]: provider: slow");
}

static void
test_names(void **state)
{
	(void)state;
	for (int i = ERR_NONE; i <= ERR_INTERNAL; i++) {
		assert_non_null(err_name((enum err_code)i));
		for (int k = ERR_NONE; k < i; k++)
			assert_string_not_equal(err_name((enum err_code)i),
			    err_name((enum err_code)k));
	}
	assert_string_equal(err_name(ERR_NOT_FOUND), "not_found");
	assert_string_equal(err_name((enum err_code)99), "internal");
	assert_string_equal(err_name((enum err_code) - 1), "internal");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_null),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_own_text),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
