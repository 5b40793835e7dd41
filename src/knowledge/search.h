/* Full-text search in an account's products and documents. */
#ifndef KNOWLEDGE_SEARCH_H
#define KNOWLEDGE_SEARCH_H

#include <stdint.h>

#include "util/err.h"
#include "util/id.h"

struct db_pool;

struct hit {
	const char *kind; /* "product" or "document" */
	struct uuid id;
	const char *title, *url, *text;
	double score;
};

/*
 * The best ${limit} passages for the words of ${question}, best first, for
 * one agent instance (rows bound to no instance count for all), of one ${kind}
 * or (NULL) of all.  A question for everything there is ("your products") gets
 * the first ones.  Nothing is found when nothing fits well enough.  Words only:
 * nothing of ${question} is taken as query syntax.  Memory below ctx.  0 with
 * *n (may be 0), or -1 (ERR_UNAVAILABLE).
 */
int knowledge_search(struct db_pool *, const struct uuid *account,
    const struct uuid *agent, const char *question, const char *kind, int limit,
    int64_t deadline, const void *ctx, struct hit **ret, int *n, struct err *e);

#endif
