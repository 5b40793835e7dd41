/*
 * The server's own page for an agent is one of the pages of a widget key: of
 * the oldest live one that is for this agent, or for any, and allows the page's
 * origin.  Where there is none there is no such page.
 */
#ifndef AUTH_HOSTED_H
#define AUTH_HOSTED_H

#include "util/err.h"
#include "util/id.h"

struct db_pool;

/* What is asked for. */
struct hosted {
	const struct uuid *account;
	const char *agent_type, *agent_name, *origin;
};

/*
 * The hash of that key's text into ${hash}.  One query; keys of one agent come
 * before those for any.  ERR_NOT_FOUND, ERR_UNAVAILABLE.
 */
int hosted_key(struct db_pool *, const struct hosted *, int64_t deadline,
    const void *ctx, unsigned char hash[32], struct err *e);

#endif
