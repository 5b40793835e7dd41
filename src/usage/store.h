/* The usage domain's SQL. */
#ifndef USAGE_STORE_H
#define USAGE_STORE_H

#include <stdint.h>

#include "util/err.h"

struct db_pool;

/* Read what accounts and agents used lately into seed_put(); *age_s: how long
 * ago the present five minutes began.  0 or -1. */
int store_recent_use(
    struct db_pool *, int64_t deadline, int64_t *age_s, struct err *e);

#endif
