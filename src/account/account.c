/*
 * Accounts by slug, each from one cached snapshot.  A snapshot is
 * stale when its account's epoch has moved, or the platform's: the numbers of
 * its tier stand in the platform's table.
 */
#include "account/account.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "account/absent.h"
#include "account/store.h"
#include "db/db.h"
#include "shm/epoch.h"
#include "util/lru.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define ABSENT_PLACES 1024

struct accounts {
	struct db_pool *db;
	struct lru *lru;
	struct absent *absent;
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

	return epoch_current(a->slot, a->epoch, a->general) &&
	       epoch_current(0, a->platform_epoch, a->general);
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

static struct counted *
from_row(const struct db_result *r, uint64_t general)
{
	struct counted *c = mem_new(NULL, struct counted);
	struct account *a = &c->a;

	atomic_init(&c->refs, 1);
	if (db_uuid(r, 0, 0, &a->id) != 0) {
		mem_free(c);
		return NULL;
	}
	a->slot = (uint32_t)db_int(r, 0, 1);
	copy_text(a->slug, sizeof(a->slug), db_text(r, 0, 2));
	copy_text(a->name, sizeof(a->name), db_text(r, 0, 3));
	copy_text(a->tier, sizeof(a->tier), db_text(r, 0, 4));
	a->active = db_bool(r, 0, 5);
	a->max_agents = db_int(r, 0, 6);
	a->requests_per_hour = db_int(r, 0, 7);
	a->origins = origin_list(c, db_text(r, 0, 8), &a->norigins);
	a->epoch = (uint64_t)db_int(r, 0, 9);
	a->platform_epoch = (uint64_t)db_int(r, 0, 10);
	a->general = general;
	return c;
}

static int
value_make(
    void *arg, const char *slug, int64_t deadline, void **ret, struct err *e)
{
	struct accounts *as = arg;
	uint64_t general = epoch_general();
	struct db_call call = {
		.stmt = &account_store_by_slug, .param = { slug }, .nparams = 1
	};
	void *ctx = mem_root("account_make");
	int rc = absent_ask(as->absent, slug, as->db, &call, deadline, ctx, e);
	struct counted *c = rc == 1 ? from_row(call.result, general) : NULL;

	mem_free(ctx);
	if (c != NULL) {
		*ret = c;
		return 0;
	}
	if (rc == 0)
		return not_found(e);
	if (rc == 1)
		return err_set(e, ERR_INTERNAL, "account without an id");
	return -1;
}

static const struct lru_ops ops = { value_ref, value_unref, value_fresh,
	value_make };

struct accounts *
accounts_new(struct db_pool *db, unsigned capacity)
{
	struct accounts *as = mem_new(NULL, struct accounts);

	as->db = db;
	as->lru = lru_new(capacity, &ops);
	as->absent = absent_new(ABSENT_PLACES);
	return as;
}

void
accounts_free(struct accounts *as)
{
	if (as == NULL)
		return;
	lru_free(as->lru);
	absent_free(as->absent);
	mem_free(as);
}

void
accounts_stats(struct accounts *as, struct lru_stats *out)
{
	lru_stats(as->lru, out);
}

int
accounts_by_slug(struct accounts *as, const char *slug, int64_t deadline,
    const struct account **ret, struct err *e)
{
	void *value;

	if (!str_is_slug(slug))
		return not_found(e);
	if (lru_get(as->lru, slug, as, deadline, &value, e) != 0)
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
