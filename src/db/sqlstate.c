/*
 * The one table that makes an error from a SQLSTATE.  Messages of the server
 * may quote values, so that only those of our own SQL and of classes that name
 * tables and functions are passed on.
 */
#include <string.h>

#include "db/conn_priv.h"

#include "util/banned.h"

#define RETRY_S 1

/* What the text of the error shows. */
enum show { SHOW_CODE, SHOW_CONSTRAINT, SHOW_MESSAGE };

/* First match counts; a state shorter than five letters is a prefix. */
static const struct {
	const char *state;
	enum err_code code;
	const char *kind;
	int retry_after;
	enum show show;
	const char *text;
} table[] = {
	{ "SB403", ERR_DENIED, NULL, 0, SHOW_MESSAGE, "denied" },
	{ "SB404", ERR_NOT_FOUND, NULL, 0, SHOW_MESSAGE, "not found" },
	{ "SB409", ERR_CONFLICT, NULL, 0, SHOW_MESSAGE, "conflict" },
	{ "SB412", ERR_CONFLICT, "precondition-failed", 0, SHOW_MESSAGE,
	    "changed meanwhile" },
	{ "SB422", ERR_INVALID, NULL, 0, SHOW_MESSAGE, "invalid" },
	{ "SB429", ERR_LIMIT, "limit-exceeded", 0, SHOW_MESSAGE, "limit" },
	{ "P0002", ERR_NOT_FOUND, NULL, 0, SHOW_CODE, "not found" },
	{ "23505", ERR_CONFLICT, NULL, 0, SHOW_CONSTRAINT, "already there" },
	{ "23503", ERR_CONFLICT, NULL, 0, SHOW_CONSTRAINT,
	    "refers to what is not there" },
	{ "23", ERR_INVALID, NULL, 0, SHOW_CONSTRAINT, "not allowed" },
	{ "22", ERR_INVALID, NULL, 0, SHOW_CODE, "a value was refused" },
	{ "40", ERR_CONFLICT, NULL, RETRY_S, SHOW_CODE, "a lost race" },
	{ "42501", ERR_DENIED, NULL, 0, SHOW_MESSAGE, "denied" },
	{ "42", ERR_INTERNAL, NULL, 0, SHOW_MESSAGE, "wrong statement" },
	{ "53", ERR_UNAVAILABLE, NULL, RETRY_S, SHOW_MESSAGE,
	    "the database is short of something" },
	{ "55P03", ERR_UNAVAILABLE, NULL, RETRY_S, SHOW_CODE,
	    "a lock was not to be had" },
	{ "57", ERR_UNAVAILABLE, NULL, RETRY_S, SHOW_MESSAGE,
	    "the database stopped the statement" },
	{ "58", ERR_UNAVAILABLE, NULL, RETRY_S, SHOW_CODE,
	    "the database has a system error" },
	{ "08", ERR_UNAVAILABLE, NULL, RETRY_S, SHOW_CODE,
	    "the connection to the database failed" },
	{ "25006", ERR_UNAVAILABLE, NULL, RETRY_S, SHOW_CODE,
	    "the database takes no writes" },
	{ "", ERR_INTERNAL, NULL, 0, SHOW_CODE, "the database failed" },
};

int
sqlstate_err(const struct conn_failure *f, const char *stmt, struct err *e)
{
	size_t i = 0;

	while (
	    strncmp(table[i].state, f->sqlstate, strlen(table[i].state)) != 0)
		i++;
	/* What our own SQL says is meant to be read. */
	if (table[i].show == SHOW_MESSAGE && !strncmp(f->sqlstate, "SB", 2))
		return err_set_kind(e, table[i].code, table[i].kind,
		    table[i].retry_after, "%s", f->message);
	if (table[i].show == SHOW_MESSAGE)
		return err_set_kind(e, table[i].code, table[i].kind,
		    table[i].retry_after, "%s (%s, %s): %s", table[i].text,
		    stmt, f->sqlstate, f->message);
	if (table[i].show == SHOW_CONSTRAINT)
		return err_set_kind(e, table[i].code, table[i].kind,
		    table[i].retry_after, "%s (%s, %s)", table[i].text,
		    f->constraint[0] ? f->constraint : stmt, f->sqlstate);
	return err_set_kind(e, table[i].code, table[i].kind,
	    table[i].retry_after, "%s (%s, %s)", table[i].text, stmt,
	    f->sqlstate);
}
