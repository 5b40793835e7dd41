/*
 * Bounded staleness.  What is cached is good while nothing newer was heard of,
 * and that means something only while the listener hears.  When it has not for
 * a second, whoever uses something cached asks the database for the epochs,
 * once a second for each account; when the database itself does not answer,
 * what is cached stays good for a long while (cache_max_stale), so that cached
 * agents go on answering.
 */
#ifndef ACCOUNT_PROOF_H
#define ACCOUNT_PROOF_H

#include <stdbool.h>
#include <stdint.h>

#include "util/err.h"

struct db_pool;

/* For so long nobody has to ask again. */
#define PROOF_NS INT64_C(1000000000)

/*
 * Make sure that the epochs of ${slot}, and with ${platform} those of slot 0,
 * are what the database says, or were within the last second.  They may have
 * been raised afterwards: compare again.  0, or -1 with ERR_UNAVAILABLE when
 * they have been unknown for longer than ${max_stale} ns.  Asks nobody while
 * the listener hears.  Any thread.
 */
int proof_hold(struct db_pool *, uint32_t slot, bool platform,
    int64_t max_stale, int64_t deadline, struct err *e);

/* Read the epochs of all accounts and raise what is behind: for the listener,
 * when it has begun to hear. */
int proof_read_all(struct db_pool *, int64_t deadline, struct err *e);

#endif
