/*
 * Death at any instruction.  A child is stepped through each operation one
 * machine instruction at a time; each state that the shared memory goes through
 * on the way is one that a death may leave, and each is put back and tried.
 * Then thousands of deaths at random instants, with others at work meanwhile.
 *
 * lib/stepped.c has its own shm_map(), so that it knows where the memory is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/stepped.h"
#include "shm/procs.h"
#include "shm/shm.h"
#include "usage/quota.h"
#include "usage/table_priv.h"
#include "util/clock.h"

#include "util/banned.h"

/* --- the table, by steps -------------------------------------------------- */

#define SET 77

static _Atomic(int64_t) *skew; /* shared, ticks */
static int64_t clock_start;

static int64_t
test_clock(void)
{
	return (clock_mono() - clock_start) * BUCKET_TICKS_NS +
	       10 * BUCKET_TICKS_S + atomic_load(skew);
}

static uint64_t
key(uint64_t n)
{
	return (n + 1) * (uint64_t)TABLE_SETS + SET;
}

static bool
take(uint64_t n, const struct bucket_rate *r)
{
	struct bucket_view v;

	return table_take(key(n), r, 1, test_clock, &v);
}

static int
fresh(void **state)
{
	(void)state;
	stepped_begin();
	clock_start = clock_mono();
	skew = shm_map(sizeof(*skew));
	return 0;
}

static int
fresh_table(void **state)
{
	fresh(state);
	table_map();
	stepped_watch(
	    1, (size_t)SET * TABLE_WAYS * 16, (size_t)TABLE_WAYS * 16);
	return 0;
}

static void
child_takes(void)
{
	struct bucket_rate r = bucket_rate(3, 60);

	(void)take(100, &r);
}

static void
child_gives(void)
{
	struct bucket_rate r = bucket_rate(3, 60);

	table_give(key(100), &r, 1, test_clock);
}

/*
 * In each state that the operation of key 100 may leave, when a claim of the
 * dead one has gone stale: the key has lost at most one and won none, and every
 * place of the set can be had, each for exactly its limit.
 */
static void
every_state(int had, int change)
{
	struct bucket_rate r = bucket_rate(3, 60);
	int64_t before = atomic_load(skew);
	int passed, i, k;

	assert_true(stepped_states > 1);
	for (i = 0; i < stepped_states; i++) {
		stepped_restore(i);
		/* A claim goes stale after 50 ms; a step takes 20 s. */
		atomic_store(skew, before + BUCKET_TICKS_S / 10);
		for (passed = 0; take(100, &r); passed++)
			assert_true(passed < 4);
		assert_in_range(passed, change < 0 ? had + change : had,
		    change < 0 ? had : had + change);
		atomic_store(skew, before + 1000 * BUCKET_TICKS_S);
		for (k = 0; k < TABLE_WAYS; k++)
			for (passed = 0; passed <= 3; passed++)
				assert_int_equal(
				    take(200 + (uint64_t)k, &r), passed < 3);
		assert_false(take(300, &r));
		atomic_store(skew, before);
	}
}

static void
dies_making_a_place(void **state)
{
	(void)state;
	stepped_through(child_takes);
	assert_true(stepped_states >= 4); /* claim, tag, tat */
	every_state(3, -1);
}

static void
dies_in_a_place_that_is_there(void **state)
{
	struct bucket_rate r = bucket_rate(3, 60);

	(void)state;
	for (uint64_t n = 1; n < TABLE_WAYS; n++)
		assert_true(take(n, &r));
	assert_true(take(100, &r));
	stepped_through(child_takes);
	every_state(2, -1);
}

static void
dies_taking_an_old_place_over(void **state)
{
	struct bucket_rate r = bucket_rate(3, 60);

	(void)state;
	for (uint64_t n = 1; n <= TABLE_WAYS; n++)
		assert_true(take(n, &r));
	atomic_store(skew, 100 * BUCKET_TICKS_S);
	stepped_through(child_takes);
	every_state(3, -1);
}

static void
dies_giving_back(void **state)
{
	struct bucket_rate r = bucket_rate(3, 60);

	(void)state;
	assert_true(take(100, &r));
	assert_true(take(100, &r));
	stepped_through(child_gives);
	every_state(1, 1);
}

/* --- a turn's quota, by steps --------------------------------------------- */

#define AGENT 40
#define ACCOUNT 41
#define DEAD 9        /* the process's slot */
#define TOKENS 100000 /* in a month: one in 27 s comes back */
#define MONTH (31 * 86400)
#define OTHERS 5000 /* taken before, by others */
#define ESTIMATE 300
#define USED 120

static struct quota_ask turn;

static int64_t
tokens_left(void)
{
	struct quota_ask q = { .agent_slot = AGENT,
		.agent_tokens = { TOKENS, MONTH },
		.tokens = 1 };
	struct quota_state st;
	struct err e = { 0 };

	assert_int_equal(quota_take(&q, &st, &e), 0);
	return st.remaining;
}

static int
fresh_quota(void **state)
{
	struct quota_state st;
	struct err e = { 0 };

	fresh(state);
	procs_map();
	quota_map(100);
	/* 1 procs, 2-4 buckets, 5 the table, 6-8 seeds, 9 reserves */
	assert_int_equal(stepped_maps(), 10);
	for (int i = 2; i <= 4; i++)
		stepped_watch(i, 0, stepped_bytes(i));
	stepped_watch(9, stepped_bytes(9) / PROCS_MAX * DEAD, 2048);
	turn = (struct quota_ask){ .agent_slot = AGENT,
		.agent_tokens = { TOKENS, MONTH },
		.tokens = OTHERS };
	assert_int_equal(quota_take(&turn, &st, &e), 0);
	/* A greater turn has left its traces in the process's places. */
	procs_set_self(DEAD);
	assert_int_equal(quota_take(&turn, &st, &e), 0);
	quota_give_back(&turn);
	procs_set_self(PROCS_MAX); /* nobody's */
	turn = (struct quota_ask){ .account_slot = ACCOUNT,
		.agent_slot = AGENT,
		.account_requests = { 100, MONTH },
		.agent_requests = { 100, MONTH },
		.agent_tokens = { TOKENS, MONTH },
		.tokens = ESTIMATE };
	return 0;
}

static void
child_turn(void)
{
	struct quota_state st;
	struct err e = { 0 };

	procs_set_self(DEAD);
	if (quota_take(&turn, &st, &e) != 0)
		_exit(1);
	quota_settle(&turn, USED);
}

static void
child_long_turn(void)
{
	struct quota_state st;
	struct err e = { 0 };

	procs_set_self(DEAD);
	if (quota_take(&turn, &st, &e) != 0)
		_exit(1);
	quota_settle(&turn, ESTIMATE + USED);
}

static void
child_refused(void)
{
	struct quota_state st;
	struct err e = { 0 };

	procs_set_self(DEAD);
	if (quota_take(&turn, &st, &e) != 0)
		_exit(1);
	quota_give_back(&turn);
}

/* The greatest loss of requests and tokens over all states, and the least. */
static void
try_quota(int64_t most_tokens, bool given_back)
{
	const int64_t full = TOKENS - OTHERS - 1; /* one by tokens_left() */
	int64_t most = 0, left, requests;
	bool whole = false;
	int i;

	assert_true(stepped_states >= 5);
	for (i = 0; i < stepped_states; i++) {
		stepped_restore(i);
		quota_reap(DEAD);
		left = tokens_left();
		assert_true(left <= full); /* never more than there was */
		assert_true(left >= full - most_tokens);
		if (full - left > most)
			most = full - left;
		requests = quota_remaining(ACCOUNT, &turn.account_requests);
		assert_in_range(requests, 99, 100);
		whole = whole || (requests == 99 && left == full);
		/* Reaping again changes nothing. */
		left = tokens_left();
		quota_reap(DEAD);
		assert_int_equal(tokens_left(), left - 1);
	}
	assert_int_equal(most, most_tokens);
	assert_true(whole); /* a running turn's estimate came back */
	stepped_restore(stepped_states - 1);
	requests = quota_remaining(ACCOUNT, &turn.account_requests);
	assert_int_equal(requests, given_back ? 100 : 99);
}

static void
dies_in_a_turn(void **state)
{
	(void)state;
	stepped_through(child_turn);
	try_quota(ESTIMATE, false);
}

static void
dies_in_a_long_turn(void **state)
{
	(void)state;
	stepped_through(child_long_turn);
	try_quota(ESTIMATE + USED, false);
}

static void
dies_in_a_refusal(void **state)
{
	(void)state;
	stepped_through(child_refused);
	try_quota(ESTIMATE, true);
}

/* --- at random instants --------------------------------------------------- */

/* Each child's own, so that what it had begun is known to one take. */
struct tally {
	_Atomic(int64_t) begun, passed;
};
#define KEYS 4
#define CHILDREN 2

static void
hammer(struct tally *t, unsigned x)
{
	struct bucket_rate r = bucket_rate(1000000, 864000),
			   fast = bucket_rate(1, 1);
	struct bucket_view v;

	for (;;) {
		unsigned k;

		x = x * 1664525 + 1013904223;
		k = (x >> 16) % KEYS;
		atomic_fetch_add(&t[k].begun, 1);
		if (take(k, &r))
			atomic_fetch_add(&t[k].passed, 1);
		/* The set beside it turns over all the time. */
		(void)table_take(
		    key(500 + (x >> 20) % 24) + 1, &fast, 1, test_clock, &v);
		if (x % 50 == 0)
			atomic_fetch_add(skew, fast.size / 3);
	}
}

static void
killed_at_random(void **state)
{
	int rounds = getenv("SB_LONG") != NULL ? 10000 : 300;
	struct bucket_rate r = bucket_rate(1000000, 864000),
			   three = bucket_rate(3, 60);
	struct tally *tally;
	struct bucket_view v;
	unsigned x = 1;

	(void)state;
	tally = shm_map(sizeof(*tally) * KEYS);
	for (int i = 0; i < rounds; i++) {
		int64_t began = atomic_load(&tally[0].begun);
		pid_t pid[CHILDREN];

		for (unsigned c = 0; c < CHILDREN; c++) {
			pid[c] = fork();
			assert_true(pid[c] >= 0);
			if (pid[c] == 0)
				hammer(tally, x + c * 7919);
		}
		while (atomic_load(&tally[0].begun) < began + 4)
			poll(NULL, 0, 0);
		x = x * 1664525 + 1013904223;
		usleep((x >> 16) % 500);
		for (int c = 0; c < CHILDREN; c++) {
			kill(pid[c], SIGKILL);
			assert_int_equal(waitpid(pid[c], NULL, 0), pid[c]);
		}
	}
	atomic_fetch_add(skew, BUCKET_TICKS_S / 10); /* claims go stale */
	for (unsigned k = 0; k < KEYS; k++) {
		int64_t passed = atomic_load(&tally[k].passed), left;

		assert_true(passed > rounds / 2);
		(void)table_peek(key(k), &r, 1, test_clock, &v);
		left = v.remaining;
		/* Each death may have come between a take and its count, in a
		 * place's making as well; and a little has refilled. */
		assert_true(
		    left <= r.limit - passed + (test_clock() / r.step) + 1);
		assert_true(left >= r.limit - passed - rounds * CHILDREN - 1);
		assert_true(atomic_load(&tally[k].begun) >= passed);
	}
	/* Every place of both sets can be had. */
	atomic_fetch_add(skew, 2 * 864000 * BUCKET_TICKS_S);
	for (unsigned set = 0; set < 2; set++)
		for (unsigned k = 0; k < TABLE_WAYS; k++)
			for (int n = 0; n <= 3; n++)
				assert_int_equal(table_take(key(700 + k) + set,
						     &three, 1, test_clock, &v),
				    n < 3);
}

/* --- and what is left running --------------------------------------------- */

/* Several turns at once, of threads that end: all come back, nothing twice. */
static void
reaped_with_many(void **state)
{
	struct quota_ask q[50];
	struct quota_state st;
	struct err e = { 0 };
	int64_t before;
	pid_t pid;
	int status;

	(void)state;
	before = tokens_left();
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		procs_set_self(DEAD);
		for (int i = 0; i < 50; i++) {
			q[i] = turn;
			if (quota_take(&q[i], &st, &e) != 0)
				_exit(1);
		}
		for (int i = 0; i < 50; i += 2)
			quota_settle(&q[i], USED);
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(tokens_left(), before - 1 - 25 * USED - 25 * ESTIMATE);
	quota_reap(DEAD + 1); /* another's */
	assert_int_equal(tokens_left(), before - 2 - 25 * USED - 25 * ESTIMATE);
	quota_reap(DEAD);
	assert_int_equal(tokens_left(), before - 3 - 25 * USED);
	assert_int_equal(quota_remaining(ACCOUNT, &turn.account_requests), 50);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(dies_making_a_place, fresh_table),
		cmocka_unit_test_setup(
		    dies_in_a_place_that_is_there, fresh_table),
		cmocka_unit_test_setup(
		    dies_taking_an_old_place_over, fresh_table),
		cmocka_unit_test_setup(dies_giving_back, fresh_table),
		cmocka_unit_test_setup(dies_in_a_turn, fresh_quota),
		cmocka_unit_test_setup(dies_in_a_long_turn, fresh_quota),
		cmocka_unit_test_setup(dies_in_a_refusal, fresh_quota),
		cmocka_unit_test_setup(reaped_with_many, fresh_quota),
		cmocka_unit_test_setup(killed_at_random, fresh_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
