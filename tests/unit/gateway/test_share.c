/*
 * Two hosts and one database: each host is a process of its own with its own
 * memory, which does what it is told and says how it finds the credential.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "db/db.h"
#include "gateway/health.h"
#include "gateway/share.h"
#include "lib/dbfix.h"
#include "shm/procs.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/mem.h"

#include "util/banned.h"

#define ACCOUNT "0192f0c1-7e2a-7000-8000-00000000000a"
#define NIL "00000000-0000-0000-0000-000000000000"
#define KEY "0192f0c1-7e2a-7000-8000-0000000000c1"
#define PLATFORMS "0192f0c1-7e2a-7000-8000-0000000000c2"
#define SLOTS 1000
#define LIMIT INT64_C(60000000) /* a thousand come back in a ms */

static uint32_t own, platforms;

/* --- a host --------------------------------------------------------------- */

enum what {
	LOOK,
	CALL, /* with outcome arg */
	USE,  /* arg tokens of input */
	TICK,
	TICK_AWAY, /* to a database that nobody answers for */
	LOAD,
	OPEN_IT,
	CLOSE_IT,
};
struct ask {
	enum what what;
	uint32_t slot;
	int64_t arg, retry_after_ms;
};
struct found {
	int rc;
	bool told; /* what health_end() said */
	int64_t now;
	struct health_view view;
	struct health_counts counts;
};
static const struct health_limits limits = { LIMIT, LIMIT, LIMIT };

static struct db_pool *
pool(const char *conninfo, const char *user)
{
	struct db_opts o = { .conninfo = conninfo,
		.user = user,
		.size = 1,
		.wait_ms = 5000,
		.connect_ms = 5000,
		.statement_ms = 5000 };

	return db_pool_new(&o);
}

static bool
call(const struct ask *q, enum health_outcome o, int64_t input)
{
	struct health_call c;

	if (!health_begin(&c, q->slot, 7, &limits, input, 0, clock_mono()))
		return false;
	return health_end(&c, o, q->retry_after_ms, input, 0, 0, clock_mono());
}

static void
host(const char *name, int fd)
{
	struct db_pool *db = pool(dbfix_conninfo(), "sb_job"),
		       *away = pool("host=127.0.0.1 port=1 dbname=x", "sb_job");
	bool all = true;
	struct ask q;

	procs_map();
	health_map(SLOTS);
	while (read(fd, &q, sizeof(q)) == sizeof(q)) {
		int64_t deadline = clock_mono() + 5 * CLOCK_S;
		struct found f = { 0 };
		struct err e = { 0 };

		if (q.what == CALL)
			f.told = call(&q, (enum health_outcome)q.arg, 0);
		else if (q.what == USE)
			call(&q, HEALTH_OK, q.arg);
		else if (q.what == LOAD)
			f.rc = share_load(db, name, deadline, &e);
		else if (q.what == TICK)
			f.rc = share_tick(db, name, &all, deadline, &e);
		else if (q.what == TICK_AWAY)
			f.rc = share_tick(away, name, &all, deadline, &e);
		else if (q.what != LOOK)
			health_set(q.slot,
			    q.what == OPEN_IT ? HEALTH_OPEN_IT
					      : HEALTH_CLOSE_IT,
			    clock_mono());
		if (f.rc != 0)
			fprintf(stderr, "%s: %s\n", name, e.text);
		f.now = clock_mono();
		health_look(q.slot, 7, &limits, f.now, &f.view);
		health_counts(q.slot, &f.counts);
		if (write(fd, &f, sizeof(f)) != sizeof(f))
			break;
	}
	_exit(0);
}

struct host {
	int fd;
	pid_t pid;
};
static struct host a, b;

static struct host
start(const char *name)
{
	struct host h;
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	h.pid = fork();
	assert_true(h.pid >= 0);
	if (h.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(fd[0]);
		host(name, fd[1]);
	}
	close(fd[1]);
	h.fd = fd[0];
	return h;
}

static void
stop(struct host *h)
{
	int status;

	if (h->pid == 0)
		return;
	/* The other host's process has the descriptor, too. */
	shutdown(h->fd, SHUT_RDWR);
	close(h->fd);
	assert_int_equal(waitpid(h->pid, &status, 0), h->pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	h->pid = 0;
}

static struct found
tell(struct host *h, struct ask q)
{
	struct found f;

	if (q.slot == 0)
		q.slot = own;
	assert_int_equal(write(h->fd, &q, sizeof(q)), sizeof(q));
	assert_int_equal(read(h->fd, &f, sizeof(f)), sizeof(f));
	return f;
}

static void
ok(struct host *h, enum what what)
{
	assert_int_equal(tell(h, (struct ask){ .what = what }).rc, 0);
}

static struct health_view
look(struct host *h)
{
	return tell(h, (struct ask){ .what = LOOK }).view;
}

static void
outcome(struct host *h, enum health_outcome o)
{
	tell(h, (struct ask){ .what = CALL, .arg = (int64_t)o });
}

static void
fails_five_times(struct host *h)
{
	for (int i = 0; i < 5; i++)
		outcome(h, HEALTH_SERVER);
}

/* --- the database --------------------------------------------------------- */

static int
fill(void **state)
{
	(void)state;
	json_setup();
	dbfix_open("sb_job");
	dbfix_sql("INSERT INTO control.accounts (id, slug, name, tier) VALUES "
		  "('" ACCOUNT "', 'aaa', 'A', 'enterprise')");
	dbfix_sql("INSERT INTO control.llm_credentials (account_id, id, "
		  "provider, name, sealed, key_version, hint) VALUES "
		  "('" ACCOUNT "', '" KEY "', 'openai', 'n', '', 1, 'h'), "
		  "('" NIL "', '" PLATFORMS "', 'openai', 'n', '', 1, 'h')");
	own = (uint32_t)dbfix_number("SELECT slot FROM control.llm_credentials "
				     "WHERE id = '" KEY "'");
	platforms =
	    (uint32_t)dbfix_number("SELECT slot FROM control.llm_credentials "
				   "WHERE id = '" PLATFORMS "'");
	return 0;
}

/* As the management does; is there such a credential? */
static bool
order(const char *id, const char *what)
{
	static const struct db_stmt stmt = { "order",
		"SELECT gate.credential_order($1, $2, $3)" };
	struct db_call c = {
		.stmt = &stmt, .param = { ACCOUNT, id, what }, .nparams = 3
	};
	struct db_pool *db = pool(dbfix_conninfo(), "sb_admin");
	void *ctx = mem_root("order");
	struct err e = { 0 };
	bool done;

	assert_int_equal(db_run(db, DB_CONTROL, NULL, &c, 1,
			     clock_mono() + 5 * CLOCK_S, ctx, &e),
	    0);
	done = db_bool(c.result, 0, 0);
	mem_free(ctx);
	db_pool_free(db);
	return done;
}

static int
empty(void **state)
{
	(void)state;
	dbfix_close();
	return 0;
}

static int
two_hosts(void **state)
{
	(void)state;
	dbfix_sql("DELETE FROM control.credential_states");
	dbfix_sql("DELETE FROM control.workers");
	dbfix_sql("INSERT INTO control.workers (id, host, kind) VALUES "
		  "(gen_random_uuid(), 'a', 'job'), "
		  "(gen_random_uuid(), 'b', 'job')");
	a = start("a");
	b = start("b");
	ok(&a, LOAD);
	ok(&b, LOAD);
	return 0;
}

static int
no_hosts(void **state)
{
	(void)state;
	stop(&a);
	stop(&b);
	return 0;
}

/* --- a restart ------------------------------------------------------------ */

static void
restart(struct host *h, const char *name)
{
	stop(h);
	*h = start(name);
}

static void
survives_a_restart(void **state)
{
	struct found f;

	(void)state;
	outcome(&a, HEALTH_OK);
	fails_five_times(&a);
	tell(
	    &a, (struct ask){
		    .what = CALL, .slot = platforms, .arg = HEALTH_EXHAUSTED });
	ok(&a, TICK);
	/* Tables that pages read. */
	assert_int_equal(dbfix_number("SELECT count(*) FROM "
				      "control.credential_states WHERE state = "
				      "'out' AND reason = 'exhausted' AND "
				      "account_id = '" NIL "'"),
	    1);
	restart(&a, "a");
	assert_int_equal(look(&a).state, HEALTH_CLOSED);
	f = tell(&a, (struct ask){ .what = LOAD });
	assert_int_equal(f.rc, 0);
	assert_int_equal(f.view.state, HEALTH_OPEN);
	assert_int_equal(f.view.reason, HEALTH_WHY_FAILURES);
	assert_int_equal(f.view.failures, 5);
	assert_in_range(
	    f.view.until - f.now, 20 * CLOCK_S, 30 * CLOCK_S + CLOCK_MS);
	assert_in_range(f.now - f.view.since, 0, 10 * CLOCK_S);
	assert_int_equal(f.counts.outcomes[HEALTH_SERVER], 5);
	assert_int_equal(f.counts.outcomes[HEALTH_OK], 1);
	assert_int_equal(f.counts.openings, 1);
	f = tell(&a, (struct ask){ .what = LOOK, .slot = platforms });
	assert_int_equal(f.view.state, HEALTH_OUT);
	assert_int_equal(f.view.reason, HEALTH_WHY_EXHAUSTED);
	/* Once: what another worker reads later changes nothing. */
	ok(&a, CLOSE_IT);
	ok(&a, LOAD);
	assert_int_equal(look(&a).state, HEALTH_CLOSED);
}

/* The pause went by while it was down. */
static void
half_open_after_a_restart(void **state)
{
	struct health_view v;

	(void)state;
	fails_five_times(&a);
	ok(&a, TICK);
	dbfix_sql("UPDATE control.credential_states SET until = now() - "
		  "interval '1 minute'");
	restart(&a, "a");
	ok(&a, LOAD);
	v = look(&a);
	assert_int_equal(v.state, HEALTH_HALF_OPEN);
	assert_true(v.probe_due);
}

/* --- hosts ---------------------------------------------------------------- */

static void
others_take_it_over(void **state)
{
	struct health_view v;

	(void)state;
	outcome(&a, HEALTH_DENIED);
	assert_int_equal(look(&b).state, HEALTH_CLOSED);
	ok(&a, TICK);
	ok(&b, TICK);
	v = look(&b);
	assert_int_equal(v.state, HEALTH_OUT);
	assert_int_equal(v.reason, HEALTH_WHY_DENIED);
	/* Its recovery, too. */
	ok(&a, CLOSE_IT);
	ok(&a, TICK);
	ok(&b, TICK);
	assert_int_equal(look(&b).state, HEALTH_CLOSED);
	/* What was taken over is not told again as one's own. */
	assert_int_equal(dbfix_number("SELECT count(*) FROM "
				      "control.credential_states"),
	    1);
}

static void
cooling_is_told(void **state)
{
	struct found f;

	(void)state;
	tell(&a,
	    (struct ask){
		.what = CALL, .arg = HEALTH_LIMIT, .retry_after_ms = 20000 });
	ok(&a, TICK);
	ok(&b, TICK);
	f = tell(&b, (struct ask){ .what = LOOK });
	assert_int_equal(f.view.state, HEALTH_COOLING);
	assert_in_range(
	    f.view.until - f.now, 15 * CLOCK_S, 20 * CLOCK_S + CLOCK_S / 2);
}

/* A cool-down here says nothing against a breaker that has opened there. */
static void
cooling_closes_nothing(void **state)
{
	(void)state;
	fails_five_times(&b);
	ok(&b, TICK);
	tell(&a,
	    (struct ask){
		.what = CALL, .arg = HEALTH_LIMIT, .retry_after_ms = 20000 });
	ok(&a, TICK);
	ok(&b, TICK);
	assert_int_equal(look(&a).state, HEALTH_OPEN);
	assert_int_equal(look(&b).state, HEALTH_OPEN);
}

static void
later_news_count(void **state)
{
	(void)state;
	fails_five_times(&a);
	ok(&a, TICK);
	ok(&b, TICK);
	assert_int_equal(look(&b).state, HEALTH_OPEN);
	usleep(5000);
	/* B finds that it works again; A tells its old news once more, since
	 * of a 429 that had been under way. */
	ok(&b, CLOSE_IT);
	ok(&b, TICK);
	dbfix_sql("UPDATE control.credential_states SET changed_at = now(), "
		  "version = nextval('control.credential_state_version') "
		  "WHERE host = 'a'");
	ok(&b, TICK);
	assert_int_equal(look(&b).state, HEALTH_CLOSED);
	ok(&a, TICK);
	assert_int_equal(look(&a).state, HEALTH_CLOSED);
}

static void
operators_orders(void **state)
{
	(void)state;
	ok(&a, OPEN_IT);
	ok(&a, TICK);
	ok(&b, TICK);
	assert_int_equal(look(&b).reason, HEALTH_WHY_OPERATOR);
	assert_int_equal(look(&b).until, 0);
	usleep(5000);
	/* What another host finds does not close it. */
	dbfix_sql(
	    "INSERT INTO control.credential_states (account_id, "
	    "credential_id, host) VALUES ('" ACCOUNT "', '" KEY "', 'c')");
	ok(&b, TICK);
	assert_int_equal(look(&b).reason, HEALTH_WHY_OPERATOR);
	/* By a command, which is in no host's memory. */
	assert_true(order(KEY, "close"));
	ok(&a, TICK);
	ok(&b, TICK);
	assert_int_equal(look(&a).state, HEALTH_CLOSED);
	assert_int_equal(look(&b).state, HEALTH_CLOSED);
	usleep(5000);
	assert_true(order(KEY, "open"));
	ok(&b, TICK);
	assert_int_equal(look(&b).reason, HEALTH_WHY_OPERATOR);
	outcome(&b, HEALTH_OK);
	assert_int_equal(look(&b).state, HEALTH_OPEN);
	/* It stays so over a restart, until it is reset. */
	restart(&b, "b");
	ok(&b, LOAD);
	assert_int_equal(look(&b).reason, HEALTH_WHY_OPERATOR);
	usleep(5000);
	assert_true(order(KEY, "reset"));
	ok(&b, TICK);
	assert_int_equal(look(&b).state, HEALTH_CLOSED);
	/* Once: what has happened since is not forgotten again. */
	outcome(&b, HEALTH_OK);
	ok(&b, TICK);
	assert_int_equal(
	    tell(&b, (struct ask){ .what = LOOK }).counts.outcomes[HEALTH_OK],
	    1);
	assert_false(order(ACCOUNT, "close"));
}

/* Another key is tried at once, everywhere. */
static void
another_key(void **state)
{
	(void)state;
	outcome(&a, HEALTH_DENIED);
	ok(&a, TICK);
	ok(&b, TICK);
	assert_int_equal(look(&b).state, HEALTH_OUT);
	usleep(5000);
	dbfix_sql("UPDATE control.llm_credentials SET key_version = "
		  "key_version + 1 WHERE id = '" KEY "'");
	ok(&a, TICK);
	ok(&b, TICK);
	assert_int_equal(look(&a).state, HEALTH_CLOSED);
	assert_int_equal(look(&b).state, HEALTH_CLOSED);
}

static void
use_is_added(void **state)
{
	const int64_t used = LIMIT / 2; /* half a minute's worth */
	struct health_view v;

	(void)state;
	tell(&b, (struct ask){ .what = USE, .arg = 1 });
	ok(&a, TICK); /* learns that there is another host */
	ok(&b, TICK);
	tell(&a, (struct ask){ .what = USE, .arg = used });
	ok(&a, TICK);
	v = look(&b);
	assert_in_range(v.tpm_left, LIMIT - 1, LIMIT);
	ok(&b, TICK);
	v = look(&b);
	assert_true(v.tpm_left < LIMIT - used + LIMIT / 10);
	assert_true(v.itpm_left < LIMIT - used + LIMIT / 10);
	/* Once, and not what it had used itself. */
	ok(&b, TICK);
	ok(&b, TICK);
	assert_true(look(&b).tpm_left >= v.tpm_left);
	assert_in_range(look(&a).tpm_left, LIMIT - used, LIMIT * 7 / 10);
}

/* With nobody to tell, nothing is written. */
static void
alone(void **state)
{
	(void)state;
	dbfix_sql("DELETE FROM control.workers WHERE host = 'b'");
	ok(&a, TICK);
	tell(&a, (struct ask){ .what = USE, .arg = 5 });
	ok(&a, TICK);
	assert_int_equal(dbfix_number("SELECT count(*) FROM "
				      "control.credential_states"),
	    0);
}

/* What could not be told is told when the database is back. */
static void
a_database_that_is_away(void **state)
{
	struct found f;

	(void)state;
	ok(&a, TICK);
	tell(&b, (struct ask){ .what = USE, .arg = 1 });
	tell(&a, (struct ask){ .what = USE, .arg = LIMIT / 2 });
	outcome(&a, HEALTH_DENIED);
	f = tell(&a, (struct ask){ .what = TICK_AWAY });
	assert_int_equal(f.rc, -1);
	f = tell(&b, (struct ask){ .what = TICK_AWAY });
	assert_int_equal(f.rc, -1);
	ok(&a, TICK);
	/* However long B has heard nothing. */
	dbfix_sql("UPDATE control.credential_states SET changed_at = now() - "
		  "interval '1 hour'");
	ok(&b, TICK);
	assert_int_equal(look(&b).state, HEALTH_OUT);
	assert_true(look(&b).tpm_left < LIMIT * 6 / 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    survives_a_restart, two_hosts, no_hosts),
		cmocka_unit_test_setup_teardown(
		    half_open_after_a_restart, two_hosts, no_hosts),
		cmocka_unit_test_setup_teardown(
		    others_take_it_over, two_hosts, no_hosts),
		cmocka_unit_test_setup_teardown(
		    cooling_is_told, two_hosts, no_hosts),
		cmocka_unit_test_setup_teardown(
		    cooling_closes_nothing, two_hosts, no_hosts),
		cmocka_unit_test_setup_teardown(
		    later_news_count, two_hosts, no_hosts),
		cmocka_unit_test_setup_teardown(
		    operators_orders, two_hosts, no_hosts),
		cmocka_unit_test_setup_teardown(
		    another_key, two_hosts, no_hosts),
		cmocka_unit_test_setup_teardown(
		    use_is_added, two_hosts, no_hosts),
		cmocka_unit_test_setup_teardown(alone, two_hosts, no_hosts),
		cmocka_unit_test_setup_teardown(
		    a_database_that_is_away, two_hosts, no_hosts),
	};

	return cmocka_run_group_tests(tests, fill, empty);
}
