/*
 * Chains of hashes: whether entries stand as they were written, in order, and
 * all of them.  No database: an export is enough.
 */
#ifndef AUDIT_CHAIN_H
#define AUDIT_CHAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "util/id.h"

#define CHAIN_HASH 32
/* action, actor kind, id, name, address, request id, object kind, id, before,
 * after. */
#define CHAIN_TEXTS 10
extern const char *const chain_text_names[CHAIN_TEXTS];

struct chain_entry {
	int64_t seq, at_us;
	struct uuid id;
	const char *text[CHAIN_TEXTS]; /* NULL: null */
	unsigned char previous[CHAIN_HASH], hash[CHAIN_HASH];
};

/* A walk along a chain; ${first} and ${start} are of its first entry. */
struct chain {
	struct uuid account;
	int64_t entries, first, last;
	unsigned char start[CHAIN_HASH], hash[CHAIN_HASH];
};

/* What is wrong, and the first sequence number it is wrong with. */
struct chain_fault {
	int64_t seq;
	char text[200];
};

/* The chain of ${account}, from any entry on. */
void chain_init(struct chain *, const struct uuid *account);
/* Expect it to begin with ${first}, after the hash ${start}. */
void chain_from(struct chain *, int64_t first, const unsigned char *start);
/* Take the next entry.  0, or -1 with f. */
int chain_add(
    struct chain *, const struct chain_entry *, struct chain_fault *f);
/* Fill in f and return -1. */
int chain_fault(struct chain_fault *f, int64_t seq, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* What the entry's hash has to be. */
void chain_hash(const struct uuid *account, const struct chain_entry *,
    unsigned char out[CHAIN_HASH]);

#endif
