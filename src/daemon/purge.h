/*
 * Accounts that were deleted, and whose time of grace is over: all their rows
 * go, a small step now and then.  For the job worker's one thread.
 */
#ifndef DAEMON_PURGE_H
#define DAEMON_PURGE_H

#include <stdint.h>

#include "util/err.h"

struct db_pool;

struct purge {
	int64_t due;
	int64_t gone; /* rows of the account that is being taken apart */
};

/* Do what is due, for a moment at the most: to be called again and again.  0,
 * or -1 with e. */
int purge_tend(struct purge *, struct db_pool *, struct err *e);

#endif
