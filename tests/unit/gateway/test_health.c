/*
 * Eight processes of 64 threads on the same credentials: nothing is counted
 * twice or lost, one probes at a time, and the dead leave nothing behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/health.h"
#include "shm/procs.h"
#include "shm/shm.h"
#include "util/clock.h"

#include "util/banned.h"

#define PROCESSES 8
#define THREADS 64
#define SLOTS 64

/* Credentials of which what is used is compared, at a time that stands still;
 * and such that fail in every way, by the clock. */
#define COUNTED 4
#define STORMY 4
#define FIRST_COUNTED 1U
#define FIRST_STORMY 9U
#define STILL (INT64_C(1000) * CLOCK_S)

#define LIMIT INT64_C(1000000000)
#define INPUT 700
#define CACHED 300
#define OUTPUT 300
#define ESTIMATE 1000 /* input and output each */

static const struct health_limits limits = { LIMIT, LIMIT, LIMIT };
static const struct health_limits unlimited;

/* What the callers know, in memory that outlives them. */
struct tally {
	_Atomic(int64_t) tried, begun, refused, probes, openings;
	_Atomic(int64_t) ended[HEALTH_OUTCOMES];
	_Atomic(int64_t) served; /* whole calls, with tokens */
};
static struct shared {
	struct tally slot[SLOTS + 1];
	_Atomic(int) probing[SLOTS + 1]; /* at this moment */
	_Atomic(int) most_probing;
	_Atomic(bool) stop;
} * shared;

static int
fresh(void **state)
{
	const struct health_params p = { .failures = 5,
		.open_ms = 3,
		.open_max_ms = 20,
		.probe_ms = 60000,
		.out_ms = 5,
		.out_max_ms = 20,
		.cool_ms = 1,
		.cool_max_ms = 4 };

	(void)state;
	procs_map();
	health_tune(&p);
	health_map(SLOTS);
	shared = shm_map(sizeof(*shared));
	procs_set_self(0);
	alarm(300); /* no hang */
	return 0;
}

static unsigned
dice(unsigned *x)
{
	*x = *x * 1664525 + 1013904223;
	return *x >> 16;
}

static void
one_counted(unsigned *x)
{
	static const enum health_outcome neutral[] = { HEALTH_OK, HEALTH_CALLER,
		HEALTH_ABANDONED, HEALTH_NO_MODEL };
	uint32_t slot = FIRST_COUNTED + dice(x) % COUNTED;
	enum health_outcome o = neutral[dice(x) % 4];
	struct tally *t = &shared->slot[slot];
	bool ok = o == HEALTH_OK;
	struct health_call c;

	atomic_fetch_add(&t->tried, 1);
	if (!health_begin(&c, slot, 0, &limits, ESTIMATE, ESTIMATE, STILL)) {
		atomic_fetch_add(&t->refused, 1);
		return;
	}
	atomic_fetch_add(&t->begun, 1);
	if (dice(x) % 4 == 0)
		sched_yield();
	health_end(
	    &c, o, 0, ok ? INPUT : 0, ok ? CACHED : 0, ok ? OUTPUT : 0, STILL);
	if (ok)
		atomic_fetch_add(&t->served, 1);
	atomic_fetch_add(&t->ended[o], 1);
}

static void
probing(uint32_t slot)
{
	int n = atomic_fetch_add(&shared->probing[slot], 1) + 1;
	int most = atomic_load(&shared->most_probing);

	atomic_fetch_add(&shared->slot[slot].probes, 1);
	while (n > most &&
	       !atomic_compare_exchange_weak(&shared->most_probing, &most, n))
		continue;
}

static void
one_stormy(unsigned *x)
{
	/* Mostly failures, so that it opens again and again. */
	static const enum health_outcome bad[] = { HEALTH_OK, HEALTH_SERVER,
		HEALTH_SERVER, HEALTH_SERVER, HEALTH_SERVER, HEALTH_SERVER,
		HEALTH_SERVER, HEALTH_LIMIT, HEALTH_DENIED, HEALTH_ABANDONED };
	uint32_t slot = FIRST_STORMY + dice(x) % STORMY;
	enum health_outcome o = bad[dice(x) % 10];
	struct tally *t = &shared->slot[slot];
	struct health_call c;

	atomic_fetch_add(&t->tried, 1);
	if (!health_begin(&c, slot, 0, &unlimited, 1, 1, clock_mono())) {
		atomic_fetch_add(&t->refused, 1);
		sched_yield();
		return;
	}
	atomic_fetch_add(&t->begun, 1);
	if (c.probe)
		probing(slot);
	sched_yield();
	if (c.probe)
		atomic_fetch_sub(&shared->probing[slot], 1);
	if (health_end(&c, o, 0, 0, 0, 0, clock_mono()))
		atomic_fetch_add(&t->openings, 1);
	atomic_fetch_add(&t->ended[o], 1);
}

static void *
caller(void *arg)
{
	unsigned x = (unsigned)(uintptr_t)arg;

	while (!atomic_load(&shared->stop)) {
		one_counted(&x);
		one_stormy(&x);
	}
	return NULL;
}

static pid_t
process(unsigned slot, unsigned seed)
{
	pid_t pid = fork();
	pthread_t t[THREADS];

	assert_true(pid >= 0);
	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	procs_set_self(slot);
	for (unsigned i = 0; i < THREADS; i++)
		if (pthread_create(&t[i], NULL, caller,
			(void *)(uintptr_t)(seed * 7919 + i * 31)) != 0)
			_exit(1);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	_exit(0);
}

static struct health_view
look(uint32_t slot, const struct health_limits *l, int64_t now)
{
	struct health_view v;

	health_look(slot, 0, l, now, &v);
	return v;
}

static void
nothing_under_way(void)
{
	for (uint32_t slot = 1; slot <= SLOTS; slot++) {
		struct health_view v = look(slot, &unlimited, clock_mono());

		assert_int_equal(v.inflight, 0);
		assert_true(v.state != HEALTH_HALF_OPEN || v.probe_due);
	}
}

/* Counts, and what is left of the minute: to the token. */
static void
adds_up(uint32_t slot, const struct health_limits *l, int64_t now)
{
	const struct tally *t = &shared->slot[slot];
	struct health_view v = look(slot, l, now);
	struct health_counts n;
	int64_t served = t->served;

	health_counts(slot, &n);
	assert_true(t->begun > 0);
	assert_int_equal(n.begun, t->begun);
	assert_int_equal(n.refused, t->refused);
	assert_int_equal(t->tried, t->begun + t->refused);
	assert_int_equal(n.probes, t->probes);
	assert_int_equal(n.openings + n.outs, t->openings);
	for (int o = 0; o < HEALTH_OUTCOMES; o++)
		assert_int_equal(n.outcomes[o], t->ended[o]);
	if (l->rpm <= 0)
		return;
	assert_int_equal(v.rpm_left, LIMIT - t->begun);
	assert_int_equal(v.tpm_left, LIMIT - served * (INPUT + OUTPUT));
	assert_int_equal(v.itpm_left, LIMIT - served * (INPUT - CACHED));
}

static void
wait_for(pid_t pid, bool killed)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (killed)
		assert_true(WIFSIGNALED(status));
	else
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static int64_t
seconds(int64_t otherwise)
{
	const char *s = getenv("SB_LONG");

	return (s != NULL ? 30 : otherwise) * CLOCK_S;
}

static void
nothing_is_lost(void **state)
{
	pid_t pid[PROCESSES];
	int64_t end;

	(void)state;
	for (unsigned i = 0; i < PROCESSES; i++)
		pid[i] = process(i + 1, i + 1);
	end = clock_mono() + seconds(2);
	while (clock_mono() < end)
		usleep(20000);
	atomic_store(&shared->stop, true);
	for (unsigned i = 0; i < PROCESSES; i++)
		wait_for(pid[i], false);
	nothing_under_way();
	for (uint32_t s = 0; s < COUNTED; s++)
		adds_up(FIRST_COUNTED + s, &limits, STILL);
	for (uint32_t s = 0; s < STORMY; s++) {
		adds_up(FIRST_STORMY + s, &unlimited, clock_mono());
		assert_true(shared->slot[FIRST_STORMY + s].probes > 0);
		assert_true(shared->slot[FIRST_STORMY + s].openings > 0);
	}
	assert_int_equal(shared->most_probing, 1);
}

/* --- and with deaths ------------------------------------------------------ */

/* Of each thread that was killed, one call may have been begun or ended without
 * its being told here. */
static void
nearly_adds_up(uint32_t slot, int64_t killed)
{
	const struct tally *t = &shared->slot[slot];
	struct health_view v = look(slot, &limits, STILL);
	int64_t tokens = t->served * (INPUT + OUTPUT);
	struct health_counts n;

	health_counts(slot, &n);
	assert_in_range(n.begun, t->begun, t->begun + killed);
	for (int o = 0; o < HEALTH_OUTCOMES; o++)
		assert_in_range(
		    n.outcomes[o], t->ended[o], t->ended[o] + killed);
	assert_in_range(
	    v.rpm_left, LIMIT - t->begun - killed, LIMIT - t->begun);
	/* Nobody was given more than there was; a death between a taking and
	 * its note costs an estimate at the most. */
	assert_in_range(
	    v.tpm_left, LIMIT - tokens - killed * 2 * ESTIMATE, LIMIT - tokens);
}

static void
death_leaves_nothing(void **state)
{
	int64_t killed = 0, deaths = 0, end;
	pid_t pid[PROCESSES];
	unsigned x = 1;

	(void)state;
	for (unsigned i = 0; i < PROCESSES; i++)
		pid[i] = process(i + 1, i + 1);
	end = clock_mono() + seconds(4);
	while (clock_mono() < end) {
		unsigned i = dice(&x) % PROCESSES;

		usleep(dice(&x) % 60000);
		kill(pid[i], SIGKILL);
		wait_for(pid[i], true);
		health_reap(i + 1, STILL);
		killed += THREADS;
		deaths++;
		pid[i] = process(i + 1, dice(&x));
	}
	for (unsigned i = 0; i < PROCESSES; i++) {
		kill(pid[i], SIGKILL);
		wait_for(pid[i], true);
		health_reap(i + 1, STILL);
		killed += THREADS;
	}
	assert_true(deaths > 10);
	nothing_under_way();
	for (uint32_t s = 0; s < COUNTED; s++)
		nearly_adds_up(FIRST_COUNTED + s, killed);
	for (uint32_t s = 0; s < STORMY; s++)
		assert_true(shared->slot[FIRST_STORMY + s].begun > 0);
	/* Each can still be used: half-open ones are probed and close. */
	for (uint32_t s = FIRST_STORMY; s < FIRST_STORMY + STORMY; s++) {
		struct health_call c;
		int64_t later = clock_mono() + CLOCK_S;

		assert_true(health_begin(&c, s, 0, &unlimited, 1, 1, later));
		health_end(&c, HEALTH_OK, 0, 1, 0, 1, later);
		assert_int_equal(
		    look(s, &unlimited, later).state, HEALTH_CLOSED);
	}
}

/* --- one death, to the token ---------------------------------------------- */

#define SLOT 20

static void
child_of_many(int64_t now)
{
	struct health_call c[50], probe;

	procs_set_self(9);
	for (int i = 0; i < 50; i++)
		if (!health_begin(&c[i], SLOT, 0, &limits, 10, 20, now))
			_exit(1);
	for (int i = 0; i < 50; i += 2)
		health_end(&c[i], HEALTH_OK, 0, 10, 4, 2, now);
	for (int i = 0; i < 5; i++) {
		(void)health_begin(&c[0], SLOT + 1, 0, &limits, 1, 1, now);
		health_end(&c[0], HEALTH_SERVER, 0, 0, 0, 0, now);
	}
	if (!health_begin(&probe, SLOT + 1, 0, &limits, 1, 1, now + CLOCK_S) ||
	    !probe.probe)
		_exit(2);
	raise(SIGKILL);
}

static void
what_it_held_comes_back(void **state)
{
	int64_t now = STILL;
	struct health_view v;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0)
		child_of_many(now);
	wait_for(pid, true);
	v = look(SLOT, &limits, now);
	assert_int_equal(v.inflight, 25);
	assert_int_equal(v.tpm_left, LIMIT - 25 * 12 - 25 * 30);
	v = look(SLOT + 1, &limits, now + CLOCK_S);
	assert_int_equal(v.state, HEALTH_HALF_OPEN);
	assert_false(v.probe_due);
	assert_int_equal(v.inflight, 1);
	health_reap(8, now); /* another's */
	assert_int_equal(look(SLOT, &limits, now).inflight, 25);
	health_reap(9, now);
	v = look(SLOT, &limits, now);
	assert_int_equal(v.inflight, 0);
	assert_int_equal(v.tpm_left, LIMIT - 25 * 12);
	assert_int_equal(v.itpm_left, LIMIT - 25 * 6);
	assert_int_equal(v.rpm_left, LIMIT - 50); /* they were asked */
	v = look(SLOT + 1, &limits, now + CLOCK_S);
	assert_int_equal(v.inflight, 0);
	assert_true(v.probe_due);
	/* Reaping again changes nothing. */
	health_reap(9, now);
	assert_int_equal(look(SLOT, &limits, now).tpm_left, LIMIT - 25 * 12);
}

/* A command of the operator has no map: nothing is known, nothing stops. */
static void
without_a_map(void **state)
{
	struct health_call c;
	struct health_view v;

	(void)state;
	health_look(1, 0, &limits, STILL, &v);
	assert_int_equal(v.state, HEALTH_CLOSED);
	assert_int_equal(v.tpm_left, -1);
	assert_true(health_begin(&c, 1, 0, &limits, 1, 1, STILL));
	assert_false(health_end(&c, HEALTH_DENIED, 0, 0, 0, 0, STILL));
	health_set(1, HEALTH_OPEN_IT, STILL);
	health_reap(1, STILL);
	assert_int_equal(health_turn(1), 0);
}

/* A process has places for so many calls at once, not in all. */
static void
places_come_back(void **state)
{
	struct health_call c;

	(void)state;
	for (int i = 0; i < 40000; i++) {
		assert_true(health_begin(&c, SLOT, 0, &limits, 1, 1, STILL));
		health_end(&c, HEALTH_OK, 0, 0, 0, 0, STILL);
	}
	assert_int_equal(look(SLOT, &limits, STILL).inflight, 0);
}

static void
turns(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 5; i++)
		assert_int_equal(health_turn(7), i);
	assert_int_equal(health_turn(8), 0);
	assert_int_equal(health_turn(SLOTS + 1), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_map),
		cmocka_unit_test_setup(turns, fresh),
		cmocka_unit_test_setup(places_come_back, fresh),
		cmocka_unit_test_setup(what_it_held_comes_back, fresh),
		cmocka_unit_test_setup(nothing_is_lost, fresh),
		cmocka_unit_test_setup(death_leaves_nothing, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
