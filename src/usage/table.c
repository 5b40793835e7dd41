/* Buckets by text key, in a set-associative table without locks. */
#include "usage/table_priv.h"

#include <sched.h>
#include <string.h>

#include "shm/shm.h"
#include "util/hash.h"
#include "util/id.h"

#include "util/banned.h"

/*
 * A place is claimed by moving its tat to CLAIMED | now; whoever did so may
 * change the tag, then publishes a new tat.  A published tat is never negative
 * and always above the one that was claimed, so a compare-and-swap that still
 * expects the old key's tat fails.
 */
#define CLAIMED INT64_MIN
#define CLAIM_STALE (BUCKET_TICKS_S / 20)

struct place {
	_Atomic(uint64_t) tag; /* whole hash; 0: never used */
	bucket_t tat;
};

static struct place (*sets)[TABLE_WAYS];
static uint64_t salt[2];

void
table_map(void)
{
	sets = shm_map(sizeof(*sets) * TABLE_SETS);
	id_random(salt, sizeof(salt));
}

uint64_t
table_hash(char kind, uint32_t slot, const char *text)
{
	uint64_t key[2] = { salt[0] ^ slot,
		salt[1] ^ (uint64_t)(unsigned char)kind << 56 };
	uint64_t h = hash_keyed(key, text, strlen(text));

	return h != 0 ? h : 1;
}

static struct place *
set_of(uint64_t h)
{
	return sets[h & (TABLE_SETS - 1)];
}

static bool
claim_fresh(int64_t tat, int64_t now)
{
	return now - (tat & INT64_MAX) < CLAIM_STALE;
}

/*
 * The place of ${h} and its published tat, NULL when it has none.  *busy is
 * set when somebody is just putting it there.
 */
static struct place *
find(struct place *set, uint64_t h, bucket_clock *clk, int64_t *tat, bool *busy)
{
	*busy = false;
	for (int i = 0; i < TABLE_WAYS; i++) {
		/* tat first: if the key changes after this load, so does
		 * tat, and the caller's swap fails. */
		int64_t t = atomic_load(&set[i].tat);

		if (atomic_load(&set[i].tag) != h)
			continue;
		if (t >= 0) {
			*tat = t;
			return &set[i];
		}
		*busy = *busy || claim_fresh(t, clk());
	}
	return NULL;
}

/*
 * Claim a place whose bucket is full: *mark is its tat then, *above what it
 * was.  NULL with *wait, the ticks until there is one; 0: try again now.
 */
static struct place *
claim(struct place *set, bucket_clock *clk, int64_t *mark, int64_t *above,
    int64_t *wait)
{
	*wait = INT64_MAX;
	for (int i = 0; i < TABLE_WAYS; i++) {
		int64_t t = atomic_load(&set[i].tat), now = clk();
		int64_t left = t >= 0                ? t - now
		               : claim_fresh(t, now) ? CLAIM_STALE
		                                     : 0;

		if (left <= 0) {
			*mark = CLAIMED | now;
			*above = t >= 0 ? t : now;
			if (t != *mark && atomic_compare_exchange_strong(
					      &set[i].tat, &t, *mark))
				return &set[i];
			left = 0; /* somebody was faster */
		}
		if (left < *wait)
			*wait = left;
	}
	return NULL;
}

/* Must the claimed ${mine} give way to another place of the same key?  Waits
 * while the other one, which must give way to mine, has not done so. */
static bool
gives_way(
    struct place *set, const struct place *mine, uint64_t h, bucket_clock *clk)
{
	for (int i = 0; i < TABLE_WAYS;) {
		int64_t t = atomic_load(&set[i].tat);

		if (&set[i] == mine || atomic_load(&set[i].tag) != h ||
		    (t < 0 && !claim_fresh(t, clk()))) {
			i++;
			continue;
		}
		if (t >= 0 || &set[i] < mine)
			return true;
		sched_yield();
	}
	return false;
}

enum put { PUT_DONE, PUT_AGAIN, PUT_FULL };

/*
 * Give ${h} a place whose tat is ${next}.  Two that do this for one key at
 * once both write the tag before they look at the other places, so at least
 * one of them sees the other, and the rule of gives_way() leaves one place.
 */
static enum put
put(struct place *set, uint64_t h, int64_t next, bucket_clock *clk,
    int64_t *wait)
{
	int64_t mark, above;
	struct place *p = claim(set, clk, &mark, &above, wait);
	uint64_t tag;

	if (p == NULL)
		return *wait > 0 ? PUT_FULL : PUT_AGAIN;
	tag = atomic_load(&p->tag);
	if (!atomic_compare_exchange_strong(&p->tag, &tag, h))
		return PUT_AGAIN; /* our claim went stale and was taken over */
	if (gives_way(set, p, h, clk)) {
		tag = h;
		atomic_compare_exchange_strong(&p->tag, &tag, 0);
		atomic_compare_exchange_strong(&p->tat, &mark, above + 1);
		return PUT_AGAIN;
	}
	if (next <= above)
		next = above + 1;
	return atomic_compare_exchange_strong(&p->tat, &mark, next) ? PUT_DONE
	                                                            : PUT_AGAIN;
}

bool
table_peek(uint64_t h, const struct bucket_rate *r, int64_t cost,
    bucket_clock *clk, struct bucket_view *v)
{
	int64_t tat = 0, next;
	bool busy;

	find(set_of(h), h, clk, &tat, &busy);
	return bucket_decide(tat, r, cost, clk(), &next, v);
}

bool
table_take(uint64_t h, const struct bucket_rate *r, int64_t cost,
    bucket_clock *clk, struct bucket_view *v)
{
	struct place *set = set_of(h), *p;
	int64_t tat, next, wait;
	bool busy;

	for (;;) {
		tat = 0;
		p = find(set, h, clk, &tat, &busy);
		if (p == NULL && busy) {
			sched_yield();
			continue;
		}
		if (!bucket_decide(tat, r, cost, clk(), &next, v))
			return false;
		if (p != NULL) {
			if (atomic_compare_exchange_strong(&p->tat, &tat, next))
				return true;
			continue;
		}
		switch (put(set, h, next, clk, &wait)) {
		case PUT_DONE:
			return true;
		case PUT_AGAIN:
			continue;
		case PUT_FULL:
			*v = (struct bucket_view){ .wait = wait, .full = wait };
			return false;
		}
	}
}

void
table_give(
    uint64_t h, const struct bucket_rate *r, int64_t n, bucket_clock *clk)
{
	struct place *p;
	int64_t tat, now;
	bool busy;

	do {
		p = find(set_of(h), h, clk, &tat, &busy);
		now = clk();
		if (p == NULL || tat <= now)
			return; /* full, or taken over because it was */
	} while (!atomic_compare_exchange_strong(
	    &p->tat, &tat, bucket_given(tat, r, n, now)));
}
