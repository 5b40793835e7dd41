/* util/lru: order of eviction, single flight, references, staleness. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "util/clock.h"
#include "util/lru.h"

struct value {
	atomic_int refs;
	int epoch;
	char key[32];
};

/* Values that exist; every test ends with none. */
static atomic_int alive;
static atomic_int made;
static atomic_int epoch;

/* What make() does, by its arg. */
struct how {
	enum err_code fail;
	atomic_int *inside; /* counts those inside make() */
	atomic_int *gate;   /* make() waits until this is not 0 */
};

static void
value_ref(void *p)
{
	struct value *v = p;

	(void)atomic_fetch_add(&v->refs, 1);
}

static void
value_unref(void *p)
{
	struct value *v = p;

	if (atomic_fetch_sub(&v->refs, 1) == 1) {
		(void)atomic_fetch_sub(&alive, 1);
		free(v);
	}
}

static bool
value_fresh(const void *p)
{
	const struct value *v = p;

	return v->epoch >= atomic_load(&epoch);
}

static int
value_make(
    void *arg, const char *key, int64_t deadline, void **ret, struct err *e)
{
	struct how *how = arg;
	struct value *v;
	int now = atomic_load(&epoch);

	(void)deadline;
	(void)atomic_fetch_add(&made, 1);
	if (how != NULL && how->inside != NULL)
		(void)atomic_fetch_add(how->inside, 1);
	while (how != NULL && how->gate != NULL && !atomic_load(how->gate))
		(void)usleep(200);
	if (how != NULL && how->fail != ERR_NONE)
		return err_set(e, how->fail, "cannot make %s", key);
	v = calloc(1, sizeof(*v));
	assert_non_null(v);
	atomic_init(&v->refs, 1);
	v->epoch = now;
	(void)snprintf(v->key, sizeof(v->key), "%s", key);
	(void)atomic_fetch_add(&alive, 1);
	*ret = v;
	return 0;
}

static const struct lru_ops ops = { value_ref, value_unref, value_fresh,
	value_make };

static int
reset(void **state)
{
	(void)state;
	atomic_store(&alive, 0);
	atomic_store(&made, 0);
	atomic_store(&epoch, 0);
	return 0;
}

/* Look ${key} up and give it back; was it made now? */
static bool
fetch(struct lru *c, const char *key)
{
	int before = atomic_load(&made);
	void *p = NULL;
	struct err e;

	assert_int_equal(lru_get(c, key, NULL, 0, &p, &e), 0);
	assert_string_equal(((struct value *)p)->key, key);
	value_unref(p);
	return atomic_load(&made) > before;
}

static void
test_order(void **state)
{
	struct lru *c = lru_new(3, &ops);
	struct lru_stats s;

	(void)state;
	assert_true(fetch(c, "a"));
	assert_true(fetch(c, "b"));
	assert_true(fetch(c, "c"));
	assert_false(fetch(c, "a")); /* b is the oldest now */
	assert_true(fetch(c, "d"));
	assert_false(fetch(c, "a"));
	assert_false(fetch(c, "c"));
	assert_false(fetch(c, "d"));
	assert_true(fetch(c, "b")); /* pushes a out */
	assert_true(fetch(c, "a"));
	assert_int_equal(atomic_load(&alive), 3);
	lru_stats(c, &s);
	assert_int_equal(s.entries, 3);
	assert_int_equal(s.hits, 4);
	assert_int_equal(s.misses, 6);
	assert_int_equal(s.evictions, 3);
	lru_free(c);
	lru_free(NULL);
	assert_int_equal(atomic_load(&alive), 0);
}

/* Against a list that does the same the slow way. */
static void
test_model(void **state)
{
	enum { CAP = 17, KEYS = 40 };
	struct lru *c = lru_new(CAP, &ops);
	int list[CAP], n = 0;

	(void)state;
	srand(7);
	for (int i = 0; i < 20000; i++) {
		int key = rand() % KEYS, at = 0;
		char text[16];

		(void)snprintf(text, sizeof(text), "key %d", key);
		while (at < n && list[at] != key)
			at++;
		assert_int_equal(fetch(c, text), at == n);
		if (at == n && n < CAP)
			n++;
		if (at == CAP)
			at = CAP - 1;
		memmove(list + 1, list, (size_t)at * sizeof(list[0]));
		list[0] = key;
	}
	lru_free(c);
	assert_int_equal(atomic_load(&alive), 0);
}

static void
test_held(void **state)
{
	struct lru *c = lru_new(1, &ops);
	void *a, *b;

	(void)state;
	assert_int_equal(lru_get(c, "a", NULL, 0, &a, NULL), 0);
	assert_int_equal(lru_get(c, "b", NULL, 0, &b, NULL), 0);
	/* Pushed out, but ours. */
	assert_string_equal(((struct value *)a)->key, "a");
	assert_int_equal(atomic_load(&((struct value *)a)->refs), 1);
	assert_int_equal(atomic_load(&((struct value *)b)->refs), 2);
	lru_clear(c);
	assert_int_equal(atomic_load(&((struct value *)b)->refs), 1);
	lru_free(c);
	value_unref(a);
	value_unref(b);
	assert_int_equal(atomic_load(&alive), 0);
}

static void
test_stale(void **state)
{
	struct lru *c = lru_new(4, &ops);
	struct lru_stats s;

	(void)state;
	assert_true(fetch(c, "a"));
	assert_false(fetch(c, "a"));
	atomic_store(&epoch, 1);
	assert_true(fetch(c, "a"));
	assert_false(fetch(c, "a"));
	assert_int_equal(atomic_load(&alive), 1);
	lru_stats(c, &s);
	assert_int_equal(s.entries, 1);
	assert_int_equal(s.evictions, 0);
	lru_free(c);
}

static void
test_fail(void **state)
{
	struct how how = { .fail = ERR_NOT_FOUND };
	struct lru *c = lru_new(4, &ops);
	void *p = &how;
	struct err e;

	(void)state;
	assert_int_equal(lru_get(c, "a", &how, 0, &p, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	assert_string_equal(e.text, "cannot make a");
	assert_ptr_equal(p, &how);
	assert_int_equal(lru_get(c, "a", &how, 0, &p, NULL), -1);
	assert_int_equal(atomic_load(&made), 2); /* not remembered */
	assert_true(fetch(c, "a"));
	lru_free(c);
}

struct caller {
	struct lru *c;
	const char *key;
	struct how *how;
	int64_t deadline;
	pthread_t thread;
	int rc;
	void *p;
	struct err e;
};

static void *
call(void *arg)
{
	struct caller *k = arg;

	k->rc = lru_get(k->c, k->key, k->how, k->deadline, &k->p, &k->e);
	return NULL;
}

static void
start(struct caller *k, struct lru *c, const char *key, struct how *how)
{
	memset(k, 0, sizeof(*k));
	k->c = c;
	k->key = key;
	k->how = how;
	k->deadline = clock_mono() + 30 * CLOCK_S;
	assert_int_equal(pthread_create(&k->thread, NULL, call, k), 0);
}

/* Wait until ${n} callers wait for a flight. */
static void
until_waiting(struct lru *c, uint64_t n)
{
	struct lru_stats s;

	for (int i = 0; i < 50000; i++) {
		lru_stats(c, &s);
		if (s.waits >= n)
			return;
		(void)usleep(200);
	}
	fail_msg("nobody waits");
}

static void
until_inside(atomic_int *inside, int n)
{
	for (int i = 0; i < 50000 && atomic_load(inside) < n; i++)
		(void)usleep(200);
	assert_true(atomic_load(inside) >= n);
}

#define CALLERS 16

static void
test_single_flight(void **state)
{
	atomic_int inside = 0, gate = 0;
	struct how how = { .inside = &inside, .gate = &gate };
	struct lru *c = lru_new(4, &ops);
	struct caller k[CALLERS], other;

	(void)state;
	for (int i = 0; i < CALLERS; i++)
		start(&k[i], c, "a", &how);
	until_waiting(c, CALLERS - 1);
	/* Another key is not held up. */
	start(&other, c, "b", NULL);
	(void)pthread_join(other.thread, NULL);
	assert_int_equal(other.rc, 0);
	value_unref(other.p);
	assert_int_equal(atomic_load(&inside), 1);
	atomic_store(&gate, 1);
	for (int i = 0; i < CALLERS; i++) {
		(void)pthread_join(k[i].thread, NULL);
		assert_int_equal(k[i].rc, 0);
		assert_ptr_equal(k[i].p, k[0].p);
	}
	assert_int_equal(atomic_load(&inside), 1);
	assert_int_equal(
	    atomic_load(&((struct value *)k[0].p)->refs), CALLERS + 1);
	for (int i = 0; i < CALLERS; i++)
		value_unref(k[i].p);
	lru_free(c);
	assert_int_equal(atomic_load(&alive), 0);
}

/* All who waited get the maker's error, without trying. */
static void
test_shared_error(void **state)
{
	atomic_int inside = 0, gate = 0;
	struct how how = {
		.fail = ERR_UNAVAILABLE, .inside = &inside, .gate = &gate
	};
	struct lru *c = lru_new(4, &ops);
	struct caller k[CALLERS];

	(void)state;
	for (int i = 0; i < CALLERS; i++)
		start(&k[i], c, "a", &how);
	until_waiting(c, CALLERS - 1);
	atomic_store(&gate, 1);
	for (int i = 0; i < CALLERS; i++) {
		(void)pthread_join(k[i].thread, NULL);
		assert_int_equal(k[i].rc, -1);
		assert_int_equal(k[i].e.code, ERR_UNAVAILABLE);
		assert_string_equal(k[i].e.text, "cannot make a");
	}
	assert_int_equal(atomic_load(&inside), 1);
	lru_free(c);
}

/* A maker that left for reasons of its own takes nobody with it. */
static void
test_maker_gone(void **state)
{
	atomic_int inside = 0, gate = 0;
	struct how leaves = {
		.fail = ERR_GONE, .inside = &inside, .gate = &gate
	};
	struct lru *c = lru_new(4, &ops);
	struct caller maker, k[4];

	(void)state;
	start(&maker, c, "a", &leaves);
	until_inside(&inside, 1);
	for (int i = 0; i < 4; i++)
		start(&k[i], c, "a", NULL);
	until_waiting(c, 4);
	atomic_store(&gate, 1);
	(void)pthread_join(maker.thread, NULL);
	assert_int_equal(maker.rc, -1);
	for (int i = 0; i < 4; i++) {
		(void)pthread_join(k[i].thread, NULL);
		assert_int_equal(k[i].rc, 0);
		value_unref(k[i].p);
	}
	assert_int_equal(atomic_load(&made), 2);
	lru_free(c);
	assert_int_equal(atomic_load(&alive), 0);
}

static void
test_deadline(void **state)
{
	atomic_int inside = 0, gate = 0;
	struct how how = { .inside = &inside, .gate = &gate };
	struct lru *c = lru_new(4, &ops);
	struct caller maker;
	int64_t from;
	struct err e;
	void *p = NULL;

	(void)state;
	start(&maker, c, "a", &how);
	until_inside(&inside, 1);
	from = clock_mono();
	assert_int_equal(
	    lru_get(c, "a", &how, from + 20 * CLOCK_MS, &p, &e), -1);
	assert_int_equal(e.code, ERR_UNAVAILABLE);
	assert_null(p);
	assert_true(clock_mono() - from >= 20 * CLOCK_MS);
	atomic_store(&gate, 1);
	(void)pthread_join(maker.thread, NULL);
	assert_int_equal(maker.rc, 0);
	value_unref(maker.p);
	lru_free(c);
	assert_int_equal(atomic_load(&alive), 0);
}

/*
 * What was read before a change is not handed to those who came after it: the
 * maker gets its value, the others make their own.
 */
static void
test_stale_flight(void **state)
{
	atomic_int inside = 0, gate = 0;
	struct how how = { .inside = &inside, .gate = &gate };
	struct lru *c = lru_new(4, &ops);
	struct caller maker, late;

	(void)state;
	start(&maker, c, "a", &how);
	until_inside(&inside, 1); /* has read the epoch */
	atomic_store(&epoch, 1);
	start(&late, c, "a", NULL);
	until_waiting(c, 1);
	atomic_store(&gate, 1);
	(void)pthread_join(maker.thread, NULL);
	(void)pthread_join(late.thread, NULL);
	assert_int_equal(((struct value *)maker.p)->epoch, 0);
	assert_int_equal(((struct value *)late.p)->epoch, 1);
	assert_false(fetch(c, "a"));
	value_unref(maker.p);
	value_unref(late.p);
	lru_free(c);
	assert_int_equal(atomic_load(&alive), 0);
}

/* A clear in the middle of a flight: its value is not kept, and who comes
 * after the clear starts anew. */
static void
test_clear_flight(void **state)
{
	atomic_int inside = 0, gate = 0;
	struct how how = { .inside = &inside, .gate = &gate };
	struct lru *c = lru_new(4, &ops);
	struct caller maker;

	(void)state;
	start(&maker, c, "a", &how);
	until_inside(&inside, 1);
	lru_clear(c);
	assert_true(fetch(c, "a")); /* does not wait for the maker */
	atomic_store(&gate, 1);
	(void)pthread_join(maker.thread, NULL);
	assert_int_equal(maker.rc, 0);
	value_unref(maker.p);
	assert_false(fetch(c, "a"));
	assert_int_equal(atomic_load(&alive), 1);
	lru_clear(c);
	assert_int_equal(atomic_load(&alive), 0);
	assert_true(fetch(c, "a"));
	lru_free(c);
}

static void *
hammer(void *arg)
{
	struct lru *c = arg;
	unsigned seed = (unsigned)(uintptr_t)&seed;

	for (int i = 0; i < 20000; i++) {
		char key[16];
		void *p;

		(void)snprintf(key, sizeof(key), "%d", rand_r(&seed) % 50);
		if (lru_get(c, key, NULL, clock_mono() + 30 * CLOCK_S, &p,
			NULL) != 0)
			return c;
		if (strcmp(((struct value *)p)->key, key) != 0)
			return c;
		value_unref(p);
		if (i % 1000 == 0)
			(void)atomic_fetch_add(&epoch, 1);
		if (i % 3000 == 0)
			lru_clear(c);
	}
	return NULL;
}

static void
test_hammer(void **state)
{
	struct lru *c = lru_new(20, &ops);
	pthread_t t[8];
	void *bad;

	(void)state;
	for (int i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&t[i], NULL, hammer, c), 0);
	for (int i = 0; i < 8; i++) {
		(void)pthread_join(t[i], &bad);
		assert_null(bad);
	}
	lru_free(c);
	assert_int_equal(atomic_load(&alive), 0);
}

/* The budget is 5 us for all of a cached look-up; built plain it takes a
 * twentieth of that, so this holds under any sanitizer. */
static void
test_cost(void **state)
{
	struct lru *c = lru_new(100, &ops);
	int64_t from, best = INT64_MAX;
	void *p;

	(void)state;
	for (int round = 0; round < 20; round++) {
		from = clock_mono();
		for (int i = 0; i < 1000; i++) {
			assert_int_equal(
			    lru_get(c, "0123456789abcdef/sales/human_health",
				NULL, 0, &p, NULL),
			    0);
			value_unref(p);
		}
		if (clock_mono() - from < best)
			best = clock_mono() - from;
	}
	print_message("cached look-up: %d ns\n", (int)(best / 1000));
	assert_true(best / 1000 < 5000);
	lru_free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_order, reset),
		cmocka_unit_test_setup(test_model, reset),
		cmocka_unit_test_setup(test_held, reset),
		cmocka_unit_test_setup(test_stale, reset),
		cmocka_unit_test_setup(test_fail, reset),
		cmocka_unit_test_setup(test_single_flight, reset),
		cmocka_unit_test_setup(test_shared_error, reset),
		cmocka_unit_test_setup(test_maker_gone, reset),
		cmocka_unit_test_setup(test_deadline, reset),
		cmocka_unit_test_setup(test_stale_flight, reset),
		cmocka_unit_test_setup(test_clear_flight, reset),
		cmocka_unit_test_setup(test_hammer, reset),
		cmocka_unit_test_setup(test_cost, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
