/*
 * What each API key is set to do, may use in a minute, and was billed.  A limit
 * of N a minute is a bucket of N that refills evenly, as the vendors have it.
 * All functions lock; any thread.
 */
#ifndef SIMULATE_METER_PRIV_H
#define SIMULATE_METER_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "simulate/plan_priv.h"
#include "simulate/simulate.h"
#include "util/buf.h"

enum { RATE_REQUESTS, RATE_TOKENS, RATE_INPUT, RATES };

/* What is left of a key's limits after a request. */
struct rates {
	bool limited; /* any is set */
	bool refused; /* the request did not fit */
	int which;    /* ... into this one */
	int64_t retry_ms;
	int64_t limit[RATES]; /* 0: none */
	int64_t left[RATES];
	int64_t full_ms[RATES]; /* until the bucket is full again */
};

void meter_start(int64_t rpm, int64_t tpm, int64_t itpm);
/* The place of a key; the last place stands for all that found none. */
int meter_key(const char *key, size_t n);
/* Words and limits of a key; NULL, < 0: as it is.  False: no place left. */
bool meter_set(const char *key, size_t n, const char *words, int times,
    const int64_t limit[RATES]);
/* What is set for a key, counted down; false: nothing. */
bool meter_words(int key, char out[PLAN_WORDS]);
/* Take a request of so many tokens out of the buckets. */
void meter_take(
    int key, int64_t input, int64_t uncached, int64_t output, struct rates *);

enum meter_end { METER_WHOLE, METER_BROKEN, METER_REFUSED };
/* What a call came to: tokens are billed for whole answers, and apart from
 * those for broken ones. */
void meter_bill(
    int key, enum meter_end, int64_t input, int64_t cached, int64_t output);
/* As members of an object: "billing":{...} */
void meter_write(struct buf *);
void meter_reset(void);

#endif
