/* The account domain's SQL. */
#ifndef ACCOUNT_STORE_H
#define ACCOUNT_STORE_H

#include "db/db.h"

/* $1 slug; the columns of gate.account_by_slug */
extern const struct db_stmt account_store_by_slug;
/* $1 slots, null for all -> slot, config_epoch, knowledge_epoch; slot 0 is the
 * platform, which knows nothing. */
extern const struct db_stmt account_store_epochs;

#endif
