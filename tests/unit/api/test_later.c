/* Work put off: in order, not at once, no more than may wait, and none lost by
 * an orderly end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "api/app.h"
#include "api/later.h"
#include "util/clock.h"

#include "util/banned.h"

static struct app app;
static atomic_int done, wrong;
static _Atomic(int64_t) latest;

static void
note(struct app *a, const json_t *what, int64_t deadline, const void *ctx)
{
	if (a != &app || ctx == NULL || json_integer_value(what) != done)
		wrong++;
	latest = deadline;
	done++;
}

static int
put(struct later *l, int n, struct err *e)
{
	return later_put(l, note, json_integer(n), e);
}

static int
start(void **state)
{
	(void)state;
	done = wrong = 0;
	return 0;
}

static void
test_in_order_and_not_at_once(void **state)
{
	struct later *l = later_new(&app);
	int64_t began = clock_mono();
	struct err e = { 0 };

	(void)state;
	for (int i = 0; i < 20; i++)
		assert_int_equal(put(l, i, &e), 0);
	while (done < 20 && clock_mono() - began < 20 * CLOCK_S)
		usleep(1000);
	assert_true(clock_mono() - began >= 50 * CLOCK_MS);
	assert_int_equal(done, 20);
	assert_int_equal(wrong, 0);
	assert_true(latest > clock_mono());
	assert_int_equal(later_stop(l, clock_mono() + 20 * CLOCK_S), 0);
	later_free(l);
}

static void
test_no_more_than_may_wait(void **state)
{
	struct later *l = later_new(&app);
	struct err e = { 0 };
	int n = 0;

	(void)state;
	/* The thread takes what there is only after 50 ms. */
	while (n <= 4 * LATER_MAX && put(l, n, &e) == 0)
		n++;
	assert_in_range(n, LATER_MAX, 4 * LATER_MAX);
	assert_int_equal(e.code, ERR_UNAVAILABLE);
	assert_true(e.retry_after > 0);
	assert_int_equal(later_stop(l, clock_mono() + 20 * CLOCK_S), 0);
	assert_int_equal(done, n);
	assert_int_equal(wrong, 0);
	later_free(l);
}

static void
test_an_end_does_what_waits_and_takes_no_more(void **state)
{
	struct later *l = later_new(&app);
	int64_t limit = clock_mono() + 20 * CLOCK_S;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(put(l, 0, &e), 0);
	assert_int_equal(put(l, 1, &e), 0);
	assert_int_equal(later_stop(l, limit), 0);
	assert_int_equal(done, 2);
	assert_true(latest <= limit);
	assert_int_equal(put(l, 2, &e), -1);
	assert_int_equal(e.code, ERR_UNAVAILABLE);
	later_free(l);

	/* One that was never used has no thread to wait for. */
	l = later_new(&app);
	assert_int_equal(later_stop(l, 0), 0);
	later_free(l);
}

static void
stay(struct app *a, const json_t *what, int64_t deadline, const void *ctx)
{
	(void)a, (void)what, (void)deadline, (void)ctx;
	done = 1;
	while (done != 2)
		usleep(1000);
	done = 3;
}

static void
test_what_does_not_end(void **state)
{
	static struct later *l; /* a worker ends by _exit() then: it stays */
	struct err e = { 0 };

	(void)state;
	l = later_new(&app);
	assert_int_equal(later_put(l, stay, json_true(), &e), 0);
	while (done != 1)
		usleep(1000);
	assert_int_equal(later_stop(l, clock_mono() + 20 * CLOCK_MS), -1);
	done = 2;
	while (done != 3)
		usleep(1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_in_order_and_not_at_once, start),
		cmocka_unit_test_setup(test_no_more_than_may_wait, start),
		cmocka_unit_test_setup(
		    test_an_end_does_what_waits_and_takes_no_more, start),
		cmocka_unit_test_setup(test_what_does_not_end, start)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
