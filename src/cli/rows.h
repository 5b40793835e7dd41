/*
 * Statements of the command's stores, and their rows as JSON (db/rows.h).
 */
#ifndef CLI_ROWS_H
#define CLI_ROWS_H

#include <jansson.h>

#include "db/db.h"
#include "db/rows.h"
#include "util/err.h"
#include "util/id.h"

struct audit_entry;

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
