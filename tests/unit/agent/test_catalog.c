/* The catalogue against a real database: what is found, for whom, and when it
 * is made anew. */
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
#include "agent/catalog.h"
#include "agent/spec.h"
#include "agent/template.h"
#include "crypto/hash.h"
#include "db/db.h"
#include "lib/dbfix.h"
#include "lib/dbtemp.h"
#include "shm/epoch.h"
#include "unit/agent/seeds.h"
#include "util/json.h"
#include "util/lru.h"
#include "util/mem.h"

#include "util/banned.h"

#define ACME "0190a000-0000-7000-8000-0000000000a0"
#define GLOBEX "0190a000-0000-7000-8000-0000000000b0"
#define THREADS 16

static struct db_pool *pool;
static struct accounts *accounts;
static struct templates *templates;
static const struct account *acme, *globex;

static uint64_t
misses(struct catalog *c)
{
	struct lru_stats st;

	catalog_stats(c, &st);
	return st.misses;
}

static void
finds(void **state)
{
	struct catalog *c = catalog_new(dbfix_tiers(pool), templates, 10);
	const struct agent_spec *s, *again, *other;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(
	    catalog_get(c, acme, "sales", "human_health", 0, &s, &e), 0);
	assert_true(id_eq(&s->account_id, &acme->id));
	assert_int_equal(s->account_slot, acme->slot);
	assert_false(id_is_nil(&s->id));
	assert_true(s->slot > 0);
	assert_string_equal(s->type, "sales");
	assert_string_equal(s->name, "human_health");
	assert_string_equal(s->display_name, "Human Hé");
	assert_string_equal(s->model, "openai:gpt-4o-mini");
	assert_int_equal(s->config_version, 1);
	assert_int_equal(
	    catalog_get(c, acme, "sales", "human_health", 0, &again, &e), 0);
	assert_ptr_equal(s, again);
	assert_int_equal(misses(c), 1);
	/* The same names in another account are another agent. */
	assert_int_equal(
	    catalog_get(c, globex, "sales", "human_health", 0, &other, &e), 0);
	assert_ptr_not_equal(s, other);
	assert_true(id_eq(&other->account_id, &globex->id));
	assert_string_equal(other->model, "openai:gpt-4o");
	agent_spec_unref(s);
	agent_spec_unref(again);
	agent_spec_unref(other);
	catalog_free(c);
}

static void
not_found(void **state)
{
	static const struct {
		const char *type, *name;
	} rows[] = {
		{ "sales", "nobody" },
		{ "sales", "asleep" },   /* inactive */
		{ "sales", "archived" }, /* archived */
		{ "sales", "foreign" },  /* of globex */
		{ "research", "human_health" },
		{ "nothing", "human_health" },
		{ "Sales", "human_health" },
		{ "sales", "" },
		{ "sales", "human_health'--" },
		{ "", "" },
	};
	struct catalog *c = catalog_new(dbfix_tiers(pool), templates, 10);
	const struct agent_spec *s = NULL;
	char first[240] = "";

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err e = { 0 };

		assert_int_equal(
		    catalog_get(c, acme, rows[i].type, rows[i].name, 0, &s, &e),
		    -1);
		assert_int_equal(e.code, ERR_NOT_FOUND);
		if (first[0] == '\0')
			snprintf(first, sizeof(first), "%s", e.text);
		assert_string_equal(e.text, first);
		assert_null(s);
	}
	catalog_free(c);
}

static void
made_anew(void **state)
{
	struct catalog *c = catalog_new(dbfix_tiers(pool), templates, 10);
	const struct agent_spec *s, *old;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(
	    catalog_get(c, acme, "sales", "human_health", 0, &old, &e), 0);
	dbfix_sql(
	    "UPDATE control.agent_instances SET configuration = "
	    "'{\"max_tokens\": 7}', config_version = 2 "
	    "WHERE instance_name = 'human_health' AND account_id = '" ACME "'");
	dbfix_hear();
	assert_int_equal(
	    catalog_get(c, acme, "sales", "human_health", 0, &s, &e), 0);
	assert_int_equal(s->max_tokens, 7);
	assert_int_equal(s->config_version, 2);
	assert_int_equal(old->max_tokens, 2000);
	agent_spec_unref(s);
	agent_spec_unref(old);

	/* Put to sleep, and woken up. */
	dbfix_sql(
	    "UPDATE control.agent_instances SET status = 'inactive' "
	    "WHERE instance_name = 'human_health' AND account_id = '" ACME "'");
	dbfix_hear();
	assert_int_equal(
	    catalog_get(c, acme, "sales", "human_health", 0, &s, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	dbfix_sql(
	    "UPDATE control.agent_instances SET status = 'active' "
	    "WHERE instance_name = 'human_health' AND account_id = '" ACME "'");
	dbfix_hear();
	assert_int_equal(
	    catalog_get(c, acme, "sales", "human_health", 0, &s, &e), 0);
	agent_spec_unref(s);
	catalog_free(c);
}

/* A change of another account makes nothing old. */
static void
others_stay(void **state)
{
	struct catalog *c = catalog_new(dbfix_tiers(pool), templates, 10);
	const struct agent_spec *s, *t;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(
	    catalog_get(c, acme, "sales", "human_health", 0, &s, &e), 0);
	dbfix_sql(
	    "UPDATE control.accounts SET name = name WHERE slug = 'globex'");
	dbfix_hear();
	assert_int_equal(
	    catalog_get(c, acme, "sales", "human_health", 0, &t, &e), 0);
	assert_ptr_equal(s, t);
	agent_spec_unref(s);
	agent_spec_unref(t);
	catalog_free(c);
}

/* What stands in the database but no longer fits its template. */
static void
unusable(void **state)
{
	struct catalog *c = catalog_new(dbfix_tiers(pool), templates, 10);
	const struct agent_spec *s = NULL;
	struct err e = { 0 };

	(void)state;
	dbfix_sql(
	    "INSERT INTO control.agent_instances (account_id, id, agent_type, "
	    "instance_name, display_name, configuration) VALUES "
	    "('" ACME "', gen_random_uuid(), 'sales', 'broken', 'B', "
	    "'{\"tools\": {\"product_search\": {\"max_results\": \"x\"}}}'),"
	    "('" ACME "', gen_random_uuid(), 'lost', 'one', 'L', '{}')");
	dbfix_hear();
	assert_int_equal(
	    catalog_get(c, acme, "sales", "broken", 0, &s, &e), -1);
	assert_int_equal(e.code, ERR_UNAVAILABLE);
	assert_non_null(strstr(e.text, "/tools/product_search/max_results"));
	assert_int_equal(catalog_get(c, acme, "lost", "one", 0, &s, &e), -1);
	assert_int_equal(e.code, ERR_UNAVAILABLE);
	assert_null(s);
	catalog_free(c);
}

static void *
getter(void *arg)
{
	struct catalog *c = arg;
	const struct agent_spec *s;
	struct err e = { 0 };

	for (int i = 0; i < 300; i++) {
		uint64_t heard = epoch_get(acme->slot);

		if (catalog_get(c, acme, "sales", "human_health", 0, &s, &e) !=
		    0)
			return arg;
		if (s->epoch < heard || !id_eq(&s->account_id, &acme->id) ||
		    s->system_prompt[0] == '\0')
			return arg;
		agent_spec_unref(s);
	}
	return NULL;
}

static void
run_threads(struct catalog *c, int changes)
{
	pthread_t threads[THREADS];
	void *bad;

	for (int i = 0; i < THREADS; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, getter, c), 0);
	for (int i = 0; i < changes; i++) {
		dbfix_sql("UPDATE control.agent_instances SET config_version = "
			  "config_version + 1 WHERE account_id = '" ACME "'");
		dbfix_hear();
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &bad);
		assert_null(bad);
	}
}

static void
one_flight(void **state)
{
	struct catalog *c = catalog_new(dbfix_tiers(pool), templates, 10);

	(void)state;
	run_threads(c, 0);
	assert_int_equal(misses(c), 1);
	catalog_free(c);
}

static void
changing(void **state)
{
	struct catalog *c = catalog_new(dbfix_tiers(pool), templates, 2);

	(void)state;
	run_threads(c, 20);
	catalog_free(c);
}

static void
ignore(void *arg, const char *text)
{
	(void)arg;
	print_error("%s\n", text);
}

static int
setup(void **state)
{
	struct err e = { 0 };

	(void)state;
	json_setup();
	epoch_map(1024);
	dbfix_listen();
	if (crypto_setup(&e) != 0 || templates_load(TEMPLATES_DIR, NULL, ignore,
					 NULL, &templates, &e) != 0) {
		print_error("%s\n", e.text);
		return -1;
	}
	pool = dbfix_open("sb_chat");
	dbfix_sql("INSERT INTO control.accounts (id, slug, name, tier) VALUES "
		  "('" ACME "', 'acme', 'Acme', 'enterprise'),"
		  "('" GLOBEX "', 'globex', 'Globex', 'standard')");
	dbfix_sql(
	    "INSERT INTO control.agent_instances (account_id, id, agent_type, "
	    "instance_name, display_name, configuration, status) VALUES "
	    "('" ACME "', gen_random_uuid(), 'sales', 'human_health', "
	    "'Human Hé', '" SEED_INSTANCE "', 'active'),"
	    "('" ACME "', gen_random_uuid(), 'sales', 'asleep', 'A', '{}', "
	    "'inactive'),"
	    "('" ACME "', gen_random_uuid(), 'sales', 'archived', 'A', '{}', "
	    "'archived'),"
	    "('" GLOBEX "', gen_random_uuid(), 'sales', 'human_health', 'G', "
	    "'{}', 'active'),"
	    "('" GLOBEX "', gen_random_uuid(), 'sales', 'foreign', 'F', '{}', "
	    "'active')");
	accounts = accounts_new(dbfix_tiers(pool), 10);
	if (accounts_by_slug(accounts, "acme", 0, &acme, &e) != 0 ||
	    accounts_by_slug(accounts, "globex", 0, &globex, &e) != 0)
		return -1;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	account_unref(acme);
	account_unref(globex);
	accounts_free(accounts);
	dbfix_close();
	templates_free(templates);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds),
		cmocka_unit_test(not_found),
		cmocka_unit_test(made_anew),
		cmocka_unit_test(others_stay),
		cmocka_unit_test(unusable),
		cmocka_unit_test(one_flight),
		cmocka_unit_test(changing),
	};

	if (!dbtemp_there())
		return 77;
	return cmocka_run_group_tests(tests, setup, teardown);
}
