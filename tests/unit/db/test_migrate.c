/* Migrations and what the superuser prepares for them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "db/bootstrap.h"
#include "db/migrate.h"
#include "db/schema_version.h"
#include "util/mem.h"

#include "lib/dbtemp.h"

#include "util/banned.h"

struct fixture {
	char *db;
	char dir[40];
	char log[1000]; /* what was told */
};

static void
put(const struct fixture *x, const char *name, const char *text)
{
	char *path = mem_printf(NULL, "%s/%s", x->dir, name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	mem_free(path);
}

static void
drop(const struct fixture *x, const char *name)
{
	char *path = mem_printf(NULL, "%s/%s", x->dir, name);

	assert_int_equal(unlink(path), 0);
	mem_free(path);
}

static void
told(void *arg, const char *text)
{
	struct fixture *x = arg;
	size_t n = strlen(x->log);

	snprintf(x->log + n, sizeof(x->log) - n, "%s\n", text);
}

static int
run(struct fixture *x, struct migrate_report *r, struct err *e)
{
	memset(e, 0, sizeof(*e));
	memset(r, 0, sizeof(*r));
	x->log[0] = '\0';
	return migrate_run(x->db, x->dir, told, x, r, e);
}

static void
expect(const struct fixture *x, const char *sql, const char *want)
{
	char *got = dbtemp_sql(x->db, "sb_owner", sql);

	assert_string_equal(got, want);
	mem_free(got);
}

/* What 0003 makes, as far as the tool calls it. */
#define BASE                                                                   \
	"CREATE SCHEMA data; CREATE SCHEMA gate; CREATE FUNCTION "             \
	"control.protect_for_gate() RETURNS void LANGUAGE sql AS 'SELECT';\n"

static int
set_up(void **state)
{
	struct fixture *x = calloc(1, sizeof(*x));
	char *gate;

	snprintf(x->dir, sizeof(x->dir), "/tmp/sb-migrate-XXXXXX");
	assert_non_null(mkdtemp(x->dir));
	gate = mem_printf(NULL, "%s/gate", x->dir);
	assert_int_equal(mkdir(gate, 0755), 0);
	mem_free(gate);
	x->db = dbtemp_new_empty();
	put(x, "0001_base.sql", BASE);
	put(x, "0002_a.sql", "CREATE TABLE data.a (id int);");
	put(x, "README", "not SQL");
	*state = x;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *x = *state;
	char *cmd;
	DIR *d;
	struct dirent *f;
	static const char *const sub[] = { "/gate", "" };
	size_t i;

	for (i = 0; i < 2; i++) {
		cmd = mem_printf(NULL, "%s%s", x->dir, sub[i]);
		d = opendir(cmd);
		while (d != NULL && (f = readdir(d)) != NULL) {
			char *path = mem_printf(NULL, "%s/%s", cmd, f->d_name);

			unlink(path);
			mem_free(path);
		}
		closedir(d);
		rmdir(cmd);
		mem_free(cmd);
	}
	dbtemp_drop(x->db);
	free(x);
	return 0;
}

static void
test_twice(void **state)
{
	struct fixture *x = *state;
	struct migrate_report r;
	struct err e;

	if (run(x, &r, &e) != 0)
		fail_msg("%s", e.text);
	assert_int_equal(r.applied, 2);
	assert_int_equal(r.version, 2);
	assert_string_equal(x->log, "0001_base applied\n0002_a applied\n");
	assert_int_equal(run(x, &r, &e), 0);
	assert_int_equal(r.applied, 0);
	assert_int_equal(r.version, 2);
	assert_string_equal(x->log, "");
	put(x, "0003_b.sql", "CREATE TABLE data.b (id int);");
	assert_int_equal(run(x, &r, &e), 0);
	assert_int_equal(r.applied, 1);
	expect(x,
	    "SELECT string_agg(name || length(checksum), ',' ORDER BY "
	    "version) FROM control.schema_migrations",
	    "0001_base64,0002_a64,0003_b64");
}

static void
refused(struct fixture *x, const char *why)
{
	struct migrate_report r;
	struct err e;

	assert_int_equal(run(x, &r, &e), -1);
	if (strstr(e.text, why) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", e.text, why);
}

static void
test_refusals(void **state)
{
	struct fixture *x = *state;
	struct migrate_report r;
	struct err e;

	put(x, "0004_gap.sql", "SELECT 1");
	refused(x, "0004_gap");
	drop(x, "0004_gap.sql");
	put(x, "0002_twice.sql", "SELECT 1");
	refused(x, "0002_twice");
	drop(x, "0002_twice.sql");
	assert_int_equal(run(x, &r, &e), 0);
	put(x, "0002_a.sql", "CREATE TABLE data.a (id bigint);");
	refused(x, "0002_a was changed");
	drop(x, "0002_a.sql");
	refused(x, "has version 2 (0002_a)");
	put(x, "0002_other.sql", "CREATE TABLE data.a (id int);");
	refused(x, "0002_other was changed");
	drop(x, "0002_other.sql");
	put(x, "0002_a.sql", "CREATE TABLE data.a (id int);");
	assert_int_equal(run(x, &r, &e), 0);
	assert_int_equal(
	    migrate_run(x->db, "/nonexistent", NULL, NULL, &r, &e), -1);
}

/* A file that fails leaves nothing behind, and the error names its line. */
static void
test_failure(void **state)
{
	struct fixture *x = *state;

	put(x, "0003_bad.sql",
	    "CREATE TABLE data.b (id int);\n-- é\nSELECT wrong;\n");
	refused(x, "0003_bad: line 3: column \"wrong\" does not exist");
	expect(x, "SELECT to_regclass('data.b') IS NULL", "t");
	expect(x, "SELECT max(version) FROM control.schema_migrations", "2");
	put(x, "0003_bad.sql", "CREATE TABLE data.b (id int); COMMIT;");
	refused(x, "ends the transaction");
}

static const char gate_text[] =
    "-- needs: SELECT ON data.a\n"
    "CREATE OR REPLACE FUNCTION gate.count_a() RETURNS bigint LANGUAGE sql "
    "SECURITY DEFINER SET search_path = data, pg_temp AS 'SELECT count(*) FROM "
    "a';\nREVOKE ALL ON FUNCTION gate.count_a() FROM PUBLIC;\n"
    "GRANT EXECUTE ON FUNCTION gate.count_a() TO sb_job;\n";

static void
test_gate(void **state)
{
	struct fixture *x = *state;
	struct migrate_report r;
	struct err e;

	put(x, "gate/10_a.sql", gate_text);
	if (run(x, &r, &e) != 0)
		fail_msg("%s", e.text);
	assert_non_null(strstr(x->log, "gate functions replaced (1 files)"));
	expect(x,
	    "SELECT proowner::regrole FROM pg_proc WHERE proname = "
	    "'count_a'",
	    "sb_gate");
	expect(x, "SELECT has_table_privilege('sb_gate', 'data.a', 'SELECT')",
	    "t");
	expect(
	    x, "SELECT has_schema_privilege('sb_gate', 'gate', 'CREATE')", "f");
	assert_int_equal(run(x, &r, &e), 0);
	assert_string_equal(x->log, "");
	/* a changed text replaces the function, and what it no longer needs is
	 * taken back */
	put(x, "gate/10_a.sql",
	    "CREATE OR REPLACE FUNCTION gate.count_a() RETURNS bigint LANGUAGE "
	    "sql SECURITY DEFINER SET search_path = pg_temp AS 'SELECT "
	    "7::bigint';");
	assert_int_equal(run(x, &r, &e), 0);
	expect(x, "SELECT has_table_privilege('sb_gate', 'data.a', 'SELECT')",
	    "f");
	expect(x, "SET ROLE sb_gate; SELECT gate.count_a()", "7");
	put(x, "gate/20_b.sql", "SELECT wrong");
	refused(x, "gate/20_b: line 1");
	put(x, "gate/20_b.sql", "-- needs: everything; DROP TABLE data.a\n");
	refused(x, "not a need");
	expect(x, "SELECT count(*) FROM control.schema_gate", "1");
}

static void *
run_too(void *arg)
{
	struct fixture *x = arg;
	struct migrate_report r;
	struct err e = { 0 };

	if (migrate_run(x->db, x->dir, NULL, NULL, &r, &e) != 0) {
		print_error("%s\n", e.text);
		return (void *)-1;
	}
	return (void *)(intptr_t)r.applied;
}

/* Several at once: one does the work, all find it done. */
static void
test_parallel(void **state)
{
	struct fixture *x = *state;
	pthread_t t[6];
	intptr_t applied = 0;
	void *got;
	int i;

	put(x, "0003_slow.sql", "SELECT pg_sleep(0.2)");
	put(x, "gate/10_a.sql", gate_text);
	for (i = 0; i < 6; i++)
		pthread_create(&t[i], NULL, run_too, x);
	for (i = 0; i < 6; i++) {
		pthread_join(t[i], &got);
		assert_true((intptr_t)got >= 0);
		applied += (intptr_t)got;
	}
	assert_int_equal(applied, 3);
}

/* The program knows exactly the versions that stand in sql/. */
static void
test_program_version(void **state)
{
	struct fixture *x = *state;
	struct migrate_report r;
	struct err e = { 0 };
	char *db;

	assert_int_equal(migrate_check(x->db, "sb_chat", &e), -1);
	assert_non_null(strstr(e.text, "switchboard migrate"));
	if (migrate_run(x->db, dbtemp_sql_dir(), NULL, NULL, &r, &e) != 0)
		fail_msg("%s", e.text);
	assert_int_equal(r.version, SB_SCHEMA_VERSION);
	db = x->db;
	if (migrate_check(db, "sb_chat", &e) != 0 ||
	    migrate_check(db, "sb_admin", &e) != 0 ||
	    migrate_check(db, "sb_writer", &e) != 0 ||
	    migrate_check(db, "sb_job", &e) != 0)
		fail_msg("%s", e.text);
	mem_free(dbtemp_sql(db, "sb_owner",
	    "INSERT INTO schema_migrations (version, name, checksum) SELECT "
	    "max(version) + 1, 'x', 'y' FROM schema_migrations"));
	assert_int_equal(migrate_check(db, "sb_chat", &e), -1);
	assert_int_equal(e.code, ERR_CONFLICT);
	mem_free(dbtemp_sql(db, "sb_owner",
	    "DELETE FROM schema_migrations WHERE version >= (SELECT "
	    "max(version) - 1 FROM schema_migrations)"));
	assert_int_equal(migrate_check(db, "sb_chat", &e), -1);
	assert_int_equal(e.code, ERR_CONFLICT);
}

/* What a newer program added leaves this one working, until a file says that
 * it took something away. */
static void
test_newer_schema(void **state)
{
	struct fixture *x = *state;
	struct migrate_report r;
	struct err e = { 0 };
	char name[32], text[80];
	int n = SB_SCHEMA_VERSION;

	for (int i = 3; i <= n + 1; i++) {
		snprintf(name, sizeof(name), "%04d_more.sql", i);
		put(x, name, "SELECT 1;");
	}
	if (run(x, &r, &e) != 0)
		fail_msg("%s", e.text);
	mem_free(dbtemp_sql(x->db, "sb_owner",
	    "GRANT USAGE ON SCHEMA control TO sb_chat;"
	    "GRANT SELECT ON control.schema_migrations TO sb_chat"));
	if (migrate_check(x->db, "sb_chat", &e) != 0)
		fail_msg("%s", e.text);
	/* programs from ${n} on still work, this one among them */
	snprintf(name, sizeof(name), "%04d_less.sql", n + 2);
	snprintf(text, sizeof(text), "-- why\n-- contract: %d\nSELECT 1;", n);
	put(x, name, text);
	assert_int_equal(run(x, &r, &e), 0);
	if (migrate_check(x->db, "sb_chat", &e) != 0)
		fail_msg("%s", e.text);
	snprintf(name, sizeof(name), "%04d_least.sql", n + 3);
	snprintf(text, sizeof(text), "-- contract: %d\nSELECT 1;", n + 1);
	put(x, name, text);
	assert_int_equal(run(x, &r, &e), 0);
	assert_int_equal(migrate_check(x->db, "sb_chat", &e), -1);
	assert_int_equal(e.code, ERR_CONFLICT);
	assert_non_null(strstr(e.text, "install the newer"));
	/* a file cannot ask for programs newer than itself */
	snprintf(name, sizeof(name), "%04d_odd.sql", n + 4);
	snprintf(text, sizeof(text), "-- contract: %d\nSELECT 1;", n + 5);
	put(x, name, text);
	refused(x, "names the oldest schema version");
	put(x, name, "-- contract: all\nSELECT 1;");
	refused(x, "names the oldest schema version");
}

/* A table that somebody uses is waited for, a second at a time. */
static void *
hold_table(void *arg)
{
	struct fixture *x = arg;

	mem_free(dbtemp_sql(x->db, "sb_owner",
	    "BEGIN; LOCK TABLE data.a IN ACCESS SHARE MODE;"
	    "SELECT pg_sleep(2.5); COMMIT"));
	return NULL;
}

static void
test_table_in_use(void **state)
{
	struct fixture *x = *state;
	struct migrate_report r;
	pthread_t t;
	struct err e;
	char *held;

	assert_int_equal(run(x, &r, &e), 0);
	put(x, "0003_alter.sql", "ALTER TABLE data.a ADD COLUMN b int;");
	assert_int_equal(pthread_create(&t, NULL, hold_table, x), 0);
	do {
		held = dbtemp_sql(x->db, "sb_owner",
		    "SELECT count(*) FROM pg_locks WHERE relation = "
		    "'data.a'::regclass AND granted");
		r.applied = strcmp(held, "0");
		mem_free(held);
	} while (r.applied == 0);
	if (run(x, &r, &e) != 0)
		fail_msg("%s", e.text);
	assert_int_equal(r.applied, 1);
	assert_string_equal(x->log,
	    "0003_alter waits for a table that is in use\n"
	    "0003_alter applied\n");
	pthread_join(t, NULL);
}

/* Nobody waits for more than two seconds for a file that locks a table; one
 * that only takes long may. */
static void
test_lock_held(void **state)
{
	struct fixture *x = *state;
	struct migrate_report r;
	struct err e;

	/* an empty database has nobody who waits */
	put(x, "0003_first.sql",
	    "ALTER TABLE data.a ADD COLUMN b int; SELECT pg_sleep(2.1);");
	assert_int_equal(run(x, &r, &e), 0);
	put(x, "0004_slow.sql",
	    "ALTER TABLE data.a ADD COLUMN c int; SELECT pg_sleep(2.1);");
	refused(x, "0004_slow locked a for");
	expect(x,
	    "SELECT count(*) FROM pg_attribute WHERE attrelid = "
	    "'data.a'::regclass AND attname = 'c'",
	    "0");
	put(x, "0004_slow.sql",
	    "CREATE TABLE data.c (id int); UPDATE data.a SET b = 1;"
	    "SELECT pg_sleep(2.1);");
	if (run(x, &r, &e) != 0)
		fail_msg("%s", e.text);
}

static void
test_look(void **state)
{
	struct fixture *x = *state;
	struct migrate_pending p;
	struct migrate_report r;
	struct err e = { 0 };
	void *ctx = mem_root("test");

	if (migrate_look(x->db, x->dir, ctx, &p, &e) != 0)
		fail_msg("%s", e.text);
	assert_int_equal(p.files, 2);
	assert_string_equal(p.names, "0001_base, 0002_a");
	/* looking made nothing */
	expect(x, "SELECT to_regnamespace('control') IS NULL", "t");
	assert_int_equal(run(x, &r, &e), 0);
	assert_int_equal(migrate_look(x->db, x->dir, ctx, &p, &e), 0);
	assert_int_equal(p.files, 0);
	assert_false(p.gate);
	put(x, "gate/10_a.sql", gate_text);
	assert_int_equal(migrate_look(x->db, x->dir, ctx, &p, &e), 0);
	assert_true(p.gate);
	put(x, "0002_a.sql", "CREATE TABLE data.a (id bigint);");
	assert_int_equal(migrate_look(x->db, x->dir, ctx, &p, &e), -1);
	assert_non_null(strstr(e.text, "0002_a was changed"));
	assert_int_equal(migrate_look(x->db, "/nonexistent", ctx, &p, &e), -1);
	assert_int_equal(
	    migrate_look("host=/nonexistent", x->dir, ctx, &p, &e), -1);
	assert_int_equal(e.code, ERR_UNAVAILABLE);
	mem_free(ctx);
}

/* How to reach a server, without who. */
static void
test_server_of(void **state)
{
	static const struct {
		const char *conninfo, *want;
	} rows[] = {
		{ "host=a port=5433 user=u password=p dbname=d",
		    "host='a' port='5433'" },
		{ "postgresql://u:p%40x@db.example:5432/d?sslmode=verify-full",
		    "host='db.example' port='5432' sslmode='verify-full'" },
		{ "postgresql://h1,h2:6/?target_session_attrs=read-write",
		    "host='h1,h2' port=',6' "
		    "target_session_attrs='read-write'" },
		{ "host='/run/a b' options='-c x=\\'y\\''",
		    "host='/run/a b' options='-c x=\\'y\\''" },
		{ "", "" },
	};
	void *ctx = mem_root("test");
	const char *got;
	struct err e = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (db_server_of(ctx, rows[i].conninfo, &got, &e) != 0)
			fail_msg("%s: %s", rows[i].conninfo, e.text);
		/* libpq lists the words in an order of its own */
		assert_int_equal(strlen(got), strlen(rows[i].want));
		for (const char *w = rows[i].want; *w != '\0';) {
			char word[64];
			size_t n = strcspn(w, "=") + 1;

			snprintf(word, sizeof(word), "%.*s", (int)n, w);
			assert_non_null(strstr(got, word));
			w = strstr(w, "' ") != NULL ? strstr(w, "' ") + 2 : "";
		}
	}
	assert_int_equal(db_server_of(ctx, "nonsense", &got, &e), -1);
	assert_int_equal(e.code, ERR_INVALID);
	mem_free(ctx);
}

/* Roles have no more than they need, and a second run changes nothing. */
static void
test_bootstrap(void **state)
{
	struct fixture *x = *state;
	const char *name = strstr(x->db, "dbname=") + strlen("dbname=");
	struct db_role_password pw = { "sb_nobody", "x" };
	struct err e = { 0 };
	char *got;
	int i;

	for (i = 0; i < 2; i++) {
		expect(x,
		    "SELECT count(*) FROM pg_roles WHERE rolname IN "
		    "('sb_owner', 'sb_chat', 'sb_admin', 'sb_writer', "
		    "'sb_job') AND rolcanlogin AND NOT (rolinherit OR "
		    "rolsuper OR rolbypassrls OR rolcreatedb OR "
		    "rolcreaterole OR rolreplication)",
		    "5");
		expect(x,
		    "SELECT rolcanlogin FROM pg_roles WHERE rolname = "
		    "'sb_gate'",
		    "f");
		expect(x,
		    "SELECT datdba::regrole || ',' || "
		    "has_database_privilege('public', "
		    "current_database(), 'CONNECT, TEMPORARY') FROM "
		    "pg_database WHERE datname = current_database()",
		    "sb_owner,false");
		expect(x,
		    "SELECT has_schema_privilege('public', 'public', "
		    "'USAGE, CREATE')",
		    "f");
		expect(x, "SHOW search_path", "control, data, gate, pg_temp");
		if (db_bootstrap(getenv("SB_TEST_PG"), name, NULL, 0, &e) != 0)
			fail_msg("%s", e.text);
	}
	assert_int_equal(
	    db_bootstrap(getenv("SB_TEST_PG"), name, &pw, 1, &e), -1);
	assert_int_equal(e.code, ERR_INVALID);
	/* the server sees a verifier, never the password */
	pw.role = "sb_job";
	assert_int_equal(
	    db_bootstrap(getenv("SB_TEST_PG"), name, &pw, 1, &e), 0);
	got = dbtemp_sql(x->db, NULL,
	    "SELECT rolpassword LIKE 'SCRAM-SHA-256$%' FROM pg_authid WHERE "
	    "rolname = 'sb_job'");
	assert_string_equal(got, "t");
	mem_free(got);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_twice, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_refusals, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_failure, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_gate, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_parallel, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_program_version, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_newer_schema, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_table_in_use, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_lock_held, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_look, set_up, tear_down),
		cmocka_unit_test(test_server_of),
		cmocka_unit_test_setup_teardown(
		    test_bootstrap, set_up, tear_down),
	};

	if (!dbtemp_there())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
