/*
 * Accounts that were made to measure with: each is known by its slug and its
 * name together, so that it can be found again and removed with all it has
 * gathered, and none of an operator's own is ever taken for one.
 */
#ifndef CLI_SCALE_STORE_H
#define CLI_SCALE_STORE_H

#include <jansson.h>
#include <stdint.h>

#include "util/err.h"
#include "util/id.h"

struct audit_entry;
struct db_pool;

/* ${owner}: a pool of sb_owner, since all of them are worked on at once.  Both
 * changes leave an entry in the platform's audit log, by ${who}. */

/*
 * Make what is not there yet; members as the columns are called:
 * accounts {id, slug}; agents {id, slug, agent_type, instance_name,
 * configuration}; keys {id, slug, prefix, key_hash (hex)}, which replace the
 * keys that were made here before.  ERR_CONFLICT where an account of such a
 * slug is not one of these.  *made counts new accounts.
 */
int store_scale_add(struct db_pool *owner, const json_t *accounts,
    const json_t *agents, const json_t *keys, const struct audit_entry *who,
    int64_t *made, struct err *);

/* Ids of up to ${limit} of the accounts with slugs "${kind}-...", as an array
 * of PostgreSQL below ${ctx}; their number in *n. */
int store_scale_find(struct db_pool *owner, const char *kind, int limit,
    const void *ctx, char **ids, int64_t *n, struct err *);

/* How many turns of theirs are stored. */
int store_scale_turns(
    struct db_pool *owner, const char *ids, int64_t *n, struct err *);

/* Remove ${n} accounts (an array as above) and every row of theirs. */
int store_scale_remove(struct db_pool *owner, const char *ids, int64_t n,
    const struct audit_entry *who, struct err *);

#endif
