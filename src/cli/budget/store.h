/* Budgets for the command. */
#ifndef CLI_BUDGET_STORE_H
#define CLI_BUDGET_STORE_H

#include <jansson.h>
#include <stdbool.h>

#include "util/err.h"
#include "util/id.h"

struct audit_entry;
struct db_pool;

/* As the management API shows them.  New reference. */
int store_budget_list(
    struct db_pool *, const struct uuid *account, json_t **ret, struct err *);

/* A budget to be; texts as SQL reads them, soft NULL for none. */
struct store_budget {
	const char *name, *scope, *subject, *period, *unit, *limit, *soft;
	bool hard, paused;
};
/* Make it; what was used since the period began counts.  ERR_NOT_FOUND: no such
 * agent or key.  A change is recorded as cli/store.h says. */
int store_budget_make(struct db_pool *, const struct uuid *account,
    const struct store_budget *, const struct audit_entry *who, struct err *);
/* Limit, soft, hard and paused of the one that ${was} shows. */
int store_budget_change(struct db_pool *, const struct uuid *account,
    const json_t *was, const struct store_budget *,
    const struct audit_entry *who, struct err *);
int store_budget_remove(struct db_pool *, const struct uuid *account,
    const json_t *was, const struct audit_entry *who, struct err *);

#endif
