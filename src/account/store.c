/* The account domain's SQL. */
#include "account/store.h"

#include "util/banned.h"

const struct db_stmt account_store_by_slug = { "account_by_slug",
	"SELECT id, slot, slug, name, tier, is_active, max_agents, "
	"requests_per_hour, origins, config_epoch, platform_epoch, budgets "
	"FROM gate.account_by_slug($1)" };

const struct db_stmt account_store_epochs = { "account_epochs",
	"SELECT slot, config_epoch, knowledge_epoch "
	"FROM gate.epochs($1::integer[])" };
