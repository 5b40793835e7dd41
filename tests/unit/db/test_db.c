/* Transactions and the pool, against a real PostgreSQL. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "db/db.h"
#include "telemetry/metric.h"
#include "util/clock.h"
#include "util/mem.h"

#include "lib/dbtemp.h"

#include "util/banned.h"

static char *db;
static void *ctx;

static const struct db_stmt sql_one = { "t_one", "SELECT 1" };
static const struct db_stmt sql_pid = { "t_pid", "SELECT pg_backend_pid()" };
static const struct db_stmt sql_sleep = { "t_sleep", "SELECT pg_sleep($1)" };
static const struct db_stmt sql_account = { "t_account",
	"SELECT current_setting('app.account_id', true)" };
static const struct db_stmt sql_timeout = { "t_timeout",
	"SELECT current_setting('statement_timeout')" };
static const struct db_stmt sql_seqscan = { "t_seqscan",
	"SELECT current_setting('enable_seqscan')" };
static const struct db_stmt sql_insert = { "t_insert",
	"INSERT INTO things (id, body) VALUES ($1, $2)" };
static const struct db_stmt sql_count = { "t_count",
	"SELECT count(*) FROM things" };
static const struct db_stmt sql_types = { "t_types",
	"SELECT NULL::text, 'Grüße', 42::int8, 0.5::float8, true, "
	"'0192f3a0-0000-7000-8000-000000000004'::uuid, $1::bytea" };
static const struct db_stmt sql_raise = { "t_raise", "SELECT raise_limit()" };
static const struct db_stmt sql_wrong = { "t_wrong", "SELECT nonsense" };

static struct db_pool *
pool(unsigned size, int wait_ms, bool prepared, bool pooler)
{
	struct db_opts o = { .conninfo = db,
		.user = "sb_owner",
		.size = size,
		.wait_ms = wait_ms,
		.connect_ms = 2000,
		.statement_ms = 1500,
		.settings = "-c enable_seqscan=off",
		.prepared = prepared,
		.pooler = pooler };

	return db_pool_new(&o);
}

static int
run1(struct db_pool *p, enum db_intent intent, struct db_call *c, struct err *e)
{
	memset(e, 0, sizeof(*e));
	return db_run(
	    p, intent, NULL, c, 1, clock_mono() + 5 * CLOCK_S, ctx, e);
}

static int64_t
number(struct db_pool *p, const struct db_stmt *s)
{
	struct db_call c = { .stmt = s };
	struct err e;

	if (run1(p, DB_READ, &c, &e) != 0)
		fail_msg("%s: %s", s->name, e.text);
	return db_int(c.result, 0, 0);
}

static void
test_values(void **state)
{
	static const char bytes[] = { 'a', 0, 'b' };
	static const bool ways[][2] = { { true, false }, { false, true } };
	struct db_call c = { .stmt = &sql_types,
		.param = { bytes },
		.nparams = 1,
		.binary = 1,
		.plen = { 3 } };
	struct db_pool *p;
	struct uuid u;
	struct err e;
	size_t i, again;

	(void)state;
	for (i = 0; i < 2; i++) {
		p = pool(1, 1000, ways[i][0], ways[i][1]);
		for (again = 0; again < 3; again++) {
			assert_int_equal(run1(p, DB_READ, &c, &e), 0);
			assert_int_equal(db_rows(c.result), 1);
			assert_true(db_null(c.result, 0, 0));
			assert_string_equal(db_text(c.result, 0, 0), "");
			assert_string_equal(db_text(c.result, 0, 1), "Grüße");
			assert_int_equal(db_len(c.result, 0, 1), 7);
			assert_int_equal(db_int(c.result, 0, 2), 42);
			assert_true(db_real(c.result, 0, 3) == 0.5);
			assert_true(db_bool(c.result, 0, 4));
			assert_int_equal(db_uuid(c.result, 0, 5, &u), 0);
			assert_int_equal(u.b[15], 4);
			assert_int_equal(db_uuid(c.result, 0, 0, &u), -1);
			assert_string_equal(
			    db_text(c.result, 0, 6), "\\x610062");
		}
		assert_int_equal(db_ping(p, 0, &e), 0);
		db_pool_free(p);
	}
}

/* The account is there in the transaction, and gone in the next. */
static void
test_account(void **state)
{
	struct db_pool *p = pool(1, 1000, true, false);
	struct db_call c = { .stmt = &sql_account };
	struct uuid account;
	char text[UUID_TEXT];
	struct err e;

	(void)state;
	id_new(&account);
	id_format(&account, text);
	assert_int_equal(db_run(p, DB_CONTROL, &account, &c, 1, 0, ctx, &e), 0);
	assert_string_equal(db_text(c.result, 0, 0), text);
	assert_int_equal(db_run(p, DB_CONTROL, NULL, &c, 1, 0, ctx, &e), 0);
	assert_string_equal(db_text(c.result, 0, 0), "");
	db_pool_free(p);
}

static void
test_statement_timeout(void **state)
{
	static const bool pooler[] = { false, true };
	struct db_call c = { .stmt = &sql_timeout }, s = {
		.stmt = &sql_sleep, .param = { "30" }, .nparams = 1
	};
	struct db_pool *p;
	struct err e;
	int64_t began;
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		p = pool(1, 1000, true, pooler[i]);
		assert_int_equal(run1(p, DB_READ, &c, &e), 0);
		assert_string_equal(db_text(c.result, 0, 0), "1500ms");
		began = clock_mono();
		assert_int_equal(run1(p, DB_WRITE, &s, &e), -1);
		assert_int_equal(e.code, ERR_UNAVAILABLE);
		assert_true(e.retry_after > 0);
		assert_true(clock_mono() - began < 4 * CLOCK_S);
		/* the connection is as good as before */
		assert_int_equal(number(p, &sql_one), 1);
		db_pool_free(p);
	}
}

/* A pooler passes none on: its role has them. */
static void
test_settings(void **state)
{
	struct db_call c = { .stmt = &sql_seqscan };
	struct err e;

	(void)state;
	for (int pooler = 0; pooler < 2; pooler++) {
		struct db_pool *p = pool(1, 1000, true, pooler);

		assert_int_equal(run1(p, DB_READ, &c, &e), 0);
		assert_string_equal(
		    db_text(c.result, 0, 0), pooler ? "on" : "off");
		db_pool_free(p);
	}
}

static void
test_deadline(void **state)
{
	struct db_pool *p = pool(1, 1000, true, false);
	struct db_call s = {
		.stmt = &sql_sleep, .param = { "30" }, .nparams = 1
	};
	int64_t began = clock_mono();
	struct err e = { 0 };

	(void)state;
	assert_int_equal(
	    db_run(p, DB_WRITE, NULL, &s, 1, began + 200 * CLOCK_MS, ctx, &e),
	    -1);
	assert_int_equal(e.code, ERR_UNAVAILABLE);
	assert_true(clock_mono() - began < CLOCK_S);
	assert_null(s.result);
	assert_int_equal(number(p, &sql_one), 1);
	db_pool_free(p);
}

/* All or nothing, and the connection goes on after each kind of failure. */
static void
test_atomic(void **state)
{
	struct db_pool *p = pool(1, 1000, true, false);
	struct db_call c[3] = {
		{ .stmt = &sql_insert, .param = { "1", "a" }, .nparams = 2 },
		{ .stmt = &sql_insert, .param = { "2", "b" }, .nparams = 2 },
		{ .stmt = &sql_insert, .param = { "1", "c" }, .nparams = 2 },
	};
	struct err e = { 0 };
	int64_t pid = number(p, &sql_pid);

	(void)state;
	assert_int_equal(db_run(p, DB_WRITE, NULL, c, 3, 0, ctx, &e), -1);
	assert_int_equal(e.code, ERR_CONFLICT);
	assert_non_null(strstr(e.text, "things_pkey"));
	assert_null(c[0].result);
	assert_int_equal(number(p, &sql_count), 0);
	assert_int_equal(db_run(p, DB_WRITE, NULL, c, 2, 0, ctx, &e), 0);
	assert_int_equal(number(p, &sql_count), 2);
	/* read-only means it */
	c[2].param[0] = "3";
	assert_int_equal(run1(p, DB_READ, &c[2], &e), -1);
	assert_int_equal(e.code, ERR_UNAVAILABLE);
	c[2].param[0] = "not a number";
	assert_int_equal(run1(p, DB_WRITE, &c[2], &e), -1);
	assert_int_equal(e.code, ERR_INVALID);
	assert_null(strstr(e.text, "not a number"));
	c[2].stmt = &sql_raise;
	c[2].nparams = 0;
	assert_int_equal(run1(p, DB_WRITE, &c[2], &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_string_equal(e.text, "enough");
	c[2].stmt = &sql_wrong;
	assert_int_equal(run1(p, DB_WRITE, &c[2], &e), -1);
	assert_int_equal(e.code, ERR_INTERNAL);
	assert_int_equal(number(p, &sql_pid), pid);
	db_pool_free(p);
}

static void
kill_all(void)
{
	mem_free(dbtemp_sql(db, NULL,
	    "SELECT count(pg_terminate_backend(pid, 5000)) FROM "
	    "pg_stat_activity WHERE datname = current_database() AND pid <> "
	    "pg_backend_pid()"));
}

/* Idle connections die, all of them; no caller notices. */
static void
test_killed_idle(void **state)
{
	struct db_pool *p = pool(3, 2000, true, false);
	struct db_call c = {
		.stmt = &sql_insert, .param = { "7", "x" }, .nparams = 2
	};
	struct err e;
	int64_t pid;
	int i;

	(void)state;
	for (i = 0; i < 5; i++) {
		pid = number(p, &sql_pid);
		kill_all();
		assert_int_not_equal(number(p, &sql_pid), pid);
	}
	kill_all();
	if (run1(p, DB_WRITE, &c, &e) != 0)
		fail_msg("%s", e.text);
	db_pool_free(p);
}

/* Killed at work: an error, at most once more, and then it goes on. */
static void
test_killed_busy(void **state)
{
	static const struct db_stmt suicide = { "t_suicide",
		"SELECT pg_terminate_backend(pg_backend_pid())" };
	struct db_pool *p = pool(2, 2000, true, false);
	struct db_call c = { .stmt = &suicide };
	struct err e;
	int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		assert_int_equal(run1(p, DB_READ, &c, &e), -1);
		assert_int_equal(e.code, ERR_UNAVAILABLE);
		assert_int_equal(run1(p, DB_WRITE, &c, &e), -1);
		assert_int_equal(e.code, ERR_UNAVAILABLE);
		assert_int_equal(number(p, &sql_one), 1);
	}
	db_pool_free(p);
}

/* A pooler put another server behind the connection, which knows none of the
 * names: the transaction is run all the same, once, without any. */
static void
test_names_lost(void **state)
{
	static const struct db_stmt forget = { NULL, "DEALLOCATE ALL" };
	static const struct db_stmt names = { "t_names",
		"SELECT count(*) FROM pg_prepared_statements" };
	struct db_pool *p = pool(1, 1000, true, false);
	struct db_call lose = { .stmt = &forget };
	struct db_call add = {
		.stmt = &sql_insert, .param = { "4711", "once" }, .nparams = 2
	};
	int64_t pid = number(p, &sql_pid), before = number(p, &sql_count);
	struct err e;

	(void)state;
	assert_true(number(p, &names) > 2);
	if (run1(p, DB_WRITE, &lose, &e) != 0 ||
	    run1(p, DB_WRITE, &add, &e) != 0)
		fail_msg("%s", e.text);
	assert_int_equal(number(p, &sql_count), before + 1);
	assert_int_equal(number(p, &sql_pid), pid);
	assert_int_equal(number(p, &names), 0);
	db_pool_free(p);
}

struct worker {
	pthread_t thread;
	struct db_pool *p;
	int ok, failed;
	int64_t longest;
};

static void *
work(void *arg)
{
	struct worker *w = arg;
	struct db_call c = {
		.stmt = &sql_sleep, .param = { "0.001" }, .nparams = 1
	};
	struct err e = { 0 };
	void *mine = mem_root("worker");
	int64_t began, took;
	int i;

	for (i = 0; i < 40; i++) {
		began = clock_mono();
		if (db_run(w->p, DB_READ, NULL, &c, 1, 0, mine, &e) == 0)
			w->ok++;
		else
			w->failed++;
		took = clock_mono() - began;
		if (took > w->longest)
			w->longest = took;
	}
	mem_free(mine);
	return NULL;
}

/* More callers than connections: all are served, none starves, and there are
 * never more connections than the pool's size. */
static void
test_contention(void **state)
{
	enum { CALLERS = 24 };
	struct db_pool *p = pool(3, 5000, true, false);
	struct worker w[CALLERS];
	char *n;
	int i;

	(void)state;
	for (i = 0; i < CALLERS; i++) {
		w[i] = (struct worker){ .p = p };
		assert_int_equal(
		    pthread_create(&w[i].thread, NULL, work, &w[i]), 0);
	}
	for (i = 0; i < 5; i++) {
		n = dbtemp_sql(db, NULL,
		    "SELECT count(*) <= 3 FROM pg_stat_activity WHERE usename "
		    "= 'sb_owner' AND datname = current_database()");
		assert_string_equal(n, "t");
		mem_free(n);
	}
	for (i = 0; i < CALLERS; i++) {
		pthread_join(w[i].thread, NULL);
		assert_int_equal(w[i].ok, 40);
		assert_int_equal(w[i].failed, 0);
		assert_true(w[i].longest < 3 * CLOCK_S);
	}
	db_pool_free(p);
}

static void *
hold(void *arg)
{
	struct worker *w = arg;
	struct db_call c = {
		.stmt = &sql_sleep, .param = { "1" }, .nparams = 1
	};
	struct err e = { 0 };
	void *mine = mem_root("holder");

	w->failed = db_run(w->p, DB_READ, NULL, &c, 1, 0, mine, &e);
	mem_free(mine);
	return NULL;
}

static void
wait_for_sleepers(const char *n)
{
	int64_t deadline = clock_mono() + 5 * CLOCK_S;
	char *got = NULL;

	do {
		mem_free(got);
		got = dbtemp_sql(db, NULL,
		    "SELECT count(*) FROM pg_stat_activity WHERE wait_event = "
		    "'PgSleep' AND datname = current_database()");
	} while (strcmp(got, n) != 0 && clock_mono() < deadline);
	assert_string_equal(got, n);
	mem_free(got);
}

struct in_line {
	pthread_t thread;
	struct db_pool *p;
	char n[8];
	int rc;
};

static void *
note_turn(void *arg)
{
	static const struct db_stmt sql_turn = { "t_turn",
		"INSERT INTO things (id, body) VALUES (1000 + $1, "
		"clock_timestamp()::text)" };
	struct in_line *l = arg;
	struct db_call c = {
		.stmt = &sql_turn, .param = { l->n }, .nparams = 1
	};
	struct err e = { 0 };
	void *mine = mem_root("in line");

	l->rc = db_run(l->p, DB_WRITE, NULL, &c, 1, 0, mine, &e);
	mem_free(mine);
	return NULL;
}

/* A7: fifty callers more than connections are served as they came. */
static void
test_fair(void **state)
{
	enum { CALLERS = 50 };
	static const struct db_stmt sql_order = { "t_order",
		"SELECT array_agg(id ORDER BY body) = array_agg(id ORDER BY id)"
		" FROM things WHERE id >= 1000 HAVING count(*) = 50" };
	struct db_pool *p = pool(1, 5000, true, false);
	struct worker holder = { .p = p };
	struct in_line w[CALLERS];
	int64_t before;
	int i;

	(void)state;
	pthread_create(&holder.thread, NULL, hold, &holder);
	wait_for_sleepers("1");
	for (i = 0; i < CALLERS; i++) {
		w[i] = (struct in_line){ .p = p };
		(void)snprintf(w[i].n, sizeof(w[i].n), "%d", i);
		before = metric_sum(M_POOL_WAITS);
		pthread_create(&w[i].thread, NULL, note_turn, &w[i]);
		while (metric_sum(M_POOL_WAITS) == before)
			sched_yield();
	}
	for (i = 0; i < CALLERS; i++) {
		pthread_join(w[i].thread, NULL);
		assert_int_equal(w[i].rc, 0);
	}
	pthread_join(holder.thread, NULL);
	assert_int_equal(holder.failed, 0);

	struct db_call c = { .stmt = &sql_order };
	struct err e;

	if (run1(p, DB_READ, &c, &e) != 0)
		fail_msg("%s", e.text);
	assert_true(db_bool(c.result, 0, 0));
	db_pool_free(p);
}

/* A full pool answers after its wait limit, or the caller's deadline. */
static void
test_full(void **state)
{
	struct db_pool *p = pool(1, 300, true, false);
	struct worker w = { .p = p };
	struct db_call c = { .stmt = &sql_one };
	struct err e = { 0 };
	int64_t began;

	(void)state;
	pthread_create(&w.thread, NULL, hold, &w);
	wait_for_sleepers("1");
	began = clock_mono();
	assert_int_equal(db_run(p, DB_READ, NULL, &c, 1, 0, ctx, &e), -1);
	assert_int_equal(e.code, ERR_UNAVAILABLE);
	assert_true(e.retry_after > 0);
	assert_non_null(strstr(e.text, "in use"));
	assert_true(clock_mono() - began >= 290 * CLOCK_MS);
	assert_true(clock_mono() - began < 900 * CLOCK_MS);
	began = clock_mono();
	assert_int_equal(
	    db_run(p, DB_READ, NULL, &c, 1, began + 50 * CLOCK_MS, ctx, &e),
	    -1);
	assert_true(clock_mono() - began < 290 * CLOCK_MS);
	pthread_join(w.thread, NULL);
	assert_int_equal(w.failed, 0);
	assert_int_equal(number(p, &sql_one), 1);
	db_pool_free(p);
}

static void *
try_once(void *arg)
{
	struct worker *w = arg;
	struct db_call c = { .stmt = &sql_one };
	struct err e = { 0 };
	void *mine = mem_root("caller");

	w->failed = db_run(w->p, DB_READ, NULL, &c, 1, 0, mine, &e);
	assert_true(w->failed == 0 || e.code == ERR_UNAVAILABLE);
	mem_free(mine);
	return NULL;
}

/* The database refuses connections; it goes on as soon as it takes them. */
static void
test_refused(void **state)
{
	enum { CALLERS = 20 };
	struct db_pool *p = db_pool_new(&(struct db_opts){ .conninfo = db,
	    .user = "sb_job",
	    .size = 8,
	    .wait_ms = 1000,
	    .connect_ms = 1000,
	    .prepared = true });
	struct worker w[CALLERS];
	int64_t began = clock_mono();
	char *sql, *name;
	int i;

	(void)state;
	name = dbtemp_sql(db, NULL, "SELECT current_database()");
	sql = mem_printf(ctx, "ALTER DATABASE %s CONNECTION LIMIT 0", name);
	mem_free(dbtemp_sql(db, NULL, sql));
	for (i = 0; i < CALLERS; i++) {
		w[i] = (struct worker){ .p = p };
		pthread_create(&w[i].thread, NULL, try_once, &w[i]);
	}
	for (i = 0; i < CALLERS; i++) {
		pthread_join(w[i].thread, NULL);
		assert_int_equal(w[i].failed, -1);
	}
	assert_true(clock_mono() - began < 3 * CLOCK_S);
	sql = mem_printf(ctx, "ALTER DATABASE %s CONNECTION LIMIT -1", name);
	mem_free(dbtemp_sql(db, NULL, sql));
	mem_free(name);
	w[0] = (struct worker){ .p = p };
	try_once(&w[0]);
	assert_int_equal(w[0].failed, 0);
	db_pool_free(p);
}

struct hangup {
	pthread_t thread;
	int fd, stop;
	int accepted;
};

/* A server that hangs up on everybody, counting. */
static void *
hang_up(void *arg)
{
	struct hangup *h = arg;
	struct pollfd fds[2] = { { h->fd, POLLIN, 0 }, { h->stop, POLLIN, 0 } };
	int fd;

	while (poll(fds, 2, -1) > 0 && !fds[1].revents) {
		fd = accept(h->fd, NULL, NULL);
		if (fd >= 0) {
			h->accepted++;
			close(fd);
		}
	}
	return NULL;
}

/* Many callers and no database: few attempts, and nobody waits too long. */
static void
test_no_storm(void **state)
{
	enum { CALLERS = 40 };
	char dir[] = "/tmp/sb-storm-XXXXXX";
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct hangup h = { .fd = socket(AF_UNIX, SOCK_STREAM, 0) };
	struct worker w[CALLERS];
	struct db_pool *p;
	int64_t began;
	int i, stop[2];

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/.s.PGSQL.5432", dir);
	assert_int_equal(bind(h.fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(h.fd, 64), 0);
	assert_int_equal(pipe(stop), 0);
	h.stop = stop[0];
	pthread_create(&h.thread, NULL, hang_up, &h);
	p = db_pool_new(
	    &(struct db_opts){ .conninfo = mem_printf(ctx,
				   "host=%s dbname=x sslmode=disable", dir),
		.user = "sb_chat",
		.size = 6,
		.wait_ms = 1500,
		.connect_ms = 1000 });
	began = clock_mono();
	for (i = 0; i < CALLERS; i++) {
		w[i] = (struct worker){ .p = p };
		pthread_create(&w[i].thread, NULL, try_once, &w[i]);
	}
	for (i = 0; i < CALLERS; i++) {
		pthread_join(w[i].thread, NULL);
		assert_int_equal(w[i].failed, -1);
	}
	assert_true(clock_mono() - began < 3 * CLOCK_S);
	close(stop[1]);
	pthread_join(h.thread, NULL);
	/* at once as many as places, then pauses from 25 ms to 1 s */
	assert_in_range(h.accepted, 3, 6 + 12);
	db_pool_free(p);
	close(h.fd);
	close(stop[0]);
	unlink(addr.sun_path);
	rmdir(dir);
}

/* Nobody listens there: bounded, and the text names no password. */
static void
test_nobody(void **state)
{
	struct db_pool *p = db_pool_new(&(struct db_opts){
	    .conninfo = "host=/nonexistent dbname=x password=hush",
	    .user = "sb_chat",
	    .size = 2,
	    .wait_ms = 300,
	    .connect_ms = 1000 });
	struct db_call c = { .stmt = &sql_one };
	struct err e = { 0 };
	int64_t began = clock_mono();

	(void)state;
	assert_int_equal(db_run(p, DB_READ, NULL, &c, 1, 0, ctx, &e), -1);
	assert_int_equal(e.code, ERR_UNAVAILABLE);
	assert_null(strstr(e.text, "hush"));
	assert_true(clock_mono() - began < CLOCK_S);
	db_pool_free(p);
}

static int
set_up(void **state)
{
	(void)state;
	db = dbtemp_new_empty();
	ctx = mem_root("test");
	mem_free(dbtemp_sql(db, "sb_owner",
	    "CREATE SCHEMA data; CREATE TABLE data.things (id int PRIMARY KEY,"
	    " body text); CREATE FUNCTION data.raise_limit() RETURNS int "
	    "LANGUAGE plpgsql AS $$ BEGIN RAISE 'enough' USING ERRCODE = "
	    "'SB429'; END $$; "));
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	dbtemp_drop(db);
	mem_free(ctx);
	return 0;
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_account),
		cmocka_unit_test(test_statement_timeout),
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_atomic),
		cmocka_unit_test(test_killed_idle),
		cmocka_unit_test(test_killed_busy),
		cmocka_unit_test(test_contention),
		cmocka_unit_test(test_fair),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_names_lost),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_no_storm),
		cmocka_unit_test(test_nobody),
	};

	if (!dbtemp_there())
		return 77;
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
