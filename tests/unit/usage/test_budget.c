/*
 * Budgets are never exceeded and nothing is forgotten: by threads of several
 * processes of several hosts at once, some of which are killed.  A host is a
 * process with memory of its own that forks workers, as the master does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "account/account.h"
#include "db/db.h"
#include "lib/dbfix.h"
#include "shm/procs.h"
#include "usage/budget.h"
#include "usage/budget_priv.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

#define SLOTS 1000
#define ACCOUNT "0192f0c1-7e2a-7000-8000-00000000000a"
#define AGENT "0192f0c1-7e2a-7000-8000-0000000000a1"
#define BUDGET "0192f0c1-7e2a-7000-8000-0000000000b1"
#define EACH 7
#define WORKERS 3
#define THREADS 8
#define LONG (60 * CLOCK_S)

static struct account account;
static struct account_budget budget;

/* Of all hosts. */
static struct shared {
	_Atomic(int64_t) times, used; /* settled, as far as anybody could say */
	_Atomic(int) kills;
	atomic_bool over, calm;
} * shared;

static int
group_begin(void **state)
{
	(void)state;
	procs_map();
	dbfix_open("sb_chat");
	dbfix_sql("INSERT INTO control.accounts (id, slug, name, tier) VALUES "
		  "('" ACCOUNT "', 'acme', 'Acme', 'free')");
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return shared == MAP_FAILED ? -1 : 0;
}

static int
group_end(void **state)
{
	(void)state;
	dbfix_close();
	return 0;
}

/* A new budget of the account. */
static void
make(int64_t amount)
{
	char sql[400];

	dbfix_sql("DELETE FROM control.budgets; DELETE FROM "
		  "control.budget_runs; DELETE FROM data.usage_rollups");
	snprintf(sql, sizeof(sql),
	    "INSERT INTO control.budgets (account_id, id, name, scope, period, "
	    "unit, amount, hard) VALUES ('" ACCOUNT "', '" BUDGET
	    "', 'b', 'account', 'month', 'tokens', %lld, true)",
	    (long long)amount);
	dbfix_sql(sql);
	id_parse(ACCOUNT, 36, &account.id);
	id_parse(BUDGET, 36, &budget.id);
	budget.slot =
	    (uint32_t)dbfix_number("SELECT slot FROM control.budgets");
	budget.name = "b";
	budget.scope = 'a';
	budget.month = true;
	budget.amount = amount;
	budget.hard = true;
	account.budgets = &budget;
	account.nbudgets = 1;
	memset(shared, 0, sizeof(*shared));
}

static struct db_pool *
pool(const char *user, unsigned size)
{
	struct db_opts o = { .conninfo = dbfix_conninfo(),
		.user = user,
		.size = size,
		.wait_ms = 10000,
		.connect_ms = 10000,
		.statement_ms = 30000 };

	return db_pool_new(&o);
}

static int
reserve(struct db_pool *db, int64_t n, const void *ctx, struct budget_hold **h,
    struct err *e)
{
	struct budget_ask ask = { .account = &account, .tokens = n };

	return budget_reserve(db, &ask, ctx, clock_mono() + LONG, h, e);
}

/* --- workers ---------------------------------------------------------------
 */

/* Until there is nothing left; calm ones use what they have estimated. */
static void *
use(void *arg)
{
	struct db_pool *db = arg;
	unsigned seed = (unsigned)getpid() ^ (unsigned)(uintptr_t)&seed;

	while (!atomic_load(&shared->over)) {
		struct budget_hold *h;
		struct err e = { 0 };
		void *ctx = mem_root("use");
		int rc = reserve(db, EACH, ctx, &h, &e);
		int64_t n = atomic_load(&shared->calm)
		                ? EACH
		                : rand_r(&seed) % (EACH + 1);

		if (rc == 0) {
			sched_yield();
			budget_settle(h, n, 0, false);
			atomic_fetch_add(&shared->times, 1);
			atomic_fetch_add(&shared->used, n);
		}
		mem_free(ctx);
		if (rc != 0 && (e.code != ERR_LIMIT || e.retry_after > 1))
			return e.code == ERR_LIMIT ? NULL : arg;
	}
	return NULL;
}

static void
worker_main(unsigned slot)
{
	struct db_pool *db;
	pthread_t t[THREADS];
	void *bad = NULL, *got;

	procs_set_self(slot);
	db = pool("sb_chat", 2);
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&t[i], NULL, use, db) != 0)
			_exit(2);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(t[i], &got);
		bad = got != NULL ? got : bad;
	}
	_exit(bad != NULL ? 3 : 0);
}

/* --- hosts -----------------------------------------------------------------
 */

static int
no_alert(void *arg, const struct budget_alert *a, struct err *e)
{
	(void)arg;
	(void)a;
	(void)e;
	return 0;
}

static atomic_bool flushing;

static void *
flusher(void *arg)
{
	struct err e = { 0 };

	while (atomic_load(&flushing)) {
		(void)budget_flush(
		    arg, clock_mono() + LONG, no_alert, NULL, &e);
		usleep(20000);
	}
	return NULL;
}

static pid_t
start(unsigned slot)
{
	pid_t pid = fork();

	if (pid == 0)
		worker_main(slot);
	return pid;
}

/* Workers until all have ended by themselves; ${kills} of them are killed. */
static int
host_run(int kills)
{
	pid_t pid[WORKERS], died;
	int status, left = WORKERS, rc = 0;

	for (unsigned i = 0; i < WORKERS; i++)
		pid[i] = start(i);
	for (; kills > 0; kills--) {
		usleep(30000);
		kill(pid[kills % WORKERS], SIGKILL);
		waitpid(pid[kills % WORKERS], &status, 0);
		if (WIFSIGNALED(status)) {
			atomic_fetch_add(&shared->kills, 1);
			budget_reap((unsigned)(kills % WORKERS));
		}
		pid[kills % WORKERS] = start((unsigned)(kills % WORKERS));
	}
	atomic_store(&shared->calm, true);
	while (left > 0 && (died = wait(&status)) > 0) {
		left--;
		if (status != 0)
			rc = 1;
	}
	return rc;
}

static void
host_main(const char *place, int kills)
{
	struct db_pool *db;
	struct err e = { 0 };
	pthread_t t;
	int rc;

	procs_map();
	budget_map(SLOTS, place);
	/* workers are forked before threads are made */
	atomic_store(&flushing, true);
	db = pool("sb_job", 2);
	if (kills == 0 && pthread_create(&t, NULL, flusher, db) != 0)
		_exit(2);
	rc = host_run(kills);
	atomic_store(&flushing, false);
	if (kills == 0)
		pthread_join(t, NULL);
	if (budget_flush(db, clock_mono() + LONG, no_alert, NULL, &e) != 0)
		rc = 4;
	_exit(rc);
}

static void
hosts(int n, int kills)
{
	static const char *const place[] = { "one:/run", "two:/run" };
	pid_t pid[2];
	int status;

	for (int i = 0; i < n; i++) {
		pid[i] = fork();
		assert_true(pid[i] >= 0);
		if (pid[i] == 0)
			host_main(place[i], kills);
	}
	for (int i = 0; i < n; i++) {
		assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
		assert_int_equal(status, 0);
	}
}

#define SPENT "SELECT spent FROM control.budget_periods"
#define HELD                                                                   \
	"SELECT sum(greatest(granted - settled - returned, 0)) FROM "          \
	"control.budget_leases"

/* --- tests -----------------------------------------------------------------
 */

static void
periods(void **state)
{
	/* 2024-02-29T23:59:59.999999Z and the moment after */
	int64_t leap = INT64_C(1709251199999999);

	(void)state;
	assert_int_equal(budget_period(false, leap), 19782);
	assert_int_equal(budget_period(false, leap + 1), 19783);
	assert_int_equal(budget_starts(false, 19783), leap + 1);
	assert_int_equal(
	    budget_period(true, leap) + 1, budget_period(true, leap + 1));
	assert_int_equal(
	    budget_starts(true, budget_period(true, leap) + 1), leap + 1);
	assert_int_equal(budget_starts(true, budget_period(true, leap)),
	    INT64_C(1706745600000000));
}

static void
one_host(void **state)
{
	(void)state;
	make(3000 * EACH + EACH - 1);
	atomic_store(&shared->calm, true);
	hosts(1, 0);
	assert_int_equal(atomic_load(&shared->times), 3000);
	assert_int_equal(dbfix_number(SPENT), 3000 * EACH);
}

static void
killed_workers(void **state)
{
	int64_t amount = INT64_C(150000) * EACH, spent, kills;

	(void)state;
	make(amount);
	hosts(1, 12);
	kills = atomic_load(&shared->kills);
	spent = dbfix_number(SPENT);
	assert_true(kills > 0);
	assert_true(spent <= amount);
	/* what a thread settled and could not say any more */
	assert_in_range(
	    spent - atomic_load(&shared->used), 0, kills * THREADS * EACH);
	/* what died between two instructions stays taken, one each at most */
	assert_true(spent >= amount - EACH - kills * THREADS * EACH);
}

static void
two_hosts(void **state)
{
	(void)state;
	make(3000 * EACH);
	atomic_store(&shared->calm, true);
	hosts(2, 0);
	assert_in_range(atomic_load(&shared->times), 2998, 3000);
	assert_int_equal(
	    dbfix_number(SPENT), atomic_load(&shared->times) * EACH);
	assert_true(dbfix_number(SPENT) + dbfix_number(HELD) <= 3000 * EACH);
}

/* One that dies with all of it, having used 70 that it told nobody. */
static void
a_host_dies(void **state)
{
	struct db_pool *db = pool("sb_chat", 1);
	void *ctx = mem_root("host");
	struct budget_hold *h;
	struct err e = { 0 };
	pid_t pid;

	(void)state;
	make(100);
	pid = fork();
	if (pid == 0) {
		procs_map();
		budget_map(SLOTS, "gone:/run");
		db = pool("sb_chat", 1);
		if (reserve(db, 70, ctx, &h, &e) != 0)
			_exit(1);
		budget_settle(h, 70, 0, false);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(dbfix_number(SPENT), 0);
	assert_int_equal(dbfix_number(HELD), 100);
	dbfix_sql(
	    "INSERT INTO data.usage_rollups VALUES ('" ACCOUNT "', '" AGENT
	    "', 'm', 5, date_bin('5 minutes', now(), '2000-01-01 "
	    "00:00+00'), 1, 0, 0, 60, 10, 0, 0, 0, 0, 1, 1, "
	    "'{1,0,0,0,0,0,0,0,0,0,0}')");
	budget_map(SLOTS, "here:/run");
	procs_set_self(0);
	/* it may still live */
	assert_int_equal(reserve(db, 1, ctx, &h, &e), -1);
	assert_string_equal(e.kind, "budget-exceeded");
	assert_null(h);
	dbfix_sql("UPDATE control.budget_runs SET seen_at = now() - interval "
		  "'31 seconds' WHERE place = 'gone:/run'");
	usleep(1100000);
	assert_int_equal(reserve(db, 31, ctx, &h, &e), -1);
	usleep(1100000);
	assert_int_equal(reserve(db, 30, ctx, &h, &e), 0);
	assert_int_equal(dbfix_number(SPENT), 70);
	assert_int_equal(reserve(db, 1, ctx, &h, &e), -1);
	db_pool_free(db);
	mem_free(ctx);
}

/* One that was alone has taken all; who comes later gets of it at once. */
static void
a_slice_is_lent(void **state)
{
	struct db_pool *db, *job;
	void *ctx = mem_root("lent");
	struct budget_hold *h = NULL;
	struct err e = { 0 };
	int status;
	pid_t pid;

	(void)state;
	make(100);
	pid = fork();
	if (pid == 0) {
		procs_map();
		budget_map(SLOTS, "idle:/run");
		job = pool("sb_job", 1);
		if (reserve(pool("sb_chat", 1), 4, ctx, &h, &e) != 0)
			_exit(1);
		budget_settle(h, 4, 0, false);
		while (!atomic_load(&shared->over)) {
			if (budget_flush(job, clock_mono() + LONG, no_alert,
				NULL, &e) != 0)
				_exit(2);
			usleep(1000000); /* as the listener does */
		}
		_exit(0);
	}
	while (dbfix_number("SELECT coalesce(sum(granted), 0) FROM "
			    "control.budget_leases") == 0)
		usleep(10000);
	assert_int_equal(
	    dbfix_number("SELECT granted FROM control.budget_leases"), 100);
	budget_map(SLOTS, "new:/run");
	procs_set_self(0);
	db = pool("sb_chat", 1);
	assert_int_equal(reserve(db, 10, ctx, &h, &e), 0);
	assert_true(dbfix_number(SPENT) + dbfix_number(HELD) <= 100);
	atomic_store(&shared->over, true);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	db_pool_free(db);
	mem_free(ctx);
}

/* A limit that is raised or lowered counts at once; more than was estimated
 * counts too, and is not asked for twice. */
static void
limits_change(void **state)
{
	struct db_pool *db = pool("sb_chat", 1), *job = pool("sb_job", 1);
	struct budget_hold *h = NULL, *other = NULL;
	void *ctx = mem_root("limits");
	struct err e = { 0 };

	(void)state;
	make(100);
	budget_map(SLOTS, "here:/run");
	procs_set_self(0);
	assert_int_equal(reserve(db, 60, ctx, &h, &e), 0);
	assert_int_equal(reserve(db, 60, ctx, &other, &e), -1);
	assert_non_null(strstr(e.text, "held by requests"));
	assert_int_equal(e.retry_after, 1);
	budget_release(h);
	assert_int_equal(reserve(db, 100, ctx, &h, &e), 0);
	/* more than there was */
	budget_settle(h, 150, 0, false);
	assert_int_equal(reserve(db, 1, ctx, &h, &e), -1);
	assert_true(e.retry_after > 1);
	assert_int_equal(
	    budget_flush(job, clock_mono() + LONG, no_alert, NULL, &e), 0);
	assert_int_equal(dbfix_number(SPENT), 150);
	budget.amount = 160;
	dbfix_sql("UPDATE control.budgets SET amount = 160");
	assert_int_equal(reserve(db, 11, ctx, &h, &e), -1);
	usleep(1100000);
	assert_int_equal(reserve(db, 10, ctx, &h, &e), 0);
	budget_release(h);
	budget.amount = 155;
	dbfix_sql("UPDATE control.budgets SET amount = 155");
	assert_int_equal(reserve(db, 6, ctx, &h, &e), -1);
	assert_int_equal(reserve(db, 5, ctx, &h, &e), 0);
	budget_release(h);
	/* gone */
	dbfix_sql("DELETE FROM control.budgets");
	assert_int_equal(
	    budget_flush(job, clock_mono() + LONG, no_alert, NULL, &e), 0);
	db_pool_free(db);
	db_pool_free(job);
	mem_free(ctx);
}

/* The database is away: what was granted is used, no more. */
static void
without_a_database(void **state)
{
	struct db_pool *db = pool("sb_chat", 1), *away = dbfix_away();
	void *ctx = mem_root("away");
	struct budget_hold *h = NULL;
	struct err e = { 0 };

	(void)state;
	make(100);
	budget_map(SLOTS, "here:/run");
	procs_set_self(0);
	assert_int_equal(reserve(away, 1, ctx, &h, &e), -1);
	assert_int_equal(e.code, ERR_UNAVAILABLE);
	usleep(300000);
	assert_int_equal(reserve(db, 10, ctx, &h, &e), 0);
	assert_int_equal(reserve(away, 90, ctx, &h, &e), 0);
	assert_int_equal(reserve(away, 1, ctx, &h, &e), -1);
	budget.hard = false;
	assert_int_equal(reserve(away, 1000, ctx, &h, &e), 0);
	budget_settle(h, 1000, 0, false);
	db_pool_free(away);
	db_pool_free(db);
	mem_free(ctx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(periods),
		cmocka_unit_test(limits_change),
		cmocka_unit_test(without_a_database),
		cmocka_unit_test(a_host_dies),
		cmocka_unit_test(a_slice_is_lent),
		cmocka_unit_test(one_host),
		cmocka_unit_test(killed_workers),
		cmocka_unit_test(two_hosts),
	};

	return cmocka_run_group_tests(tests, group_begin, group_end);
}
