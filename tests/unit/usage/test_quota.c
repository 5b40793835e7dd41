/* Quotas: all buckets or none, exact with threads and processes at the edge. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/shm.h"
#include "usage/quota.h"

#include "util/banned.h"

#define SLOTS 1024
#define PROCESSES 4
#define THREADS 8

static struct quota_ask
ask(uint32_t account, uint32_t agent)
{
	return (struct quota_ask){ .account_slot = account,
		.agent_slot = agent,
		.account_requests = { -1, 3600 },
		.agent_requests = { -1, 60 },
		.agent_tokens = { -1, 3600 } };
}

static int
fresh(void **state)
{
	(void)state;
	quota_map(SLOTS);
	return 0;
}

static void
nothing_limits(void **state)
{
	struct quota_ask q = ask(1, 1);
	struct quota_state st;
	struct err e = { 0 };

	(void)state;
	q.tokens = 1000000;
	q.address = "192.0.2.1";
	assert_int_equal(quota_take(&q, &st, &e), 0);
	assert_false(st.any);
	quota_give_back(&q);
	quota_settle(&q, 5);
	assert_int_equal(quota_remaining(1, &q.account_requests), -1);
}

static void
account_limit(void **state)
{
	struct quota_ask q = ask(3, 1), other = ask(4, 1);
	struct quota_state st;
	struct err e = { 0 };

	(void)state;
	q.account_requests.limit = other.account_requests.limit = 100;
	for (int i = 0; i < 100; i++) {
		assert_int_equal(
		    quota_remaining(3, &q.account_requests), 100 - i);
		assert_int_equal(quota_take(&q, &st, &e), 0);
		assert_true(st.any);
		assert_int_equal(st.limit, 100);
		assert_int_equal(st.remaining, 99 - i);
		assert_in_range(st.reset_s, 36 * i + 30, 36 * (i + 1));
		assert_string_equal(st.name, "requests_per_hour");
		assert_int_equal(st.retry_after_s, 0);
	}
	assert_int_equal(quota_take(&q, &st, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_string_equal(e.kind, "limit-exceeded");
	assert_non_null(strstr(e.text, "requests_per_hour (100)"));
	assert_in_range(e.retry_after, 30, 36);
	assert_int_equal(st.retry_after_s, e.retry_after);
	assert_int_equal(st.remaining, 0);
	assert_int_equal(st.limit, 100);
	assert_int_equal(quota_take(&other, &st, &e), 0);
}

static void
limit_of_one_and_none(void **state)
{
	struct quota_ask q = ask(5, 5);
	struct quota_state st;
	struct err e = { 0 };

	(void)state;
	q.account_requests.limit = 1;
	assert_int_equal(quota_take(&q, &st, &e), 0);
	assert_int_equal(quota_take(&q, &st, &e), -1);
	assert_in_range(e.retry_after, 3590, 3600);
	q = ask(6, 6);
	q.account_requests.limit = 0;
	assert_int_equal(quota_take(&q, &st, &e), -1);
	assert_int_equal(e.retry_after, 3600);
	assert_int_equal(st.remaining, 0);
}

/* What one bucket refuses is taken from no other. */
static void
all_or_none(void **state)
{
	struct quota_ask q = ask(7, 7);
	struct quota_state st;
	struct err e = { 0 };

	(void)state;
	q.account_requests.limit = 100;
	q.agent_requests.limit = 50;
	q.agent_tokens.limit = 1000;
	q.tokens = 300;
	q.address = "192.0.2.1";
	q.session = "s";
	q.per_address = (struct quota_limit){ 20, 60 };
	q.per_session = (struct quota_limit){ 10, 60 };
	for (int i = 0; i < 3; i++)
		assert_int_equal(quota_take(&q, &st, &e), 0);
	assert_string_equal(st.name, "max_tokens_per_hour");
	assert_int_equal(st.remaining, 100);
	for (int i = 0; i < 40; i++) {
		assert_int_equal(quota_take(&q, &st, &e), -1);
		assert_string_equal(st.name, "max_tokens_per_hour");
	}
	/* 200 tokens at 1000 an hour */
	assert_in_range(e.retry_after, 700, 720);
	assert_int_equal(quota_remaining(7, &q.account_requests), 97);
	q.tokens = 1;
	for (int i = 0; i < 7; i++)
		assert_int_equal(quota_take(&q, &st, &e), 0);
	assert_int_equal(quota_take(&q, &st, &e), -1);
	assert_string_equal(st.name, "session_per_minute");
	q.session = "t";
	for (int i = 0; i < 10; i++)
		assert_int_equal(quota_take(&q, &st, &e), 0);
	q.session = "u";
	assert_int_equal(quota_take(&q, &st, &e), -1);
	assert_string_equal(st.name, "address_per_minute");
	q.address = "192.0.2.2";
	assert_int_equal(quota_take(&q, &st, &e), 0);
	/* Another account's visitors from the same address are its own. */
	q.address = "192.0.2.1";
	q.session = "s";
	q.account_slot = 8;
	assert_int_equal(quota_take(&q, &st, &e), 0);
}

static void
gives_back(void **state)
{
	struct quota_ask q = ask(9, 9);
	struct quota_state st;
	struct err e = { 0 };

	(void)state;
	q.account_requests.limit = 2;
	q.agent_requests.limit = 2;
	q.agent_tokens.limit = 100;
	q.tokens = 50;
	q.address = "192.0.2.9";
	q.per_address = (struct quota_limit){ 2, 60 };
	for (int i = 0; i < 100; i++) {
		assert_int_equal(quota_take(&q, &st, &e), 0);
		quota_give_back(&q);
	}
	assert_int_equal(quota_take(&q, &st, &e), 0);
	assert_int_equal(quota_take(&q, &st, &e), 0);
	assert_int_equal(quota_take(&q, &st, &e), -1);
}

static void
settles(void **state)
{
	struct quota_ask q = ask(10, 10);
	struct quota_state st;
	struct err e = { 0 };

	(void)state;
	q.agent_tokens.limit = 1000;
	q.tokens = 800;
	assert_int_equal(quota_take(&q, &st, &e), 0);
	assert_int_equal(quota_take(&q, &st, &e), -1);
	quota_settle(&q, 200); /* down */
	assert_int_equal(quota_take(&q, &st, &e), 0);
	assert_int_equal(st.remaining, 0);
	quota_settle(&q, 1800); /* up, 1000 into debt */
	q.tokens = 1;
	assert_int_equal(quota_take(&q, &st, &e), -1);
	assert_in_range(e.retry_after, 3595, 3604);
	/* One question longer than the limit still has its turn. */
	q = ask(11, 11);
	q.agent_tokens.limit = 1000;
	q.tokens = 5000;
	assert_int_equal(quota_take(&q, &st, &e), 0);
	assert_int_equal(quota_take(&q, &st, &e), -1);
}

static void
slots_end(void **state)
{
	struct quota_ask q = ask(SLOTS + 1, 1);
	struct quota_state st;
	struct err e = { 0 };

	(void)state;
	q.account_requests.limit = 5;
	assert_int_equal(quota_take(&q, &st, &e), -1);
	assert_int_equal(e.code, ERR_UNAVAILABLE);
	quota_give_back(&q);
	q = ask(1, UINT32_MAX);
	q.agent_requests.limit = 5;
	assert_int_equal(quota_take(&q, &st, &e), -1);
	quota_settle(&q, 5);
	q = ask(SLOTS, SLOTS);
	q.account_requests.limit = 5;
	assert_int_equal(quota_take(&q, &st, &e), 0);
}

/*
 * Everybody at once, at every edge in turn: PROCESSES x THREADS callers take
 * what they can get; exactly the limit passes.
 */
struct edge {
	struct quota_ask q;
	int64_t limit;
	_Atomic(int64_t) *passed; /* shared */
	int asks;                 /* of each thread */
};

static void *
caller(void *arg)
{
	const struct edge *g = arg;
	struct quota_ask q = g->q;
	struct quota_state st;
	struct err e = { 0 };

	for (int i = 0; i < g->asks; i++)
		if (quota_take(&q, &st, &e) == 0)
			atomic_fetch_add(g->passed, 1);
	return NULL;
}

static void
run_process(struct edge *g)
{
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, caller, g) != 0)
			_exit(1);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

static void
run_edge(struct edge *g)
{
	pid_t pids[PROCESSES];
	int status;

	g->passed = shm_map(sizeof(*g->passed));
	g->asks = (int)(g->limit * 2 / (PROCESSES * THREADS)) + 2;
	for (int i = 0; i < PROCESSES; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i] == 0) {
			run_process(g);
			_exit(0);
		}
	}
	for (int i = 0; i < PROCESSES; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(atomic_load(g->passed), g->limit);
}

static void
exact_at_the_edge(void **state)
{
	static const int64_t limits[] = { 1, 2, 100, 999 };

	(void)state;
	for (uint32_t i = 0; i < 4; i++)
		for (uint32_t which = 0; which < 5; which++) {
			struct edge g = { .q = ask(20 + i * 5 + which,
					      20 + i * 5 + which),
				.limit = limits[i] };
			struct quota_limit l = { limits[i], 86400 };
			char key[32];

			snprintf(key, sizeof(key), "k%u", i * 5 + which);
			g.q.tokens = 7;
			if (which == 0)
				g.q.account_requests = l;
			else if (which == 1)
				g.q.agent_requests = l;
			else if (which == 2)
				g.q.agent_tokens =
				    (struct quota_limit){ 7 * limits[i] + 3,
					    86400 };
			else if (which == 3) {
				g.q.address = key;
				g.q.per_address = l;
			} else {
				/* all at once: the narrowest decides */
				g.q.session = g.q.address = key;
				g.q.per_session = l;
				g.q.per_address =
				    (struct quota_limit){ limits[i] + 1,
					    86400 };
				g.q.account_requests =
				    (struct quota_limit){ limits[i] + 2,
					    86400 };
			}
			run_edge(&g);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(nothing_limits, fresh),
		cmocka_unit_test_setup(account_limit, fresh),
		cmocka_unit_test_setup(limit_of_one_and_none, fresh),
		cmocka_unit_test_setup(all_or_none, fresh),
		cmocka_unit_test_setup(gives_back, fresh),
		cmocka_unit_test_setup(settles, fresh),
		cmocka_unit_test_setup(slots_end, fresh),
		cmocka_unit_test_setup(exact_at_the_edge, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
