/*
 * Searches, remembered.  A search is known by the words that are left of its
 * question, and by whose it is; its epoch is what was heard of before the
 * database was asked, so that a change in between makes it old.
 */
#include "knowledge/search.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "db/db.h"
#include "knowledge/find_priv.h"
#include "shm/epoch.h"
#include "telemetry/metric.h"
#include "util/clock.h"
#include "util/lru.h"
#include "util/mem.h"

#include "util/banned.h"

#define KEY_SIZE (2 * UUID_TEXT + WORDS_SIZE + 48)
/* A turn can go on without. */
#define SEARCH_NS (2 * CLOCK_S)

/* What was found: one talloc tree, counted. */
struct found {
	atomic_uint refs;
	uint32_t slot;
	uint64_t epoch;
	struct hit *hits;
	int n;
};

struct knowledge {
	struct db_pool *db;
	struct lru *lru;
	struct lru_stats told;
};

struct wanted {
	struct knowledge *k;
	const struct knowledge_ask *ask;
	const struct words *words;
};

static void
value_ref(void *value)
{
	struct found *f = value;

	atomic_fetch_add(&f->refs, 1);
}

static void
value_unref(void *value)
{
	struct found *f = value;

	if (f != NULL && atomic_fetch_sub(&f->refs, 1) == 1)
		mem_free(f);
}

static bool
value_fresh(const void *value)
{
	const struct found *f = value;

	return f->epoch >= epoch_knowledge(f->slot);
}

static int
value_make(
    void *arg, const char *key, int64_t deadline, void **ret, struct err *e)
{
	const struct wanted *w = arg;
	uint64_t epoch = epoch_knowledge(w->ask->slot);
	int64_t limit = clock_mono() + SEARCH_NS;
	struct found *f;
	bool nothing;

	(void)key;
	if (epoch_away())
		return err_set_kind(e, ERR_UNAVAILABLE, NULL, 1,
		    "the database is away: nothing can be searched");
	f = mem_new(NULL, struct found);
	atomic_init(&f->refs, 1);
	f->slot = w->ask->slot;
	f->epoch = epoch;
	if (deadline == 0 || deadline > limit)
		deadline = limit;
	if (find(w->k->db, w->ask, w->words, deadline, f, &f->hits, &f->n,
		&nothing, e) != 0) {
		mem_free(f);
		return -1;
	}
	if (nothing)
		epoch_knowledge_none(f->slot, epoch);
	*ret = f;
	return 0;
}

static const struct lru_ops ops = { value_ref, value_unref, value_fresh,
	value_make };

struct knowledge *
knowledge_new(struct db_pool *db, unsigned most)
{
	struct knowledge *k = mem_new(NULL, struct knowledge);

	k->db = db;
	k->lru = lru_new(most, &ops);
	return k;
}

void
knowledge_free(struct knowledge *k)
{
	if (k == NULL)
		return;
	lru_free(k->lru);
	mem_free(k);
}

void
knowledge_tell(struct knowledge *k)
{
	struct lru_stats s;

	lru_stats(k->lru, &s);
	metric_add(M_CACHE_HITS_HOT_SEARCH, (int64_t)(s.hits - k->told.hits));
	metric_add(
	    M_CACHE_MISSES_HOT_SEARCH, (int64_t)(s.misses - k->told.misses));
	metric_add(M_CACHE_EVICTIONS_HOT_SEARCH,
	    (int64_t)(s.evictions - k->told.evictions));
	metric_set(M_CACHE_ENTRIES_HOT_SEARCH, (int64_t)s.entries);
	metric_set(M_CACHE_AGE_HOT_SEARCH,
	    s.oldest != 0 ? (clock_mono() - s.oldest) / CLOCK_S : 0);
	k->told = s;
}

/* The reader's reference, which goes with its memory. */
struct holding {
	struct found *found;
};

static int
holding_drop(struct holding *h)
{
	value_unref(h->found);
	return 0;
}

int
knowledge_search(struct knowledge *k, const struct knowledge_ask *ask,
    int64_t deadline, const void *ctx, struct hit **ret, int *n, struct err *e)
{
	char key[KEY_SIZE], account[UUID_TEXT], agent[UUID_TEXT];
	struct holding *h;
	struct words words;
	struct wanted w = { k, ask, &words };
	void *value;

	*ret = NULL;
	*n = 0;
	words_of(ask->question, &words);
	if (words.n == 0 || ask->limit <= 0 || epoch_knows_nothing(ask->slot))
		return 0;
	id_format(ask->account, account);
	id_format(ask->agent, agent);
	snprintf(key, sizeof(key), "%s/%s/%s/%d/%c%s", account, agent,
	    ask->kind != NULL ? ask->kind : "", ask->limit,
	    words.overview ? '*' : ' ', words.text);
	if (lru_get(k->lru, key, &w, deadline, &value, e) != 0)
		return -1;
	h = mem_new(ctx, struct holding);
	h->found = value;
	talloc_set_destructor(h, holding_drop);
	*ret = h->found->hits;
	*n = h->found->n;
	return 0;
}
