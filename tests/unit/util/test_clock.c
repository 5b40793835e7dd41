/* util/clock: what deadlines and time stamps stand on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "util/clock.h"

static void
test_clocks(void **state)
{
	int64_t a = clock_mono(), b = clock_mono();
	int64_t wall = clock_wall_us(), now = (int64_t)time(NULL);

	(void)state;
	assert_true(a > 0 && b >= a);
	assert_in_range(wall / 1000000, now - 2, now + 2);
}

static void
test_left(void **state)
{
	int64_t now = clock_mono();

	(void)state;
	assert_int_equal(clock_left_ms(0, 1234), 1234);
	assert_int_equal(clock_left_ms(1, 1234), 0);
	assert_int_equal(clock_left_ms(now - CLOCK_S, 1234), 0);
	assert_int_equal(clock_left_ms(now + 60 * CLOCK_S, 1234), 1234);
	assert_in_range(
	    clock_left_ms(now + 60 * CLOCK_S, 100000), 50000, 60000);
	/* Never 0 while something is left, or a wait would spin. */
	for (int i = 0; i < 1000; i++) {
		int64_t soon = clock_mono() + CLOCK_MS / 2;
		int left = clock_left_ms(soon, 1000);

		if (clock_mono() < soon)
			assert_int_equal(left, 1);
	}
	assert_int_equal(clock_left_ms(INT64_MAX, 7), 7);
}

static void
test_rfc3339(void **state)
{
	static const struct {
		int64_t us;
		const char *text;
	} rows[] = {
		{ 0, "1970-01-01T00:00:00.000Z" },
		{ 999, "1970-01-01T00:00:00.000Z" },
		{ 1000, "1970-01-01T00:00:00.001Z" },
		{ -1, "1969-12-31T23:59:59.999Z" },
		{ -1000000, "1969-12-31T23:59:59.000Z" },
		{ INT64_C(1795316645678999), "2026-11-22T03:04:05.678Z" },
		{ INT64_C(951782400000000), "2000-02-29T00:00:00.000Z" },
		{ INT64_C(253402300799999999), "9999-12-31T23:59:59.999Z" },
	};
	char out[CLOCK_RFC3339_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		clock_rfc3339(rows[i].us, out);
		assert_string_equal(out, rows[i].text);
	}
	clock_rfc3339(INT64_MAX, out);
	clock_rfc3339(INT64_MIN, out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clocks),
		cmocka_unit_test(test_left),
		cmocka_unit_test(test_rfc3339),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
