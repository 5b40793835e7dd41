/*
 * Accounts by slug, each from one cached snapshot.  A snapshot is
 * stale when its account's epoch has moved, or the platform's: the numbers of
 * its tier stand in the platform's table.
 */
#include "account/account.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "account/store.h"
#include "account/tiers.h"
#include "cache/row.h"
#include "shm/epoch.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define ABSENT_PLACES 1024
#define BUDGET_LIMITS ((struct json_limits){ 4, 100000 })

struct accounts {
	struct tier *tier;
};

/* What the cache counts; the public part first. */
struct counted {
	struct account a;
	atomic_uint refs;
};

static void
value_ref(void *value)
{
	struct counted *c = value;

	atomic_fetch_add(&c->refs, 1);
}

static void
value_unref(void *value)
{
	struct counted *c = value;

	if (c != NULL && atomic_fetch_sub(&c->refs, 1) == 1)
		mem_free(c);
}

static bool
value_fresh(const void *value)
{
	const struct account *a = value;

	return epoch_current(a->slot, a->epoch) &&
	       epoch_current(0, a->platform_epoch);
}

static int
not_found(struct err *e)
{
	return err_set(e, ERR_NOT_FOUND, "There is no such account.");
}

/* Copy a text that may be longer than its place, whole characters only. */
static void
copy_text(char *to, size_t size, const char *from)
{
	size_t n = strlen(from);

	if (n >= size)
		n = str_utf8_prefix(from, size - 1);
	memcpy(to, from, n);
	to[n] = '\0';
}

static uint32_t
value_slot(const void *value)
{
	return ((const struct account *)value)->slot;
}

/* A row of the array that gate.account_by_slug() makes of budgets. */
static int
budget_read(const void *ctx, const json_t *v, struct account_budget *b)
{
	const char *id, *name, *scope, *subject, *period, *unit;
	const json_t *whose;
	json_int_t slot, amount;
	int hard;

	if (json_unpack((json_t *)(uintptr_t)v, "[s,I,s,s,o,s,s,I,b]", &id,
		&slot, &name, &scope, &whose, &period, &unit, &amount,
		&hard) != 0 ||
	    id_parse(id, strlen(id), &b->id) != 0)
		return -1;
	subject = json_string_value(whose);
	if (subject != NULL &&
	    id_parse(subject, strlen(subject), &b->subject) != 0)
		return -1;
	b->slot = (uint32_t)slot;
	b->name = mem_strdup(ctx, name);
	b->scope = strcmp(scope, "agent") == 0 ? 'g'
	           : strcmp(scope, "key") == 0 ? 'k'
	                                       : 'a';
	b->month = strcmp(period, "month") == 0;
	b->usd = strcmp(unit, "usd") == 0;
	b->amount = amount;
	b->hard = hard != 0;
	return 0;
}

static int
budgets_read(const void *ctx, const struct row *r, int col, struct account *a)
{
	json_auto_t *list = NULL;
	struct account_budget *all;
	int n;

	if (row_null(r, col))
		return 0;
	if (json_parse(row_text(r, col), strlen(row_text(r, col)),
		&BUDGET_LIMITS, &list, NULL) != 0)
		return -1;
	n = (int)json_array_size(list);
	all = mem_array(ctx, struct account_budget, (size_t)n);
	for (int i = 0; i < n; i++)
		if (budget_read(
			ctx, json_array_get(list, (size_t)i), &all[i]) != 0)
			return -1;
	a->budgets = all;
	a->nbudgets = n;
	return 0;
}

/* The columns of account_store_by_slug. */
static int
value_make(void *arg, const struct row *r, void **ret, struct err *e)
{
	struct counted *c = mem_new(NULL, struct counted);
	struct account *a = &c->a;

	(void)arg;
	atomic_init(&c->refs, 1);
	if (row_uuid(r, 0, &a->id) != 0) {
		mem_free(c);
		return err_set(e, ERR_INTERNAL, "account without an id");
	}
	a->slot = (uint32_t)row_int(r, 1);
	copy_text(a->slug, sizeof(a->slug), row_text(r, 2));
	a->name = mem_strdup(c, row_text(r, 3));
	copy_text(a->tier, sizeof(a->tier), row_text(r, 4));
	a->active = row_bool(r, 5);
	a->max_agents = row_int(r, 6);
	a->requests_per_hour = row_int(r, 7);
	a->origins = origin_list(c, row_text(r, 8), &a->norigins);
	a->epoch = (uint64_t)row_int(r, 9);
	a->platform_epoch = (uint64_t)row_int(r, 10);
	if (budgets_read(c, r, 11, a) != 0) {
		mem_free(c);
		return err_set(
		    e, ERR_INTERNAL, "an account whose budgets do not read");
	}
	*ret = c;
	return 0;
}

static void
ask(void *arg, const char *slug, struct db_call *call,
    const struct uuid **account)
{
	(void)arg;
	(void)account;
	call->stmt = &account_store_by_slug;
	call->param[call->nparams++] = slug;
}

static const struct tier_ops ops = { .kind = WARM_ACCOUNT,
	.slot = 1,
	.epoch = 9,
	.platform = 10,
	.ref = value_ref,
	.unref = value_unref,
	.fresh = value_fresh,
	.slot_of = value_slot,
	.ask = ask,
	.make = value_make,
	.none = not_found };

struct accounts *
accounts_new(const struct tiers *tiers, unsigned hot)
{
	struct accounts *as = mem_new(NULL, struct accounts);

	as->tier = tier_new(tiers, &ops, hot, ABSENT_PLACES);
	return as;
}

void
accounts_free(struct accounts *as)
{
	if (as == NULL)
		return;
	tier_free(as->tier);
	mem_free(as);
}

void
accounts_tell(struct accounts *as)
{
	tier_tell(as->tier);
}

void
accounts_stats(struct accounts *as, struct lru_stats *out)
{
	tier_stats(as->tier, out);
}

int
accounts_by_slug(struct accounts *as, const char *slug, int64_t deadline,
    const struct account **ret, struct err *e)
{
	void *value;

	if (!str_is_slug(slug))
		return not_found(e);
	if (tier_get(as->tier, slug, NULL, NULL, deadline, &value, e) != 0)
		return -1;
	*ret = &((struct counted *)value)->a;
	return 0;
}

void
account_unref(const struct account *a)
{
	/* The count is no part of the immutable value. */
	value_unref((void *)(uintptr_t)a);
}
