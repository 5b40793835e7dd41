/*
 * The warm tier: rows of configuration that the workers of a host share, in an
 * LMDB file below run_dir.  A worker that has not read an account, a key or an
 * agent finds there what another has read, in microseconds and while the
 * database is away.
 *
 * Rows are what the database gave: hashes of keys, sealed keys, no secret.
 * Whether a row is new enough is for its reader to say (account/tiers.h); an
 * older one never takes the place of a newer.  All of it can be thrown away at
 * any time and comes again: a file that is damaged or of another version is
 * made anew, a full one evicts, and without one the database is asked.
 */
#ifndef CACHE_WARM_H
#define CACHE_WARM_H

#include <stdbool.h>
#include <stdint.h>

#include "util/err.h"

struct row;
struct warm;

enum warm_kind {
	WARM_ACCOUNT,
	WARM_KEY,
	WARM_SPEC,
	WARM_CREDENTIAL,
	WARM_KINDS
};

/*
 * After the fork, once in a process: it starts a thread, which does all writing
 * (nobody else ever waits for another process).  ${most} rows of each kind.
 * 0, or -1 with e: then there is no warm tier.
 */
int warm_open(const char *dir, unsigned most, struct warm **ret, struct err *e);
/* When nobody looks up any more.  NULL does nothing. */
void warm_close(struct warm *);

/* Is there a row ${key}?  Its texts are copied below ${ctx}.  Any thread;
 * NULL has none. */
bool warm_get(struct warm *, enum warm_kind, const char *key, const void *ctx,
    struct row *out);

struct warm_entry {
	enum warm_kind kind;
	const char *key;
	uint32_t slot;            /* whose epoch it is */
	uint64_t epoch, platform; /* a row with a lower pair is older */
	const struct row *row;
};
/* Keep a row, soon; where too many wait it is left out.  Any thread. */
void warm_put(struct warm *, const struct warm_entry *);

struct warm_stats {
	struct {
		unsigned entries;
		int64_t oldest; /* clock_mono() of its writing, 0 none; of a
		                   sample when there are many */
	} kind[WARM_KINDS];
	uint64_t remade;  /* files thrown away by this process */
	unsigned readers; /* read transactions it holds */
};
void warm_stats(struct warm *, struct warm_stats *out);

/* Wait until what was put before has been written; for tests.  0 or -1. */
int warm_flush(struct warm *, int64_t deadline);

/*
 * Remove the file below ${dir}; processes that have it open go over to a new
 * one.  The master does it before its first fork, and when a worker crashed:
 * whatever was the matter is not to be met again.
 */
void warm_discard(const char *dir);

#endif
