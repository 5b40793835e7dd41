/* The account domain's SQL. */
#ifndef ACCOUNT_STORE_H
#define ACCOUNT_STORE_H

#include "db/db.h"

/* One text parameter; the columns of gate.account_by_id. */
extern const struct db_stmt account_store_by_slug, account_store_by_id;

#endif
