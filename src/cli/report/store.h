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

/*
 * Usage by agent and model, summed from the 5-minute roll-up, which alone is
 * never behind.  One line for each ${bucket} (a PostgreSQL interval), or (NULL)
 * one for the whole time.  Members: agent_id, model, bucket (RFC 3339 or null),
 * requests, failed, cancelled, input_tokens, ..., cost_usd, unpriced,
 * latency_ms_avg, latency_ms_max.  New reference.
 */
int store_usage(struct db_pool *, const struct uuid *account, int64_t since_us,
    int64_t until_us, const char *bucket, json_t **ret, struct err *);

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
