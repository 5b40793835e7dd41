/* max_agents and configuration epochs, kept by the database. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "db/listen.h"
#include "util/mem.h"

#include "lib/dbtemp.h"
#include "unit/db/schema.h"

#include "util/banned.h"

struct racer {
	pthread_t thread;
	int n, passed, limited;
	pthread_barrier_t *line;
};

static void *
race(void *arg)
{
	struct racer *x = arg;
	PGconn *pg = login("sb_admin");
	char *sql = mem_printf(NULL,
	    AS_A "INSERT INTO agent_instances (account_id, id, agent_type, "
		 "instance_name, display_name) VALUES ('" A
		 "', gen_random_uuid(), 'sales', 'race_%d', 'r')",
	    x->n);
	PGresult *r;
	const char *s;

	PQclear(PQexec(pg, "BEGIN"));
	pthread_barrier_wait(x->line);
	r = PQexec(pg, sql);
	s = PQresultErrorField(r, PG_DIAG_SQLSTATE);
	x->limited = s != NULL && !strcmp(s, "SB429");
	PQclear(r);
	r = PQexec(pg, "COMMIT");
	x->passed = !strcmp(PQcmdStatus(r), "COMMIT");
	PQclear(r);
	PQfinish(pg);
	mem_free(sql);
	return NULL;
}

/* Fifty at once at the edge of a limit of eight (one is there): seven pass. */
static void
test_max_agents(void **state)
{
	enum { RACERS = 50 };
	struct racer x[RACERS];
	pthread_barrier_t line;
	int i, passed = 0, limited = 0;

	(void)state;
	owner("UPDATE accounts SET max_agents = 8 WHERE slug = 'aaa'");
	pthread_barrier_init(&line, NULL, RACERS);
	for (i = 0; i < RACERS; i++) {
		x[i] = (struct racer){ .n = i, .line = &line };
		pthread_create(&x[i].thread, NULL, race, &x[i]);
	}
	for (i = 0; i < RACERS; i++) {
		pthread_join(x[i].thread, NULL);
		passed += x[i].passed;
		limited += x[i].limited;
	}
	pthread_barrier_destroy(&line);
	assert_int_equal(passed, 7);
	assert_int_equal(limited, RACERS - 7);
	/* many rows in one statement count too; archived ones do not */
#define MORE(n)                                                                \
	AS_A "INSERT INTO agent_instances (account_id, id, agent_type, "       \
	     "instance_name, display_name, status) SELECT '" A                 \
	     "', gen_random_uuid(), 'more', 'm' || i, 'm', 'inactive' FROM "   \
	     "generate_series(1, " #n ") i"
	owner("UPDATE accounts SET max_agents = 10 WHERE slug = 'aaa'");
	expect_state("sb_admin", MORE(3), "SB429");
	expect_state("sb_admin", MORE(2), "00000");
	owner("UPDATE agent_instances SET status = 'archived' WHERE "
	      "instance_name = 'human'");
	expect_state("sb_admin", MORE(3), "00000");
	owner("UPDATE accounts SET max_agents = 8 WHERE slug = 'aaa'");
	owner("UPDATE agent_instances SET status = 'inactive' WHERE "
	      "instance_name = 'human' AND account_id = '" A "'");
	/* full again: changes are fine, coming back is not */
	expect_state("sb_admin",
	    AS_A "UPDATE agent_instances SET status = 'active'", "00000");
	expect_state("sb_admin", MORE(1), "SB429");
	owner("UPDATE accounts SET max_agents = -1 WHERE slug = 'aaa'");
	expect_state("sb_admin", MORE(300), "00000");
	owner("UPDATE accounts SET max_agents = NULL, tier = 'free' WHERE slug "
	      "= 'aaa'");
	expect_state("sb_admin", MORE(1), "SB429");
	owner("DELETE FROM agent_instances WHERE instance_name LIKE 'race%'; "
	      "UPDATE agent_instances SET status = 'active'; "
	      "UPDATE accounts SET tier = 'enterprise'");
}

struct heard {
	int slot, n;
	int64_t epoch;
};

static void
hear(void *arg, const char *payload)
{
	struct heard *h = arg;
	char *end;

	h->slot = (int)strtol(payload, &end, 10);
	h->epoch = strtoll(end, NULL, 10);
	h->n++;
}

/* Run ${sql}; how many notices come of it (a ping marks the end). */
static struct heard
notices(struct db_listen *l, const char *role, const char *sql)
{
	struct heard h = { 0 };
	struct err e = { 0 };
	bool fresh;

	mem_free(dbtemp_sql(db, role, sql));
	if (db_listen_ping(l, 2000, &e) != 0 ||
	    db_listen_wait(l, 0, hear, &h, &fresh, &e) != 0)
		fail_msg("%s", e.text);
	return h;
}

static void
test_epochs(void **state)
{
	struct db_listen *l = db_listen_new(db, "sb_job", "sb_config", 2000);
	struct heard h = { 0 };
	struct err e = { 0 };
	char *slot, *epoch;
	bool fresh;
	size_t i;
	static const char *const changes[] = {
		"UPDATE agent_instances SET configuration = '{\"x\": 1}', "
		"config_version = 2 WHERE account_id = '" A "'",
		"INSERT INTO api_keys (account_id, id, name, prefix, key_hash, "
		"role) VALUES ('" A "', '" A "', 'k', 'p', sha256('k'), "
		"'account_owner')",
		"UPDATE api_keys SET revoked_at = now() WHERE account_id = '" A
		"'",
		"INSERT INTO widget_keys (account_id, id, name, prefix, "
		"key_hash, allowed_origins) VALUES ('" A "', '" A
		"', 'k', 'p', sha256('w'), '{http://x}')",
		"UPDATE widget_keys SET allowed_origins = '{http://y}' WHERE "
		"account_id = '" A "'",
		"UPDATE accounts SET is_active = false WHERE id = '" A "'",
		"UPDATE accounts SET is_active = true WHERE id = '" A "'",
	};
	static const char *const quiet[] = {
		"UPDATE agent_instances SET last_used_at = now() WHERE "
		"account_id = '" A "'",
		"UPDATE api_keys SET last_used_at = now() WHERE account_id = "
		"'" A "'",
	};

	(void)state;
	if (db_listen_wait(l, 2000, hear, &h, &fresh, &e) != 0)
		fail_msg("%s", e.text);
	assert_true(fresh);
	slot = dbtemp_sql(
	    db, "sb_owner", "SELECT slot FROM accounts WHERE slug = 'aaa'");
	for (i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		char *as = mem_printf(NULL, AS_A "%s", changes[i]);

		h = notices(l, "sb_admin", as);
		mem_free(as);
		if (h.n != 1)
			fail_msg("%d notices: %s", h.n, changes[i]);
		assert_int_equal(h.slot, strtol(slot, NULL, 10));
		epoch = dbtemp_sql(db, "sb_owner",
		    "SELECT config_epoch FROM accounts WHERE slug = 'aaa'");
		assert_int_equal(h.epoch, strtoll(epoch, NULL, 10));
		mem_free(epoch);
	}
	for (i = 0; i < sizeof(quiet) / sizeof(quiet[0]); i++)
		assert_int_equal(notices(l, "sb_owner", quiet[i]).n, 0);
	h = notices(l, "sb_admin",
	    "UPDATE tiers SET requests_per_hour = 101 WHERE name = 'free'");
	assert_int_equal(h.n, 1);
	assert_int_equal(h.slot, 0);
	h = notices(l, "sb_admin",
	    "INSERT INTO prices VALUES ('" A "', 'openai:x', '2025-01-01', "
	    "NULL, 2.5, 10, 1.25, 0), ('" B "', 'openai:x*', '2026-01-01', "
	    "'2027-01-01', 0.15, 0.6, 0.075, 0)");
	assert_int_equal(h.n, 1);
	assert_int_equal(h.slot, 0);
	assert_int_equal(h.epoch, 3);
	expect("sb_chat",
	    "SELECT string_agg(p::text, ';' ORDER BY model) FROM gate.prices() "
	    "p WHERE model LIKE 'openai:x%'",
	    "(openai:x,1735689600000000,0,2500,10000,1250,0);"
	    "(openai:x*,1767225600000000,1798761600000000,150,600,75,0)");
	mem_free(slot);
	db_listen_free(l);
}

#define MEMBER(n) "0192f3a0-0000-7000-8000-0000000000c" #n
#define OWNERS                                                                 \
	"SELECT count(*) FROM memberships WHERE account_id = '" A              \
	"' AND role = 'account_owner'"

/* An account that has an owner keeps one who may sign in. */
static void
test_owner_stays(void **state)
{
	(void)state;
	owner("INSERT INTO users (id, email, display_name, password_hash) "
	      "SELECT id::uuid, id || '@x', 'n', '$argon2id$x' FROM unnest("
	      "ARRAY['" MEMBER(1) "', '" MEMBER(2) "', '" MEMBER(
		  3) "']) id; "
		     "INSERT INTO memberships VALUES ('" A
		     "', '" MEMBER(1) "', 'account_owner'), ('" A "', '" MEMBER(
			 2) "', 'account_owner'), ('" A
			    "', '" MEMBER(3) "', 'viewer'), ('" B "', '" MEMBER(
				3) "', 'account_owner')");
#define ALONE "WHERE user_id = '" MEMBER(1) "'"
	/* several in one statement: what is left counts */
	expect_state("sb_admin", AS_A "DELETE FROM memberships", "SB409");
	expect_state(
	    "sb_admin", AS_A "UPDATE memberships SET role = 'viewer'", "SB409");
	expect("sb_owner", OWNERS, "2");
	expect_state("sb_admin",
	    AS_A "UPDATE memberships SET role = 'analyst' WHERE user_id = "
		 "'" MEMBER(2) "'",
	    "00000");
	owner("UPDATE memberships SET role = 'analyst' WHERE user_id = "
	      "'" MEMBER(2) "'");
	expect_state(
	    "sb_admin", AS_A "DELETE FROM memberships " ALONE, "SB409");
	expect_state("sb_admin",
	    AS_A "UPDATE memberships SET role = 'viewer' " ALONE, "SB409");
	expect_state("sb_admin",
	    AS_A "UPDATE memberships SET role = 'account_owner' " ALONE,
	    "00000");
	/* one who may not sign in is none */
	owner("UPDATE memberships SET role = 'account_owner' WHERE user_id = "
	      "'" MEMBER(2) "'; UPDATE users SET is_active = false WHERE id = "
			    "'" MEMBER(2) "'");
	expect_state(
	    "sb_admin", AS_A "DELETE FROM memberships " ALONE, "SB409");
	owner("UPDATE users SET is_active = true WHERE id = '" MEMBER(2) "'");
	expect_state(
	    "sb_admin", AS_A "DELETE FROM memberships " ALONE, "00000");
	expect_state("sb_admin",
	    AS_A "DELETE FROM memberships WHERE user_id = '" MEMBER(3) "'",
	    "00000");
	/* who has the tables may take an account apart */
	owner("DELETE FROM memberships; DELETE FROM users");
}

/* The first statement of a change says whether it is what was read. */
static void
test_unchanged(void **state)
{
	(void)state;
	expect("sb_admin", "SELECT control.unchanged('a', 'a')", "t");
	expect_state("sb_admin", "SELECT control.unchanged('a', 'b')", "SB412");
	expect_state(
	    "sb_admin", "SELECT control.unchanged(NULL, 'b')", "SB404");
	expect_state("sb_chat", "SELECT control.unchanged('a', 'a')", "42501");
	/* a row that row security hides is not there */
	expect_state("sb_admin",
	    AS_A "SELECT control.unchanged((SELECT 'x' FROM agent_instances "
		 "WHERE account_id = '" B "' LIMIT 1 FOR NO KEY UPDATE), 'x')",
	    "SB404");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_max_agents),
		cmocka_unit_test(test_owner_stays),
		cmocka_unit_test(test_unchanged),
		cmocka_unit_test(test_epochs),
	};

	if (!dbtemp_there())
		return 77;
	return cmocka_run_group_tests(tests, schema_set_up, schema_tear_down);
}
