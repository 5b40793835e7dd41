/*
 * A plain blocking connection for the operator's work: migrations and the
 * making of roles.  Statements there may take long and are few; the server's
 * lock_timeout bounds what they wait for.
 */
#ifndef DB_SESSION_PRIV_H
#define DB_SESSION_PRIV_H

#include <libpq-fe.h>

#include "util/err.h"

/* Run ${sql} (one or more statements).  ${what} begins the error's text. */
int session_exec(PGconn *, const char *sql, const char *what, struct err *e);
/* Run one statement with text parameters; the result in *ret (PQclear). */
int session_query(PGconn *, const char *sql, int n, const char *const *params,
    const char *what, PGresult **ret, struct err *e);
/* One value as text below ctx, "" for none. */
int session_value(PGconn *, const char *sql, int n, const char *const *params,
    const char *what, const void *ctx, char **ret, struct err *e);
/* Hold the advisory lock ${key} until the connection ends, or fail after
 * ${seconds}. */
int session_lock(PGconn *, const char *key, int seconds, struct err *e);

#endif
