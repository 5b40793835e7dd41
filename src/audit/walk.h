/* A chain as it stands in the database, oldest entry first. */
#ifndef AUDIT_WALK_H
#define AUDIT_WALK_H

#include "audit/chain.h"
#include "db/db.h"
#include "util/err.h"

struct audit_range {
	int64_t since_us, until_us; /* from, and before; 0: all */
};

/*
 * Give each entry of the chain of ${account} in ${range} to ${take}, which ends
 * the walk by returning -1 with e set.  Entries live until it returns.  The
 * role is sb_admin.  0 or -1.
 */
int audit_walk(struct db_pool *, const struct uuid *account,
    const struct audit_range *,
    int (*take)(void *arg, const struct chain_entry *, struct err *), void *arg,
    struct err *e);
/* Where the chain ends now: *seq is 0 when nothing was ever appended. */
int audit_head(struct db_pool *, const struct uuid *account, int64_t *seq,
    unsigned char hash[CHAIN_HASH], struct err *e);

#endif
