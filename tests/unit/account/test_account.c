/* Accounts against a real database: what is read, what is kept, and when it is
 * read again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>

#include "account/account.h"
#include "db/db.h"
#include "lib/dbfix.h"
#include "lib/dbtemp.h"
#include "shm/epoch.h"
#include "util/lru.h"
#include "util/mem.h"

#include "util/banned.h"

#define ACME "0190a000-0000-7000-8000-0000000000a0"
#define GLOBEX "0190a000-0000-7000-8000-0000000000b0"
#define THREADS 16

static struct db_pool *pool;

static uint64_t
misses(struct accounts *as)
{
	struct lru_stats st;

	accounts_stats(as, &st);
	return st.misses;
}

static void
reads_all(void **state)
{
	struct accounts *as = accounts_new(dbfix_tiers(pool), 10);
	const struct account *a;
	struct err e = { 0 };
	struct uuid id;

	(void)state;
	assert_int_equal(id_parse(ACME, 36, &id), 0);
	assert_int_equal(accounts_by_slug(as, "acme", 0, &a, &e), 0);
	assert_true(id_eq(&a->id, &id));
	assert_string_equal(a->slug, "acme");
	assert_string_equal(a->name, "Acmé Corp");
	assert_string_equal(a->tier, "standard");
	assert_true(a->active);
	assert_int_equal(a->max_agents, 10);
	assert_int_equal(a->requests_per_hour, 77);
	assert_true(a->slot > 0);
	/* The union of live keys, each once; the revoked one's is not in it. */
	assert_int_equal(a->norigins, 2);
	assert_true(origin_allowed("https://a.test", a->origins, 2));
	assert_true(origin_allowed("http://localhost:5", a->origins, 2));
	assert_false(origin_allowed("https://gone.test", a->origins, 2));

	account_unref(a);
	assert_int_equal(accounts_by_slug(as, "globex", 0, &a, &e), 0);
	assert_false(a->active);
	assert_int_equal(a->max_agents, ACCOUNT_UNLIMITED);
	assert_int_equal(a->requests_per_hour, 1000);
	account_unref(a);
	accounts_free(as);
}

static void
not_there(void **state)
{
	struct accounts *as = accounts_new(dbfix_tiers(pool), 10);
	const struct account *a = NULL;
	struct err e = { 0 };

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(
		    accounts_by_slug(as, "newcomer", 0, &a, &e), -1);
		assert_int_equal(e.code, ERR_NOT_FOUND);
	}
	assert_int_equal(accounts_by_slug(as, "NoSlug!", 0, &a, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	assert_int_equal(accounts_by_slug(as, "", 0, &a, &e), -1);
	assert_null(a);
	/* It is made now, and that is heard: it is there at once. */
	dbfix_sql("INSERT INTO control.accounts (id, slug, name, tier) VALUES "
		  "('0190a000-0000-7000-8000-0000000000c0', 'newcomer', 'N', "
		  "'free')");
	dbfix_hear();
	assert_int_equal(accounts_by_slug(as, "newcomer", 0, &a, &e), 0);
	account_unref(a);
	accounts_free(as);
}

static void
read_again_when_moved(void **state)
{
	struct accounts *as = accounts_new(dbfix_tiers(pool), 10);
	const struct account *a, *old;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(accounts_by_slug(as, "acme", 0, &old, &e), 0);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(accounts_by_slug(as, "acme", 0, &a, &e), 0);
		assert_ptr_equal(a, old);
		account_unref(a);
	}
	assert_int_equal(misses(as), 1);

	/* its own row */
	dbfix_sql("UPDATE control.accounts SET requests_per_hour = -1 "
		  "WHERE slug = 'acme'");
	dbfix_hear();
	assert_int_equal(accounts_by_slug(as, "acme", 0, &a, &e), 0);
	assert_int_equal(a->requests_per_hour, ACCOUNT_UNLIMITED);
	assert_int_equal(old->requests_per_hour, 77); /* as it was read */
	account_unref(old);
	account_unref(a);

	/* its tier's row: the platform's epoch */
	dbfix_sql("UPDATE control.tiers SET max_agents = 12 "
		  "WHERE name = 'standard'");
	dbfix_hear();
	assert_int_equal(accounts_by_slug(as, "acme", 0, &a, &e), 0);
	assert_int_equal(a->max_agents, 12);
	account_unref(a);
	dbfix_sql("UPDATE control.tiers SET max_agents = NULL "
		  "WHERE name = 'standard'");
	dbfix_hear();
	assert_int_equal(accounts_by_slug(as, "acme", 0, &a, &e), 0);
	assert_int_equal(a->max_agents, ACCOUNT_UNLIMITED);
	account_unref(a);

	/* a key of it */
	dbfix_sql("UPDATE control.widget_keys SET revoked_at = now() "
		  "WHERE account_id = '" ACME "'");
	dbfix_hear();
	assert_int_equal(accounts_by_slug(as, "acme", 0, &a, &e), 0);
	assert_int_equal(a->norigins, 0);
	account_unref(a);
	assert_int_equal(misses(as), 5);
	accounts_free(as);
}

static void
database_away(void **state)
{
	struct db_pool *away = dbfix_away();
	struct accounts *as = accounts_new(dbfix_tiers(away), 10);
	const struct account *a = NULL;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(accounts_by_slug(as, "acme", 0, &a, &e), -1);
	assert_int_equal(e.code, ERR_UNAVAILABLE);
	/* No account has such a slug: nobody has to be asked. */
	assert_int_equal(accounts_by_slug(as, "Acme", 0, &a, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	assert_null(a);
	accounts_free(as);
	db_pool_free(away);
}

/* Many threads, few accounts, changes in between: no torn value, no leak (the
 * sanitizers look), and never an older one than was heard of. */
static uint32_t acme_slot;

static void *
reader(void *arg)
{
	struct accounts *as = arg;
	struct uuid id;
	const struct account *a;
	struct err e = { 0 };

	if (id_parse(ACME, 36, &id) != 0)
		return arg;
	for (int i = 0; i < 300; i++) {
		uint64_t heard = epoch_get(acme_slot);
		int rc = accounts_by_slug(as, "acme", 0, &a, &e);

		if (rc != 0)
			return arg;
		if (strcmp(a->slug, "acme") != 0 || !id_eq(&a->id, &id) ||
		    a->epoch < heard)
			return arg;
		account_unref(a);
	}
	return NULL;
}

static void
many_threads(void **state)
{
	struct accounts *as = accounts_new(dbfix_tiers(pool), 4);
	pthread_t threads[THREADS];
	void *bad;

	(void)state;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, reader, as), 0);
	for (int i = 0; i < 20; i++) {
		dbfix_sql("UPDATE control.accounts SET name = name "
			  "WHERE slug = 'acme'");
		dbfix_hear();
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &bad);
		assert_null(bad);
	}
	accounts_free(as);
}

static void
one_flight(void **state)
{
	struct accounts *as = accounts_new(dbfix_tiers(pool), 4);
	pthread_t threads[THREADS];
	struct lru_stats st;
	void *bad;

	(void)state;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, reader, as), 0);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &bad);
		assert_null(bad);
	}
	accounts_stats(as, &st);
	assert_int_equal(st.entries, 1);
	assert_int_equal(st.misses, 1);
	accounts_free(as);
}

static int
setup(void **state)
{

	(void)state;
	epoch_map(1024);
	dbfix_listen();
	pool = dbfix_open("sb_chat");
	dbfix_sql(
	    "INSERT INTO control.accounts (id, slug, name, tier, is_active, "
	    "max_agents, requests_per_hour) VALUES "
	    "('" ACME "', 'acme', 'Acmé Corp', 'standard', true, NULL, 77),"
	    "('" GLOBEX "', 'globex', 'Globex', 'standard', false, -1, NULL)");
	dbfix_sql(
	    "INSERT INTO control.widget_keys (account_id, id, name, prefix, "
	    "key_hash, allowed_origins, revoked_at) VALUES "
	    "('" ACME "', gen_random_uuid(), 'a', 'sb_pub_aaaaa', "
	    "sha256('a'), '{https://a.test,http://localhost:*}', NULL),"
	    "('" ACME "', gen_random_uuid(), 'b', 'sb_pub_bbbbb', "
	    "sha256('b'), '{https://a.test}', NULL),"
	    "('" ACME "', gen_random_uuid(), 'c', 'sb_pub_ccccc', "
	    "sha256('c'), '{https://gone.test}', now()),"
	    "('" GLOBEX "', gen_random_uuid(), 'd', 'sb_pub_ddddd', "
	    "sha256('d'), '{https://globex.test}', NULL)");
	acme_slot = (uint32_t)dbfix_number("SELECT slot FROM control.accounts "
					   "WHERE slug = 'acme'");
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	dbfix_close();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_all),
		cmocka_unit_test(not_there),
		cmocka_unit_test(read_again_when_moved),
		cmocka_unit_test(database_away),
		cmocka_unit_test(one_flight),
		cmocka_unit_test(many_threads),
	};

	if (!dbtemp_there())
		return 77;
	return cmocka_run_group_tests(tests, setup, teardown);
}
