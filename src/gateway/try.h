/* Does a key work?  Asked of its provider, whatever state it is in. */
#ifndef GATEWAY_TRY_H
#define GATEWAY_TRY_H

#include <stdint.h>

#include "llm/llm.h"
#include "util/err.h"
#include "util/id.h"

struct db_pool;
struct egress;
struct net;
struct vault;

/* What it is asked with; the pool's role is sb_admin.  ${egress}: the guard for
 * an address that an account typed; NULL: the operator asks. */
struct gateway_try {
	struct db_pool *db;
	struct vault *vault;
	struct net *net;
	const struct egress *egress;
	int64_t deadline;
};

/*
 * Ask for the list of models by the credential ${id} of ${account} (nil: the
 * platform).  *problem: what is wrong, for people, below ${ctx}; NULL nothing.
 * 0, or -1: ERR_NOT_FOUND, or it could not be opened.
 */
int gateway_try(const struct gateway_try *, const struct uuid *account,
    const char *id, const void *ctx, struct llm_probe *out,
    const char **problem, struct err *e);

#endif
