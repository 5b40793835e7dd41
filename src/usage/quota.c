/* Which buckets a turn is measured by, taken from all or none. */
#include "usage/quota.h"

#include <inttypes.h>
#include <stdio.h>

#include "shm/shm.h"
#include "usage/bucket.h"
#include "usage/reserve_priv.h"
#include "usage/seed_priv.h"
#include "usage/table_priv.h"
#include "util/clock.h"

#include "util/banned.h"

/* Arrays by slot; pages that no slot touched cost nothing. */
static struct {
	uint32_t slots;
	int64_t start; /* clock_mono() when mapped: tick 0 */
	bucket_t *account_requests, *agent_requests, *agent_tokens;
} map;

/* One limit of an ask: where its bucket is and what is wanted of it. */
struct measure {
	const char *name;
	bucket_t *bucket; /* NULL: by key */
	uint64_t key;
	struct bucket_rate rate;
	int64_t shown; /* the limit as configured */
	int64_t cost;
	struct bucket_view view;
};
#define MEASURES 5

void
quota_map(uint32_t max_slots)
{
	size_t bytes = sizeof(bucket_t) * ((size_t)max_slots + 1);

	map.slots = max_slots;
	map.start = clock_mono();
	map.account_requests = shm_map(bytes);
	map.agent_requests = shm_map(bytes);
	map.agent_tokens = shm_map(bytes);
	table_map();
	seed_map(max_slots);
	reserve_map(RESERVE_TOKENS);
}

static int64_t
ticks(void)
{
	return (clock_mono() - map.start) * BUCKET_TICKS_NS;
}

static int64_t
seconds_up(int64_t t)
{
	return t / BUCKET_TICKS_S + (t % BUCKET_TICKS_S > 0);
}

static bool
measured(const struct quota_limit *l)
{
	return l->limit >= 0 && l->period_s > 0;
}

static struct measure
measure(const char *name, const struct quota_limit *l, int64_t cost)
{
	return (struct measure){ .name = name,
		.rate = bucket_rate(l->limit, l->period_s),
		.shown = l->limit,
		.cost = cost };
}

/* The bucket of ${slot} in an array; a limit's first use since the start finds
 * there what was used before. */
static void
at_slot(struct measure *m, bucket_t *buckets, uint32_t slot, enum seed_kind s)
{
	m->bucket = &buckets[slot];
	if (atomic_load(m->bucket) == 0)
		seed_bucket(m->bucket, s, slot, &m->rate, ticks);
}

/* The limits of ${q}, from the narrowest to the widest. */
static int
measures(const struct quota_ask *q, struct measure m[MEASURES])
{
	int n = 0;

	if (q->session != NULL && measured(&q->per_session)) {
		m[n] = measure("session_per_minute", &q->per_session, 1);
		m[n++].key = table_hash('s', q->account_slot, q->session);
	}
	if (q->address != NULL && measured(&q->per_address)) {
		m[n] = measure("address_per_minute", &q->per_address, 1);
		m[n++].key = table_hash('a', q->account_slot, q->address);
	}
	if (measured(&q->agent_requests)) {
		m[n] =
		    measure("max_requests_per_minute", &q->agent_requests, 1);
		at_slot(&m[n++], map.agent_requests, q->agent_slot,
		    SEED_AGENT_REQUESTS);
	}
	if (measured(&q->agent_tokens)) {
		m[n] =
		    measure("max_tokens_per_hour", &q->agent_tokens, q->tokens);
		at_slot(&m[n++], map.agent_tokens, q->agent_slot,
		    SEED_AGENT_TOKENS);
	}
	if (measured(&q->account_requests)) {
		m[n] = measure("requests_per_hour", &q->account_requests, 1);
		at_slot(&m[n++], map.account_requests, q->account_slot,
		    SEED_ACCOUNT_REQUESTS);
	}
	return n;
}

static bool
peek(struct measure *m)
{
	int64_t tat, next;

	if (m->bucket == NULL)
		return table_peek(m->key, &m->rate, m->cost, ticks, &m->view);
	tat = atomic_load(m->bucket);
	return bucket_decide(tat, &m->rate, m->cost, ticks(), &next, &m->view);
}

static bool
take(struct measure *m)
{
	if (m->bucket == NULL)
		return table_take(m->key, &m->rate, m->cost, ticks, &m->view);
	return bucket_take(m->bucket, &m->rate, m->cost, ticks, &m->view);
}

static void
give(const struct measure *m)
{
	if (m->bucket == NULL)
		table_give(m->key, &m->rate, m->cost, ticks);
	else
		bucket_give(m->bucket, &m->rate, m->cost, ticks);
}

static void
show(struct quota_state *st, const struct measure *m)
{
	st->any = true;
	st->limit = m->shown;
	st->remaining = m->view.remaining;
	st->reset_s = seconds_up(m->view.full);
	snprintf(st->name, sizeof(st->name), "%s", m->name);
}

static int
refuse(const struct measure *m, struct quota_state *st, struct err *e)
{
	int64_t s = seconds_up(m->view.wait);

	if (s < 1)
		s = 1;
	show(st, m);
	st->remaining = 0;
	st->retry_after_s = s;
	return err_set_kind(e, ERR_LIMIT, "limit-exceeded",
	    s > INT32_MAX ? INT32_MAX : (int)s,
	    "The limit %s (%" PRId64 ") is used up; try again in %" PRId64
	    " s.",
	    m->name, m->shown, s);
}

/* Of all limits the one with the least share left. */
static void
show_tightest(struct quota_state *st, const struct measure *m, int n)
{
	const struct measure *least = NULL;
	double share, least_share = 0;

	for (int i = 0; i < n; i++) {
		share = (double)m[i].view.remaining / (double)m[i].rate.limit;
		if (least == NULL || share < least_share) {
			least = &m[i];
			least_share = share;
		}
	}
	if (least != NULL)
		show(st, least);
}

/* For quota_reap(), and only after the tokens were taken. */
static void
note(struct quota_ask *q)
{
	struct bucket_rate rate;

	if (!measured(&q->agent_tokens) || q->tokens <= 0)
		return;
	rate = bucket_rate(q->agent_tokens.limit, q->agent_tokens.period_s);
	q->place = reserve_note(
	    RESERVE_TOKENS, q->agent_slot, bucket_ticks(&rate, q->tokens));
}

int
quota_take(struct quota_ask *q, struct quota_state *st, struct err *e)
{
	struct measure m[MEASURES];
	const struct measure *worst = NULL;
	int n;

	q->place = 0;
	*st = (struct quota_state){ 0 };
	if (q->account_slot > map.slots || q->agent_slot > map.slots)
		return err_set_kind(e, ERR_UNAVAILABLE, NULL, 60,
		    "slot %" PRIu32 " is beyond max_slots (%" PRIu32 ")",
		    q->account_slot > map.slots ? q->account_slot
						: q->agent_slot,
		    map.slots);
	n = measures(q, m);

	/* Look first: what is refused anyway should take from nobody, and the
	 * longest wait is the true one. */
	for (int i = 0; i < n; i++)
		if (!peek(&m[i]) &&
		    (worst == NULL || m[i].view.wait > worst->view.wait))
			worst = &m[i];
	if (worst != NULL)
		return refuse(worst, st, e);

	for (int i = 0; i < n; i++) {
		if (take(&m[i]))
			continue;
		for (int k = 0; k < i; k++)
			give(&m[k]);
		return refuse(&m[i], st, e);
	}
	show_tightest(st, m, n);
	note(q);
	return 0;
}

void
quota_give_back(struct quota_ask *q)
{
	struct measure m[MEASURES];
	int n;

	reserve_clear(RESERVE_TOKENS, q->place);
	q->place = 0;

	if (q->account_slot > map.slots || q->agent_slot > map.slots)
		return;
	n = measures(q, m);
	for (int i = 0; i < n; i++)
		give(&m[i]);
}

void
quota_settle(struct quota_ask *q, int64_t used)
{
	struct bucket_rate rate;
	bucket_t *b;

	/* First: who dies after this line leaves the estimate taken, who dies
	 * before has it given back; so nothing is given back twice. */
	reserve_clear(RESERVE_TOKENS, q->place);
	q->place = 0;
	if (q->agent_slot > map.slots || !measured(&q->agent_tokens))
		return;
	if (used < 0)
		used = 0;
	rate = bucket_rate(q->agent_tokens.limit, q->agent_tokens.period_s);
	b = &map.agent_tokens[q->agent_slot];
	if (used > q->tokens)
		bucket_charge(b, &rate, used - q->tokens, ticks);
	else
		bucket_give(b, &rate, q->tokens - used, ticks);
}

int64_t
quota_remaining(uint32_t account_slot, const struct quota_limit *l)
{
	struct quota_ask q = { .account_slot = account_slot,
		.account_requests = *l };
	struct measure m[MEASURES];

	if (account_slot > map.slots || measures(&q, m) == 0)
		return -1;
	m[0].cost = 0;
	peek(&m[0]);
	return m[0].view.remaining;
}

static void
reaped(uint32_t slot, int64_t owed)
{
	/* One tick a token: the places hold ticks. */
	const struct bucket_rate one = {
		.limit = owed, .step = 1, .size = owed
	};

	if (slot <= map.slots)
		bucket_give(&map.agent_tokens[slot], &one, owed, ticks);
}

void
quota_reap(unsigned slot)
{
	reserve_reap(RESERVE_TOKENS, slot, reaped);
	seed_reap(slot);
}

int
quota_seed(struct db_pool *db, int64_t deadline, struct err *e)
{
	return seed_load(db, ticks, deadline, e);
}

void
quota_seed_skip(void)
{
	seed_skip();
}
