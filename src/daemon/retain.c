/*
 * Each step is a transaction of its own, so that locks are short; between the
 * steps the thread has other things to do, of which the word that workers live
 * must not wait.
 */
#include "daemon/retain.h"

#include <string.h>

#include "conf/conf.h"
#include "telemetry/log.h"
#include "util/clock.h"

#include "util/banned.h"

#define EVERY (3600 * CLOCK_S)
#define IN_USE (2 * CLOCK_S)
#define AT_ONCE CLOCK_S
#define RETRY (60 * CLOCK_S)
#define STEP (30 * CLOCK_S)

static int64_t
days_of(const struct conf *c, enum store_retained table)
{
	switch (table) {
	case RETAINED_TURNS:
		return c->retention_days_turns;
	case RETAINED_USAGE_ROLLUPS:
		return c->retention_days_usage_rollups;
	default:
		return c->retention_days_audit_log;
	}
}

/* Nothing is left until the next round. */
static void
round_ends(struct retain *r, int table)
{
	r->due[table] = clock_mono() + EVERY;
	if (r->gone[table] > 0)
		log_event(LOG_INFO, "retention", "table",
		    store_retained_name(table), "gone", log_int(r->gone[table]),
		    NULL);
	r->gone[table] = 0;
}

static int
tend_table(struct retain *r, struct db_pool *db, int table, int64_t days,
    struct err *e)
{
	int64_t until = clock_mono() + AT_ONCE, n;

	do {
		if (store_retain(db, table, days, clock_mono() + STEP, &n, e) !=
		    0) {
			r->due[table] = clock_mono() + RETRY;
			return -1;
		}
		if (n > 0)
			r->gone[table] += n;
	} while (n > 0 && clock_mono() < until);
	if (n == 0)
		round_ends(r, table);
	else if (n < 0)
		r->due[table] = clock_mono() + IN_USE;
	return 0;
}

int
retain_tend(struct retain *r, struct db_pool *db, const struct conf *c,
    const char **what, struct err *e)
{
	int table;

	for (table = 0; table < RETAINED_COUNT; table++) {
		int64_t days = days_of(c, (enum store_retained)table);

		if (days == 0 || clock_mono() < r->due[table])
			continue;
		if (tend_table(r, db, table, days, e) != 0) {
			*what = store_retained_name(table);
			return -1;
		}
	}
	return 0;
}
