/* The auth domain's SQL.  Both kinds of key give the same columns. */
#include "auth/store.h"

#include "util/banned.h"

const struct db_stmt auth_store_api_key = { "auth_api_key",
	"SELECT id, account_id, account_slot, role, expires_us, NULL, NULL, "
	"config_epoch FROM gate.api_key_find($1::bytea)" };

const struct db_stmt auth_store_widget_key = { "auth_widget_key",
	"SELECT id, account_id, account_slot, 'visitor', 0, agent_instance_id, "
	"origins, config_epoch FROM gate.widget_key_find($1::bytea)" };
