/* Buckets by key: one place a key, whoever comes at once; full sets; takers
 * that die. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <pthread.h>
#include <string.h>

#include "usage/table_priv.h"
#include "util/clock.h"

#include "util/banned.h"

#define THREADS 8

static _Atomic(int64_t) skew; /* of the clock, in ticks */

static int64_t
test_clock(void)
{
	static int64_t start;

	if (start == 0)
		start = clock_mono();
	return (clock_mono() - start) * BUCKET_TICKS_NS + 10 * BUCKET_TICKS_S +
	       skew;
}

static bool
take(uint64_t h, const struct bucket_rate *r)
{
	struct bucket_view v;

	return table_take(h, r, 1, test_clock, &v);
}

static int
fresh(void **state)
{
	(void)state;
	table_map();
	skew = 0;
	(void)test_clock(); /* starts it before there are threads */
	return 0;
}

static void
hashes(void **state)
{
	uint64_t h = table_hash('a', 1, "192.0.2.1");

	(void)state;
	assert_true(h == table_hash('a', 1, "192.0.2.1"));
	assert_false(h == table_hash('s', 1, "192.0.2.1"));
	assert_false(h == table_hash('a', 2, "192.0.2.1"));
	assert_false(h == table_hash('a', 1, "192.0.2.2"));
	table_map(); /* a new salt */
	assert_false(h == table_hash('a', 1, "192.0.2.1"));
}

static void
counts_a_key(void **state)
{
	struct bucket_rate r = bucket_rate(20, 60);
	uint64_t a = table_hash('a', 1, "a"), b = table_hash('a', 1, "b");
	struct bucket_view v;

	(void)state;
	for (int i = 0; i < 20; i++)
		assert_true(take(a, &r));
	assert_false(take(a, &r));
	assert_false(table_peek(a, &r, 1, test_clock, &v));
	assert_true(table_peek(b, &r, 1, test_clock, &v));
	assert_true(take(b, &r));
	table_give(a, &r, 1, test_clock);
	assert_true(take(a, &r));
	assert_false(take(a, &r));
	table_give(table_hash('a', 1, "c"), &r, 1, test_clock);
	skew += r.step;
	assert_true(take(a, &r));
}

/* Keys of one set: its places are handed on only when their buckets are full.
 */
static void
full_set(void **state)
{
	struct bucket_rate r = bucket_rate(2, 60);
	struct bucket_view v;
	uint64_t set = 77, h = 0;

	(void)state;
	for (uint64_t i = 1; i <= TABLE_WAYS; i++)
		assert_true(take(i * TABLE_SETS + set, &r));
	h = (TABLE_WAYS + 1) * (uint64_t)TABLE_SETS + set;
	/* Refused, with the time at which a place is free. */
	assert_false(table_take(h, &r, 1, test_clock, &v));
	assert_true(v.wait > 0 && v.wait <= r.step);
	assert_int_equal(v.remaining, 0);
	/* The ones there go on. */
	for (uint64_t i = 1; i <= TABLE_WAYS; i++)
		assert_true(take(i * TABLE_SETS + set, &r));
	assert_false(take(TABLE_SETS + set, &r));
	skew += 2 * r.step;
	for (uint64_t i = 101; i <= 100 + TABLE_WAYS; i++) {
		assert_true(take(i * TABLE_SETS + set, &r));
		assert_true(take(i * TABLE_SETS + set, &r));
		assert_false(take(i * TABLE_SETS + set, &r));
	}
	/* The first one lost its place while it was full: it has all again. */
	skew += 2 * r.step;
	assert_true(take(TABLE_SETS + set, &r));
	assert_true(take(TABLE_SETS + set, &r));
	assert_false(take(TABLE_SETS + set, &r));
}

/*
 * Threads that come with the same new key at once, in a set whose places are
 * all old and so all up to be taken over: exactly the limit passes, so the
 * key got exactly one place.
 */
struct race {
	pthread_barrier_t *barrier;
	uint64_t (*key)(int round);
	int rounds;
	int *passed; /* by round */
};

static const int64_t race_limit = 3;

static void *
racer(void *arg)
{
	const struct race *r = arg;
	struct bucket_rate rate = bucket_rate(race_limit, 3600);

	for (int round = 0; round < r->rounds; round++) {
		pthread_barrier_wait(r->barrier);
		for (int i = 0; i < race_limit; i++)
			if (take(r->key(round), &rate))
				__atomic_fetch_add(
				    &r->passed[round], 1, __ATOMIC_RELAXED);
		if (pthread_barrier_wait(r->barrier) ==
		    PTHREAD_BARRIER_SERIAL_THREAD)
			/* every third round all places become old */
			atomic_fetch_add(
			    &skew, round % 3 == 2 ? 2 * rate.size : 0);
		pthread_barrier_wait(r->barrier);
	}
	return NULL;
}

static uint64_t
one_set(int round)
{
	return (uint64_t)(round + 1) * TABLE_SETS + 5;
}

static void
one_place_a_key(void **state)
{
	enum { ROUNDS = 600 };
	int passed[ROUNDS] = { 0 };
	pthread_barrier_t barrier;
	struct race race = { &barrier, one_set, ROUNDS, passed };
	pthread_t threads[THREADS];

	(void)state;
	pthread_barrier_init(&barrier, NULL, THREADS);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, racer, &race), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&barrier);
	for (int i = 0; i < ROUNDS; i++)
		assert_int_equal(passed[i], race_limit);
}

/* Keys that fight for the places of one set while it turns over all the time:
 * nobody hangs, and no key passes above its limit inside its period. */
static void *
fighter(void *arg)
{
	struct bucket_rate r = bucket_rate(1, 1);
	unsigned id = *(const unsigned *)arg, x = id * 7919 + 1;

	for (int i = 0; i < 20000; i++) {
		x = x * 1664525 + 1013904223;
		(void)take(
		    (x >> 16) % 24 * (uint64_t)TABLE_SETS + 9 + TABLE_SETS, &r);
		if (i % 50 == 0)
			atomic_fetch_add(&skew, r.size / 3);
	}
	return NULL;
}

static void
turnover(void **state)
{
	pthread_t threads[THREADS];
	unsigned ids[THREADS];

	(void)state;
	for (unsigned i = 0; i < THREADS; i++) {
		ids[i] = i;
		assert_int_equal(
		    pthread_create(&threads[i], NULL, fighter, &ids[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(hashes, fresh),
		cmocka_unit_test_setup(counts_a_key, fresh),
		cmocka_unit_test_setup(full_set, fresh),
		cmocka_unit_test_setup(one_place_a_key, fresh),
		cmocka_unit_test_setup(turnover, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
