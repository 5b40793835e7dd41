/*
 * Full-text search in an account's products and documents.  What was found is
 * remembered by each worker for as long as nothing of what the account knows
 * has changed (shm/epoch.h), and that an account has nothing to search in, by
 * all workers: then nobody asks.
 */
#ifndef KNOWLEDGE_SEARCH_H
#define KNOWLEDGE_SEARCH_H

#include <stdint.h>

#include "util/err.h"
#include "util/id.h"

struct db_pool;
struct knowledge;

struct hit {
	const char *kind; /* "product" or "document" */
	struct uuid id;
	const char *title, *url, *text;
	double score;
};

/* Remembers ${most} searches; the pool must outlive it. */
struct knowledge *knowledge_new(struct db_pool *, unsigned most);
void knowledge_free(struct knowledge *);

struct knowledge_ask {
	const struct uuid *account;
	uint32_t slot;            /* the account's */
	const struct uuid *agent; /* rows bound to no instance count for all */
	const char *question;
	const char *kind; /* "product", "document", NULL: both */
	int limit;
};

/*
 * The best passages for the words of a question, best first.  A question for
 * everything there is ("your products") gets the first ones.  Nothing is found
 * when nothing fits well enough.  Words only: nothing of the question is taken
 * as query syntax.  Memory below ctx.  0 with *n (may be 0), or -1
 * (ERR_UNAVAILABLE), at once where the database was just found away.  Any
 * thread.
 */
int knowledge_search(struct knowledge *, const struct knowledge_ask *,
    int64_t deadline, const void *ctx, struct hit **ret, int *n, struct err *e);

/* To the metrics; one thread, now and then. */
void knowledge_tell(struct knowledge *);

#endif
