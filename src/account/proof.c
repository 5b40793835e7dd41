/* Asking the database for epochs, and who may ask while it does not answer. */
#include "account/proof.h"

#include <stdio.h>

#include "account/store.h"
#include "db/db.h"
#include "shm/epoch.h"
#include "telemetry/metric.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

/* A request waits no longer for an answer that it can do without. */
#define ASK_NS (CLOCK_S / 4)
#define PAUSE_NS CLOCK_S

static int
read_epochs(
    struct db_pool *db, const char *slots, int64_t deadline, struct err *e)
{
	struct db_call call = {
		.stmt = &account_store_epochs, .param = { slots }, .nparams = 1
	};
	int64_t began = clock_mono();
	void *ctx = mem_root("epochs");
	int rc = db_run(db, DB_CONTROL, NULL, &call, 1, deadline, ctx, e);

	for (int i = 0; rc == 0 && i < db_rows(call.result); i++) {
		uint32_t slot = (uint32_t)db_int(call.result, i, 0);

		epoch_raise(slot, (uint64_t)db_int(call.result, i, 1));
		epoch_knowledge_raise(
		    slot, (uint64_t)db_int(call.result, i, 2));
		epoch_checked(slot, began);
	}
	mem_free(ctx);
	return rc;
}

int
proof_read_all(struct db_pool *db, int64_t deadline, struct err *e)
{
	return read_epochs(db, NULL, deadline, e);
}

/* Ask, unless the database was just found away; 0 when it answered. */
static int
ask(struct db_pool *db, uint32_t slot, int64_t now, int64_t deadline,
    struct err *e)
{
	char slots[32];
	int rc;

	if (!epoch_may_ask(now, PAUSE_NS))
		return -1;
	if (deadline == 0 || deadline > now + ASK_NS)
		deadline = now + ASK_NS;
	snprintf(slots, sizeof(slots), "{0,%u}", slot);
	rc = read_epochs(db, slots, deadline, e);
	metric_add(M_CACHE_CHECKS, 1);
	epoch_asked(rc == 0, clock_mono(), PAUSE_NS);
	/* An account that is no more has no row: its name says so when it is
	 * looked up, which the platform's epoch makes happen. */
	if (rc == 0)
		epoch_checked(slot, now);
	return rc;
}

/* Until when the epochs are known. */
static int64_t
known(uint32_t slot, bool platform)
{
	int64_t its = epoch_known(slot), all = platform ? epoch_known(0) : its;

	return its < all ? its : all;
}

int
proof_hold(struct db_pool *db, uint32_t slot, bool platform, int64_t max_stale,
    int64_t deadline, struct err *e)
{
	int64_t now = clock_mono();
	struct err why = { 0 };

	if (known(slot, platform) >= now - PROOF_NS)
		return 0;
	if (ask(db, slot, now, deadline, &why) == 0)
		return 0;
	if (known(slot, platform) >= now - max_stale) {
		metric_add(M_CACHE_STALE, 1);
		return 0;
	}
	return err_set_kind(e, ERR_UNAVAILABLE, NULL, 1,
	    "the database has been away for too long to go by what is known");
}
