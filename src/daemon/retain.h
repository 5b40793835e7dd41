/*
 * What is older than retention_days goes, a small step now and then: for the
 * job worker's one thread.
 */
#ifndef DAEMON_RETAIN_H
#define DAEMON_RETAIN_H

#include <stdint.h>

#include "daemon/store.h"
#include "util/err.h"

struct conf;
struct db_pool;

struct retain {
	int64_t due[RETAINED_COUNT];
	int64_t gone[RETAINED_COUNT]; /* rows and partitions, this round */
};

/*
 * Do what is due, for a moment at the most: to be called again and again.  0,
 * or -1 with e and *what, the job that failed.
 */
int retain_tend(struct retain *, struct db_pool *, const struct conf *,
    const char **what, struct err *e);

#endif
