/* The resolver: cache, waiting, and names that take for ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "net/resolve.h"
#include "util/clock.h"

static atomic_int lookups, fail;

static void
sleep_ms(int ms)
{
	struct timespec t = { ms / 1000, (ms % 1000) * 1000000L };

	nanosleep(&t, NULL);
}

static int
lookup(const char *host, struct resolved *out)
{
	int n = atomic_fetch_add(&lookups, 1) + 1;

	if (strncmp(host, "slow", 4) == 0)
		sleep_ms(300);
	if (atomic_load(&fail) || strcmp(host, "none") == 0)
		return -1;
	out->n = 1;
	snprintf(out->addr[0], sizeof(out->addr[0]), "10.0.0.%d", n & 0xff);
	return 0;
}

struct waiting {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	int n;
};

static void
ready(void *arg)
{
	struct waiting *w = arg;

	pthread_mutex_lock(&w->lock);
	w->n++;
	pthread_cond_signal(&w->cond);
	pthread_mutex_unlock(&w->lock);
}

static enum resolve_state
get(struct resolver *r, const char *host, struct resolved *out)
{
	struct waiting w = { PTHREAD_MUTEX_INITIALIZER,
		PTHREAD_COND_INITIALIZER, 0 };
	struct resolve_ask ask = { .ready = ready, .arg = &w };
	enum resolve_state s = resolve_start(r, host, &ask, out);

	if (s != RESOLVE_WAIT)
		return s;
	pthread_mutex_lock(&w.lock);
	while (w.n == 0)
		pthread_cond_wait(&w.cond, &w.lock);
	pthread_mutex_unlock(&w.lock);
	s = resolve_take(r, &ask, out);
	resolve_stop(r, &ask);
	return s;
}

static struct resolver *
start(int ttl_ms, int negative_ms)
{
	struct resolve_opts o = { .threads = 2,
		.ttl_ms = ttl_ms,
		.negative_ms = negative_ms,
		.lookup = lookup };

	atomic_store(&lookups, 0);
	atomic_store(&fail, 0);
	return resolve_new(&o);
}

static void
test_literals(void **state)
{
	static const char *const yes[] = { "127.0.0.1", "[::1]", "::1",
		"[2001:db8::5]", "255.255.255.255" };
	static const char *const no[] = { "localhost", "127.1", "0x7f.1",
		"2130706433", "[127.0.0.1", "1.2.3.4.5", "", "a.b" };
	struct resolved out;

	(void)state;
	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		assert_true(resolve_literal(yes[i], &out));
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		assert_false(resolve_literal(no[i], &out));
	assert_true(resolve_literal("[::1]", &out));
	assert_string_equal(out.addr[0], "::1");
	struct resolver *r = start(1000, 1000);
	assert_int_equal(get(r, "10.1.2.3", &out), RESOLVE_DONE);
	assert_int_equal(atomic_load(&lookups), 0);
	resolve_free(r);
}

static void
test_cache(void **state)
{
	struct resolver *r = start(10000, 100);
	struct resolved out;

	(void)state;
	for (int i = 0; i < 10; i++) {
		assert_int_equal(get(r, "a.test", &out), RESOLVE_DONE);
		assert_string_equal(out.addr[0], "10.0.0.1");
	}
	/* Names know no case. */
	assert_int_equal(get(r, "A.TEST", &out), RESOLVE_DONE);
	assert_int_equal(atomic_load(&lookups), 1);
	/* Failures are kept for a while, and not for longer. */
	for (int i = 0; i < 5; i++)
		assert_int_equal(get(r, "none", &out), RESOLVE_FAILED);
	assert_int_equal(atomic_load(&lookups), 2);
	sleep_ms(120);
	assert_int_equal(get(r, "none", &out), RESOLVE_FAILED);
	assert_int_equal(atomic_load(&lookups), 3);
	resolve_free(r);
}

static void
test_refresh(void **state)
{
	struct resolver *r = start(200, 50);
	struct resolved out;
	int64_t until;

	(void)state;
	assert_int_equal(get(r, "a.test", &out), RESOLVE_DONE);
	/* Past half its time it answers, and is asked for again. */
	sleep_ms(120);
	assert_int_equal(get(r, "a.test", &out), RESOLVE_DONE);
	until = clock_mono() + 2 * CLOCK_S;
	while (atomic_load(&lookups) < 2 && clock_mono() < until)
		sleep_ms(1);
	assert_int_equal(atomic_load(&lookups), 2);
	/* Past its end nobody is told an old answer. */
	sleep_ms(250);
	atomic_store(&fail, 1);
	assert_int_equal(get(r, "a.test", &out), RESOLVE_FAILED);
	resolve_free(r);
}

static void
test_failed_refresh_keeps_answer(void **state)
{
	struct resolver *r = start(600, 50);
	struct resolved out;

	(void)state;
	assert_int_equal(get(r, "a.test", &out), RESOLVE_DONE);
	atomic_store(&fail, 1);
	sleep_ms(320);
	assert_int_equal(get(r, "a.test", &out), RESOLVE_DONE);
	sleep_ms(30);
	assert_int_equal(get(r, "a.test", &out), RESOLVE_DONE);
	assert_string_equal(out.addr[0], "10.0.0.1");
	resolve_free(r);
}

struct asker {
	pthread_t t;
	struct resolver *r;
	const char *host;
	enum resolve_state s;
	int64_t ns;
};

static void *
asker_thread(void *arg)
{
	struct asker *a = arg;
	struct resolved out;
	int64_t t = clock_mono();

	a->s = get(a->r, a->host, &out);
	a->ns = clock_mono() - t;
	return NULL;
}

/* Many ask for one name: one lookup, all are told. */
static void
test_single_flight(void **state)
{
	struct resolver *r = start(10000, 100);
	struct asker a[32];

	(void)state;
	for (int i = 0; i < 32; i++) {
		a[i] = (struct asker){ .r = r, .host = "slow.test" };
		pthread_create(&a[i].t, NULL, asker_thread, &a[i]);
	}
	for (int i = 0; i < 32; i++) {
		pthread_join(a[i].t, NULL);
		assert_int_equal(a[i].s, RESOLVE_DONE);
	}
	assert_int_equal(atomic_load(&lookups), 1);
	resolve_free(r);
}

/* A slow name holds one thread; others go on with the next. */
static void
test_slow_beside_fast(void **state)
{
	struct resolver *r = start(10000, 100);
	struct asker slow = { .r = r, .host = "slow.test" };
	struct resolved out;

	(void)state;
	pthread_create(&slow.t, NULL, asker_thread, &slow);
	while (atomic_load(&lookups) == 0)
		sleep_ms(1);
	int64_t t = clock_mono();
	assert_int_equal(get(r, "fast.test", &out), RESOLVE_DONE);
	assert_true(clock_mono() - t < 200 * CLOCK_MS);
	pthread_join(slow.t, NULL);
	resolve_free(r);
}

/* Who stops waiting is not told any more; its memory may go. */
static void
test_stop(void **state)
{
	struct resolver *r = start(10000, 100);
	struct resolved out;

	(void)state;
	{
		struct waiting w = { PTHREAD_MUTEX_INITIALIZER,
			PTHREAD_COND_INITIALIZER, 0 };
		struct resolve_ask ask = { .ready = ready, .arg = &w };
		assert_int_equal(
		    resolve_start(r, "slow.test", &ask, &out), RESOLVE_WAIT);
		assert_int_equal(resolve_take(r, &ask, &out), RESOLVE_WAIT);
		resolve_stop(r, &ask);
		memset(&ask, 0xa5, sizeof(ask));
		memset(&w, 0xa5, sizeof(w));
	}
	assert_int_equal(get(r, "slow.test", &out), RESOLVE_DONE);
	resolve_free(r);
}

/* More names than the cache holds: bounded, and none is refused. */
static void
test_many_names(void **state)
{
	struct resolver *r = start(10000, 100);
	struct resolved out;
	char name[32];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "n%d.test", i);
		assert_int_equal(get(r, name, &out), RESOLVE_DONE);
	}
	assert_int_equal(atomic_load(&lookups), 1000);
	assert_int_equal(get(r, "n999.test", &out), RESOLVE_DONE);
	assert_int_equal(atomic_load(&lookups), 1000);
	resolve_free(r);
}

static void
test_system(void **state)
{
	struct resolve_opts o = {
		.threads = 1, .ttl_ms = 1000, .negative_ms = 1000
	};
	struct resolver *r = resolve_new(&o);
	struct resolved out;

	(void)state;
	assert_int_equal(get(r, "localhost", &out), RESOLVE_DONE);
	assert_true(out.n >= 1);
	assert_true(strcmp(out.addr[0], "127.0.0.1") == 0 ||
		    strcmp(out.addr[0], "::1") == 0);
	resolve_free(r);
	resolve_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_literals),
		cmocka_unit_test(test_cache),
		cmocka_unit_test(test_refresh),
		cmocka_unit_test(test_failed_refresh_keeps_answer),
		cmocka_unit_test(test_single_flight),
		cmocka_unit_test(test_slow_beside_fast),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_many_names),
		cmocka_unit_test(test_system),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
