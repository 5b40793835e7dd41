/* The usage domain's SQL: sql/gate/50_usage.sql and 55_budgets.sql. */
#include "usage/store.h"

#include <inttypes.h>
#include <stdio.h>

#include "db/db.h"
#include "usage/budget_priv.h"
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

/* --- budgets ------------------------------------------------------------- */

static const struct db_stmt budget_seen_sql = { "usage_budget_seen",
	"SELECT gate.budget_run_seen($1, $2)" };

int
store_budget_seen(struct db_pool *db, const struct uuid *run, const char *place,
    int64_t *servers, int64_t deadline, struct err *e)
{
	char id[UUID_TEXT];
	struct db_call c = {
		.stmt = &budget_seen_sql, .param = { id, place }, .nparams = 2
	};
	void *ctx = mem_root("budget");
	int rc;

	id_format(run, id);
	rc = db_run(db, DB_WRITE, NULL, &c, 1, deadline, ctx, e);
	if (rc == 0)
		*servers = db_int(c.result, 0, 0);
	mem_free(ctx);
	return rc;
}

#define STARTS(n) "timestamptz 'epoch' + " n "::bigint * interval '1 us'"
static const struct db_stmt budget_used_sql = { "usage_budget_used",
	"SELECT used, unpriced FROM gate.budget_used($1, $2, $3, $4, " STARTS(
	    "$5") ")" };
static const struct db_stmt budget_sync_sql = { "usage_budget_sync",
	"SELECT granted, amount, free, elsewhere, alert, look FROM "
	"gate.budget_sync($1, $2, " STARTS(
	    "$3") ", $4, $5, $6, $7, $8, $9, $10, $11, $12)" };

/* What the roll-ups say, as texts below ctx. */
static int
budget_used(struct db_pool *db, const struct entry *en, const char *account,
    const char *starts, int64_t deadline, const void *ctx, const char *used[2],
    struct err *e)
{
	char subject[UUID_TEXT];
	struct db_call c = { .stmt = &budget_used_sql,
		.param = { account,
		    en->scope == 'g'   ? "agent"
		    : en->scope == 'k' ? "key"
				       : "account",
		    en->scope == 'a' ? NULL : subject,
		    en->usd ? "usd" : "tokens", starts },
		.nparams = 5 };

	id_format(&en->subject, subject);
	if (db_run(db, DB_READ, NULL, &c, 1, deadline, ctx, e) != 0)
		return -1;
	used[0] = mem_strdup(ctx, db_text(c.result, 0, 0));
	used[1] = mem_strdup(ctx, db_text(c.result, 0, 1));
	return 0;
}

static void
budget_answer(struct store_budget_sync *s, const struct db_result *r)
{
	s->gone = db_rows(r) == 0;
	if (s->gone)
		return;
	s->granted = db_int(r, 0, 0);
	s->amount = db_int(r, 0, 1);
	s->free = db_int(r, 0, 2);
	s->elsewhere = db_int(r, 0, 3);
	s->alert = db_bool(r, 0, 4);
	s->look = db_bool(r, 0, 5);
}

int
store_budget_sync(struct db_pool *db, struct store_budget_sync *s,
    int64_t deadline, struct err *e)
{
	const int64_t told[] = { s->applied, s->settled, s->returned,
		s->unpriced, s->reserved, s->want };
	char account[UUID_TEXT], budget[UUID_TEXT], run[UUID_TEXT], starts[24],
	    number[6][24];
	struct db_call c = { .stmt = &budget_sync_sql,
		.param = { account, budget, starts, run },
		.nparams = 12 };
	void *ctx = mem_root("budget");
	const char *used[2] = { NULL, NULL };
	int rc = 0;

	id_format(&s->en->account, account);
	id_format(&s->en->budget, budget);
	id_format(s->run, run);
	snprintf(starts, sizeof(starts), "%" PRId64, s->en->starts_us);
	for (int i = 0; i < 6; i++) {
		snprintf(number[i], sizeof(number[i]), "%" PRId64, told[i]);
		c.param[4 + i] = number[i];
	}
	if (s->know)
		rc = budget_used(
		    db, s->en, account, starts, deadline, ctx, used, e);
	c.param[10] = used[0];
	c.param[11] = used[1];
	if (rc == 0)
		rc = db_run(db, DB_WRITE, NULL, &c, 1, deadline, ctx, e);
	if (rc == 0)
		budget_answer(s, c.result);
	mem_free(ctx);
	return rc;
}
