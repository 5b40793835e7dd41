/* Turns that run for a while are written down, once, and only those. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "chat/opener.h"
#include "util/clock.h"

#include "util/banned.h"

static atomic_int opened;

static void
on_open(struct opener_item *i)
{
	(void)i;
	atomic_fetch_add(&opened, 1);
}

static void
pause_ms(long ms)
{
	nanosleep(&(struct timespec){ .tv_sec = ms / 1000,
		      .tv_nsec = ms % 1000 * 1000000 },
	    NULL);
}

/* Until ${n} are opened; the deadline is for a broken opener only. */
static void
wait_for(int n)
{
	int64_t deadline = clock_mono() + 10 * CLOCK_S;

	while (atomic_load(&opened) < n) {
		assert_true(clock_mono() < deadline);
		pause_ms(1);
	}
}

static int
begin(void **state)
{
	(void)state;
	atomic_store(&opened, 0);
	return 0;
}

static void
at_once(void **state)
{
	struct opener_item i = { .open = on_open };

	(void)state;
	opener_add(&i, 0);
	assert_int_equal(atomic_load(&opened), 1);
	assert_true(opener_remove(&i));
	assert_true(opener_remove(&i));
}

static void
in_time_and_once(void **state)
{
	struct opener_item i[3] = { { .open = on_open }, { .open = on_open },
		{ .open = on_open } };
	int64_t start = clock_mono();

	(void)state;
	for (int k = 0; k < 3; k++)
		opener_add(&i[k], 20);
	wait_for(3);
	assert_true(clock_mono() - start >= 20 * CLOCK_MS);
	for (int k = 0; k < 3; k++)
		assert_true(opener_remove(&i[k]));
	assert_int_equal(atomic_load(&opened), 3);
}

static void
an_ended_turn_is_not_opened(void **state)
{
	struct opener_item gone = { .open = on_open };
	struct opener_item stays = { .open = on_open };
	struct opener_item never = { .open = on_open };

	(void)state;
	assert_false(opener_remove(&never));
	opener_add(&gone, 20);
	opener_add(&stays, 20);
	assert_false(opener_remove(&gone));
	wait_for(1);
	assert_true(stays.opened);
	assert_false(gone.opened);
	opener_remove(&stays);
}

/* A shorter delay after a reload does not wait behind a longer one. */
static void
order_is_by_time(void **state)
{
	struct opener_item late = { .open = on_open };
	struct opener_item soon = { .open = on_open };

	(void)state;
	opener_add(&late, 60000);
	opener_add(&soon, 10);
	wait_for(1);
	assert_true(opener_remove(&soon));
	assert_false(opener_remove(&late));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(at_once, begin),
		cmocka_unit_test_setup(in_time_and_once, begin),
		cmocka_unit_test_setup(an_ended_turn_is_not_opened, begin),
		cmocka_unit_test_setup(order_is_by_time, begin),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
