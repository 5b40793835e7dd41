/* Making and changing instances as sb_admin: versions, limits under
 * concurrency, and nothing of another account. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>

#include "agent/admin.h"
#include "agent/template.h"
#include "audit/audit.h"
#include "crypto/hash.h"
#include "db/db.h"
#include "lib/dbfix.h"
#include "lib/dbtemp.h"
#include "unit/agent/seeds.h"
#include "util/json.h"
#include "util/mem.h"

#include "util/banned.h"

#define ACME "0190a000-0000-7000-8000-0000000000a0"
#define GLOBEX "0190a000-0000-7000-8000-0000000000b0"
#define FULL "0190a000-0000-7000-8000-0000000000c0"
#define THREADS 16

static const struct audit_entry by = { .actor_kind = "system" };
static struct db_pool *pool;
static struct templates *templates;
static struct uuid acme, globex, full;
static struct spec_error errors[SPEC_ERRORS];
static int nerrors;

static int
create(const struct uuid *account, const char *type, const char *name,
    const char *configuration, struct uuid *id, struct err *e)
{
	json_auto_t *c = json_loads(configuration, 0, NULL);
	struct agent_new n = { type, name, "Näme", c, "test", NULL, &by };

	return agent_create(
	    pool, templates, account, &n, id, errors, &nerrors, e);
}

static void
creates(void **state)
{
	struct uuid id;
	struct err e = { 0 };

	(void)state;
	if (create(&acme, "sales", "one", SEED_INSTANCE, &id, &e) != 0)
		fail_msg("%s", e.text);
	assert_int_equal(nerrors, 0);
	assert_int_equal(
	    dbfix_number("SELECT count(*) FROM control.agent_instances "
			 "WHERE account_id = '" ACME "' AND "
			 "instance_name = 'one' AND status = 'active' "
			 "AND config_version = 1 AND configuration->"
			 "'rate_limits'->>'max_tokens_per_hour' = "
			 "'50000'"),
	    1);
	assert_int_equal(
	    dbfix_number(
		"SELECT count(*) FROM control.agent_config_versions "
		"WHERE account_id = '" ACME "' AND version = 1 AND author "
		"= 'test' AND configuration = (SELECT configuration FROM "
		"control.agent_instances WHERE instance_name = 'one')"),
	    1);

	assert_int_equal(create(&acme, "sales", "one", "{}", &id, &e), -1);
	assert_int_equal(e.code, ERR_CONFLICT);
	assert_non_null(strstr(e.text, "sales/one already"));
	/* Another type, another account: another name. */
	assert_int_equal(create(&acme, "rag", "one", "{}", &id, &e), 0);
	assert_int_equal(create(&globex, "sales", "one", "{}", &id, &e), 0);
}

static void
refuses(void **state)
{
	struct agent_new n = { "sales", "two", "", NULL, "test", NULL, &by };
	char longest[300];
	struct uuid id, nobody;
	struct err e = { 0 };
	json_t *empty = json_object();

	(void)state;
	assert_int_equal(create(&acme, "sales", "two",
			     "{\"max_tokens\":0,\"colour\":1}", &id, &e),
	    -1);
	assert_int_equal(e.code, ERR_INVALID);
	assert_int_equal(nerrors, 2);
	assert_string_equal(errors[0].pointer, "/max_tokens");
	assert_int_equal(create(&acme, "nobody", "two", "{}", &id, &e), -1);
	assert_int_equal(e.code, ERR_INVALID);
	assert_int_equal(nerrors, 0);
	assert_int_equal(create(&acme, "sales", "Two", "{}", &id, &e), -1);
	assert_int_equal(e.code, ERR_INVALID);
	n.configuration = empty;
	assert_int_equal(
	    agent_create(pool, templates, &acme, &n, &id, errors, &nerrors, &e),
	    -1);
	assert_int_equal(e.code, ERR_INVALID);
	memset(longest, 'x', sizeof(longest));
	longest[201] = '\0';
	n.display_name = longest;
	assert_int_equal(
	    agent_create(pool, templates, &acme, &n, &id, errors, &nerrors, &e),
	    -1);
	n.display_name = "\xff";
	assert_int_equal(
	    agent_create(pool, templates, &acme, &n, &id, errors, &nerrors, &e),
	    -1);
	json_decref(empty);
	id_new(&nobody);
	assert_int_equal(create(&nobody, "sales", "two", "{}", &id, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	assert_int_equal(
	    dbfix_number("SELECT count(*) FROM control.agent_instances "
			 "WHERE instance_name ILIKE 'two'"),
	    0);
}

static int
configure(const struct uuid *account, const struct uuid *id, const char *text,
    int64_t *version, struct err *e)
{
	json_auto_t *c = json_loads(text, 0, NULL);

	return agent_configure(pool, templates, account, id, c, "someone", &by,
	    version, errors, &nerrors, e);
}

static void
configures(void **state)
{
	struct uuid id, nobody;
	struct err e = { 0 };
	int64_t version = 0;

	(void)state;
	assert_int_equal(create(&acme, "sales", "three", "{}", &id, &e), 0);
	assert_int_equal(
	    configure(&acme, &id, "{\"max_tokens\":5}", &version, &e), 0);
	assert_int_equal(version, 2);
	assert_int_equal(configure(&acme, &id, SEED_INSTANCE, &version, &e), 0);
	assert_int_equal(version, 3);
	/* A refused one leaves no trace. */
	assert_int_equal(
	    configure(&acme, &id, "{\"max_tokens\":-5}", &version, &e), -1);
	assert_int_equal(e.code, ERR_INVALID);
	assert_int_equal(nerrors, 1);
	assert_int_equal(version, 3);
	assert_int_equal(
	    dbfix_number(
		"SELECT count(*) FROM control.agent_config_versions v JOIN "
		"control.agent_instances i ON i.id = v.agent_instance_id "
		"WHERE i.instance_name = 'three'"),
	    3);
	assert_int_equal(
	    dbfix_number(
		"SELECT (configuration->>'max_tokens')::int FROM "
		"control.agent_config_versions WHERE version = 2 AND author "
		"= 'someone'"),
	    5);
	/* Nobody else's, and nobody's. */
	assert_int_equal(configure(&globex, &id, "{}", &version, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	id_new(&nobody);
	assert_int_equal(configure(&acme, &nobody, "{}", &version, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	assert_int_equal(
	    dbfix_number("SELECT config_version FROM "
			 "control.agent_instances WHERE instance_name "
			 "= 'three'"),
	    3);
}

static void
statuses(void **state)
{
	struct uuid id;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(create(&acme, "sales", "four", "{}", &id, &e), 0);
	assert_int_equal(
	    agent_set_status(pool, &acme, &id, "inactive", &by, &e), 0);
	assert_int_equal(
	    agent_set_status(pool, &acme, &id, "archived", &by, &e), 0);
	assert_int_equal(
	    agent_set_status(pool, &acme, &id, "active", &by, &e), 0);
	assert_int_equal(
	    agent_set_status(pool, &acme, &id, "asleep", &by, &e), -1);
	assert_int_equal(e.code, ERR_INVALID);
	assert_int_equal(
	    agent_set_status(pool, &globex, &id, "archived", &by, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	assert_int_equal(
	    dbfix_number("SELECT count(*) FROM control.agent_instances "
			 "WHERE instance_name = 'four' AND status = "
			 "'active'"),
	    1);
}

/* Sixteen at once for an account that may have five. */
static atomic_int made, limited, other;

static void *
maker(void *arg)
{
	json_auto_t *empty = json_object();
	struct spec_error errs[SPEC_ERRORS];
	char name[16];
	struct agent_new n = { "sales", name, "N", empty, "test", NULL, &by };
	struct err e = { 0 };
	struct uuid id;
	int nerrs;

	snprintf(name, sizeof(name), "n%d", *(int *)arg);
	if (agent_create(pool, templates, &full, &n, &id, errs, &nerrs, &e) ==
	    0)
		atomic_fetch_add(&made, 1);
	else if (e.code == ERR_LIMIT && strcmp(e.kind, "max-agents") == 0)
		atomic_fetch_add(&limited, 1);
	else {
		print_error("%s\n", e.text);
		atomic_fetch_add(&other, 1);
	}
	return NULL;
}

static void
limit_under_concurrency(void **state)
{
	pthread_t threads[THREADS];
	int ids[THREADS];
	struct uuid id;
	struct err e = { 0 };
	char *one;

	(void)state;
	for (int i = 0; i < THREADS; i++) {
		ids[i] = i;
		assert_int_equal(
		    pthread_create(&threads[i], NULL, maker, &ids[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(made, 5);
	assert_int_equal(limited, 11);
	assert_int_equal(other, 0);
	/* Archived ones do not count; coming back does. */
	one = dbfix_text(
	    "SELECT id FROM control.agent_instances WHERE account_id = '" FULL
	    "' LIMIT 1");
	assert_int_equal(id_parse(one, strlen(one), &id), 0);
	mem_free(one);
	assert_int_equal(
	    agent_set_status(pool, &full, &id, "archived", &by, &e), 0);
	assert_int_equal(create(&full, "rag", "x", "{}", &id, &e), 0);
	one = dbfix_text(
	    "SELECT id FROM control.agent_instances WHERE account_id = '" FULL
	    "' AND status = 'archived'");
	assert_int_equal(id_parse(one, strlen(one), &id), 0);
	mem_free(one);
	assert_int_equal(
	    agent_set_status(pool, &full, &id, "active", &by, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_string_equal(e.kind, "max-agents");
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
	if (crypto_setup(&e) != 0 || templates_load(TEMPLATES_DIR, NULL, ignore,
					 NULL, &templates, &e) != 0)
		return -1;
	pool = dbfix_open("sb_admin");
	dbfix_sql(
	    "INSERT INTO control.accounts (id, slug, name, tier, max_agents) "
	    "VALUES ('" ACME "', 'acme', 'Acme', 'enterprise', NULL),"
	    "('" GLOBEX "', 'globex', 'Globex', 'standard', NULL),"
	    "('" FULL "', 'full', 'Full', 'free', 5)");
	if (id_parse(ACME, 36, &acme) != 0 ||
	    id_parse(GLOBEX, 36, &globex) != 0 || id_parse(FULL, 36, &full))
		return -1;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	dbfix_close();
	templates_free(templates);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(creates),
		cmocka_unit_test(refuses),
		cmocka_unit_test(configures),
		cmocka_unit_test(statuses),
		cmocka_unit_test(limit_under_concurrency),
	};

	if (!dbtemp_there())
		return 77;
	return cmocka_run_group_tests(tests, setup, teardown);
}
