/*
 * The three tiers of cached configuration, for whoever caches a kind of it
 * (accounts, keys, agent specs): hot, a true LRU of counted values in this
 * process; warm, rows that another worker of the host has read (cache/warm.h);
 * cold, the database, one query and one flight a key.  What is known not to be
 * there is remembered too (absent.h), and how old anything may be says proof.h.
 */
#ifndef ACCOUNT_TIERS_H
#define ACCOUNT_TIERS_H

#include <stdbool.h>
#include <stdint.h>

#include "cache/warm.h"
#include "db/db.h"
#include "util/err.h"
#include "util/lru.h"

struct cold;
struct row;

/* What the caches of a process share; outlives them. */
struct tiers {
	struct db_pool *db;
	struct warm *warm; /* NULL: no warm tier */
	struct cold *cold;
	int64_t max_stale; /* ns, see proof.h */
};

/* A kind of configuration. */
struct tier_ops {
	enum warm_kind kind;
	/* Columns of its rows: the account's slot and epoch, and the platform's
	 * epoch where it counts (-1: not). */
	int slot, epoch, platform;
	void (*ref)(void *value);
	void (*unref)(void *value);
	/* Not older than what anybody has heard of? */
	bool (*fresh)(const void *value);
	uint32_t (*slot_of)(const void *value);
	/* Fill in the query for ${key}; call->nparams is 0.  Its result has one
	 * row or none.  *account: for row security, NULL none. */
	void (*ask)(void *arg, const char *key, struct db_call *call,
	    const struct uuid **account);
	/* A value of the row, with a reference; the row goes away after it. */
	int (*make)(void *arg, const struct row *, void **ret, struct err *e);
	/* There is no row: set ${e} and return -1. */
	int (*none)(struct err *e);
};

struct tier; /* the cache of one kind */

/* ${hot} values at most, ${absent} names known not to be there. */
struct tier *tier_new(const struct tiers *, const struct tier_ops *,
    unsigned hot, unsigned absent);
void tier_free(struct tier *);

/*
 * The value of ${key}, to be given back with ops->unref.  ${warm}: its name for
 * the warm tier where that has to say more than ${key}, else NULL.  ${arg} goes
 * to ask() and make().  0, or -1 with ERR_UNAVAILABLE or what make() or none()
 * say.  Any thread.
 */
int tier_get(struct tier *, const char *key, const char *warm, void *arg,
    int64_t deadline, void **ret, struct err *e);
/* Where this thread's last tier_get() that was well had its value from: "hot",
 * "warm" or "cold"; static.  Who waited for another's look-up had it hot. */
const char *tier_from(void);
void tier_stats(struct tier *, struct lru_stats *out);
/* Tell the metrics what has happened since the last time; one thread. */
void tier_tell(struct tier *);

#endif
