/* Databases for tests: made as the operator makes them, dropped by force. */
#include "lib/dbtemp.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db/bootstrap.h"
#include "db/migrate.h"
#include "util/id.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

static _Noreturn void
die(const char *what, const char *why)
{
	fprintf(stderr, "dbtemp: %s: %s\n", what, why);
	exit(1);
}

bool
dbtemp_there(void)
{
	if (getenv("SB_TEST_PG") != NULL)
		return true;
	puts("# skipped: SB_TEST_PG is not set: eval \"$(tests/lib/pgtemp "
	     "start)\"");
	return false;
}

const char *
dbtemp_sql_dir(void)
{
	const char *dir = getenv("SB_SQL_SRC");

	return dir != NULL ? dir : SB_TEST_SQL_DIR;
}

static PGconn *
connect_to(const char *conninfo)
{
	PGconn *pg = PQconnectdb(conninfo);

	if (PQstatus(pg) != CONNECTION_OK)
		die("connect", PQerrorMessage(pg));
	return pg;
}

/* SB_TEST_PG's server, the database ${name}, no user. */
static char *
conninfo_of(const char *name)
{
	PGconn *pg = connect_to(getenv("SB_TEST_PG"));
	char *s = mem_printf(
	    NULL, "host=%s port=%s dbname=%s", PQhost(pg), PQport(pg), name);

	PQfinish(pg);
	return s;
}

char *
dbtemp_new_empty(void)
{
	static const char *const roles[] = { "sb_owner", "sb_chat", "sb_admin",
		"sb_writer", "sb_job" };
	struct db_role_password pw[5];
	unsigned char dice[8];
	struct err e = { 0 };
	char name[40] = "sb_test_";
	int i;

	if (getenv("SB_TEST_PG") == NULL)
		die("SB_TEST_PG", "not set");
	id_random(dice, sizeof(dice));
	str_hex(dice, sizeof(dice), name + strlen(name));
	for (i = 0; i < 5; i++)
		pw[i] = (struct db_role_password){ .role = roles[i] };
	if (db_bootstrap(getenv("SB_TEST_PG"), name, pw, 5, &e) != 0)
		die("bootstrap", e.text);
	return conninfo_of(name);
}

char *
dbtemp_new(void)
{
	char *conninfo = dbtemp_new_empty();
	struct migrate_report report;
	struct err e = { 0 };

	if (migrate_run(conninfo, dbtemp_sql_dir(), NULL, NULL, &report, &e) !=
	    0)
		die("migrate", e.text);
	return conninfo;
}

void
dbtemp_drop(char *conninfo)
{
	PGconn *pg;
	PGresult *r;
	char *sql;

	if (conninfo == NULL)
		return;
	pg = connect_to(getenv("SB_TEST_PG"));
	sql = mem_printf(NULL, "DROP DATABASE IF EXISTS %s WITH (FORCE)",
	    strstr(conninfo, "dbname=") + strlen("dbname="));
	r = PQexec(pg, sql);
	if (PQresultStatus(r) != PGRES_COMMAND_OK)
		die(sql, PQerrorMessage(pg));
	PQclear(r);
	PQfinish(pg);
	mem_free(sql);
	mem_free(conninfo);
}

char *
dbtemp_as(const char *conninfo, const char *role)
{
	return mem_printf(NULL, "%s user=%s", conninfo, role);
}

char *
dbtemp_sql(const char *conninfo, const char *role, const char *sql)
{
	char *whole = dbtemp_as(conninfo, role == NULL ? "postgres" : role);
	PGconn *pg = connect_to(whole);
	PGresult *r = PQexec(pg, sql);
	char *value;

	if (PQresultStatus(r) != PGRES_COMMAND_OK &&
	    PQresultStatus(r) != PGRES_TUPLES_OK)
		die(sql, PQerrorMessage(pg));
	value = mem_strdup(NULL,
	    PQntuples(r) > 0 && PQnfields(r) > 0 ? PQgetvalue(r, 0, 0) : "");
	PQclear(r);
	PQfinish(pg);
	mem_free(whole);
	return value;
}
