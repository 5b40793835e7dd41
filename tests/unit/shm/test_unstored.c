/* Which sessions' turns are not in the database, and when that is over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shm/unstored.h"

#include "util/banned.h"

static bool
maybe(const struct uuid *u)
{
	unsigned round;

	return unstored_maybe(u, &round);
}

static void
test_rounds(void **state)
{
	struct uuid a, b, c;
	unsigned before, after;

	(void)state;
	id_new(&a);
	id_new(&b);
	id_new(&c);
	assert_false(maybe(&a)); /* nothing is mapped */
	assert_true(unstored_looked(true));
	unstored_map(false);
	assert_true(unstored_looked(true));
	unstored_add(&a);
	assert_true(maybe(&a));
	assert_false(maybe(&b));
	assert_false(unstored_looked(false));
	assert_false(unstored_looked(true)); /* may have missed a new one */
	unstored_add(&b);
	assert_true(maybe(&a) && maybe(&b));
	(void)unstored_maybe(&c, &before);
	assert_false(unstored_looked(true));
	(void)unstored_maybe(&c, &after);
	assert_int_not_equal(before, after);
	assert_false(maybe(&a));
	assert_true(maybe(&b));
	assert_true(unstored_looked(true));
	assert_false(maybe(&b));
	(void)unstored_maybe(&c, &before);
	assert_true(unstored_looked(true)); /* no more rounds */
	(void)unstored_maybe(&c, &after);
	assert_int_equal(before, after);
}

static void
test_left_over(void **state)
{
	struct uuid a;

	(void)state;
	id_new(&a);
	unstored_map(true);
	assert_true(maybe(&a));
	assert_false(unstored_looked(false));
	assert_true(maybe(&a));
	assert_true(unstored_looked(true));
	assert_false(maybe(&a));
}

/* Few are taken for others. */
static void
test_spread(void **state)
{
	struct uuid u;
	int i, wrong = 0;

	(void)state;
	unstored_map(false);
	for (i = 0; i < 10000; i++) {
		id_new(&u);
		unstored_add(&u);
	}
	for (i = 0; i < 10000; i++) {
		id_new(&u);
		wrong += maybe(&u);
	}
	assert_in_range(wrong, 0, 100);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rounds),
		cmocka_unit_test(test_left_over),
		cmocka_unit_test(test_spread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
