/* The usage domain's SQL: sql/gate/50_usage.sql. */
#include "usage/store.h"

#include "db/db.h"
#include "usage/seed_priv.h"
#include "util/mem.h"

#include "util/banned.h"

static const struct db_stmt recent_use = { "usage_recent",
	"SELECT of_agent, slot, parts, last_minute, age_s"
	" FROM gate.recent_use()" };

int
store_recent_use(
    struct db_pool *db, int64_t deadline, int64_t *age_s, struct err *e)
{
	struct db_call c = { .stmt = &recent_use };
	void *ctx = mem_root("recent use");
	int i, n, rc;

	rc = db_run(db, DB_CONTROL, NULL, &c, 1, deadline, ctx, e);
	n = rc == 0 ? db_rows(c.result) : 0;
	for (i = 0; i < n; i++) {
		seed_put(db_bool(c.result, i, 0) ? SEED_AGENT_TOKENS
						 : SEED_ACCOUNT_REQUESTS,
		    (uint32_t)db_int(c.result, i, 1), db_text(c.result, i, 2),
		    db_int(c.result, i, 3));
		*age_s = db_int(c.result, i, 4);
	}
	mem_free(ctx);
	return rc;
}
