/*
 * A small set of pairs of UUIDs that many threads add to and one empties now
 * and then: what has been used since.  Open addressing, never more than half
 * full; what does not fit is forgotten.
 */
#ifndef UTIL_PAIRS_H
#define UTIL_PAIRS_H

#include <pthread.h>

#include "util/id.h"

#define PAIRS_PLACES 2048 /* a power of two */

struct pair {
	struct uuid owner, id;
};

struct pairs {
	pthread_mutex_t mu;
	struct pair place[PAIRS_PLACES];
	unsigned n;
};
#define PAIRS_INIT                                                             \
	{                                                                      \
		.mu = PTHREAD_MUTEX_INITIALIZER                                \
	}

/* Any thread; no allocation.  A pair is known by its ${id}, which is not nil.
 */
void pairs_add(struct pairs *, const struct uuid *owner, const struct uuid *id);
/* Empty it: *${n} members below ${ctx}, NULL where there are none. */
struct pair *pairs_take(struct pairs *, const void *ctx, unsigned *n);
/* Both halves as PostgreSQL arrays of UUIDs, text below ${ctx}. */
void pairs_arrays(const struct pair *, unsigned n, const void *ctx,
    const char **owners, const char **ids);

#endif
