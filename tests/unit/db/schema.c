/* Two accounts in a migrated database, and questions to it as any role. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "util/id.h"
#include "util/mem.h"

#include "lib/dbtemp.h"
#include "unit/db/schema.h"

#include "util/banned.h"

char *db;

PGconn *
login(const char *role)
{
	char *whole = dbtemp_as(db, role);
	PGconn *pg = PQconnectdb(whole);

	assert_int_equal(PQstatus(pg), CONNECTION_OK);
	mem_free(whole);
	return pg;
}

/* SQLSTATE of ${sql} run as ${role} in a transaction, "00000" for none. */
const char *
outcome(const char *role, const char *sql)
{
	static char state[6];
	PGconn *pg = login(role);
	PGresult *r;
	const char *s;

	PQclear(PQexec(pg, "BEGIN"));
	r = PQexec(pg, sql);
	s = PQresultErrorField(r, PG_DIAG_SQLSTATE);
	snprintf(state, sizeof(state), "%s", s == NULL ? "00000" : s);
	PQclear(r);
	PQclear(PQexec(pg, "ROLLBACK"));
	PQfinish(pg);
	return state;
}

void
expect(const char *role, const char *sql, const char *want)
{
	char *got = dbtemp_sql(db, role, sql);

	if (strcmp(got, want) != 0)
		fail_msg("as %s: %s: %s, not %s", role, sql, got, want);
	mem_free(got);
}

void
expect_state(const char *role, const char *sql, const char *want)
{
	const char *got = outcome(role, sql);

	if (strcmp(got, want) != 0)
		fail_msg("as %s: %s: %s, not %s", role, sql, got, want);
}

void
owner(const char *sql)
{
	mem_free(dbtemp_sql(db, "sb_owner", sql));
}

char *
read_file(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = calloc(1, 1 << 20);

	if (f == NULL)
		fail_msg("%s is missing", path);
	assert_true(fread(text, 1, (1 << 20) - 1, f) > 0);
	fclose(f);
	return text;
}

char *
turn_id(void)
{
	struct uuid u;
	char text[UUID_TEXT];

	id_new(&u);
	id_format(&u, text);
	return mem_strdup(NULL, text);
}

static void
seed_turn(const char *account, const char *status)
{
	char *id = turn_id();
	char *sql = mem_printf(NULL,
	    "INSERT INTO turns SELECT '%s', '%s', id, account_id, 'sales', "
	    "'human', 1, NULL, NULL, 'r', 't', 'chat', '%s', 'stop', NULL, "
	    "'hello', 'good day', 'openai:x', 10, 20, 1, 0, 0, false, "
	    "0.000001, 1, 120, 40, '[]', '[]', NULL, now(), now() FROM sessions"
	    " WHERE account_id = '%s'",
	    account, id, status, account);

	owner(sql);
	mem_free(sql);
	mem_free(id);
}

int
schema_set_up(void **state)
{
	static const char *const accounts[] = { A, B };
	static const char *const slugs[] = { "aaa", "bbb" };
	char *sql, *session;
	size_t i;

	(void)state;
	db = dbtemp_new();
	for (i = 0; i < 2; i++) {
		session = turn_id();
		sql = mem_printf(NULL,
		    "INSERT INTO accounts (id, slug, name, tier) VALUES ('%s', "
		    "'%s', 'n', 'enterprise'); INSERT INTO agent_instances "
		    "(account_id, id, agent_type, instance_name, display_name) "
		    "VALUES ('%s', '%s', 'sales', 'human', 'Human'); INSERT "
		    "INTO"
		    " sessions VALUES ('%s', '%s', 'k', NULL, NULL, true, "
		    "now(),"
		    " now()); INSERT INTO session_names VALUES ('%s', 'same', "
		    "'%s')",
		    accounts[i], slugs[i], accounts[i], accounts[i],
		    accounts[i], session, accounts[i], session);
		owner(sql);
		mem_free(sql);
		mem_free(session);
		seed_turn(accounts[i], "completed");
		seed_turn(accounts[i], "failed");
	}
	return 0;
}

int
schema_tear_down(void **state)
{
	(void)state;
	dbtemp_drop(db);
	return 0;
}
