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
	epoch_raise_all();
	assert_int_equal(epoch_get(1), 0);
	assert_int_equal(epoch_general(), 0);
	assert_true(epoch_current(1, 0, 0));
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
	assert_false(epoch_current(SLOTS, 100, epoch_general()));
	assert_false(epoch_current(UINT32_MAX, 100, epoch_general()));
}

static void
test_current(void **state)
{
	uint64_t general;

	(void)state;
	epoch_map(SLOTS);
	general = epoch_general();
	epoch_raise(3, 10);
	assert_false(epoch_current(3, 9, general));
	assert_true(epoch_current(3, 10, general));
	assert_true(epoch_current(3, 11, general)); /* read before NOTIFY */
	epoch_raise_all();
	assert_false(epoch_current(3, 11, general));
	assert_false(epoch_current(4, 1, general));
	assert_true(epoch_current(3, 11, epoch_general()));
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
			epoch_raise_all();
			_exit(0);
		}
	}
	for (int i = 0; i < N; i++)
		assert_int_equal(waitpid(pid[i], NULL, 0), pid[i]);
	assert_int_equal(epoch_get(1), 20000 * N + N - 1);
	assert_int_equal(epoch_general(), N);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unmapped), /* before any map */
		cmocka_unit_test(test_raise),
		cmocka_unit_test(test_current),
		cmocka_unit_test(test_processes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
