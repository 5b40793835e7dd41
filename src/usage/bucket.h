/*
 * One GCRA bucket: the arithmetic, without knowing where buckets lie.  The
 * whole state is the time at which the bucket will be full again ("tat"), so
 * that one 64-bit compare-and-swap takes from it, and a changed limit keeps
 * the share that was left.
 *
 * Time is in ticks of 1/32 ns since the map was made: a token's step is a
 * whole number of ticks, so takes, give-backs and settlements are exact
 * inverses, N tokens are exactly N steps, and the rate differs from the wanted
 * one by less than limit / period ticks (a million an hour: 1e-8, far below
 * the error of the machine's clock), never to the generous side.
 */
#ifndef USAGE_BUCKET_H
#define USAGE_BUCKET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define BUCKET_TICKS_NS INT64_C(32)
#define BUCKET_TICKS_S (BUCKET_TICKS_NS * INT64_C(1000000000))

typedef _Atomic(int64_t) bucket_t;

/* A limit in ticks. */
struct bucket_rate {
	int64_t limit; /* N, at most 1e12 */
	int64_t step;  /* ticks a token */
	int64_t size;  /* ticks of a whole bucket: limit * step */
};

/* What a look at a bucket said. */
struct bucket_view {
	int64_t remaining; /* whole tokens left, at least 0 */
	int64_t wait;      /* ticks until the ask would pass; 0 it passes */
	int64_t full;      /* ticks until the bucket is full */
};

/* ${limit} >= 0 tokens evenly in ${period_s} seconds. */
struct bucket_rate bucket_rate(int64_t limit, int64_t period_s);

/* Ticks of ${n} tokens, at most what a bucket may owe: 24 whole ones. */
int64_t bucket_ticks(const struct bucket_rate *, int64_t n);

/*
 * What would become of a bucket at ${tat} if ${cost} were taken at ${now}:
 * true and the new tat in *next, or false; *v tells in both cases.  A cost
 * above the limit itself passes when the bucket is full, and leaves it in
 * debt.
 */
bool bucket_decide(int64_t tat, const struct bucket_rate *, int64_t cost,
    int64_t now, int64_t *next, struct bucket_view *v);

/*
 * The time in ticks.  It is asked after a bucket was read, never before: with
 * an older time than the one in the bucket a caller would find less than there
 * is.
 */
typedef int64_t bucket_clock(void);

bool bucket_take(bucket_t *, const struct bucket_rate *, int64_t cost,
    bucket_clock *, struct bucket_view *v);
void bucket_give(
    bucket_t *, const struct bucket_rate *, int64_t n, bucket_clock *);
/* Take more than was asked for: the debt is bounded by 24 whole buckets, so
 * that a wild number shuts nobody out for ever. */
void bucket_charge(
    bucket_t *, const struct bucket_rate *, int64_t n, bucket_clock *);
/* The new tat after giving ${n} back: never before ${now}. */
int64_t bucket_given(
    int64_t tat, const struct bucket_rate *, int64_t n, int64_t now);

#endif
