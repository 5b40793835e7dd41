/* What is known not to exist: for a while, until something moves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "account/absent.h"
#include "shm/epoch.h"

#include "util/banned.h"

static void
until_something_moves(void **state)
{
	struct absent *a = absent_new(64);

	(void)state;
	assert_false(absent_known(a, "s:acme"));
	absent_note(a, "s:acme", epoch_moves());
	assert_true(absent_known(a, "s:acme"));
	assert_false(absent_known(a, "s:acme2"));
	epoch_raise(7, 2);
	assert_false(absent_known(a, "s:acme"));
	absent_note(a, "s:acme", epoch_moves());
	epoch_raise(7, 2); /* nothing new */
	assert_true(absent_known(a, "s:acme"));
	absent_free(a);
}

/* Something moved between the question and the note. */
static void
noted_too_late(void **state)
{
	struct absent *a = absent_new(64);
	uint64_t moves = epoch_moves();

	(void)state;
	epoch_raise(8, 1);
	absent_note(a, "s:acme", moves);
	assert_false(absent_known(a, "s:acme"));
	absent_free(a);
}

static void
bounded(void **state)
{
	struct absent *a = absent_new(4);
	char name[300];
	int known = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "k%d", i);
		absent_note(a, name, epoch_moves());
	}
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "k%d", i);
		known += absent_known(a, name);
	}
	assert_in_range(known, 1, 4);
	memset(name, 'x', 299);
	name[299] = '\0';
	absent_note(a, name, epoch_moves()); /* too long to keep */
	assert_false(absent_known(a, name));
	absent_free(a);
	absent_free(NULL);
}

static int
setup(void **state)
{
	(void)state;
	epoch_map(1024);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(until_something_moves),
		cmocka_unit_test(noted_too_late),
		cmocka_unit_test(bounded),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
