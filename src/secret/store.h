/* The SQL of data keys.  Their sealed form is hexadecimal here. */
#ifndef SECRET_STORE_H
#define SECRET_STORE_H

#include "db/db.h"

/* account, version or null: that, or the newest -> account, version, master_id,
 * wrapped */
extern const struct db_stmt secret_store_find;
/* account, version, master_id, wrapped; nothing when it is there */
extern const struct db_stmt secret_store_add;
/* account, version, how many: those behind it -> account, version, master_id,
 * wrapped */
extern const struct db_stmt secret_store_all;
/* As sb_owner.  master_id in use, how many: those that another sealed, as
 * above; master_id, and lists of accounts, versions, old ids and sealed keys:
 * the change; how many each master key has sealed. */
extern const struct db_stmt secret_store_others, secret_store_rewrap,
    secret_store_count;

#endif
