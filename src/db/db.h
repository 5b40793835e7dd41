/*
 * PostgreSQL for the rest of the program.  A transaction is a list of
 * statements that is sent as one pipeline: BEGIN, SET LOCAL app.account_id,
 * the statements, COMMIT; one function opens every transaction.  No connection
 * outlives a call, so none is ever held while anything outside is waited for.
 */
#ifndef DB_DB_H
#define DB_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/err.h"
#include "util/id.h"

struct db_pool;
struct db_result;

/* What a call is for: the resolver chooses the cluster and connection; today
 * all four lead to the same pool, but for DB_READ_STALE_OK where there is a
 * replica (SCHEMA rule 10). */
enum db_intent { DB_CONTROL, DB_WRITE, DB_READ, DB_READ_STALE_OK };

/*
 * statement_ms becomes statement_timeout (0: the role's own).  A pooler in
 * transaction mode passes no start-up options and may give each transaction
 * another server: with ${pooler} the limit is a SET LOCAL in each transaction
 * instead, at the price of one more message.
 */
struct db_opts {
	const char *conninfo; /* without user */
	const char *user;     /* sb_chat, sb_admin, sb_job, sb_owner */
	unsigned size;        /* connections at most */
	int wait_ms, connect_ms, statement_ms;
	const char *settings; /* "-c name=value ..." without a pooler, whose
	                         role must have them; or NULL */
	bool prepared;        /* named prepared statements */
	bool pooler;          /* conninfo leads to a transaction-mode pooler */
};

/* A statement: constant text with $n; name is its prepared name, unique. */
struct db_stmt {
	const char *name;
	const char *sql;
};

#define DB_PARAMS 24
/* One statement of a transaction.  Text parameters; NULL is SQL's null.  Set
 * len only for values with NULs (bytea: set binary). */
struct db_call {
	const struct db_stmt *stmt;
	const char *param[DB_PARAMS];
	int nparams;
	uint32_t binary; /* bit n: param n is binary, plen[n] bytes */
	int plen[DB_PARAMS];
	struct db_result *result; /* out: talloc'd below the ctx of db_run */
};

/* Opens no connection yet.  The options are copied.  The pool belongs to one
 * process; any of its threads may use it. */
struct db_pool *db_pool_new(const struct db_opts *);
/* When nobody uses it any more. */
void db_pool_free(struct db_pool *);

/*
 * DB_READ_STALE_OK goes to the standby that ${opts} name, as long as it is
 * known to lag no more than ${max_lag_ms}, else to the primary.  Before the
 * pool is used.  db_replica_look() finds out how far it is, and wants to be
 * called several times within that lag by a thread that may wait; without a
 * replica it does nothing.
 */
void db_pool_replica(
    struct db_pool *, const struct db_opts *opts, int max_lag_ms);
void db_replica_look(struct db_pool *);

/*
 * Run ${n} calls in one transaction for ${account} (NULL: none set, so row
 * security shows nothing but what gate functions return), all or nothing.
 * Waits for a connection until the pool's wait limit or ${deadline}.
 * Results hang below ${ctx}; none after a failure.  0, or -1 with e:
 * ERR_UNAVAILABLE (no connection, server away or too slow; retry_after set; of
 * a write it is then not known whether it happened), ERR_CONFLICT (unique,
 * foreign key, serialization), ERR_INVALID (check, data), ERR_NOT_FOUND
 * (P0002), ERR_LIMIT (our own SQLSTATE SB429; kind "limit-exceeded"),
 * ERR_DENIED, ERR_INTERNAL.  The text names the constraint that was broken, and
 * is SQL's own where our SQL raised it (SQLSTATE SBnnn, after the HTTP status).
 *
 * DB_READ* transactions are READ ONLY; one that fails because its idle
 * connection had died is run once more.
 */
int db_run(struct db_pool *, enum db_intent, const struct uuid *account,
    struct db_call *calls, int n, int64_t deadline, const void *ctx,
    struct err *e);
/* What the calling thread has asked since it began: statements, rows they gave,
 * and the time it waited.  The difference of two is what lay between. */
struct db_cost {
	uint64_t queries, rows;
	int64_t ns;
};
struct db_cost db_cost(void);
/* One round trip that asks nothing; is the database there? */
int db_ping(struct db_pool *, int64_t deadline, struct err *e);

int db_rows(const struct db_result *);
int db_columns(const struct db_result *);
bool db_null(const struct db_result *, int row, int col);
/* Text of a field, "" for null; lives as long as the result. */
const char *db_text(const struct db_result *, int row, int col);
size_t db_len(const struct db_result *, int row, int col);
int64_t db_int(const struct db_result *, int row, int col);
double db_real(const struct db_result *, int row, int col);
bool db_bool(const struct db_result *, int row, int col);
/* 0, or -1 when the field is null or no UUID. */
int db_uuid(const struct db_result *, int row, int col, struct uuid *out);

#endif
