/*
 * A true LRU with single flight.  Two things hang in a bucket: entries, which
 * have a value and a place in the list of use, and flights, the making of a
 * value that some thread is busy with.  One mutex guards all; make() and
 * unref() are called without it.
 *
 * When a maker fails, those who waited for it get its error: with the database
 * away, each trying in turn would hold hundreds of threads for a time-out
 * each.  Only where the maker gave up for reasons of its own (its reader left,
 * it was cancelled) do they try themselves.
 */
#include "util/lru.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "util/clock.h"
#include "util/hash.h"
#include "util/id.h"
#include "util/mem.h"

#include "util/banned.h"

/* A place in the ring of use; the ring's head stands between the newest entry
 * (its next) and the oldest (its prev). */
struct use {
	struct use *next, *prev;
};

struct entry {
	struct use use;      /* first: a place is its entry */
	struct entry *chain; /* next in the bucket */
	uint64_t hash;
	int64_t made;
	void *value;
	char key[];
};

/* Counted: one for the maker, one for each waiter. */
struct flight {
	struct flight *chain;
	pthread_cond_t done_cond;
	const char *key; /* the maker's own: outlives linked */
	uint64_t hash;
	unsigned refs;
	bool linked; /* newcomers may join, the value may be kept */
	bool done;
	int rc;
	void *value; /* with a reference for the waiters, NULL on failure */
	struct err err;
};

struct bucket {
	struct entry *entries;
	struct flight *flights;
};

struct lru {
	pthread_mutex_t lock;
	pthread_condattr_t cond_attr; /* the monotonic clock */
	const struct lru_ops *ops;
	size_t capacity, mask;
	uint64_t seed[2];
	struct use ring;
	struct lru_stats stats;
	struct bucket *buckets;
};

struct lru *
lru_new(size_t capacity, const struct lru_ops *ops)
{
	struct lru *c = mem_new(NULL, struct lru);
	size_t n = 8;

	c->capacity = capacity > 0 ? capacity : 1;
	while (n < c->capacity)
		n *= 2;
	c->mask = n - 1;
	c->buckets = mem_array(c, struct bucket, n);
	c->ops = ops;
	c->ring.next = c->ring.prev = &c->ring;
	id_random(c->seed, sizeof(c->seed));
	(void)pthread_mutex_init(&c->lock, NULL);
	(void)pthread_condattr_init(&c->cond_attr);
	(void)pthread_condattr_setclock(&c->cond_attr, CLOCK_MONOTONIC);
	return c;
}

static void
use_unlink(struct use *u)
{
	u->prev->next = u->next;
	u->next->prev = u->prev;
}

static void
use_first(struct lru *c, struct use *u)
{
	u->next = c->ring.next;
	u->prev = &c->ring;
	c->ring.next->prev = u;
	c->ring.next = u;
}

static struct entry *
entry_find(const struct bucket *b, uint64_t hash, const char *key)
{
	struct entry *e = b->entries;

	while (e != NULL && (e->hash != hash || strcmp(e->key, key) != 0))
		e = e->chain;
	return e;
}

/* Take ${e} out of its bucket and the list of use. */
static void
entry_unlink(struct lru *c, struct entry *e)
{
	struct entry **at = &c->buckets[e->hash & c->mask].entries;

	while (*at != e)
		at = &(*at)->chain;
	*at = e->chain;
	use_unlink(&e->use);
	c->stats.entries--;
}

/* The end of an unlinked entry; without the lock. */
static void
entry_free(struct lru *c, struct entry *e)
{
	if (e == NULL)
		return;
	c->ops->unref(e->value);
	mem_free(e);
}

/*
 * Keep ${value}, whose reference becomes the cache's.  Returns the entry that
 * had to go for it, or NULL.
 */
static struct entry *
entry_keep(struct lru *c, uint64_t hash, const char *key, void *value)
{
	struct bucket *b = &c->buckets[hash & c->mask];
	struct entry *e, *out = NULL;
	size_t n = strlen(key) + 1;

	if (c->stats.entries >= c->capacity) {
		out = (struct entry *)c->ring.prev;
		entry_unlink(c, out);
		c->stats.evictions++;
	}
	e = mem_zalloc(NULL, sizeof(*e) + n, "lru entry");
	memcpy(e->key, key, n);
	e->hash = hash;
	e->made = clock_mono();
	e->value = value;
	e->chain = b->entries;
	b->entries = e;
	use_first(c, &e->use);
	c->stats.entries++;
	return out;
}

static struct flight *
flight_find(const struct bucket *b, uint64_t hash, const char *key)
{
	struct flight *f = b->flights;

	while (f != NULL && (f->hash != hash || strcmp(f->key, key) != 0))
		f = f->chain;
	return f;
}

static void
flight_unlink(struct lru *c, struct flight *f)
{
	struct flight **at = &c->buckets[f->hash & c->mask].flights;

	if (!f->linked)
		return;
	while (*at != f)
		at = &(*at)->chain;
	*at = f->chain;
	f->linked = false;
}

/* Give back a reference to the flight, lock held; the last one frees it, and
 * what it must unref without the lock is the result. */
static void *
flight_leave(struct flight *f)
{
	void *value;

	if (--f->refs > 0)
		return NULL;
	value = f->value;
	(void)pthread_cond_destroy(&f->done_cond);
	mem_free(f);
	return value;
}

/*
 * Wait for ${f}, lock held (and again on return).  1: *ret is a value; 0: make
 * it yourself; -1: an error.  *drop is for unref without the lock.
 */
static int
flight_wait(struct lru *c, struct flight *f, int64_t deadline, void **ret,
    void **drop, struct err *e)
{
	struct timespec ts = { .tv_sec = (time_t)(deadline / CLOCK_S),
		.tv_nsec = (long)(deadline % CLOCK_S) };
	int r = 0, out;

	c->stats.waits++;
	f->refs++;
	while (!f->done && r == 0) {
		if (deadline == 0)
			r = pthread_cond_wait(&f->done_cond, &c->lock);
		else
			r = pthread_cond_timedwait(
			    &f->done_cond, &c->lock, &ts);
	}
	if (!f->done) {
		out = err_set_kind(e, ERR_UNAVAILABLE, NULL, 1,
		    "waited too long for another's look-up");
	} else if (f->rc != 0) {
		bool own =
		    f->err.code == ERR_GONE || f->err.code == ERR_CANCELLED;

		if (!own && e != NULL)
			*e = f->err;
		out = own ? 0 : -1;
	} else if (!c->ops->fresh(f->value)) {
		/* Read before what this caller may already know of. */
		out = 0;
	} else {
		c->ops->ref(f->value);
		*ret = f->value;
		out = 1;
	}
	*drop = flight_leave(f);
	return out;
}

static struct flight *
flight_begin(struct lru *c, uint64_t hash, const char *key)
{
	struct bucket *b = &c->buckets[hash & c->mask];
	struct flight *f = mem_new(NULL, struct flight);

	(void)pthread_cond_init(&f->done_cond, &c->cond_attr);
	f->key = key;
	f->hash = hash;
	f->refs = 1;
	f->linked = true;
	f->chain = b->flights;
	b->flights = f;
	return f;
}

/* Make the value of a flight that is ours; without the lock. */
static int
flight_fly(struct lru *c, struct flight *f, void *arg, int64_t deadline,
    void **ret, struct err *e)
{
	struct entry *out = NULL;
	void *value = NULL, *drop;
	struct err err = { .code = ERR_NONE };
	bool keep;
	int rc;

	rc = c->ops->make(arg, f->key, deadline, &value, &err);
	(void)pthread_mutex_lock(&c->lock);
	f->rc = rc;
	f->err = err;
	if (rc == 0) {
		c->ops->ref(value); /* the caller's */
		keep = f->linked;   /* not cleared meanwhile */
		if (keep) {
			c->ops->ref(value); /* the cache's */
			out = entry_keep(c, f->hash, f->key, value);
		}
		f->value = value;
	}
	flight_unlink(c, f);
	f->done = true;
	(void)pthread_cond_broadcast(&f->done_cond);
	drop = flight_leave(f);
	(void)pthread_mutex_unlock(&c->lock);
	entry_free(c, out);
	if (drop != NULL)
		c->ops->unref(drop);
	if (rc == 0)
		*ret = value;
	else if (e != NULL)
		*e = err;
	return rc == 0 ? 0 : -1;
}

int
lru_get(struct lru *c, const char *key, void *arg, int64_t deadline, void **ret,
    struct err *e)
{
	uint64_t hash = hash_keyed(c->seed, key, strlen(key));
	struct bucket *b = &c->buckets[hash & c->mask];
	struct flight *f;

	(void)pthread_mutex_lock(&c->lock);
	for (;;) {
		struct entry *en = entry_find(b, hash, key);
		void *drop = NULL;
		int r;

		if (en != NULL && c->ops->fresh(en->value)) {
			use_unlink(&en->use);
			use_first(c, &en->use);
			c->ops->ref(en->value);
			*ret = en->value;
			c->stats.hits++;
			(void)pthread_mutex_unlock(&c->lock);
			return 0;
		}
		if (en != NULL)
			entry_unlink(c, en);
		f = flight_find(b, hash, key);
		if (f == NULL) {
			c->stats.misses++;
			f = flight_begin(c, hash, key);
			(void)pthread_mutex_unlock(&c->lock);
			entry_free(c, en);
			return flight_fly(c, f, arg, deadline, ret, e);
		}
		r = flight_wait(c, f, deadline, ret, &drop, e);
		(void)pthread_mutex_unlock(&c->lock);
		entry_free(c, en);
		if (drop != NULL)
			c->ops->unref(drop);
		if (r != 0)
			return r > 0 ? 0 : -1;
		(void)pthread_mutex_lock(&c->lock);
	}
}

void
lru_clear(struct lru *c)
{
	struct entry *all = NULL, *e;

	(void)pthread_mutex_lock(&c->lock);
	while (c->ring.next != &c->ring) {
		e = (struct entry *)c->ring.next;
		entry_unlink(c, e);
		e->chain = all;
		all = e;
	}
	/* What is being made now is made from what was before. */
	for (size_t i = 0; i <= c->mask; i++)
		while (c->buckets[i].flights != NULL)
			flight_unlink(c, c->buckets[i].flights);
	(void)pthread_mutex_unlock(&c->lock);
	while ((e = all) != NULL) {
		all = e->chain;
		entry_free(c, e);
	}
}

void
lru_stats(struct lru *c, struct lru_stats *out)
{
	(void)pthread_mutex_lock(&c->lock);
	*out = c->stats;
	if (c->ring.prev != &c->ring)
		out->oldest = ((struct entry *)c->ring.prev)->made;
	(void)pthread_mutex_unlock(&c->lock);
}

void
lru_free(struct lru *c)
{
	if (c == NULL)
		return;
	lru_clear(c);
	(void)pthread_condattr_destroy(&c->cond_attr);
	(void)pthread_mutex_destroy(&c->lock);
	mem_free(c);
}
