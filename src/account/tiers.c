/* From the nearest tier to the farthest. */
#include "account/tiers.h"

#include <string.h>

#include "account/absent.h"
#include "account/proof.h"
#include "cache/cold.h"
#include "cache/row.h"
#include "shm/epoch.h"
#include "telemetry/metric.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

struct tier {
	const struct tiers *tiers;
	const struct tier_ops *ops;
	struct lru_ops lru_ops;
	struct lru *lru;
	struct absent *absent;
	struct lru_stats told;
};

/* One look-up. */
struct wanted {
	struct tier *tier;
	const char *warm;
	void *arg;
};

static _Thread_local const char *from = "hot";

const char *
tier_from(void)
{
	return from;
}

/* Is a row from the warm tier as new as anybody has heard? */
static bool
row_current(const struct tier_ops *o, const struct row *r)
{
	return epoch_current((uint32_t)row_int(r, o->slot),
		   (uint64_t)row_int(r, o->epoch)) &&
	       (o->platform < 0 ||
		   epoch_current(0, (uint64_t)row_int(r, o->platform)));
}

static void
row_of(const struct db_result *result, int columns, struct row *out)
{
	out->n = columns;
	for (int i = 0; i < columns; i++) {
		bool null = db_null(result, 0, i);

		out->text[i] = null ? NULL : db_text(result, 0, i);
		out->len[i] = null ? 0 : db_len(result, 0, i);
	}
}

/* What was read is news for everybody. */
static void
tell(const struct tier_ops *o, const struct row *r, int64_t began)
{
	uint32_t slot = (uint32_t)row_int(r, o->slot);

	epoch_raise(slot, (uint64_t)row_int(r, o->epoch));
	epoch_checked(slot, began);
	if (o->platform >= 0) {
		epoch_raise(0, (uint64_t)row_int(r, o->platform));
		epoch_checked(0, began);
	}
}

/* 1 with a row, whose texts lie below ${ctx}; 0 there is none; -1. */
static int
read_cold(const struct wanted *w, const char *key, int64_t deadline, void *ctx,
    struct row *row, struct err *e)
{
	const struct tier *t = w->tier;
	const struct uuid *account = NULL;
	struct db_call call = { .nparams = 0 };
	uint64_t moves = epoch_moves();
	int64_t began = clock_mono();
	int rc;

	if (absent_known(t->absent, key))
		return 0;
	if (cold_enter(t->tiers->cold, deadline, e) != 0)
		return -1;
	t->ops->ask(w->arg, key, &call, &account);
	rc = db_run(
	    t->tiers->db, DB_CONTROL, account, &call, 1, deadline, ctx, e);
	cold_leave(t->tiers->cold);
	if (rc != 0)
		return -1;
	if (db_rows(call.result) == 0) {
		absent_note(t->absent, key, moves);
		return 0;
	}
	row_of(call.result, db_columns(call.result), row);
	tell(t->ops, row, began);
	return 1;
}

static void
keep(struct warm *warm, const struct tier_ops *o, const char *key,
    const struct row *r)
{
	const struct warm_entry en = { .kind = o->kind,
		.key = key,
		.slot = (uint32_t)row_int(r, o->slot),
		.epoch = (uint64_t)row_int(r, o->epoch),
		.platform =
		    o->platform < 0 ? 0 : (uint64_t)row_int(r, o->platform),
		.row = r };

	warm_put(warm, &en);
}

static int
value_make(
    void *arg, const char *key, int64_t deadline, void **ret, struct err *e)
{
	const struct wanted *w = arg;
	const struct tier *t = w->tier;
	const struct tier_ops *o = t->ops;
	struct warm *warm = t->tiers->warm;
	void *ctx = mem_root("tier");
	struct row row;
	int rc = 1;

	if (warm_get(warm, o->kind, w->warm, ctx, &row) &&
	    row_current(o, &row)) {
		from = "warm";
		metric_add(M_CACHE_HITS_WARM + (enum metric_id)o->kind, 1);
	} else {
		from = "cold";
		metric_add(M_CACHE_MISSES_WARM + (enum metric_id)o->kind, 1);
		rc = read_cold(w, key, deadline, ctx, &row, e);
		if (rc == 1)
			keep(warm, o, w->warm, &row);
	}
	if (rc == 0)
		rc = o->none(e);
	else if (rc > 0)
		rc = o->make(w->arg, &row, ret, e);
	mem_free(ctx);
	return rc;
}

struct tier *
tier_new(const struct tiers *tiers, const struct tier_ops *ops, unsigned hot,
    unsigned absent)
{
	struct tier *t = mem_new(NULL, struct tier);

	t->tiers = tiers;
	t->ops = ops;
	t->lru_ops =
	    (struct lru_ops){ ops->ref, ops->unref, ops->fresh, value_make };
	t->lru = lru_new(hot, &t->lru_ops);
	t->absent = absent_new(absent);
	return t;
}

void
tier_free(struct tier *t)
{
	if (t == NULL)
		return;
	lru_free(t->lru);
	absent_free(t->absent);
	mem_free(t);
}

int
tier_get(struct tier *t, const char *key, const char *warm, void *arg,
    int64_t deadline, void **ret, struct err *e)
{
	struct wanted w = { t, warm != NULL ? warm : key, arg };
	const struct tier_ops *o = t->ops;
	void *value;

	from = "hot";
	if (lru_get(t->lru, key, &w, deadline, &value, e) != 0)
		return -1;
	if (proof_hold(t->tiers->db, o->slot_of(value), o->platform >= 0,
		t->tiers->max_stale, deadline, e) != 0) {
		o->unref(value);
		return -1;
	}
	/* Only what proof_hold() learnt can have made it old. */
	if (!o->fresh(value)) {
		o->unref(value);
		if (lru_get(t->lru, key, &w, deadline, &value, e) != 0)
			return -1;
	}
	*ret = value;
	return 0;
}

void
tier_stats(struct tier *t, struct lru_stats *out)
{
	lru_stats(t->lru, out);
}

void
tier_tell(struct tier *t)
{
	enum metric_id kind = (enum metric_id)t->ops->kind;
	struct lru_stats s;

	lru_stats(t->lru, &s);
	metric_add(M_CACHE_HITS_HOT + kind, (int64_t)(s.hits - t->told.hits));
	metric_add(
	    M_CACHE_MISSES_HOT + kind, (int64_t)(s.misses - t->told.misses));
	metric_add(M_CACHE_EVICTIONS_HOT + kind,
	    (int64_t)(s.evictions - t->told.evictions));
	metric_set(M_CACHE_ENTRIES_HOT + kind, (int64_t)s.entries);
	metric_set(M_CACHE_AGE_HOT + kind,
	    s.oldest != 0 ? (clock_mono() - s.oldest) / CLOCK_S : 0);
	t->told = s;
}
