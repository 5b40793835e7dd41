/* The usage domain's SQL: sql/gate/50_usage.sql. */
#include "usage/store.h"

#include <stdio.h>

#include "db/db.h"
#include "usage/seed_priv.h"
#include "util/mem.h"

#include "util/banned.h"

static const struct db_stmt use_present = { "usage_present",
	"SELECT part, age_s FROM gate.use_present()" };
static const struct db_stmt use_in = { "usage_in",
	"SELECT account_slot, agent_slot, requests, tokens"
	" FROM gate.use_in($1, $2)" };
static const struct db_stmt use_last_minute = { "usage_last_minute",
	"SELECT agent_slot, requests FROM gate.use_last_minute($1)" };

/* A reading in several calls, of the same five minutes whatever the time. */
struct reading {
	struct db_pool *db;
	int64_t deadline, part;
	void *ctx; /* of one call's result */
};

static int
run(struct reading *r, struct db_call *c, struct err *e)
{
	mem_free(r->ctx);
	r->ctx = mem_root("recent use");
	return db_run(r->db, DB_CONTROL, NULL, c, 1, r->deadline, r->ctx, e);
}

static int
read_present(struct reading *r, int64_t *age_s, struct err *e)
{
	struct db_call c = { .stmt = &use_present };

	if (run(r, &c, e) != 0)
		return -1;
	r->part = db_int(c.result, 0, 0);
	*age_s = db_int(c.result, 0, 1);
	return 0;
}

static int
read_part(struct reading *r, int ago, struct err *e)
{
	char part[24];
	struct db_call c = { .stmt = &use_in,
		.param = { part, ago == 0 ? "true" : "false" },
		.nparams = 2 };
	int64_t account = -1, sum = 0;
	int i, n;

	snprintf(part, sizeof(part), "%lld", (long long)(r->part - ago));
	if (run(r, &c, e) != 0)
		return -1;
	n = db_rows(c.result);
	for (i = 0; i < n; i++) {
		int64_t slot = db_int(c.result, i, 0);

		if (slot != account)
			sum = 0;
		account = slot;
		sum += db_int(c.result, i, 2);
		seed_put(SEED_ACCOUNT_REQUESTS, slot, ago, sum);
		seed_put(SEED_AGENT_TOKENS, db_int(c.result, i, 1), ago,
		    db_int(c.result, i, 3));
	}
	return 0;
}

static int
read_minute(struct reading *r, struct err *e)
{
	char part[24];
	struct db_call c = {
		.stmt = &use_last_minute, .param = { part }, .nparams = 1
	};
	int i, n;

	snprintf(part, sizeof(part), "%lld", (long long)r->part);
	if (run(r, &c, e) != 0)
		return -1;
	n = db_rows(c.result);
	for (i = 0; i < n; i++)
		seed_put(SEED_AGENT_REQUESTS, db_int(c.result, i, 0), 0,
		    db_int(c.result, i, 1));
	return 0;
}

int
store_recent_use(
    struct db_pool *db, int64_t deadline, int64_t *age_s, struct err *e)
{
	struct reading r = { .db = db, .deadline = deadline };
	int ago, rc = read_present(&r, age_s, e);

	for (ago = 0; rc == 0 && ago < SEED_PARTS; ago++)
		rc = read_part(&r, ago, e);
	if (rc == 0)
		rc = read_minute(&r, e);
	mem_free(r.ctx);
	return rc;
}
