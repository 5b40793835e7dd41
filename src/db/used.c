/* What has been used of late, from a set in memory into its table. */
#include "db/used.h"

#include "util/mem.h"

#include "util/banned.h"

int
db_used_flush(struct db_pool *db, const struct db_stmt *stmt, struct pairs *set,
    int64_t deadline, struct err *e)
{
	void *ctx = mem_root("used");
	struct db_call call = { .stmt = stmt, .nparams = 2 };
	struct pair *taken;
	unsigned n;
	int rc = 0;

	taken = pairs_take(set, ctx, &n);
	if (n > 0) {
		pairs_arrays(taken, n, ctx, &call.param[0], &call.param[1]);
		rc = db_run(db, DB_CONTROL, NULL, &call, 1, deadline, ctx, e);
	}
	mem_free(ctx);
	return rc < 0 ? -1 : n > 0;
}
