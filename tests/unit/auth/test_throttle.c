/*
 * Failed sign-ins: what each one costs the next, who is not meant, how full
 * tables forget, and writers that die.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "auth/throttle.h"
#include "auth/throttle_priv.h"
#include "shm/shm.h"
#include "util/clock.h"

#include "util/banned.h"

#define ANN "ann@shop.example"
#define HERE "192.0.2.1"

static int64_t now;

static int
fresh(void **state)
{
	(void)state;
	throttle_map();
	now = 1000000 * CLOCK_S;
	return 0;
}

static void
later(double seconds)
{
	now += (int64_t)(seconds * (double)CLOCK_S);
}

/* Seconds to wait, 0: may try. */
static int
wait_of(const char *email, const char *address)
{
	int s = -1, rc = throttle_check(email, address, now, &s);

	assert_int_equal(rc, s > 0 ? -1 : 0);
	assert_in_range(s, 0, 2 * 3600);
	return s;
}

static void
delays(void **state)
{
	static const int want[] = { 1, 2, 4, 8, 16, 32, 60, 60, 60, 60 };

	(void)state;
	for (int i = 0; i < THROTTLE_FREE; i++) {
		assert_int_equal(wait_of(ANN, HERE), 0);
		throttle_failed(ANN, HERE, now);
		later(0.01);
	}
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		assert_int_equal(wait_of(ANN, HERE), want[i]);
		later(want[i] - 0.1);
		/* The right password too, whoever was checked before. */
		assert_int_equal(wait_of(ANN, HERE), 1);
		assert_int_equal(throttle_succeeded(ANN, HERE, now), -1);
		/* Asking costs nothing; the time comes. */
		later(0.1);
		assert_int_equal(wait_of(ANN, HERE), 0);
		throttle_failed(ANN, HERE, now);
	}
	/* For ever so many, and an hour after the last it is over. */
	for (int i = 0; i < 40; i++) {
		later(61);
		assert_int_equal(wait_of(ANN, HERE), 0);
		throttle_failed(ANN, HERE, now);
		assert_int_equal(wait_of(ANN, HERE), 60);
	}
	later(3601);
	for (int i = 0; i < THROTTLE_FREE; i++) {
		assert_int_equal(wait_of(ANN, HERE), 0);
		throttle_failed(ANN, HERE, now);
	}
	assert_int_equal(wait_of(ANN, HERE), 1);
}

static void
success_forgets(void **state)
{
	(void)state;
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < THROTTLE_FREE - 1; i++)
			throttle_failed(ANN, HERE, now);
		assert_int_equal(wait_of(ANN, HERE), 0);
		assert_int_equal(throttle_succeeded(ANN, HERE, now), 0);
	}
	for (int i = 0; i < THROTTLE_FREE; i++) {
		assert_int_equal(wait_of(ANN, HERE), 0);
		throttle_failed(ANN, HERE, now);
	}
	assert_int_equal(wait_of(ANN, HERE), 1);
	/* But not what the address did: 45 until now. */
	for (int i = 45; i < THROTTLE_ADDRESS; i++)
		throttle_failed("others@shop.example", HERE, now);
	assert_true(wait_of("new@shop.example", HERE) > 60);
}

/* Whose failures they are, and whose not. */
static void
only_the_pair(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++)
		throttle_failed(ANN, HERE, now);
	assert_int_equal(wait_of(ANN, HERE), 60);
	assert_int_equal(wait_of("ANN@Shop.Example", HERE), 60);
	assert_int_equal(wait_of(ANN, "192.0.2.2"), 0);
	assert_int_equal(throttle_succeeded(ANN, "192.0.2.2", now), 0);
	assert_int_equal(wait_of("ben@shop.example", HERE), 0);
	/* Success elsewhere is none here. */
	assert_int_equal(wait_of(ANN, HERE), 60);
	/* The border between the two is none to play with. */
	assert_int_equal(wait_of(ANN "1", "92.0.2.1"), 0);
	/* What is no e-mail is throttled too. */
	for (int i = 0; i < 5; i++)
		throttle_failed("\xff\xfe", HERE, now);
	assert_int_equal(wait_of("\xff\xfe", HERE), 1);
	throttle_failed("", HERE, now);
	assert_int_equal(wait_of("", HERE), 0);
}

/* A hundred in any hour, whomever an address tries, at any time of it. */
static void
spray(void **state)
{
	char email[32];
	int64_t failed[2000];
	int n = 0;

	(void)state;
	for (int step = 0; step < 6 * 3600 / 7; step++) {
		snprintf(email, sizeof(email), "u%d@shop.example", step);
		if (wait_of(email, HERE) == 0) {
			throttle_failed(email, HERE, now);
			failed[n++] = now;
			assert_in_range(n, 1, 1999);
			if (n > THROTTLE_ADDRESS)
				assert_true(
				    now - failed[n - 1 - THROTTLE_ADDRESS] >=
				    3600 * CLOCK_S);
		}
		later(7);
	}
	/* Six hours: it is slowed down, not shut out. */
	assert_in_range(n, 4 * THROTTLE_ADDRESS, 6 * THROTTLE_ADDRESS);
	later(80 * 60);
	for (int i = 0; i < THROTTLE_ADDRESS; i++) {
		snprintf(email, sizeof(email), "v%d@shop.example", i);
		assert_int_equal(wait_of(email, HERE), 0);
		throttle_failed(email, HERE, now);
	}
	assert_in_range(wait_of(ANN, HERE), 3600, 80 * 60);
	assert_int_equal(wait_of(ANN, "192.0.2.2"), 0);
	/* What it is told to wait is enough. */
	later(wait_of(ANN, HERE));
	assert_int_equal(wait_of(ANN, HERE), 0);
}

/* A million people from as many addresses: the tables are full, of fixed size,
 * and those who failed last are still known. */
static void
a_million_keys(void **state)
{
	char email[32], address[32];
	int known = 0;

	(void)state;
	for (int i = 0; i < 20; i++)
		throttle_failed(ANN, HERE, now);
	for (unsigned i = 0; i < 1000000; i++) {
		snprintf(email, sizeof(email), "u%u@shop.example", i);
		snprintf(address, sizeof(address), "2001:db8:%x:%x::/64",
		    i >> 16, i & 0xffff);
		throttle_failed(email, address, now);
		if (i % 1000 == 0)
			later(0.1);
		if (i % 20000 == 0) {
			/* Who fails now and then is newer than most. */
			assert_in_range(wait_of(ANN, HERE), 50, 60);
			throttle_failed(ANN, HERE, now);
		}
	}
	/* The last ones have their place: four more, and they wait. */
	for (unsigned i = 999000; i < 1000000; i++) {
		snprintf(email, sizeof(email), "u%u@shop.example", i);
		snprintf(address, sizeof(address), "2001:db8:%x:%x::/64",
		    i >> 16, i & 0xffff);
		for (int k = 0; k < 4; k++)
			throttle_failed(email, address, now);
		known += wait_of(email, address) == 1;
	}
	assert_in_range(known, 990, 1000);
}

/* Uptimes at which the words wrap: nobody is locked for long. */
static void
old_words(void **state)
{
	static const int64_t days[] = { 1, 60, 97, 98, 193, 194, 195, 250, 400,
		455, 456, 909, 911, 1820 };

	(void)state;
	for (size_t i = 0; i < sizeof(days) / sizeof(days[0]); i++) {
		int64_t began = now;
		int waited = 0, s;

		for (int k = 0; k < THROTTLE_ADDRESS; k++)
			throttle_failed(ANN, HERE, now);
		now = began + days[i] * 86400 * CLOCK_S;
		while ((s = wait_of(ANN, HERE)) > 0) {
			waited += s;
			assert_in_range(waited, 1, 80 * 60);
			later(s);
		}
		later(7200);
	}
}

/* A clock that is a little behind, as another processor's may be. */
static void
a_clock_behind(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++)
		throttle_failed(ANN, HERE, now);
	now -= CLOCK_S / 10;
	assert_in_range(wait_of(ANN, HERE), 1, 2);
	throttle_failed(ANN, HERE, now);
	assert_in_range(wait_of(ANN, HERE), 2, 3);
}

/* --- many at once, and dying ------------------------------------------------
 */

static void *
fails(void *arg)
{
	for (int i = 0; i < 3; i++)
		throttle_failed(ANN, arg, now);
	return NULL;
}

/* None is lost when eight fail at once, the first time as well. */
static void
at_once(void **state)
{
	pthread_t t[8];
	char address[32];

	(void)state;
	for (int round = 0; round < 300; round++) {
		snprintf(address, sizeof(address), "10.0.%d.%d", round / 100,
		    round % 100);
		for (int i = 0; i < 8; i++)
			pthread_create(&t[i], NULL, fails, address);
		for (int i = 0; i < 8; i++)
			pthread_join(t[i], NULL);
		assert_int_equal(wait_of(ANN, address), 60);
		/* 24 of the address: 76 more */
		for (int i = 0; i < 76; i++) {
			assert_int_equal(wait_of("b@x.example", address), 0);
			throttle_failed("b@x.example", address, now);
			assert_int_equal(
			    throttle_succeeded("b@x.example", address, now),
			    i == 75 ? -1 : 0);
		}
		assert_true(wait_of("b@x.example", address) > 60);
	}
}

struct tally {
	_Atomic(int) begun, done;
};

static void
killed(void **state)
{
	struct tally *t = shm_map(sizeof(*t));
	struct timespec nap = { 0, 0 };
	char address[32];
	uint32_t x = 1;
	int begun = 0;

	(void)state;
	for (int round = 0; round < 400; round++) {
		pid_t pid;
		int status;

		snprintf(address, sizeof(address), "10.1.%d.%d", round / 200,
		    round % 200);
		atomic_store(&t->begun, 0);
		atomic_store(&t->done, 0);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			for (int i = 0; i < 20; i++) {
				atomic_fetch_add(&t->begun, 1);
				throttle_failed(ANN, address, now);
				atomic_fetch_add(&t->done, 1);
			}
			_exit(0);
		}
		x = x * 1664525 + 1013904223;
		nap.tv_nsec = (x >> 16) % 1500 * 1000;
		nanosleep(&nap, NULL);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		begun += atomic_load(&t->begun) > 0;
		/* What was done counts; of the one that was cut, either. */
		if (atomic_load(&t->done) >= THROTTLE_FREE)
			assert_true(wait_of(ANN, address) >= 1);
		if (atomic_load(&t->begun) < THROTTLE_FREE)
			assert_int_equal(wait_of(ANN, address), 0);
		/* And whatever it left, the place works. */
		for (int i = 0; i < 20; i++)
			throttle_failed(ANN, address, now);
		assert_int_equal(wait_of(ANN, address), 60);
		later(61);
		assert_int_equal(throttle_succeeded(ANN, address, now), 0);
		for (int i = 0; i < THROTTLE_FREE; i++) {
			assert_int_equal(wait_of(ANN, address), 0);
			throttle_failed(ANN, address, now);
		}
		assert_int_equal(wait_of(ANN, address), 1);
	}
	assert_true(begun > 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(delays, fresh),
		cmocka_unit_test_setup(success_forgets, fresh),
		cmocka_unit_test_setup(only_the_pair, fresh),
		cmocka_unit_test_setup(spray, fresh),
		cmocka_unit_test_setup(a_million_keys, fresh),
		cmocka_unit_test_setup(old_words, fresh),
		cmocka_unit_test_setup(a_clock_behind, fresh),
		cmocka_unit_test_setup(at_once, fresh),
		cmocka_unit_test_setup(killed, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
