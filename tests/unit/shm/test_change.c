/* How a change goes round: who waits wakes, and what all have seen is known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "shm/change.h"
#include "shm/procs.h"
#include "util/clock.h"

#define SLOT 7

/* This process's row, as a chat worker that serves. */
static void
worker(unsigned slot)
{
	procs_set_self(slot);
	atomic_store(&procs_self()->kind, PROC_CHAT);
	atomic_store(&procs_self()->ready, true);
}

/* An operator's command has no map. */
static void
unmapped(void **state)
{
	struct change ch;

	(void)state;
	change_note(SLOT, 1, 0);
	change_seen();
	change_ring();
	change_wait(change_bell(), 1);
	change_state(SLOT, &ch);
	assert_false(ch.noted);
	assert_int_equal(ch.workers, 0);
}

static int
mapped(void **state)
{
	(void)state;
	procs_map();
	change_map();
	return 0;
}

static void
goes_round(void **state)
{
	struct change ch;

	(void)state;
	worker(1);
	change_seen();
	change_state(SLOT, &ch);
	assert_false(ch.noted);
	assert_int_equal(ch.workers, 1);
	assert_int_equal(ch.live, 1); /* nothing to be seen */
	assert_int_equal(ch.took_us, -1);

	change_note(SLOT, 5, clock_wall_us() - 30000);
	change_note(SLOT + 1, 9, clock_wall_us());
	change_state(SLOT, &ch);
	assert_true(ch.noted);
	assert_int_equal(ch.epoch, 5);
	assert_int_equal(ch.live, 0);
	assert_int_equal(ch.took_us, -1);
	change_seen();
	change_state(SLOT, &ch);
	assert_int_equal(ch.live, 1);
	/* From the change on, not from the notice. */
	assert_in_range(ch.took_us, 30000, 30000000);

	/* The latest counts; another worker has not seen it. */
	worker(2);
	change_seen();
	change_note(SLOT, 6, clock_wall_us());
	change_seen();
	change_state(SLOT, &ch);
	assert_int_equal(ch.epoch, 6);
	assert_int_equal(ch.workers, 2);
	assert_int_equal(ch.live, 1);
	assert_int_equal(ch.took_us, -1);
	/* Who does not serve is not waited for. */
	atomic_store(&procs_row(1)->ready, false);
	change_state(SLOT, &ch);
	assert_int_equal(ch.workers, 1);
	assert_int_equal(ch.live, 1);
	assert_true(ch.took_us >= 0);
	/* A clock of the database that goes before ours. */
	change_note(SLOT, 7, clock_wall_us() + 60000000);
	change_seen();
	change_state(SLOT, &ch);
	assert_in_range(ch.took_us, 0, 30000000);
}

/* Only so many are remembered. */
static void
forgotten(void **state)
{
	struct change ch;

	(void)state;
	worker(1);
	change_note(SLOT, 1, clock_wall_us());
	for (uint32_t i = 0; i < 1023; i++)
		change_note(100 + i, 1, clock_wall_us());
	change_state(SLOT, &ch);
	assert_true(ch.noted);
	change_note(5000, 1, clock_wall_us());
	change_state(SLOT, &ch);
	assert_false(ch.noted);
	change_seen(); /* more than there are places */
	change_state(5000, &ch);
	assert_int_equal(ch.live, 1);
}

/* Other processes wake at once, not after their time. */
static void
wakes(void **state)
{
	enum { N = 3 };
	int64_t began;
	int status;
	pid_t pid[N];

	(void)state;
	for (unsigned i = 0; i < N; i++) {
		pid[i] = fork();
		if (pid[i] == 0) {
			worker(10 + i);
			began = clock_mono();
			for (;;) {
				uint32_t bell = change_bell();
				struct change ch;

				change_seen();
				change_state(SLOT, &ch);
				if (ch.noted)
					_exit(0);
				if (clock_mono() - began > 50 * CLOCK_S)
					_exit(1);
				change_wait(bell, 60000);
			}
		}
	}
	usleep(20000);
	began = clock_mono();
	change_note(SLOT, 1, clock_wall_us());
	for (int i = 0; i < N; i++) {
		assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
		assert_int_equal(status, 0);
	}
	assert_true(clock_mono() - began < 40 * CLOCK_S);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unmapped), /* before any map */
		cmocka_unit_test_setup(goes_round, mapped),
		cmocka_unit_test_setup(forgotten, mapped),
		cmocka_unit_test_setup(wakes, mapped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
