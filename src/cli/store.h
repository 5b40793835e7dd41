/*
 * What the operator's command asks of the database.  Results that are only
 * shown come as JSON (new references, members named as the command prints
 * them); a function returns 0, or -1 with e as db_run() sets it.  Functions
 * with ${account} work inside that account; the others go through the gate
 * functions of sql/gate/30_admin.sql or tables without accounts.  People,
 * reports and the demo have stores of their own.  What changes something
 * records it in the same transaction as done by ${who}, of which actor and
 * address are read.
 */
#ifndef CLI_STORE_H
#define CLI_STORE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "util/err.h"
#include "util/id.h"

struct audit_entry;
struct db_pool;

/* Accounts */
/* Its place in shared memory, and how new its configuration is. */
int store_account_epoch(struct db_pool *, const char *slug, int64_t *slot,
    int64_t *epoch, struct err *);
int store_account_id(
    struct db_pool *, const char *slug, struct uuid *id, struct err *);
int store_account_create(struct db_pool *, const struct uuid *id,
    const char *slug, const char *name, const char *tier,
    const struct audit_entry *who, struct err *);
int store_account_list(struct db_pool *, json_t **ret, struct err *);
int store_account_show(
    struct db_pool *, const char *slug, json_t **ret, struct err *);
int store_account_tier(struct db_pool *, const struct uuid *account,
    const char *tier, const struct audit_entry *who, struct err *);
/* Of whom a second factor is wanted: ${roles}, an array as JSON text, which
 * ${said} is to people and in the record (taken over). */
int store_account_factor(struct db_pool *, const struct uuid *account,
    const char *roles, json_t *said, const struct audit_entry *who,
    struct err *);
int store_account_active(struct db_pool *, const struct uuid *account,
    bool active, const struct audit_entry *who, struct err *);
/* Suspended now, and removed in ${days}; ERR_NOT_FOUND: it is to be already. */
int store_account_end(struct db_pool *, const struct uuid *account,
    int64_t days, const struct audit_entry *who, struct err *);
/* ERR_NOT_FOUND: it is not to be removed, or it is being so. */
int store_account_restore(struct db_pool *, const struct uuid *account,
    const struct audit_entry *who, struct err *);
/* Record that somebody takes along all that it has. */
int store_account_export(struct db_pool *, const struct uuid *account,
    const struct audit_entry *who, struct err *);
/* ${name}: max_agents or requests_per_hour; ${value}: -1 unlimited, NULL the
 * tier's. */
int store_account_limit(struct db_pool *, const struct uuid *account,
    const char *name, const int64_t *value, const struct audit_entry *who,
    struct err *);
/* Which of several keys for model providers is asked first; ${strategy} as the
 * table's rule has it, else ERR_INVALID or ERR_CONFLICT. */
int store_account_strategy(struct db_pool *, const struct uuid *account,
    const char *strategy, const struct audit_entry *who, struct err *);

/* Agents; making and changing them is agent/admin.h's. */
int store_agent_list(struct db_pool *, const struct uuid *account,
    bool archived, json_t **ret, struct err *);
/* With "configuration"; ERR_NOT_FOUND. */
int store_agent_show(struct db_pool *, const struct uuid *account,
    const char *type, const char *name, json_t **ret, struct err *);
int store_agent_id(struct db_pool *, const struct uuid *account,
    const char *type, const char *name, struct uuid *id, struct err *);

/* Keys */
struct store_key {
	struct uuid id;
	const char *name, *prefix;
	const unsigned char *hash; /* 32 bytes */
	const char *role;          /* api */
	const int64_t *expires_us; /* api; NULL: never */
	const struct uuid *agent;  /* widget; NULL: any */
	const json_t *origins;     /* widget: array of strings */
};
int store_key_api(struct db_pool *, const struct uuid *account,
    const struct store_key *, const struct audit_entry *who, struct err *);
int store_key_widget(struct db_pool *, const struct uuid *account,
    const struct store_key *, const struct audit_entry *who, struct err *);
int store_key_list(
    struct db_pool *, const struct uuid *account, json_t **ret, struct err *);
/* By id or prefix; what was revoked, as key_list shows it.  ERR_NOT_FOUND;
 * ERR_CONFLICT where several keys begin so. */
int store_key_revoke(struct db_pool *, const struct uuid *account,
    const char *key, const struct audit_entry *who, json_t **ret, struct err *);
/* Is there a key with this hash that still works? */
int store_key_good(struct db_pool *, const struct uuid *account,
    const unsigned char hash[32], bool *good, struct err *);

#endif
