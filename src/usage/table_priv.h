/*
 * Buckets by text key (client addresses, sessions): a fixed set-associative
 * table in shared memory, without locks.
 *
 * A key's 64-bit SipHash, keyed by random bytes of this start, chooses the set
 * and is compared whole.  A place whose bucket is full says nothing that an
 * absent one would not, so only those are taken over for another key.  When
 * all places of a set are in use the ask is refused (fail closed) until the
 * first of them is full: with 8 x 65,536 places that needs more callers inside
 * one step of their limits than a host can serve, and letting them pass would
 * make flooding the table the way round the limit.
 *
 * A process may die at any instruction: a claim it left is taken over after 50
 * ms.
 */
#ifndef USAGE_TABLE_PRIV_H
#define USAGE_TABLE_PRIV_H

#include <stddef.h>

#include "usage/bucket.h"

#define TABLE_WAYS 8
#define TABLE_SETS UINT32_C(65536)

/* In the master, before the fork: maps the table and salts it. */
void table_map(void);
/* The hash of a key of ${kind} in the scope of account ${slot}. */
uint64_t table_hash(char kind, uint32_t slot, const char *text);

/* As bucket_decide, bucket_take and bucket_give, by key. */
bool table_peek(uint64_t h, const struct bucket_rate *, int64_t cost,
    bucket_clock *, struct bucket_view *v);
bool table_take(uint64_t h, const struct bucket_rate *, int64_t cost,
    bucket_clock *, struct bucket_view *v);
void table_give(
    uint64_t h, const struct bucket_rate *, int64_t n, bucket_clock *);

#endif
