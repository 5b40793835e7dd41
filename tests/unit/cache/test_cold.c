/* So many at once and no more; who waits too long is turned away. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cache/cold.h"
#include "util/clock.h"

#include "util/banned.h"

#define MOST 3
#define THREADS 16

static atomic_int inside, worst;

static void *
visitor(void *arg)
{
	struct cold *c = arg;

	for (int i = 0; i < 200; i++) {
		if (cold_enter(c, 0, NULL) != 0)
			return arg;
		int now = atomic_fetch_add(&inside, 1) + 1;
		int most = atomic_load(&worst);

		while (now > most &&
		       !atomic_compare_exchange_weak(&worst, &most, now))
			continue;
		atomic_fetch_sub(&inside, 1);
		cold_leave(c);
	}
	return NULL;
}

static void
bounded(void **state)
{
	struct cold *c = cold_new(MOST, 60000);
	pthread_t t[THREADS];
	void *bad;

	(void)state;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&t[i], NULL, visitor, c), 0);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(t[i], &bad);
		assert_null(bad);
	}
	assert_in_range(atomic_load(&worst), 1, MOST);
	cold_free(c);
}

static void
turned_away(void **state)
{
	struct cold *c = cold_new(0, 20); /* one at least */
	struct err e = { 0 };
	int64_t began;

	(void)state;
	assert_int_equal(cold_enter(c, 0, &e), 0);
	assert_int_equal(cold_enter(c, 0, &e), -1);
	assert_int_equal(e.code, ERR_UNAVAILABLE);
	assert_true(e.retry_after > 0);
	/* The caller's own deadline counts too. */
	began = clock_mono();
	assert_int_equal(cold_enter(c, began, &e), -1);
	cold_leave(c);
	assert_int_equal(cold_enter(c, 0, &e), 0);
	cold_leave(c);
	cold_free(c);
	cold_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bounded),
		cmocka_unit_test(turned_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
