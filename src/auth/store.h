/* The auth domain's SQL. */
#ifndef AUTH_STORE_H
#define AUTH_STORE_H

#include "db/db.h"

/* One binary parameter, the hash.  id, account_id, account_slot, role,
 * expires_us, agent_instance_id, origins, config_epoch. */
extern const struct db_stmt auth_store_api_key, auth_store_widget_key;

#endif
