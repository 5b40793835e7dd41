/*
 * Limits as GCRA buckets in shared memory: a limit of N an hour is a bucket of
 * N that refills evenly.  One 64-bit compare-and-swap a bucket, exact on a
 * host, usable whatever a dying worker was doing.
 *
 * What a death costs: tokens that a killed worker had reserved are given back
 * when it is reaped; a thread that died between two instructions of a take or a
 * settlement may leave one request and one estimate taken that nobody used,
 * never the other way round.  What a restart costs: usage/seed_priv.h.
 */
#ifndef USAGE_QUOTA_H
#define USAGE_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

#include "util/err.h"
#include "util/id.h"

struct db_pool;

/* In the master, before the fork; a second call starts anew. */
void quota_map(uint32_t max_slots);

struct quota_limit {
	int64_t limit;    /* N; negative: unlimited; counted up to 1e12 */
	int64_t period_s; /* at most 31 days; 0: not measured */
};

/* Everything a turn is measured by. */
struct quota_ask {
	uint32_t account_slot, agent_slot;
	struct quota_limit account_requests; /* an hour */
	struct quota_limit agent_requests;   /* a minute */
	struct quota_limit agent_tokens;     /* an hour */
	int64_t tokens;                      /* the estimate to reserve */
	/* widget callers: text keys, each account's apart; NULL = not
	 * measured */
	const char *address, *session;
	struct quota_limit per_address, per_session;
	unsigned place; /* quota.c's own: 0, or where the tokens are noted */
};

/* What headers say: the tightest limit after this request. */
struct quota_state {
	bool any; /* false: nothing limits this caller */
	int64_t limit, remaining;
	int64_t reset_s;       /* until the bucket is full */
	int64_t retry_after_s; /* when refused, at least 1; else 0 */
	char name[40];         /* which: "requests_per_hour" */
};

/*
 * Take one request and the tokens from every bucket, or from none.  0, or -1
 * with ERR_LIMIT (kind "limit-exceeded", text names the limit and when) and
 * *st filled in both cases; ERR_UNAVAILABLE for a slot beyond max_slots.
 *
 * An estimate above the whole token limit passes when that bucket is full, and
 * leaves it in debt: the long-run rate holds, and no agent is unusable because
 * one question is long.  Buckets are looked at first, then taken from the
 * narrowest to the widest and given back when a later one refuses, so that a
 * refused request does not keep others out.
 */
int quota_take(struct quota_ask *, struct quota_state *st, struct err *e);
/* Give the request and its tokens back: it never reached a provider. */
void quota_give_back(struct quota_ask *);
/* Correct the reserved tokens to what was used; more than reserved may leave
 * the bucket in debt, at most of 24 times the limit. */
void quota_settle(struct quota_ask *, int64_t used);

/* In the master: the process of ${slot} has ended.  Gives back the tokens it
 * had reserved and not settled. */
void quota_reap(unsigned slot);
/*
 * Before this process serves: what was used in the last hour, from the
 * database, once for all processes; others wait for the one that does it.  0
 * also when it has been done; -1 (ERR_UNAVAILABLE ...) leaves it to be done.
 */
int quota_seed(struct db_pool *, int64_t deadline, struct err *e);
/* Serve without: nobody is to try again. */
void quota_seed_skip(void);
/* Of one bucket, for tests and pages: how many would pass now; -1 unlimited. */
int64_t quota_remaining(
    uint32_t account_slot, const struct quota_limit *account_requests);

#endif
