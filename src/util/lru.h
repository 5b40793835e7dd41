/*
 * A true LRU of counted values under text keys, for the threads of one
 * process, with single flight: while one caller makes the value of a key,
 * others that want it wait for that one instead of making it again.
 *
 * A value is talloc-free: the cache calls ops->unref when it drops its
 * reference; values handed out carry a reference of their own.
 */
#ifndef UTIL_LRU_H
#define UTIL_LRU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/err.h"

struct lru;

struct lru_ops {
	void (*ref)(void *value);
	void (*unref)(void *value);
	/* May this cached value still be used?  Called with the lock held: no
	 * blocking. */
	bool (*fresh)(const void *value);
	/*
	 * Make the value of ${key}; called without the lock.  0 with a
	 * reference for the cache in *ret, or -1 with ${e} set; failures are
	 * not remembered.
	 */
	int (*make)(void *arg, const char *key, int64_t deadline, void **ret,
	    struct err *e);
};

struct lru_stats {
	uint64_t hits, misses, evictions, waits;
	size_t entries;
	int64_t oldest; /* clock_mono() at which the entry that would go next
	                   was made; 0 none */
};

/* ops and its functions must outlive the cache. */
struct lru *lru_new(size_t capacity, const struct lru_ops *ops);
void lru_free(struct lru *);

/*
 * Store in *ret a reference to the value of ${key}; the caller gives it back
 * with ops->unref.  ${arg} goes to make().  Waiting for somebody else's make
 * ends at ${deadline} (ERR_UNAVAILABLE).  If that make fails, the waiters get
 * its error, unless it is the maker's own affair (ERR_GONE, ERR_CANCELLED) or
 * its value is no longer fresh: then they make it themselves.  What is being
 * made during lru_clear() goes to its callers but is not kept.  0, or -1 with
 * *ret untouched.
 */
int lru_get(struct lru *, const char *key, void *arg, int64_t deadline,
    void **ret, struct err *e);
/* Drop everything that nobody else holds, at once. */
void lru_clear(struct lru *);
void lru_stats(struct lru *, struct lru_stats *out);

#endif
