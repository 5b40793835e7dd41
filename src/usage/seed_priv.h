/*
 * What was used before this start, so that a restart gives nobody a new hour:
 * requests of each account and tokens of each agent in the last hour, by the
 * 5-minute roll-ups, and requests of each agent in the last minute, by its
 * turns.  Kept by slot beside the buckets; a bucket that nobody has used since
 * the start takes it up at its first use, when its limit is known.
 *
 * The error, written down: what happened inside five minutes counts as if it
 * had happened at their end (an hour's limit: at most 1/12 too strict, and
 * never for who stays below the rate); use on other hosts counts here too.  To
 * the generous side only what was never stored: turns that were running when
 * the server was killed, and what a journal still holds.  Buckets of addresses
 * and sessions start full: a minute's worth of each.
 */
#ifndef USAGE_SEED_PRIV_H
#define USAGE_SEED_PRIV_H

#include "usage/bucket.h"
#include "util/err.h"

struct db_pool;

enum seed_kind {
	SEED_ACCOUNT_REQUESTS,
	SEED_AGENT_TOKENS,
	SEED_AGENT_REQUESTS
};

#define SEED_PARTS 13 /* five minutes each: an hour, and the one begun */
#define SEED_PART_S 300

/* In the master, before the fork. */
void seed_map(uint32_t max_slots);
/* See quota.h: quota_seed, quota_seed_skip, quota_reap. */
int seed_load(
    struct db_pool *db, bucket_clock *clk, int64_t deadline, struct err *e);
void seed_skip(void);
void seed_reap(unsigned process_slot);

/* ${b} holds 0, never used: let it owe what was used before, if anything. */
void seed_bucket(bucket_t *b, enum seed_kind, uint32_t slot,
    const struct bucket_rate *, bucket_clock *);

/* While loading (usage/store.c): ${used} in the part ${ago} before the one
 * begun; requests of an agent are of the last minute. */
void seed_put(enum seed_kind, int64_t slot, int ago, int64_t used);
/* The tat of a bucket whose use was ${used} by parts, oldest last, ${age} ticks
 * after the last one began. */
int64_t seed_tat(const uint32_t used[SEED_PARTS], const struct bucket_rate *,
    int64_t most, int64_t now, int64_t age);

#endif
