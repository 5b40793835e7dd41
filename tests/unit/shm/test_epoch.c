/* shm/epoch: raised by any process, never lowered, seen by all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "shm/epoch.h"

#define SLOTS 1000

/* An operator's command: no map, nothing is ever raised. */
static void
test_unmapped(void **state)
{
	(void)state;
	assert_int_equal(epoch_max_slots(), 0);
	epoch_raise(1, 5);
	epoch_knowledge_raise(1, 5);
	epoch_heard(1);
	epoch_checked(1, 1);
	assert_int_equal(epoch_get(1), 0);
	assert_int_equal(epoch_knowledge(1), 0);
	assert_true(epoch_current(1, 0));
	assert_int_equal(epoch_known(1), INT64_MAX);
	assert_false(epoch_knows_nothing(1));
	assert_true(epoch_may_ask(1, 1));
	assert_false(epoch_away());
}

static void
test_raise(void **state)
{
	(void)state;
	epoch_map(SLOTS);
	assert_int_equal(epoch_max_slots(), SLOTS);
	assert_int_equal(epoch_get(7), 0);
	epoch_raise(7, 5);
	assert_int_equal(epoch_get(7), 5);
	epoch_raise(7, 4);
	assert_int_equal(epoch_get(7), 5);
	assert_int_equal(epoch_get(6), 0);
	assert_int_equal(epoch_get(8), 0);
	epoch_raise(SLOTS - 1, 3);
	assert_int_equal(epoch_get(SLOTS - 1), 3);
	/* Beyond the map: no place, never current. */
	epoch_raise(SLOTS, 9);
	assert_int_equal(epoch_get(SLOTS), 0);
	assert_false(epoch_current(SLOTS, 100));
	assert_false(epoch_current(UINT32_MAX, 100));
}

static void
test_current(void **state)
{
	uint64_t moves;

	(void)state;
	epoch_map(SLOTS);
	moves = epoch_moves();
	epoch_raise(3, 10);
	assert_int_equal(epoch_moves(), moves + 1);
	epoch_raise(3, 10);
	assert_int_equal(epoch_moves(), moves + 1);
	assert_false(epoch_current(3, 9));
	assert_true(epoch_current(3, 10));
	assert_true(epoch_current(3, 11)); /* read before NOTIFY */
	assert_true(epoch_current(4, 0));
}

/* What an account knows moves on its own. */
static void
test_knowledge(void **state)
{
	uint64_t moves;

	(void)state;
	epoch_map(SLOTS);
	moves = epoch_moves();
	assert_false(epoch_knows_nothing(5));
	epoch_knowledge_none(5, epoch_knowledge(5));
	assert_true(epoch_knows_nothing(5));
	assert_false(epoch_knows_nothing(6));
	epoch_knowledge_raise(5, 2);
	assert_int_equal(epoch_knowledge(5), 2);
	assert_int_equal(epoch_get(5), 0);
	assert_int_equal(epoch_moves(), moves);
	assert_false(epoch_knows_nothing(5));
	/* Found to be empty before what came since. */
	epoch_knowledge_none(5, 1);
	assert_false(epoch_knows_nothing(5));
	epoch_knowledge_none(5, 2);
	assert_true(epoch_knows_nothing(5));
	epoch_knowledge_none(SLOTS, 0);
	assert_false(epoch_knows_nothing(SLOTS));
}

static void
test_known(void **state)
{
	(void)state;
	epoch_map(SLOTS);
	assert_int_equal(epoch_known(3), 0);
	epoch_checked(3, 100);
	assert_int_equal(epoch_known(3), 100);
	assert_int_equal(epoch_known(4), 0);
	epoch_heard(50);
	assert_int_equal(epoch_known(3), 100);
	assert_int_equal(epoch_known(4), 50);
	epoch_heard(200);
	epoch_heard(150); /* from a listener that ends */
	assert_int_equal(epoch_known(3), 200);
	assert_int_equal(epoch_known(UINT32_MAX), 200);
}

/* While the database is away one asks a while, and nobody else. */
static void
test_away(void **state)
{
	(void)state;
	epoch_map(SLOTS);
	assert_true(epoch_may_ask(1000, 10));
	assert_true(epoch_may_ask(1000, 10));
	assert_false(epoch_away());
	epoch_asked(false, 1000, 10);
	assert_true(epoch_away());
	assert_false(epoch_may_ask(1009, 10));
	assert_true(epoch_may_ask(1010, 10));
	assert_false(epoch_may_ask(1011, 10)); /* another does */
	epoch_asked(true, 1012, 10);
	assert_false(epoch_away());
	assert_true(epoch_may_ask(1013, 10));
	/* Who hears need not ask. */
	epoch_asked(false, 1020, 10);
	epoch_heard(1021);
	assert_false(epoch_away());
}

static void
test_processes(void **state)
{
	enum { N = 4 };
	pid_t pid[N];

	(void)state;
	epoch_map(SLOTS);
	for (unsigned i = 0; i < N; i++) {
		pid[i] = fork();
		if (pid[i] == 0) {
			for (uint64_t k = 1; k <= 20000; k++)
				epoch_raise(1, k * N + i);
			_exit(0);
		}
	}
	for (int i = 0; i < N; i++)
		assert_int_equal(waitpid(pid[i], NULL, 0), pid[i]);
	assert_int_equal(epoch_get(1), 20000 * N + N - 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unmapped), /* before any map */
		cmocka_unit_test(test_raise),
		cmocka_unit_test(test_current),
		cmocka_unit_test(test_knowledge),
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_away),
		cmocka_unit_test(test_processes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
