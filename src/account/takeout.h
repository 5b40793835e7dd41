/*
 * All that an account has, to be taken along: JSON lines, one a row, only of
 * this account, without secrets.  The first line says whose they are and which
 * tables follow; the last one counts the rows, so that what was cut off shows.
 */
#ifndef ACCOUNT_TAKEOUT_H
#define ACCOUNT_TAKEOUT_H

#include <stddef.h>
#include <stdint.h>

#include "util/err.h"
#include "util/id.h"

struct db_pool;

/* Takes a piece of whole lines; -1: nobody is there to take more. */
typedef int takeout_write(void *arg, const char *p, size_t n);

/*
 * Read page by page, in memory that does not grow with the account.  Each page
 * is a transaction of its own: what is written meanwhile may be in it or not.
 * The pool is sb_admin's.  0, *rows of all tables; -1 with e (ERR_GONE: write
 * said so), and then the last line is missing.
 */
int account_takeout(struct db_pool *, const struct uuid *account,
    const char *slug, takeout_write *write, void *arg, int64_t *rows,
    struct err *e);

#endif
