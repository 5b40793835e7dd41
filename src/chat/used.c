/* One set for the whole process. */
#include "chat/used.h"

#include "chat/store_priv.h"
#include "util/mem.h"
#include "util/pairs.h"

#include "util/banned.h"

static struct pairs used = PAIRS_INIT;

void
chat_used_add(const struct uuid *account, const struct uuid *agent)
{
	pairs_add(&used, account, agent);
}

int
chat_used_flush(struct db_pool *db, int64_t deadline, struct err *e)
{
	void *ctx = mem_root("used flush");
	struct db_call call = { .stmt = &chat_stmt_used, .nparams = 2 };
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
