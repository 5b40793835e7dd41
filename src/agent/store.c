/* The agent domain's SQL.  Control plane only. */
#include "agent/store.h"

#include "util/banned.h"

const struct db_stmt agent_store_spec = { "agent_spec",
	"SELECT i.id, i.slot, i.display_name, i.configuration, "
	"i.config_version, a.config_epoch, a.slot "
	"FROM agent_instances i JOIN accounts a ON a.id = i.account_id "
	"WHERE i.account_id = $1::uuid AND i.agent_type = $2 "
	"AND i.instance_name = $3 AND i.status = 'active'" };

const struct db_stmt agent_store_now = { "agent_now",
	"SELECT agent_type, status, configuration FROM agent_instances "
	"WHERE account_id = $1::uuid AND id = $2::uuid" };

const struct db_stmt agent_store_create = { "agent_create",
	"INSERT INTO agent_instances (account_id, id, agent_type, "
	"instance_name, display_name, configuration, created_at, updated_at) "
	"VALUES ($1::uuid, $2::uuid, $3, $4, $5, $6::jsonb, "
	"coalesce($7::timestamptz, now()), coalesce($7::timestamptz, now()))" };

const struct db_stmt agent_store_configure = { "agent_configure",
	"WITH c AS (UPDATE agent_instances SET configuration = $3::jsonb, "
	"config_version = config_version + 1, updated_at = now() "
	"WHERE account_id = $1::uuid AND id = $2::uuid RETURNING 1) "
	"SELECT gate.found(count(*), 'agent') FROM c" };

const struct db_stmt agent_store_version = { "agent_version",
	"INSERT INTO agent_config_versions (account_id, agent_instance_id, "
	"version, configuration, author) "
	"SELECT account_id, id, config_version, configuration, $3::text "
	"FROM agent_instances WHERE account_id = $1::uuid AND id = $2::uuid "
	"RETURNING version" };

const struct db_stmt agent_store_status = { "agent_status",
	"WITH c AS (UPDATE agent_instances SET status = $3, updated_at = now() "
	"WHERE account_id = $1::uuid AND id = $2::uuid RETURNING 1) "
	"SELECT gate.found(count(*), 'agent') FROM c" };

const struct db_stmt agent_store_change = { "agent_change",
	"WITH c AS (UPDATE agent_instances SET display_name = $3, status = $4, "
	"updated_at = now() WHERE account_id = $1::uuid AND id = $2::uuid "
	"RETURNING 1) SELECT gate.found(count(*), 'agent') FROM c" };
