/* Blocking statements, one after the other, for the operator's verbs. */
#include "db/session_priv.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "db/conn_priv.h"

#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

/* The line of ${sql} that the error's position lies in; 0 unknown.  Positions
 * count characters. */
static int
error_line(const char *sql, const PGresult *r)
{
	const char *pos = PQresultErrorField(r, PG_DIAG_STATEMENT_POSITION);
	long left = pos == NULL ? 0 : strtol(pos, NULL, 10);
	int line = 1;

	if (left == 0)
		return 0;
	for (; *sql != '\0' && left > 1; sql++) {
		if ((*sql & 0xc0) != 0x80)
			left--;
		if (*sql == '\n')
			line++;
	}
	return line;
}

static int
say(PGconn *pg, const PGresult *r, const char *sql, const char *what,
    struct err *e)
{
	const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
	const char *text = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
	enum err_code code = ERR_INTERNAL;
	int line = error_line(sql, r);

	if (text == NULL)
		text = PQerrorMessage(pg);
	if (state == NULL || PQstatus(pg) == CONNECTION_BAD) {
		state = "lost";
		code = ERR_UNAVAILABLE;
	}
	/* A table in use, or two that wait for each other: try again. */
	if (strcmp(state, "55P03") == 0 || strcmp(state, "40P01") == 0)
		code = ERR_TIMEOUT;
	if (line > 0)
		return err_set(
		    e, code, "%s: line %d: %s (%s)", what, line, text, state);
	return err_set(e, code, "%s: %.*s (%s)", what, (int)strcspn(text, "\n"),
	    text, state);
}

int
session_exec(PGconn *pg, const char *sql, const char *what, struct err *e)
{
	PGresult *r = PQexec(pg, sql);
	ExecStatusType st = PQresultStatus(r);
	int rc = 0;

	if (st != PGRES_COMMAND_OK && st != PGRES_TUPLES_OK &&
	    st != PGRES_EMPTY_QUERY)
		rc = say(pg, r, sql, what, e);
	PQclear(r);
	return rc;
}

int
session_query(PGconn *pg, const char *sql, int n, const char *const *params,
    const char *what, PGresult **ret, struct err *e)
{
	PGresult *r = PQexecParams(pg, sql, n, NULL, params, NULL, NULL, 0);
	ExecStatusType st = PQresultStatus(r);

	if (st != PGRES_COMMAND_OK && st != PGRES_TUPLES_OK) {
		say(pg, r, "", what, e);
		PQclear(r);
		return -1;
	}
	*ret = r;
	return 0;
}

int
session_value(PGconn *pg, const char *sql, int n, const char *const *params,
    const char *what, const void *ctx, char **ret, struct err *e)
{
	PGresult *r;

	if (session_query(pg, sql, n, params, what, &r, e) != 0)
		return -1;
	*ret = mem_strdup(ctx, PQntuples(r) > 0 ? PQgetvalue(r, 0, 0) : "");
	PQclear(r);
	return 0;
}

int
session_lock(PGconn *pg, const char *key, int seconds, struct err *e)
{
	static const char sql[] =
	    "SELECT pg_try_advisory_lock(hashtextextended($1, 0))";
	const struct timespec pause = { .tv_nsec = 50 * 1000 * 1000 };
	int64_t deadline = clock_mono() + seconds * CLOCK_S;
	void *tmp = mem_root("lock");
	char *got = NULL;
	int rc;

	for (;;) {
		rc = session_value(
		    pg, sql, 1, &key, "advisory lock", tmp, &got, e);
		if (rc != 0 || !strcmp(got, "t"))
			break;
		if (clock_mono() >= deadline) {
			rc = err_set(e, ERR_UNAVAILABLE,
			    "another process has held the lock \"%s\" for "
			    "%d s",
			    key, seconds);
			break;
		}
		clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
	}
	mem_free(tmp);
	return rc;
}
