/*
 * What a credential may still ask for in this minute: requests (RPM), all
 * tokens (TPM), input tokens (ITPM) and output tokens (OTPM, known only from
 * headers).  Each is a bucket that refills evenly (usage/bucket.h), as the
 * providers describe their own, so that a minute's worth may go out at once
 * and the rest at the pace of the limit.
 *
 * What counts, by source: OpenAI's TPM counts cached input too; of Anthropic's
 * ITPM "for most models cached input does not count" (contracts/LLM-FACTS.md,
 * Anthropic Messages), so cached-read tokens are taken from TPM and not from
 * ITPM.
 *
 * The providers' limits are by model, these are by credential: the smallest
 * that a header named last counts for all its models.
 */
#ifndef GATEWAY_CAPACITY_PRIV_H
#define GATEWAY_CAPACITY_PRIV_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "gateway/health.h"
#include "usage/bucket.h"

enum { CAPACITY_RPM, CAPACITY_TPM, CAPACITY_ITPM, CAPACITY_OTPM, CAPACITIES };

struct capacity {
	bucket_t tat[CAPACITIES];
	bucket_t said[CAPACITIES]; /* what the provider's last header came to:
	                              giving back goes no further */
	_Atomic(int64_t) hold[CAPACITIES];  /* ns; nothing left until then */
	_Atomic(int64_t) limit[CAPACITIES]; /* learned; 0 none */
	_Atomic(int64_t) given[CAPACITIES]; /* the operator's, as last seen */
};

void capacity_look(const struct capacity *, const struct health_limits *,
    int64_t now, struct health_view *);
/* All of ${need} or nothing; ${took}: ticks, for capacity_settle(). */
bool capacity_take(struct capacity *, const struct health_limits *,
    const int64_t need[CAPACITIES], int64_t now, int64_t took[CAPACITIES]);
/* ${used} was used after ${took} was taken. */
void capacity_settle(struct capacity *, const struct health_limits *,
    const int64_t took[CAPACITIES], const int64_t used[CAPACITIES],
    int64_t now);
/* So much was used elsewhere. */
void capacity_charge(
    struct capacity *, const int64_t used[CAPACITIES], int64_t now);
/* Give ticks back. */
void capacity_give(
    struct capacity *, const int64_t took[CAPACITIES], int64_t now);
void capacity_learn(
    struct capacity *, const struct health_rates *, int64_t now);
void capacity_forget(struct capacity *);

#endif
