/* What limits know after a restart: the arithmetic, and from a database. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "db/db.h"
#include "lib/dbfix.h"
#include "shm/procs.h"
#include "usage/quota.h"
#include "usage/seed_priv.h"
#include "util/clock.h"

#include "util/banned.h"

#define S BUCKET_TICKS_S
#define SLOTS 100000

static struct db_pool *db;

/* --- the arithmetic ------------------------------------------------------- */

/* What a bucket of ${limit} an hour has left at ${now}, two minutes into the
 * present five. */
static int64_t
left(const uint32_t used[SEED_PARTS], int64_t limit)
{
	struct bucket_rate r = bucket_rate(limit, 3600);
	int64_t now = 7200 * S, next;
	struct bucket_view v;

	bucket_decide(
	    seed_tat(used, &r, r.size, now, 120 * S), &r, 0, now, &next, &v);
	return v.remaining;
}

static void
arithmetic(void **state)
{
	uint32_t none[SEED_PARTS] = { 0 }, now[SEED_PARTS] = { 60 },
		 last[SEED_PARTS] = { 0, 60 }, old[SEED_PARTS] = { 0 },
		 steady[SEED_PARTS], wild[SEED_PARTS] = { UINT32_MAX, 5 };

	(void)state;
	assert_int_equal(left(none, 120), 120);
	assert_int_equal(left(now, 120), 60);
	/* The part before ended two minutes ago: 4 of 120 an hour are back. */
	assert_int_equal(left(last, 120), 64);
	/* The oldest ended 57 minutes ago. */
	old[SEED_PARTS - 1] = 120;
	assert_int_equal(left(old, 120), 114);
	old[SEED_PARTS - 1] = 100;
	assert_int_equal(left(old, 120), 120);
	/* Who stays at 9/10 of the rate loses a twelfth at most. */
	for (int i = 0; i < SEED_PARTS; i++)
		steady[i] = 9;
	steady[0] = 4;
	assert_in_range(left(steady, 120), 110 - 4, 120 - 4);
	/* At the limit for an hour: what the present part may have, not more.
	 */
	for (int i = 0; i < SEED_PARTS; i++)
		steady[i] = i == 0 ? 120 : 10;
	assert_int_equal(left(steady, 120), 0);
	/* Other hosts' use counts, but owes no more than a whole bucket. */
	assert_int_equal(left(wild, 120), 0);
}

/* --- from a database ------------------------------------------------------ */

#define ACCOUNT "0192f0c1-7e2a-7000-8000-00000000000a"
#define BUSY "0192f0c1-7e2a-7000-8000-0000000000a1"
#define CALM "0192f0c1-7e2a-7000-8000-0000000000a2"
#define SESSION "data.uuid_floor(now())"
#define ROLLUP(agent, model, ago, n, tokens)                                   \
	"('" ACCOUNT "', '" agent "', '" model "', 5, date_bin('5 minutes', "  \
	"now(), timestamptz '2000-01-01 00:00+00') - interval '" ago "', " n   \
	", 0, 0, " tokens ", 0, 0, 0, 0, 0, 0, 0, "                            \
	"'{0,0,0,0,0,0,0,0,0,0,0}')"

static int64_t
slot(const char *agent)
{
	char sql[200];

	snprintf(sql, sizeof(sql),
	    "SELECT slot FROM control.agent_instances WHERE id = '%s'", agent);
	return dbfix_number(sql);
}

static uint32_t account_slot, busy, calm;

static int
fill(void **state)
{
	(void)state;
	procs_map();
	db = dbfix_open("sb_chat");
	dbfix_sql("INSERT INTO control.accounts (id, slug, name, tier) VALUES "
		  "('" ACCOUNT "', 'aaa', 'A', 'enterprise')");
	dbfix_sql("INSERT INTO control.agent_instances (account_id, id, "
		  "agent_type, instance_name, display_name) VALUES "
		  "('" ACCOUNT "', '" BUSY "', 'sales', 'busy', 'Busy'), "
		  "('" ACCOUNT "', '" CALM "', 'sales', 'calm', 'Calm')");
	dbfix_sql("INSERT INTO data.usage_rollups VALUES " ROLLUP(BUSY, "m",
	    "0", "40", "700") ", " ROLLUP(BUSY, "n", "0", "10", "100") ", "
	    /* a clock that runs ahead */
	    ROLLUP(BUSY, "m", "-30 minutes", "5", "50") ", " ROLLUP(CALM, "m",
		"5 minutes", "20",
		"100") ", " ROLLUP(CALM, "m", "10 hours", "1000", "100000"));
	dbfix_sql("INSERT INTO data.sessions VALUES ('" ACCOUNT "', " SESSION
		  ", 'k', NULL, NULL, true, now(), now())");
	dbfix_sql("INSERT INTO data.turns SELECT account_id, ("
		  "overlay(data.uuid_floor(now() - n * interval '1 second')"
		  "::text placing lpad(n::text, 12, '0') from 25))::uuid, id, "
		  "'" BUSY "', 'sales', 'busy', 1, NULL, NULL, 'r', 't', 'chat'"
		  ", 'completed', 'stop', NULL, 'hello', 'good day', 'm', 1, 1,"
		  " 0, 0, 0, false, NULL, 1, 1, 1, '[]', '[]', NULL, now(), "
		  "now() FROM data.sessions, generate_series(10, 200, 10) AS n "
		  "WHERE account_id = '" ACCOUNT "'");
	account_slot = (uint32_t)dbfix_number(
	    "SELECT slot FROM control.accounts WHERE slug = 'aaa'");
	busy = (uint32_t)slot(BUSY);
	calm = (uint32_t)slot(CALM);
	return 0;
}

static int
empty(void **state)
{
	(void)state;
	dbfix_close();
	return 0;
}

/* What is left of one limit after one more request of ${tokens}. */
static int64_t
after(uint32_t agent, int64_t requests_a_minute, int64_t tokens_an_hour,
    int64_t tokens)
{
	struct quota_ask q = { .account_slot = account_slot,
		.agent_slot = agent,
		.account_requests = { -1, 3600 },
		.agent_requests = { requests_a_minute, 60 },
		.agent_tokens = { tokens_an_hour, 3600 },
		.tokens = tokens };
	struct quota_state st;
	struct err e = { 0 };

	return quota_take(&q, &st, &e) == 0 ? st.remaining : -1;
}

static void
seeded(void **state)
{
	struct quota_limit hour = { 1000, 3600 };
	struct err e = { 0 };
	int64_t now;

	(void)state;
	quota_map(SLOTS);
	assert_int_equal(quota_remaining(account_slot, &hour), 1000);
	quota_map(SLOTS);
	assert_int_equal(quota_seed(db, clock_mono() + 5 * CLOCK_S, &e), 0);
	/* 40 + 10 + 5 now; 20 within five minutes, some of which is back. */
	assert_in_range(quota_remaining(account_slot, &hour), 925, 945);
	/* 850 tokens of 100,000 an hour, none of the hours before. */
	assert_int_equal(after(busy, -1, 100000, 0), 100000 - 850);
	assert_in_range(after(calm, -1, 100000, 0), 99900, 100000);
	/* 6 turns in the last minute; 5 if a second went by, 1 of ours. */
	assert_in_range(after(busy, 20, -1, 0), 20 - 7, 20 - 5);
	assert_int_equal(after(calm, 20, -1, 0), 19);
	/* The hour that was used up stays so, at whatever limit. */
	quota_map(SLOTS);
	assert_int_equal(quota_seed(db, clock_mono() + 5 * CLOCK_S, &e), 0);
	assert_int_equal(after(busy, -1, 850, 10), -1);
	/* A second asking changes nothing. */
	now = after(calm, -1, 1000, 500);
	assert_in_range(now, 400, 484);
	assert_int_equal(quota_seed(db, clock_mono() + 5 * CLOCK_S, &e), 0);
	assert_in_range(after(calm, -1, 1000, 0), now, now + 3);
}

static void
without_a_database(void **state)
{
	struct quota_limit hour = { 1000, 3600 };
	struct db_pool *away = dbfix_away();
	struct err e = { 0 };

	(void)state;
	quota_map(SLOTS);
	assert_int_equal(quota_seed(away, clock_mono() + CLOCK_S, &e), -1);
	assert_int_equal(e.code, ERR_UNAVAILABLE);
	/* It is back: nothing was settled by the failure. */
	assert_int_equal(quota_seed(db, clock_mono() + 5 * CLOCK_S, &e), 0);
	assert_true(quota_remaining(account_slot, &hour) < 1000);
	/* Or it is done without. */
	quota_map(SLOTS);
	quota_seed_skip();
	assert_int_equal(quota_seed(away, clock_mono() + CLOCK_S, &e), 0);
	assert_int_equal(quota_remaining(account_slot, &hour), 1000);
	db_pool_free(away);
}

/* A process dies while it reads; others wait until the master has seen it. */
#define READER 7

static void *
reap_soon(void *arg)
{
	(void)arg;
	usleep(100000);
	quota_reap(READER);
	return NULL;
}

/* A server that accepts and says nothing: its port. */
static int
silent_server(int *fd)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);

	*fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(*fd >= 0);
	assert_int_equal(bind(*fd, (void *)&a, sizeof(a)), 0);
	assert_int_equal(listen(*fd, 1), 0);
	assert_int_equal(getsockname(*fd, (void *)&a, &len), 0);
	return ntohs(a.sin_port);
}

static void
reader_main(int port)
{
	char conninfo[64];
	struct db_opts o = { .conninfo = conninfo,
		.user = "sb_chat",
		.size = 1,
		.wait_ms = 30000,
		.connect_ms = 30000,
		.statement_ms = 30000 };
	struct err e = { 0 };

	snprintf(conninfo, sizeof(conninfo), "host=127.0.0.1 port=%d dbname=x",
	    port);
	procs_set_self(READER);
	(void)quota_seed(db_pool_new(&o), clock_mono() + 30 * CLOCK_S, &e);
	_exit(1);
}

static void
reader_dies(void **state)
{
	struct quota_limit hour = { 1000, 3600 };
	struct err e = { 0 };
	int fd, port, status;
	pthread_t t;
	pid_t pid;

	(void)state;
	quota_map(SLOTS);
	port = silent_server(&fd);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		reader_main(port);
	assert_true(accept(fd, NULL, NULL) >= 0);
	close(fd);
	/* It reads, so another one waits. */
	assert_int_equal(quota_seed(db, clock_mono() + 50 * CLOCK_MS, &e), -1);
	assert_int_equal(e.code, ERR_UNAVAILABLE);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(pthread_create(&t, NULL, reap_soon, NULL), 0);
	assert_int_equal(quota_seed(db, clock_mono() + 5 * CLOCK_S, &e), 0);
	pthread_join(t, NULL);
	assert_true(quota_remaining(account_slot, &hour) < 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arithmetic),
		cmocka_unit_test(seeded),
		cmocka_unit_test(without_a_database),
		cmocka_unit_test(reader_dies),
	};

	return cmocka_run_group_tests(tests, fill, empty);
}
