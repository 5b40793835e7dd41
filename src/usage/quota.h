/*
 * Limits as GCRA buckets in shared memory: a limit of N an hour is a bucket of
 * N that refills evenly.  One 64-bit compare-and-swap a bucket, exact on a
 * host, usable whatever a dying worker was doing.
 */
#ifndef USAGE_QUOTA_H
#define USAGE_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

#include "util/err.h"
#include "util/id.h"

/* In the master, before the fork. */
void quota_map(uint32_t max_slots);

struct quota_limit {
	int64_t limit; /* N; negative: unlimited */
	int64_t period_s;
};

/* Everything a turn is measured by. */
struct quota_ask {
	uint32_t account_slot, agent_slot;
	struct quota_limit account_requests; /* an hour */
	struct quota_limit agent_requests;   /* a minute */
	struct quota_limit agent_tokens;     /* an hour */
	int64_t tokens;			     /* the estimate to reserve */
	/* widget callers: text keys; NULL = not measured */
	const char *address, *session;
	struct quota_limit per_address, per_session;
};

/* What headers say: the tightest limit after this request. */
struct quota_state {
	bool any; /* false: nothing limits this caller */
	int64_t limit, remaining, reset_s;
	int64_t retry_after_s; /* when refused */
	char name[40];	       /* which: "requests_per_hour" */
};

/*
 * Take one request and the tokens from every bucket, or from none.  0, or -1
 * with ERR_LIMIT (kind "limit-exceeded", text names the limit and when) and
 * *st filled in both cases.
 */
int quota_take(
    const struct quota_ask *, struct quota_state *st, struct err *e);
/* Give the request and its tokens back: it never reached a provider. */
void quota_give_back(const struct quota_ask *);
/* Correct the reserved tokens to what was used. */
void quota_settle(const struct quota_ask *, int64_t used);
/* Of one bucket, for tests and pages: how many would pass now. */
int64_t quota_remaining(
    uint32_t account_slot, const struct quota_limit *account_requests);

#endif
