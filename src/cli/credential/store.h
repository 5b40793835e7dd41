/* Keys for model providers, for the operator's command.  ${account} is the nil
 * UUID for the platform's. */
#ifndef CLI_CREDENTIAL_STORE_H
#define CLI_CREDENTIAL_STORE_H

#include <jansson.h>

#include "util/err.h"
#include "util/id.h"

struct audit_entry;
struct db_pool;
struct sealed_key;

int store_credential_list(
    struct db_pool *, const struct uuid *account, json_t **ret, struct err *);
/* By id or name, as the list shows it (a new reference), with "slot". */
int store_credential_find(struct db_pool *, const struct uuid *account,
    const char *name, json_t **ret, struct err *);
/* ${settings}: provider, name, base_url, tier, rpm, tpm, itpm, weight,
 * priority, models, status; all there, those that may be null are. */
int store_credential_add(struct db_pool *, const struct uuid *account,
    const struct uuid *id, const json_t *settings, const struct sealed_key *,
    const struct audit_entry *who, struct err *);
/* As they shall be; ${key} may be NULL: it stays. */
int store_credential_change(struct db_pool *, const struct uuid *account,
    const json_t *before, const json_t *after, const struct sealed_key *key,
    const struct audit_entry *who, struct err *);
int store_credential_remove(struct db_pool *, const struct uuid *account,
    const json_t *row, const struct audit_entry *who, struct err *);
/* Record that its breaker was opened, closed or reset. */
int store_credential_breaker(struct db_pool *, const struct uuid *account,
    const json_t *row, const char *action, const struct audit_entry *who,
    struct err *);

#endif
