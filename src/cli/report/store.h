/* Usage from the roll-ups, and the table of prices. */
#ifndef CLI_REPORT_STORE_H
#define CLI_REPORT_STORE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "util/err.h"
#include "util/id.h"

struct audit_entry;
struct db_pool;

/* What usage is asked for. */
struct store_usage_ask {
	int64_t since_us, until_us;
	const char *bucket; /* PostgreSQL's interval; NULL: the whole time */
	bool by_agent, by_model, by_key, by_credential;
};

/*
 * Usage summed from the 5-minute roll-ups, which alone are never behind: one
 * line for each bucket and each of what it goes by.  Members, null where it
 * does not: agent_id, model, key_kind, key_id, credential_id, bucket (RFC
 * 3339); requests, failed, cancelled, input_tokens, ..., cost_usd, unpriced,
 * latency_ms_avg, latency_ms_max (null by key or credential).  New reference.
 */
int store_usage(struct db_pool *, const struct uuid *account,
    const struct store_usage_ask *, json_t **ret, struct err *);

struct store_activity_ask {
	const char *status;      /* NULL: all */
	const char *type, *name; /* of the agent; NULL: all */
	int64_t limit;
};
/* What agents do and have done, newest first.  New reference. */
int store_activity_list(struct db_pool *, const struct uuid *account,
    const struct store_activity_ask *, json_t **ret, struct err *);

/* Prices: US dollars a million tokens, decimal text. */
struct store_price {
	const char *model, *input, *output, *cached, *cache_write;
	int64_t from_us;
};
int store_price_list(struct db_pool *, bool all, json_t **ret, struct err *);
/* *changed: false when exactly this price held already; a change is recorded as
 * cli/store.h says. */
int store_price_set(struct db_pool *, const struct store_price *,
    const struct audit_entry *who, bool *changed, struct err *);
/* Is there any price of exactly that name? */
int store_price_known(
    struct db_pool *, const char *model, bool *known, struct err *);

#endif
