/* Checkpoints of chains that have grown. */
#include "audit/sign.h"
#include "audit/store.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

#define PATIENCE (30 * CLOCK_S)
#define MOST "100"

int
audit_checkpoints_due(
    struct db_pool *db, struct vault *v, int64_t *n, struct err *e)
{
	struct db_call call = {
		.stmt = &audit_store_due, .param = { MOST }, .nparams = 1
	};
	void *ctx = mem_root("audit due");
	struct uuid account;
	int rc = db_run(
	    db, DB_READ, NULL, &call, 1, clock_mono() + PATIENCE, ctx, e);

	*n = 0;
	for (int i = 0; rc == 0 && i < db_rows(call.result); i++) {
		if (db_uuid(call.result, i, 0, &account) != 0)
			rc = err_set(
			    e, ERR_INTERNAL, "an audit head has an odd form");
		else
			rc = audit_checkpoint_make(db, v, &account, e);
		*n += rc == 0;
	}
	mem_free(ctx);
	return rc;
}
