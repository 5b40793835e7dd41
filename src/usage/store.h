/* The usage domain's SQL. */
#ifndef USAGE_STORE_H
#define USAGE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "util/err.h"
#include "util/id.h"

struct db_pool;

/* Read what accounts and agents used lately into seed_put(); *age_s: how long
 * ago the present five minutes began.  0 or -1. */
int store_recent_use(
    struct db_pool *, int64_t deadline, int64_t *age_s, struct err *e);

struct entry;

/* A server is there: how many are. */
int store_budget_seen(struct db_pool *, const struct uuid *run,
    const char *place, int64_t *servers, int64_t deadline, struct err *e);

/* See gate.budget_sync(): what is told, then what is answered. */
struct store_budget_sync {
	const struct uuid *run;
	const struct entry *en; /* whose budget and period */
	bool know;              /* look into the roll-ups first */
	int64_t want, applied, settled, returned, unpriced, reserved;
	bool gone; /* there is no such budget; the rest is not filled in */
	int64_t granted, amount, free, elsewhere;
	bool alert, look;
};
int store_budget_sync(struct db_pool *, struct store_budget_sync *,
    int64_t deadline, struct err *e);

#endif
