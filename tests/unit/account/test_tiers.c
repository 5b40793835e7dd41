/*
 * The three tiers together, on accounts: what a second worker finds, what the
 * database's absence leaves, and how soon a change is seen that nobody was told
 * of.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "account/account.h"
#include "account/proof.h"
#include "account/tiers.h"
#include "cache/cold.h"
#include "db/db.h"
#include "lib/dbfix.h"
#include "lib/dbtemp.h"
#include "shm/epoch.h"
#include "telemetry/metric.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

static struct db_pool *pool, *away;
static char dir[64];

static struct tiers
tiers_over(struct db_pool *db, struct warm *w, int64_t max_stale)
{
	return (struct tiers){ .db = db,
		.warm = w,
		.cold = dbfix_tiers(pool)->cold,
		.max_stale = max_stale };
}

/* requests_per_hour of acme as ${as} has it; -2 when it has none. */
static int64_t
seen(struct accounts *as, struct err *e)
{
	const struct account *a;
	int64_t n;

	if (accounts_by_slug(as, "acme", 0, &a, e) != 0)
		return -2;
	n = a->requests_per_hour;
	account_unref(a);
	return n;
}

static void
set(int n)
{
	char sql[128];

	snprintf(sql, sizeof(sql),
	    "UPDATE control.accounts SET requests_per_hour = %d "
	    "WHERE slug = 'acme'",
	    n);
	dbfix_sql(sql);
}

/* While something hears, nobody asks; and what is heard counts at once. */
static void
heard(void **state)
{
	struct tiers t = tiers_over(pool, NULL, 3600 * CLOCK_S);
	struct accounts *as = accounts_new(&t, 10);
	int64_t checks = metric_sum(M_CACHE_CHECKS);

	(void)state;
	set(10);
	dbfix_hear();
	epoch_heard(clock_mono() + 60 * CLOCK_S);
	assert_int_equal(seen(as, NULL), 10);
	set(11);
	assert_int_equal(seen(as, NULL), 10);
	dbfix_hear();
	assert_int_equal(seen(as, NULL), 11);
	assert_int_equal(metric_sum(M_CACHE_CHECKS), checks);
	accounts_free(as);
}

/* Nobody hears: a change is seen by asking, once a second. */
static void
unheard(void **state)
{
	struct tiers t = tiers_over(pool, NULL, 3600 * CLOCK_S);
	struct accounts *as = accounts_new(&t, 10);
	int64_t began, checks = metric_sum(M_CACHE_CHECKS);

	(void)state;
	assert_int_equal(seen(as, NULL) >= 0, 1);
	set(20);
	began = clock_mono();
	while (seen(as, NULL) != 20) {
		assert_true(clock_mono() - began < 20 * CLOCK_S);
		poll(NULL, 0, 5);
	}
	/* Not before it was due, and with few questions. */
	assert_true(clock_mono() - began > PROOF_NS / 4);
	assert_in_range(metric_sum(M_CACHE_CHECKS) - checks, 1,
	    2 + (clock_mono() - began) / PROOF_NS);
	accounts_free(as);
}

/* The database is away: what is cached answers, until it is too old. */
static void
database_away(void **state)
{
	struct tiers t = tiers_over(pool, NULL, 3600 * CLOCK_S);
	struct accounts *as = accounts_new(&t, 10);
	struct err e = { 0 };
	int64_t stale = metric_sum(M_CACHE_STALE), began;

	(void)state;
	set(30);
	dbfix_hear();
	assert_int_equal(seen(as, NULL), 30);
	began = clock_mono();
	t.db = away;
	while (metric_sum(M_CACHE_STALE) == stale) {
		assert_int_equal(seen(as, &e), 30);
		assert_true(clock_mono() - began < 20 * CLOCK_S);
		poll(NULL, 0, 5);
	}
	assert_true(epoch_away());
	/* Nobody waits for a database that was just found away. */
	began = clock_mono();
	for (int i = 0; i < 1000; i++)
		assert_int_equal(seen(as, &e), 30);
	assert_true(clock_mono() - began < 5 * CLOCK_S);
	/* What is known to have changed is not used, though nothing better can
	 * be had. */
	t.max_stale = 1;
	assert_int_equal(seen(as, &e), -2);
	assert_int_equal(e.code, ERR_UNAVAILABLE);
	/* It is back. */
	t.db = pool;
	while (seen(as, &e) != 30) {
		assert_true(clock_mono() - began < 20 * CLOCK_S);
		poll(NULL, 0, 5);
	}
	assert_false(epoch_away());
	accounts_free(as);
}

/* What one worker has read another does not read again. */
static void
warm(void **state)
{
	struct tiers t = tiers_over(pool, NULL, 3600 * CLOCK_S), u;
	struct accounts *one, *other;
	struct err e = { 0 };
	int64_t cold, hits;

	(void)state;
	if (warm_open(dir, 100, &t.warm, &e) != 0)
		fail_msg("%s", e.text);
	set(40);
	dbfix_hear();
	one = accounts_new(&t, 10);
	cold = metric_sum(M_CACHE_COLD);
	hits = metric_sum(M_CACHE_HITS_WARM);
	assert_int_equal(seen(one, NULL), 40);
	assert_int_equal(metric_sum(M_CACHE_COLD), cold + 1);
	assert_int_equal(warm_flush(t.warm, clock_mono() + 20 * CLOCK_S), 0);
	/* Not even a database is needed. */
	u = tiers_over(away, t.warm, 3600 * CLOCK_S);
	other = accounts_new(&u, 10);
	assert_int_equal(seen(other, &e), 40);
	assert_int_equal(metric_sum(M_CACHE_COLD), cold + 1);
	assert_int_equal(metric_sum(M_CACHE_HITS_WARM), hits + 1);
	/* A row older than what was heard is none. */
	set(41);
	dbfix_hear();
	assert_int_equal(seen(other, &e), -2);
	assert_int_equal(e.code, ERR_UNAVAILABLE);
	assert_int_equal(seen(one, &e), 41);
	assert_int_equal(warm_flush(t.warm, clock_mono() + 20 * CLOCK_S), 0);
	assert_int_equal(seen(other, &e), 41);
	/* The tier's numbers are the platform's. */
	dbfix_sql("UPDATE control.tiers SET max_agents = 13 "
		  "WHERE name = 'standard'");
	dbfix_hear();
	assert_int_equal(seen(other, &e), -2);
	assert_int_equal(seen(one, &e), 41);
	accounts_free(one);
	accounts_free(other);
	warm_close(t.warm);
}

/* A name that was not there a moment ago and is now, with nobody to tell. */
static void
unheard_of(void **state)
{
	struct tiers t = tiers_over(pool, NULL, 3600 * CLOCK_S);
	struct accounts *as = accounts_new(&t, 10);
	const struct account *a;
	struct err e = { 0 };
	int64_t began = clock_mono();

	(void)state;
	assert_int_equal(accounts_by_slug(as, "late", 0, &a, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	dbfix_sql("INSERT INTO control.accounts (id, slug, name, tier) VALUES "
		  "('0190a000-0000-7000-8000-0000000000d0', 'late', 'L', "
		  "'free')");
	while (accounts_by_slug(as, "late", 0, &a, &e) != 0) {
		assert_int_equal(e.code, ERR_NOT_FOUND);
		assert_true(clock_mono() - began < 20 * CLOCK_S);
		poll(NULL, 0, 5);
	}
	account_unref(a);
	accounts_free(as);
}

static void
all_at_once(void **state)
{
	uint32_t slot = (uint32_t)dbfix_number(
	    "SELECT slot FROM control.accounts WHERE slug = 'acme'");

	(void)state;
	epoch_map(1024);
	assert_int_equal(epoch_get(slot), 0);
	assert_int_equal(proof_read_all(pool, 0, NULL), 0);
	assert_int_equal(epoch_get(slot),
	    dbfix_number("SELECT config_epoch FROM control.accounts "
			 "WHERE slug = 'acme'"));
	assert_int_equal(epoch_get(0),
	    dbfix_number("SELECT config_epoch FROM control.platform"));
	assert_true(epoch_known(slot) > 0);
	/* Products move the knowledge, not the configuration. */
	uint64_t config = epoch_get(slot), knows = epoch_knowledge(slot);
	dbfix_sql("INSERT INTO data.products (account_id, id, name, "
		  "description) "
		  "SELECT id, gen_random_uuid(), 'P', 'D' "
		  "FROM control.accounts WHERE slug = 'acme'");
	assert_int_equal(proof_read_all(pool, 0, NULL), 0);
	assert_int_equal(epoch_get(slot), config);
	assert_true(epoch_knowledge(slot) > knows);
}

static int
forget(void **state)
{
	(void)state;
	epoch_map(1024);
	return 0;
}

static int
setup(void **state)
{
	(void)state;
	epoch_map(1024);
	pool = dbfix_open("sb_chat");
	away = dbfix_away();
	snprintf(dir, sizeof(dir), "/tmp/sb-tiers-%ld", (long)getpid());
	dbfix_sql("INSERT INTO control.accounts (id, slug, name, tier) VALUES "
		  "('0190a000-0000-7000-8000-0000000000a0', 'acme', 'Acme', "
		  "'standard')");
	return mkdir(dir, 0700);
}

static int
teardown(void **state)
{
	char path[128];

	(void)state;
	warm_discard(dir);
	snprintf(path, sizeof(path), "%s/guard", dir);
	unlink(path);
	rmdir(dir);
	cold_free(dbfix_tiers(pool)->cold);
	db_pool_free(away);
	dbfix_close();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(heard, forget),
		cmocka_unit_test_setup(unheard, forget),
		cmocka_unit_test_setup(database_away, forget),
		cmocka_unit_test_setup(warm, forget),
		cmocka_unit_test_setup(unheard_of, forget),
		cmocka_unit_test_setup(all_at_once, forget),
	};

	if (!dbtemp_there())
		return 77;
	return cmocka_run_group_tests(tests, setup, teardown);
}
