/* One set for the whole process; keys of both kinds have ids of their own. */
#include "auth/used.h"

#include "auth/key.h"
#include "auth/store.h"
#include "util/mem.h"
#include "util/pairs.h"

#include "util/banned.h"

static struct pairs used = PAIRS_INIT;

void
key_used(const struct key *k)
{
	if (k->kind != KEY_USER)
		pairs_add(&used, &k->account_id, &k->id);
}

int
keys_used_flush(struct db_pool *db, int64_t deadline, struct err *e)
{
	void *ctx = mem_root("used keys");
	struct db_call call = { .stmt = &auth_store_keys_used, .nparams = 2 };
	struct pair *taken;
	unsigned n;
	int rc = 0;

	taken = pairs_take(&used, ctx, &n);
	if (n > 0) {
		pairs_arrays(taken, n, ctx, &call.param[0], &call.param[1]);
		rc = db_run(db, DB_CONTROL, NULL, &call, 1, deadline, ctx, e);
	}
	mem_free(ctx);
	return rc < 0 ? -1 : n > 0;
}
