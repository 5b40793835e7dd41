/*
 * Places for password hashes: never more at once than there are, in all
 * processes together; who finds none is told at once; the dead give theirs
 * back.  The program has its own crypto_password_*(), so that it sees who
 * computes and decides how long that takes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "auth/pwhash.h"
#include "crypto/hash.h"
#include "shm/shm.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

#define AT_ONCE 3
#define WAITING 2

/* Shared by all processes. */
static struct seen {
	atomic_int running, most, done, refused;
	atomic_int hold_us;   /* how long one takes */
	atomic_bool for_ever; /* it never ends */
} * seen;

static void
nap(int64_t ns)
{
	struct timespec t = { ns / CLOCK_S, ns % CLOCK_S };

	nanosleep(&t, NULL);
}

static void
compute(void)
{
	int n = atomic_fetch_add(&seen->running, 1) + 1;
	int most = atomic_load(&seen->most);

	while (most < n && !atomic_compare_exchange_weak(&seen->most, &most, n))
		continue;
	while (atomic_load(&seen->for_ever))
		nap(CLOCK_MS);
	nap(atomic_load(&seen->hold_us) * INT64_C(1000));
	atomic_fetch_sub(&seen->running, 1);
	atomic_fetch_add(&seen->done, 1);
}

int
crypto_password_hash(
    const void *ctx, const char *password, char **ret, struct err *e)
{
	(void)e;
	compute();
	*ret = mem_strdup(ctx, password);
	return 0;
}

bool
crypto_password_ok(const char *hash, const char *password)
{
	(void)hash;
	(void)password;
	compute();
	return true;
}

bool
crypto_password_known(const char *hash)
{
	(void)hash;
	return true;
}

bool
crypto_password_stale(const char *hash)
{
	(void)hash;
	return false;
}

static int
ask(void)
{
	struct pwhash_answer a;
	struct err e = { 0 };

	if (pwhash_check("hash", "password", &a, &e) == 0)
		return 0;
	assert_int_equal(e.code, ERR_LIMIT);
	assert_int_equal(e.retry_after, 1);
	assert_false(a.ok);
	atomic_fetch_add(&seen->refused, 1);
	return -1;
}

static int
fresh(void **state)
{
	(void)state;
	seen = shm_map(sizeof(*seen));
	pwhash_map(AT_ONCE, WAITING, 10000);
	return 0;
}

/* Until ${n} compute; a second is more than that takes. */
static void
until_running(int n)
{
	int64_t until = clock_mono() + 10 * CLOCK_S;

	while (atomic_load(&seen->running) != n && clock_mono() < until)
		nap(CLOCK_MS);
	assert_int_equal(atomic_load(&seen->running), n);
}

#define THREADS 6
#define CHILDREN 4
#define ASKS 60

static void *
asker(void *arg)
{
	unsigned x = *(unsigned *)arg;
	void *root = mem_root("test");
	struct err e;
	char *hash;

	for (int i = 0; i < ASKS; i++) {
		x = x * 1664525 + 1013904223;
		if (x >> 31 != 0) {
			(void)ask();
		} else if (pwhash_make(root, "p", &hash, &e) != 0) {
			atomic_fetch_add(&seen->refused, 1);
		}
		nap((x >> 16) % 400 * INT64_C(1000));
	}
	mem_free(root);
	return NULL;
}

static void
never_more_than_there_are(void **state)
{
	pid_t pid[CHILDREN];

	(void)state;
	atomic_store(&seen->hold_us, 300);
	for (int c = 0; c < CHILDREN; c++) {
		pid[c] = fork();
		assert_true(pid[c] >= 0);
		if (pid[c] == 0) {
			pthread_t t[THREADS];
			unsigned seed[THREADS];

			for (unsigned i = 0; i < THREADS; i++) {
				seed[i] = (unsigned)c * 100 + i;
				pthread_create(&t[i], NULL, asker, &seed[i]);
			}
			for (int i = 0; i < THREADS; i++)
				pthread_join(t[i], NULL);
			_exit(0);
		}
	}
	for (int c = 0; c < CHILDREN; c++) {
		int status;

		assert_int_equal(waitpid(pid[c], &status, 0), pid[c]);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
	assert_int_equal(atomic_load(&seen->most), AT_ONCE);
	assert_int_equal(atomic_load(&seen->running), 0);
	assert_int_equal(atomic_load(&seen->done) + atomic_load(&seen->refused),
	    CHILDREN * THREADS * ASKS);
	assert_true(atomic_load(&seen->done) >= ASKS);
	assert_true(atomic_load(&seen->refused) > 0);
}

static void *
ask_many(void *arg)
{
	(void)arg;
	for (int i = 0; i < 20; i++)
		(void)ask();
	return NULL;
}

/* What nobody set: one a core, of two cores one. */
static void
usual_number(void **state)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	int most = cores > 2 ? (int)cores : 1;
	pthread_t t[64];
	int n = most + 8 < 64 ? most + 8 : 64;

	(void)state;
	pwhash_map(0, 64, 10000);
	atomic_store(&seen->hold_us, 2000);
	for (int i = 0; i < n; i++)
		pthread_create(&t[i], NULL, ask_many, NULL);
	for (int i = 0; i < n; i++)
		pthread_join(t[i], NULL);
	assert_in_range(atomic_load(&seen->most), 1, most);
	assert_int_equal(atomic_load(&seen->done), n * 20);
}

static void *
ask_once(void *arg)
{
	*(int *)arg = ask();
	return NULL;
}

#define SURPLUS 7

static void
surplus_is_told_at_once(void **state)
{
	pthread_t t[AT_ONCE + WAITING + SURPLUS];
	int rc[AT_ONCE + WAITING + SURPLUS], in = 0;
	int64_t until = clock_mono() + 5 * CLOCK_S; /* they wait for 10 s */

	(void)state;
	atomic_store(&seen->for_ever, true);
	for (int i = 0; i < AT_ONCE + WAITING + SURPLUS; i++)
		pthread_create(&t[i], NULL, ask_once, &rc[i]);
	until_running(AT_ONCE);
	while (atomic_load(&seen->refused) < SURPLUS && clock_mono() < until)
		nap(CLOCK_MS);
	assert_int_equal(atomic_load(&seen->refused), SURPLUS);
	/* The others wait: they are neither refused nor computing. */
	nap(50 * CLOCK_MS);
	assert_int_equal(atomic_load(&seen->refused), SURPLUS);
	assert_int_equal(atomic_load(&seen->running), AT_ONCE);
	atomic_store(&seen->for_ever, false);
	for (int i = 0; i < AT_ONCE + WAITING + SURPLUS; i++) {
		pthread_join(t[i], NULL);
		in += rc[i] == 0;
	}
	assert_int_equal(in, AT_ONCE + WAITING);
	assert_int_equal(atomic_load(&seen->most), AT_ONCE);
}

static void
waiting_ends(void **state)
{
	pthread_t t[AT_ONCE];
	int rc[AT_ONCE];
	int64_t began, took;

	(void)state;
	pwhash_map(AT_ONCE, WAITING, 100);
	atomic_store(&seen->for_ever, true);
	for (int i = 0; i < AT_ONCE; i++)
		pthread_create(&t[i], NULL, ask_once, &rc[i]);
	until_running(AT_ONCE);
	began = clock_mono();
	assert_int_equal(ask(), -1);
	took = clock_mono() - began;
	assert_true(took >= 90 * CLOCK_MS && took < 3 * CLOCK_S);
	atomic_store(&seen->for_ever, false);
	for (int i = 0; i < AT_ONCE; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(ask(), 0);
}

/* Killed while they compute and while they wait: all places come back. */
static void
the_dead_give_back(void **state)
{
	pid_t pid[AT_ONCE + WAITING];
	int status;

	(void)state;
	for (int round = 0; round < 5; round++) {
		atomic_store(&seen->running, 0);
		atomic_store(&seen->for_ever, true);
		for (int i = 0; i < AT_ONCE + WAITING; i++) {
			pid[i] = fork();
			assert_true(pid[i] >= 0);
			if (pid[i] == 0) {
				(void)ask();
				_exit(0);
			}
			if (i == AT_ONCE - 1)
				until_running(AT_ONCE);
		}
		nap(round * 10 * CLOCK_MS);
		for (int i = 0; i < AT_ONCE + WAITING; i++)
			kill(pid[i], SIGKILL);
		for (int i = 0; i < AT_ONCE + WAITING; i++)
			assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
		atomic_store(&seen->running, 0);
		atomic_store(&seen->for_ever, false);
		for (int i = 0; i < 2 * (AT_ONCE + WAITING); i++)
			assert_int_equal(ask(), 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(never_more_than_there_are, fresh),
		cmocka_unit_test_setup(usual_number, fresh),
		cmocka_unit_test_setup(surplus_is_told_at_once, fresh),
		cmocka_unit_test_setup(waiting_ends, fresh),
		cmocka_unit_test_setup(the_dead_give_back, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
