/* The arithmetic of a bucket, with a clock of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "usage/bucket.h"

#include "util/banned.h"

static int64_t now;

static int64_t
test_clock(void)
{
	return now;
}

static void
at(double seconds)
{
	now = (int64_t)(seconds * (double)BUCKET_TICKS_S);
}

static bool
take(bucket_t *b, const struct bucket_rate *r, int64_t cost)
{
	struct bucket_view v;

	return bucket_take(b, r, cost, test_clock, &v);
}

/* N at once, then one each period / N: exactly then, not a tick earlier. */
static void
burst_then_pace(void **state)
{
	static const int64_t limits[] = { 1, 2, 3, 7, 20, 100, 1000, 4999,
		99991, 100000, 999983 };

	(void)state;
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		struct bucket_rate r = bucket_rate(limits[i], 3600);
		struct bucket_view v;
		bucket_t b = 0;

		at(5);
		for (int64_t n = 0; n < limits[i]; n++)
			assert_true(take(&b, &r, 1));
		assert_false(bucket_take(&b, &r, 1, test_clock, &v));
		assert_int_equal(v.remaining, 0);
		assert_int_equal(v.wait, r.step);
		for (int n = 0; n < 50; n++) {
			now += r.step - 1;
			assert_false(take(&b, &r, 1));
			now++;
			assert_true(take(&b, &r, 1));
			assert_false(take(&b, &r, 1));
		}
	}
}

/* Over many periods the rate is the limit's: no drift. */
static void
long_run(void **state)
{
	static const int64_t limits[] = { 3, 7, 1000, 99991 };

	(void)state;
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		struct bucket_rate r = bucket_rate(limits[i], 3600);
		int64_t end = 10 * 3600 * BUCKET_TICKS_S, passed = 0;
		bucket_t b = 0;

		/* Asked as soon as one may pass, for ten hours. */
		for (now = 0; now < end;) {
			struct bucket_view v;

			if (bucket_take(&b, &r, 1, test_clock, &v))
				passed++;
			else
				now += v.wait;
		}
		/* The first burst, and ten hours' worth. */
		assert_in_range(passed, 11 * limits[i] - 1, 11 * limits[i]);
	}
}

static void
zero_and_huge(void **state)
{
	struct bucket_rate r = bucket_rate(0, 60);
	struct bucket_view v;
	bucket_t b = 0;

	(void)state;
	at(1);
	assert_false(bucket_take(&b, &r, 1, test_clock, &v));
	assert_int_equal(v.remaining, 0);
	assert_int_equal(v.wait, 60 * BUCKET_TICKS_S);

	r = bucket_rate(INT64_MAX, INT64_MAX);
	assert_true(bucket_take(&b, &r, INT64_MAX, test_clock, &v));
	bucket_charge(&b, &r, INT64_MAX, test_clock);
	bucket_charge(&b, &r, INT64_MAX, test_clock);
	assert_true(atomic_load(&b) > 0);
	assert_false(take(&b, &r, 1));
}

/* An ask larger than the bucket: only from a full one, and it is owed. */
static void
oversize(void **state)
{
	struct bucket_rate r = bucket_rate(100, 100); /* one a second */
	struct bucket_view v;
	bucket_t b = 0;

	(void)state;
	at(10);
	assert_true(take(&b, &r, 1));
	assert_false(bucket_take(&b, &r, 101, test_clock, &v));
	assert_int_equal(v.wait, BUCKET_TICKS_S);
	assert_int_equal(v.remaining, 99);
	at(11);
	assert_true(take(&b, &r, 250));
	assert_false(take(&b, &r, 1));
	at(11 + 150);
	assert_false(take(&b, &r, 1));
	at(11 + 151);
	assert_true(take(&b, &r, 1));
}

static void
weights(void **state)
{
	struct bucket_rate r = bucket_rate(1000, 3600);
	struct bucket_view v;
	bucket_t b = 0;

	(void)state;
	at(1);
	assert_true(take(&b, &r, 600));
	assert_false(bucket_take(&b, &r, 401, test_clock, &v));
	assert_int_equal(v.remaining, 400);
	assert_int_equal(v.wait, r.step);
	assert_true(take(&b, &r, 400));
	assert_true(take(&b, &r, 0)); /* nothing asked, nothing owed */
	assert_false(take(&b, &r, 1));
}

static void
give_and_charge(void **state)
{
	struct bucket_rate r = bucket_rate(7, 60);
	bucket_t b = 0;

	(void)state;
	at(1);
	assert_true(take(&b, &r, 7));
	bucket_give(&b, &r, 3, test_clock);
	assert_true(take(&b, &r, 3));
	assert_false(take(&b, &r, 1));
	/* Exact inverses: a thousand times nothing is nothing. */
	for (int i = 0; i < 1000; i++) {
		bucket_give(&b, &r, 7, test_clock);
		assert_true(take(&b, &r, 7));
	}
	assert_false(take(&b, &r, 1));
	/* Never more than full. */
	bucket_give(&b, &r, 1000, test_clock);
	bucket_give(&b, &r, 1000, test_clock);
	assert_true(take(&b, &r, 7));
	assert_false(take(&b, &r, 1));
	/* Into debt: one more period's worth. */
	bucket_charge(&b, &r, 7, test_clock);
	now += 7 * r.step;
	assert_false(take(&b, &r, 1));
	now += r.step;
	assert_true(take(&b, &r, 1));
	/* A wild number is bounded. */
	bucket_charge(&b, &r, INT64_C(1) << 60, test_clock);
	now += 25 * r.size;
	assert_true(take(&b, &r, 7));
}

/* A new limit keeps the share that was left. */
static void
limit_changes(void **state)
{
	struct bucket_rate small = bucket_rate(100, 3600);
	struct bucket_rate large = bucket_rate(1000, 3600);
	bucket_t b = 0;
	int passed = 0;

	(void)state;
	at(1);
	assert_true(take(&b, &small, 50));
	while (take(&b, &large, 1))
		passed++;
	assert_int_equal(passed, 500);
	assert_false(take(&b, &small, 1));
	now += small.size / 2;
	for (passed = 0; take(&b, &small, 1);)
		passed++;
	assert_int_equal(passed, 50);
}

/* Random asks against a plain model in rational numbers: of any window, never
 * more than the limit and what refills in it. */
static void
never_above(void **state)
{
	(void)state;
	srand(4711);
	for (int round = 0; round < 50; round++) {
		int64_t limit = 1 + rand() % 50, taken = 0, start;
		struct bucket_rate r = bucket_rate(limit, 60);
		bucket_t b = 0;

		at(3);
		start = now;
		for (int i = 0; i < 3000; i++) {
			int64_t cost = 1 + rand() % 3;

			if (cost <= limit && take(&b, &r, cost))
				taken += cost;
			assert_true(taken * r.step <= r.size + now - start);
			now += rand() % (int)(r.step / 64 < INT32_MAX
						  ? r.step / 64 + 1
						  : INT32_MAX);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(burst_then_pace),
		cmocka_unit_test(long_run),
		cmocka_unit_test(zero_and_huge),
		cmocka_unit_test(oversize),
		cmocka_unit_test(weights),
		cmocka_unit_test(give_and_charge),
		cmocka_unit_test(limit_changes),
		cmocka_unit_test(never_above),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
