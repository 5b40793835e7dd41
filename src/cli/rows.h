/*
 * Statements of the command's stores, and their rows as JSON: each result that
 * is only shown is described by a list of columns beside its statement.
 */
#ifndef CLI_ROWS_H
#define CLI_ROWS_H

#include <jansson.h>

#include "db/db.h"
#include "util/err.h"
#include "util/id.h"

struct audit_entry;

enum rows_kind { ROW_END, ROW_TEXT, ROW_INT, ROW_REAL, ROW_BOOL, ROW_JSON };

/* A column of a result: its member's name, and what it is. */
struct rows_col {
	const char *key;
	enum rows_kind kind;
};

/* SQL: a timestamp as it is shown (RFC 3339 in UTC); microseconds since 1970
 * as a timestamp. */
#define ROWS_UTC(x)                                                            \
	"to_char(" x " AT TIME ZONE 'UTC', "                                   \
	"'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"
#define ROWS_FROM_US(x)                                                        \
	"(timestamptz 'epoch' + " x "::bigint * interval '1 microsecond')"

/* db_run() with the command's own patience. */
int rows_run(struct db_pool *, const struct uuid *account, struct db_call *,
    int n, const void *ctx, struct err *);
/* Run one statement; its rows as an array of objects (new reference). */
int rows_list(struct db_pool *, const struct uuid *account, struct db_call *,
    const struct rows_col *, json_t **ret, struct err *);
/* The same where an answer may be a moment old (cli_replica()). */
int rows_list_stale(struct db_pool *, const struct uuid *account,
    struct db_call *, const struct rows_col *, json_t **ret, struct err *);
/* The first row as an object, or ERR_NOT_FOUND "no WHAT NAME". */
int rows_one(struct db_pool *, const struct uuid *account, struct db_call *,
    const struct rows_col *, const char *what, const char *name, json_t **ret,
    struct err *);
/* The first field of the first row as an id, or ERR_NOT_FOUND. */
int rows_id(struct db_pool *, const struct uuid *account, struct db_call *,
    const char *what, const char *name, struct uuid *id, struct err *);
/* Run one statement; *rows (may be NULL): how many rows it returned. */
int rows_change(struct db_pool *, const struct uuid *account, struct db_call *,
    int *rows, struct err *);
/* A change: run ${n} statements and append ${entry} to the audit log of the
 * account (NULL: of the platform), in one transaction. */
int rows_record(struct db_pool *, const struct uuid *account, struct db_call *,
    int n, const struct audit_entry *entry, const void *ctx, struct err *);

#endif
