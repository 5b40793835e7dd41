/* The table from SQLSTATE to error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "db/conn_priv.h"

#include "util/banned.h"

static const struct {
	const char *state;
	enum err_code code;
	const char *kind;
	bool retry;
} cases[] = {
	{ "P0002", ERR_NOT_FOUND, NULL, false },
	{ "23505", ERR_CONFLICT, NULL, false },
	{ "23503", ERR_CONFLICT, NULL, false },
	{ "23514", ERR_INVALID, NULL, false },
	{ "23502", ERR_INVALID, NULL, false },
	{ "22P02", ERR_INVALID, NULL, false },
	{ "22021", ERR_INVALID, NULL, false },
	{ "40001", ERR_CONFLICT, NULL, true },
	{ "40P01", ERR_CONFLICT, NULL, true },
	{ "42501", ERR_DENIED, NULL, false },
	{ "42P01", ERR_INTERNAL, NULL, false },
	{ "SB429", ERR_LIMIT, "limit-exceeded", false },
	{ "SB404", ERR_NOT_FOUND, NULL, false },
	{ "57014", ERR_UNAVAILABLE, NULL, true },
	{ "57P01", ERR_UNAVAILABLE, NULL, true },
	{ "08006", ERR_UNAVAILABLE, NULL, true },
	{ "53300", ERR_UNAVAILABLE, NULL, true },
	{ "55P03", ERR_UNAVAILABLE, NULL, true },
	{ "XX000", ERR_INTERNAL, NULL, false },
	{ "", ERR_INTERNAL, NULL, false },
};

static void
test_codes(void **state)
{
	struct conn_failure f;
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memset(&f, 0, sizeof(f));
		memset(&e, 0, sizeof(e));
		memcpy(f.sqlstate, cases[i].state, strlen(cases[i].state));
		assert_int_equal(sqlstate_err(&f, "a_stmt", &e), -1);
		assert_int_equal(e.code, cases[i].code);
		assert_int_equal(e.retry_after > 0, cases[i].retry);
		if (cases[i].kind == NULL)
			assert_null(e.kind);
		else
			assert_string_equal(e.kind, cases[i].kind);
	}
}

/* What the server quotes from values must not get into a text. */
static void
test_no_values(void **state)
{
	struct conn_failure f = { .sqlstate = "22P02",
		.message = "invalid input syntax for type uuid: \"secret\"" };
	struct err e = { 0 };

	(void)state;
	sqlstate_err(&f, "a_stmt", &e);
	assert_null(strstr(e.text, "secret"));
	assert_non_null(strstr(e.text, "a_stmt"));
	memcpy(f.sqlstate, "23505", 6);
	memcpy(f.constraint, "accounts_slug_key", 18);
	sqlstate_err(&f, "a_stmt", &e);
	assert_null(strstr(e.text, "secret"));
	assert_non_null(strstr(e.text, "accounts_slug_key"));
}

/* What our own SQL raises is for the reader. */
static void
test_our_own_words(void **state)
{
	struct conn_failure f = { .sqlstate = "SB429",
		.message = "the account has 2 of at most 2 agent instances" };
	struct err e = { 0 };

	(void)state;
	sqlstate_err(&f, "a_stmt", &e);
	assert_string_equal(e.text, f.message);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_codes),
		cmocka_unit_test(test_no_values),
		cmocka_unit_test(test_our_own_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
