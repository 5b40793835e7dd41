/* Specs for the asking: the three tiers (account/tiers.h), proven fresh by the
 * account's epoch. */
#ifndef AGENT_CATALOG_H
#define AGENT_CATALOG_H

#include <stdint.h>

#include "util/err.h"

struct account;
struct agent_spec;
struct catalog;
struct templates;
struct tiers;
struct lru_stats;

/* Keeps up to ${hot} specs in this process.  tiers and templates must outlive
 * the catalog. */
struct catalog *catalog_new(
    const struct tiers *, const struct templates *, unsigned hot);
void catalog_free(struct catalog *);

/*
 * Store in *ret a counted reference to the spec of the active instance
 * (type, name) of ${account}; give it back with agent_spec_unref().
 * Unknown and inactive are the same ERR_NOT_FOUND; ERR_UNAVAILABLE.  *ret
 * untouched on failure.  Any thread.
 */
int catalog_get(struct catalog *, const struct account *account,
    const char *type, const char *name, int64_t deadline,
    const struct agent_spec **ret, struct err *e);
/* To the metrics; one thread, now and then. */
void catalog_tell(struct catalog *);
void catalog_stats(struct catalog *, struct lru_stats *out);

#endif
