/*
 * Each step is a transaction of its own over a thousand rows of one table, so
 * that nobody waits for its locks.  The last row, the account's own, goes
 * together with the entry in the platform's record that says so.
 */
#include "daemon/purge.h"

#include "daemon/store.h"
#include "telemetry/log.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

#define EVERY (10 * CLOCK_S)
#define IN_USE (2 * CLOCK_S)
#define AT_ONCE CLOCK_S
#define RETRY (60 * CLOCK_S)
#define STEP (30 * CLOCK_S)
#define ROWS 1000

/* 1 there may be more, 0 nothing is left or it is in use, -1. */
static int
step(struct purge *p, struct db_pool *db, const void *ctx, struct err *e)
{
	int64_t deadline = clock_mono() + STEP;
	struct store_purged one;
	int rc = store_account_purge(db, ROWS, deadline, ctx, &one, e);

	if (rc <= 0) {
		p->due = clock_mono() + (rc < 0 ? RETRY : EVERY);
		return rc;
	}
	if (one.gone < 0) {
		p->due = clock_mono() + IN_USE;
		return 0;
	}
	p->gone += one.gone;
	if (one.gone > 0)
		return 1;
	if (store_account_forget(db, &one, p->gone, deadline, ctx, e) != 0) {
		p->due = clock_mono() + RETRY;
		return -1;
	}
	log_event(LOG_INFO, "account_ended", "account", one.account, "rows",
	    log_int(p->gone), NULL);
	p->gone = 0;
	return 1;
}

int
purge_tend(struct purge *p, struct db_pool *db, struct err *e)
{
	int64_t until = clock_mono() + AT_ONCE;
	int rc;

	if (clock_mono() < p->due)
		return 0;
	do {
		void *ctx = mem_root("purge");

		rc = step(p, db, ctx, e);
		mem_free(ctx);
	} while (rc > 0 && clock_mono() < until);
	return rc < 0 ? -1 : 0;
}
