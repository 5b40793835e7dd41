/* Row security and rights, asked as the running roles. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>

#include "util/mem.h"

#include "lib/dbtemp.h"
#include "unit/db/schema.h"

#include "util/banned.h"

/* ROBUSTNESS B5: each row of the lint is a finding. */
static void
test_catalogue(void **state)
{
	char *path =
	    mem_printf(NULL, "%s/../tests/lib/catalogue.sql", dbtemp_sql_dir());
	char *sql = read_file(path);
	PGconn *pg = login("postgres");
	PGresult *r = PQexec(pg, sql);
	int i;

	(void)state;
	if (PQresultStatus(r) != PGRES_TUPLES_OK)
		fail_msg("%s", PQerrorMessage(pg));
	for (i = 0; i < PQntuples(r); i++)
		print_error("%s\n", PQgetvalue(r, i, 0));
	assert_int_equal(PQntuples(r), 0);
	PQclear(r);
	/* it can fail: a table that nobody protected */
	owner("CREATE TABLE data.naked (account_id uuid PRIMARY KEY)");
	r = PQexec(pg, sql);
	assert_true(PQntuples(r) > 0);
	PQclear(r);
	owner("DROP TABLE data.naked");
	PQfinish(pg);
	free(sql);
	mem_free(path);
}

/* The functions of gate are those of the files, no more, and none is for
 * everybody. */
static void
test_gate_list(void **state)
{
	char *dir = mem_printf(NULL, "%s/gate", dbtemp_sql_dir());
	char *names = mem_strdup(dir, ""), *path, *text, *at, *sql;
	struct dirent *f;
	DIR *d = opendir(dir);

	(void)state;
	assert_non_null(d);
	while ((f = readdir(d)) != NULL) {
		if (strstr(f->d_name, ".sql") == NULL)
			continue;
		path = mem_printf(NULL, "%s/%s", dir, f->d_name);
		text = read_file(path);
		for (at = text; (at = strstr(at, "FUNCTION gate.")) != NULL;
		     at += 14)
			if (at - text > 18 &&
			    !strncmp(at - 18, "CREATE OR REPLACE ", 18))
				names = mem_printf(dir, "%s,'%.*s'", names,
				    (int)strcspn(at + 14, "("), at + 14);
		free(text);
		mem_free(path);
	}
	closedir(d);
	sql = mem_printf(NULL,
	    "SELECT count(DISTINCT proname) = (SELECT count(DISTINCT n) FROM "
	    "unnest(ARRAY[%s]) n) AND bool_and(proname = ANY (ARRAY[%s])) FROM "
	    "pg_proc WHERE pronamespace = 'gate'::regnamespace",
	    names + 1, names + 1);
	expect("sb_owner", sql, "t");
	/* what makes and drops partitions is the owner's, for the jobs alone */
	expect("sb_owner",
	    "SELECT string_agg(proname || ':' || coalesce((SELECT string_agg("
	    "grantee::regrole::text, ',') FROM aclexplode(proacl) WHERE "
	    "grantee <> proowner), ''), ' ' ORDER BY proname) FROM pg_proc "
	    "WHERE pronamespace = 'gate'::regnamespace AND "
	    "proowner::regrole::text <> 'sb_gate'",
	    "account_forget:sb_job account_purge:sb_job "
	    "maintain_partitions:sb_job retain_audit_log:sb_job "
	    "retain_partition: retain_turns:sb_job "
	    "retain_usage_rollups:sb_job");
	mem_free(sql);
	mem_free(dir);
}

#define RUNNING "sb_chat", "sb_admin", "sb_writer", "sb_job"

/* B6: without an account, nothing and no error, on a fresh connection and on
 * one that had an account before. */
static void
test_unset(void **state)
{
	static const char *const roles[] = { RUNNING };
	PGconn *pg;
	PGresult *tables, *r;
	char *sql;
	size_t i;
	int t, used, seen = 0;

	(void)state;
	for (i = 0; i < 4; i++) {
		pg = login(roles[i]);
		tables = PQexec(pg,
		    "SELECT c.oid::regclass FROM pg_class c WHERE "
		    "relnamespace IN ('control'::regnamespace, "
		    "'data'::regnamespace) AND relkind IN ('r', 'p', 'v') AND "
		    "NOT relispartition AND has_any_column_privilege(c.oid, "
		    "'SELECT') AND (relname = 'accounts' OR EXISTS (SELECT FROM"
		    " pg_attribute a WHERE attrelid = c.oid AND attname = "
		    "'account_id'))");
		for (used = 0; used < 2; used++) {
			for (t = 0; t < PQntuples(tables); t++) {
				sql =
				    mem_printf(NULL, "SELECT count(*) FROM %s",
					PQgetvalue(tables, t, 0));
				r = PQexec(pg, sql);
				if (PQresultStatus(r) != PGRES_TUPLES_OK ||
				    strcmp(PQgetvalue(r, 0, 0), "0") != 0)
					fail_msg("%s: %s: %s", roles[i], sql,
					    PQerrorMessage(pg));
				PQclear(r);
				mem_free(sql);
				seen++;
			}
			PQclear(PQexec(pg, "BEGIN;" AS_A "COMMIT"));
			PQclear(PQexec(pg, "BEGIN; SET LOCAL app.account_ids = "
					   "'{" A "}'; COMMIT"));
		}
		PQclear(tables);
		PQfinish(pg);
	}
	assert_true(seen > 40);
}

/* With account A, A's rows only; nothing of B can be made, changed, taken. */
static void
test_tenant(void **state)
{
	(void)state;
	expect("sb_owner", "SELECT count(*) FROM turns", "4");
	expect("sb_chat",
	    AS_A "SELECT count(*) || ' ' || bool_and(account_id = "
		 "'" A "') FROM turns",
	    "2 true");
	expect("sb_chat", AS_A "SELECT count(*) FROM messages", "4");
	expect("sb_admin", AS_A "SELECT string_agg(slug, ',') FROM accounts",
	    "aaa");
	expect("sb_admin",
	    AS_A "SELECT count(*) FROM turns WHERE account_id = '" B "'", "0");
	expect_state("sb_chat",
	    AS_A "INSERT INTO session_names VALUES ('" A "', 'k', '" A "')",
	    "00000");
	expect_state("sb_chat",
	    AS_A "INSERT INTO session_names VALUES ('" B "', 'k', '" A "')",
	    "42501");
	expect_state("sb_admin",
	    AS_A "INSERT INTO accounts (id, slug, name, tier) VALUES ('" A
		 "', 'x1',"
		 " 'x', 'free')",
	    "23505");
	expect_state("sb_admin",
	    AS_A "INSERT INTO accounts (id, slug, name, tier) VALUES "
		 "('0192f3a0-0000-7000-8000-00000000000c', 'x1', 'x', 'free')",
	    "42501");
	expect_state("sb_admin",
	    AS_A "UPDATE agent_instances SET account_id = '" B "'", "42501");
	expect_state(
	    "sb_admin", AS_A "UPDATE accounts SET config_epoch = 9", "42501");
	expect("sb_admin",
	    "BEGIN;" AS_A
	    "WITH u AS (UPDATE accounts SET name = 'mine' WHERE slug = 'bbb' "
	    "RETURNING 1) SELECT count(*) FROM u",
	    "0");
	expect_state("sb_admin",
	    AS_A
	    "INSERT INTO products (account_id, id, name, description) VALUES "
	    "('" B "', '" B "', 'x', 'y')",
	    "42501");
}

static void
test_denied(void **state)
{
	static const char *const roles[] = { RUNNING };
	size_t i;

	(void)state;
	for (i = 0; i < 4; i++) {
		expect_state(roles[i], "TRUNCATE data.turns", "42501");
		expect_state(
		    roles[i], "COPY data.turns FROM '/dev/null'", "42501");
		expect_state(roles[i], "CREATE TABLE data.x (i int)", "42501");
		expect_state(
		    roles[i], "CREATE TABLE public.x (i int)", "42501");
		expect_state(roles[i], "CREATE TEMP TABLE x (i int)", "42501");
		expect_state(roles[i], "SET ROLE sb_owner", "42501");
		expect_state(roles[i], "SET ROLE sb_gate", "42501");
		expect_state(roles[i], "DELETE FROM data.turns", "42501");
		expect_state(
		    roles[i], "UPDATE data.turns SET model = 'x'", "42501");
		expect_state(roles[i],
		    "SELECT password_hash FROM control.users", "42501");
		expect_state(
		    roles[i], "SELECT key_hash FROM control.api_keys", "42501");
		expect_state(
		    roles[i], "SELECT control.protect('data.turns')", "42501");
		expect_state(
		    roles[i], "SELECT gate.fail_turns_of('{}')", "42501");
	}
	/* row security itself refuses COPY where there is the grant */
	expect_state("sb_writer", "COPY data.turns FROM STDIN", "0A000");
	expect_state("sb_chat", "SELECT gate.sum_rollups()", "42501");
	expect_state("sb_writer", "SELECT 1 FROM data.turns", "42501");
	expect_state("sb_job", "SELECT 1 FROM data.turns", "42501");
}

#define WRITER_A "SET LOCAL app.account_ids = '{" A "}';"

static void
test_writer_role(void **state)
{
	(void)state;
	expect("sb_writer", WRITER_A "SELECT count(*) FROM sessions", "1");
	expect_state("sb_writer",
	    WRITER_A
	    "INSERT INTO turns_open (account_id, id, session_id, "
	    "agent_instance_id, agent_type, instance_name, config_version, "
	    "request_id, trace_id, channel, user_text, started_at, worker_id) "
	    "VALUES ('" B "', '" B "', '" B "', '" B "', '', '', 1, '', '', '',"
	    " '', now(), '" B "')",
	    "42501");
	/* evaluated once a statement: the list is an init plan */
	expect("sb_writer",
	    WRITER_A "SELECT account_id FROM sessions WHERE account_id = '" B
		     "'",
	    "");
}

/* B9: a child in A cannot hang on a parent of B. */
static void
test_composite_keys(void **state)
{
	(void)state;
	expect_state("sb_owner",
	    "UPDATE turns SET session_id = (SELECT id FROM sessions WHERE "
	    "account_id = '" B "') WHERE account_id = '" A "'",
	    "23503");
	expect_state("sb_chat",
	    AS_A
	    "INSERT INTO feedback (account_id, turn_id, rating) VALUES ('" A
	    "', (SELECT uuid_floor('2026-01-01')), 1)",
	    "23503");
	expect_state("sb_admin",
	    AS_A "INSERT INTO agent_config_versions VALUES ('" A "', '" B
		 "', 2, "
		 "'{}', 'me')",
	    "23503");
	expect_state("sb_admin",
	    AS_A
	    "INSERT INTO widget_keys (account_id, id, name, prefix, key_hash, "
	    "agent_instance_id, allowed_origins) VALUES ('" A "', '" A "', 'w',"
	    " 'p', sha256('x'), '" B "', '{http://x}')",
	    "23503");
	expect_state("sb_admin",
	    AS_A "INSERT INTO documents (account_id, id, title) VALUES ('" A
		 "', '" A
		 "', 't'); INSERT INTO chunks (account_id, id, document_id, "
		 "position, title, body) VALUES ('" A "', '" A "', '" B
		 "', 1, 't', 'b')",
	    "23503");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_catalogue),
		cmocka_unit_test(test_gate_list),
		cmocka_unit_test(test_unset),
		cmocka_unit_test(test_tenant),
		cmocka_unit_test(test_denied),
		cmocka_unit_test(test_writer_role),
		cmocka_unit_test(test_composite_keys),
	};

	if (!dbtemp_there())
		return 77;
	return cmocka_run_group_tests(tests, schema_set_up, schema_tear_down);
}
