/* util/pairs: a set that forgets nothing but what does not fit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "util/mem.h"
#include "util/pairs.h"

static struct pairs set = PAIRS_INIT;

static void
test_take(void **state)
{
	void *ctx = mem_root("test");
	const char *owners, *ids;
	struct uuid account = { .b = { 1 } }, a = { .b = { 2 } },
		    b = { .b = { 3 } };
	struct pair *p;
	unsigned n = 9;

	(void)state;
	assert_null(pairs_take(&set, ctx, &n));
	assert_int_equal(n, 0);
	/* both have one hash: the second goes behind the first */
	pairs_add(&set, &account, &a);
	pairs_add(&set, &account, &b);
	pairs_add(&set, &account, &a);
	p = pairs_take(&set, ctx, &n);
	assert_int_equal(n, 2);
	pairs_arrays(p, n, ctx, &owners, &ids);
	assert_string_equal(owners, "{01000000-0000-0000-0000-000000000000,"
				    "01000000-0000-0000-0000-000000000000}");
	assert_string_equal(ids, "{02000000-0000-0000-0000-000000000000,"
				 "03000000-0000-0000-0000-000000000000}");
	assert_null(pairs_take(&set, ctx, &n));
	mem_free(ctx);
}

static void
test_full(void **state)
{
	void *ctx = mem_root("test");
	struct uuid account, id;
	unsigned n;

	(void)state;
	id_new(&account);
	for (int i = 0; i < PAIRS_PLACES; i++) {
		id_new(&id);
		pairs_add(&set, &account, &id);
	}
	assert_non_null(pairs_take(&set, ctx, &n));
	assert_int_equal(n, PAIRS_PLACES / 2);
	pairs_add(&set, &account, &id);
	assert_non_null(pairs_take(&set, ctx, &n));
	assert_int_equal(n, 1);
	mem_free(ctx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_take),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
