/* Exchanging the master key while everything goes on. */
#ifndef SECRET_ROTATE_H
#define SECRET_ROTATE_H

#include <stdint.h>

#include "db/db.h"
#include "secret/keyring.h"
#include "util/err.h"

/*
 * Seal the data keys that other master keys have sealed by the one in use, a
 * few hundred in a transaction.  May be ended at any moment and begun again.
 * The role is sb_owner.  *${done}: how many; 0, or -1 with e.
 */
int rotate_run(
    struct db_pool *, const struct keyring *, int64_t *done, struct err *e);
/* How many data keys each key of the ring has sealed, and (*${strange}) keys
 * that are not in it. */
int rotate_count(struct db_pool *, const struct keyring *,
    int64_t count[KEYRING_MOST], int64_t *strange, struct err *e);

#endif
