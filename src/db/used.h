/* What has been used of late, from a set in memory into its table. */
#ifndef DB_USED_H
#define DB_USED_H

#include <stdint.h>

#include "db/db.h"
#include "util/err.h"
#include "util/pairs.h"

/*
 * Empty ${set} into the database: ${stmt} gets two arrays, of accounts and of
 * ids.  1 when there was any, 0, or -1 (ERR_UNAVAILABLE: these are lost).  One
 * thread at a time a set.
 */
int db_used_flush(struct db_pool *, const struct db_stmt *, struct pairs *set,
    int64_t deadline, struct err *e);

#endif
