/*
 * When to try again: pauses that double from 50 ms to 1 s, each drawn at random
 * between half and all of itself, so that the processes of a host which lost
 * the same database do not come back in step.
 */
#ifndef DB_BACKOFF_H
#define DB_BACKOFF_H

#include <stdint.h>

struct backoff {
	unsigned failures;
	int64_t retry_at; /* clock_mono(); 0 = now */
};

/* Another failure: sets retry_at. */
void backoff_failed(struct backoff *);
void backoff_reset(struct backoff *);

#endif
