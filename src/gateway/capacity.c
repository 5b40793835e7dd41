/* A credential's minute. */
#include "gateway/capacity_priv.h"

#include <string.h>

#include "util/clock.h"

#include "util/banned.h"

#define MINUTE_S 60
/* A provider's limit is believed up to this, and a hold up to that. */
#define LIMIT_MOST INT64_C(1000000000000)
#define HOLD_MOST (INT64_C(3600) * CLOCK_S)
/* How far beyond a whole bucket answers that were longer than thought may
 * reach: two minutes. */
#define DEBT_BUCKETS 3

static int64_t
ticks(int64_t now)
{
	return now * BUCKET_TICKS_NS;
}

static int64_t
given(const struct health_limits *l, int k)
{
	switch (k) {
	case CAPACITY_RPM:
		return l->rpm;
	case CAPACITY_TPM:
		return l->tpm;
	case CAPACITY_ITPM:
		return l->itpm;
	default:
		return 0;
	}
}

/* The limit that holds when ours is ${ours}; 0: none is known. */
static int64_t
limit_with(const struct capacity *c, int64_t ours, int k)
{
	int64_t theirs = atomic_load(&c->limit[k]);

	if (ours <= 0)
		return theirs > 0 ? theirs : 0;
	return theirs > 0 && theirs < ours ? theirs : ours;
}

static int64_t
limit_of(const struct capacity *c, const struct health_limits *l, int k)
{
	return limit_with(c, given(l, k), k);
}

/* For those who know none. */
static void
given_note(struct capacity *c, const struct health_limits *l)
{
	for (int k = 0; k < CAPACITIES; k++)
		if (atomic_load(&c->given[k]) != given(l, k))
			atomic_store(&c->given[k], given(l, k));
}

static bool
held(const struct capacity *c, int k, int64_t now)
{
	return atomic_load(&c->hold[k]) > now;
}

/* --- looking -------------------------------------------------------------- */

static int64_t
left_of(const struct capacity *c, int k, int64_t limit, int64_t now,
    struct health_view *v)
{
	int64_t until = atomic_load(&c->hold[k]), owed;
	struct bucket_rate r;
	double share;

	if (until > now) {
		if (until > v->held)
			v->held = until;
		v->load = 1;
		return 0;
	}
	if (limit == 0)
		return -1;
	r = bucket_rate(limit, MINUTE_S);
	owed = atomic_load(&c->tat[k]) - ticks(now);
	if (owed <= 0)
		return limit;
	share = (double)owed / (double)r.size;
	if (share > v->load)
		v->load = share < 1 ? share : 1;
	return owed < r.size ? (r.size - owed) / r.step : 0;
}

void
capacity_look(const struct capacity *c, const struct health_limits *l,
    int64_t now, struct health_view *v)
{
	int64_t limit[CAPACITIES], left[CAPACITIES];

	v->held = 0;
	v->load = 0;
	for (int k = 0; k < CAPACITIES; k++) {
		limit[k] = limit_of(c, l, k);
		left[k] = left_of(c, k, limit[k], now, v);
	}
	v->rpm = limit[CAPACITY_RPM];
	v->tpm = limit[CAPACITY_TPM];
	v->itpm = limit[CAPACITY_ITPM];
	v->otpm = limit[CAPACITY_OTPM];
	v->rpm_left = left[CAPACITY_RPM];
	v->tpm_left = left[CAPACITY_TPM];
	v->itpm_left = left[CAPACITY_ITPM];
	v->otpm_left = left[CAPACITY_OTPM];
}

/* --- taking and giving ---------------------------------------------------- */

static bool
take(bucket_t *b, const struct bucket_rate *r, int64_t need, int64_t now)
{
	int64_t tat = atomic_load(b), next;
	struct bucket_view v;

	do {
		if (!bucket_decide(tat, r, need, ticks(now), &next, &v))
			return false;
	} while (!atomic_compare_exchange_weak(b, &tat, next));
	return true;
}

static void
give(struct capacity *c, int k, int64_t back, int64_t now)
{
	int64_t least = atomic_load(&c->said[k]), tat = atomic_load(&c->tat[k]);
	int64_t next;

	if (back <= 0)
		return;
	if (least < ticks(now))
		least = ticks(now);
	do {
		if (tat <= least)
			return; /* full already */
		next = tat - back > least ? tat - back : least;
	} while (!atomic_compare_exchange_weak(&c->tat[k], &tat, next));
}

static void
charge(bucket_t *b, const struct bucket_rate *r, int64_t more, int64_t now)
{
	int64_t most = ticks(now) + r->size * DEBT_BUCKETS;
	int64_t tat = atomic_load(b), next;

	do {
		next = (tat > ticks(now) ? tat : ticks(now)) + more;
		if (next > most)
			next = tat > most ? tat : most;
	} while (!atomic_compare_exchange_weak(b, &tat, next));
}

void
capacity_give(struct capacity *c, const int64_t took[CAPACITIES], int64_t now)
{
	for (int k = 0; k < CAPACITIES; k++)
		give(c, k, took[k], now);
}

bool
capacity_take(struct capacity *c, const struct health_limits *l,
    const int64_t need[CAPACITIES], int64_t now, int64_t took[CAPACITIES])
{
	memset(took, 0, sizeof(*took) * CAPACITIES);
	given_note(c, l);
	for (int k = 0; k < CAPACITIES; k++) {
		int64_t limit = limit_of(c, l, k);
		struct bucket_rate r;
		bool passes = !held(c, k, now);

		if (passes && limit > 0) {
			r = bucket_rate(limit, MINUTE_S);
			passes = take(&c->tat[k], &r, need[k], now);
			if (passes)
				took[k] = bucket_ticks(&r, need[k]);
		}
		if (!passes) {
			capacity_give(c, took, now);
			memset(took, 0, sizeof(*took) * CAPACITIES);
			return false;
		}
	}
	return true;
}

void
capacity_settle(struct capacity *c, const struct health_limits *l,
    const int64_t took[CAPACITIES], const int64_t used[CAPACITIES], int64_t now)
{
	for (int k = 0; k < CAPACITIES; k++) {
		int64_t limit = limit_of(c, l, k), more;
		struct bucket_rate r;

		if (limit == 0) {
			give(c, k, took[k], now);
			continue;
		}
		r = bucket_rate(limit, MINUTE_S);
		more = bucket_ticks(&r, used[k]) - took[k];
		if (more > 0)
			charge(&c->tat[k], &r, more, now);
		else
			give(c, k, -more, now);
	}
}

void
capacity_charge(struct capacity *c, const int64_t used[CAPACITIES], int64_t now)
{
	for (int k = 0; k < CAPACITIES; k++) {
		int64_t limit = limit_with(c, atomic_load(&c->given[k]), k);
		struct bucket_rate r;

		if (limit == 0 || used[k] <= 0)
			continue;
		r = bucket_rate(limit, MINUTE_S);
		charge(&c->tat[k], &r, bucket_ticks(&r, used[k]), now);
	}
}

/* --- what headers say ----------------------------------------------------- */

/*
 * At least ${used} tokens of the bucket are used.  What we think is used and
 * what they have counted overlap in nobody knows which calls (theirs may have
 * come from other hosts, ours may be under way), so the greater one counts.
 */
static void
believe(struct capacity *c, int k, const struct bucket_rate *r, int64_t used,
    int64_t now)
{
	int64_t least = ticks(now) + bucket_ticks(r, used);
	int64_t tat = atomic_load(&c->tat[k]);

	atomic_store(&c->said[k], least);
	while (tat < least &&
	       !atomic_compare_exchange_weak(&c->tat[k], &tat, least))
		continue;
}

static void
hold(struct capacity *c, int k, int64_t until, int64_t now)
{
	int64_t most = now + HOLD_MOST, seen = atomic_load(&c->hold[k]);

	if (until > most)
		until = most;
	while (seen < until &&
	       !atomic_compare_exchange_weak(&c->hold[k], &seen, until))
		continue;
}

static void
learn(struct capacity *c, int k, const struct health_rate *r, int64_t now)
{
	int64_t limit = r->limit < LIMIT_MOST ? r->limit : LIMIT_MOST;
	struct bucket_rate rate;

	if (limit > 0 && atomic_load(&c->limit[k]) != limit)
		atomic_store(&c->limit[k], limit);
	if (r->remaining < 0)
		return;
	if (r->remaining > 0)
		atomic_store(&c->hold[k], 0);
	else if (r->reset_at > now)
		hold(c, k, r->reset_at, now);
	limit = atomic_load(&c->limit[k]);
	if (limit <= 0)
		return;
	rate = bucket_rate(limit, MINUTE_S);
	believe(c, k, &rate, limit - r->remaining, now);
}

void
capacity_learn(struct capacity *c, const struct health_rates *h, int64_t now)
{
	learn(c, CAPACITY_RPM, &h->requests, now);
	/* Beside limits of input and output, Anthropic's limit of "tokens" is
	 * whichever of them is nearest, no limit of its own. */
	if (h->input_tokens.limit <= 0)
		learn(c, CAPACITY_TPM, &h->tokens, now);
	learn(c, CAPACITY_ITPM, &h->input_tokens, now);
	learn(c, CAPACITY_OTPM, &h->output_tokens, now);
}

void
capacity_forget(struct capacity *c)
{
	for (int k = 0; k < CAPACITIES; k++) {
		atomic_store(&c->tat[k], 0);
		atomic_store(&c->said[k], 0);
		atomic_store(&c->hold[k], 0);
		atomic_store(&c->limit[k], 0);
	}
}
