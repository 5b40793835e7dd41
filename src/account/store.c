/* The account domain's SQL. */
#include "account/store.h"

#include "util/banned.h"

#define COLUMNS                                                                \
	"id, slot, slug, name, tier, is_active, max_agents, "                  \
	"requests_per_hour, origins, config_epoch, platform_epoch"

const struct db_stmt account_store_by_slug = { "account_by_slug",
	"SELECT " COLUMNS " FROM gate.account_by_slug($1)" };

const struct db_stmt account_store_by_id = { "account_by_id",
	"SELECT " COLUMNS " FROM gate.account_by_id($1::uuid)" };
