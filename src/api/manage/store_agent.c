/* The SQL of agents and their configurations; what changes them is
 * agent/store.c's. */
#include "api/manage/store.h"

#include "util/banned.h"

#define MADE ROWS_UTC("created_at")
#define CHANGED ROWS_UTC("updated_at")
#define USED ROWS_UTC("last_used_at")
#define COLS                                                                   \
	"id, agent_type, instance_name, display_name, status, "                \
	"config_version, " MADE ", " CHANGED ", " USED
#define STATE STORE_STATE("display_name, status, config_version")

const struct rows_col manage_store_agent_cols[] = { { "id", ROW_TEXT },
	{ "agent_type", ROW_TEXT }, { "instance_name", ROW_TEXT },
	{ "display_name", ROW_TEXT }, { "status", ROW_TEXT },
	{ "config_version", ROW_INT }, { "created_at", ROW_TEXT },
	{ "updated_at", ROW_TEXT }, { "last_used_at", ROW_TEXT },
	{ NULL, ROW_END } };
const struct db_stmt manage_store_agent = { "manage_agent",
	"SELECT " COLS ", " STATE " FROM agent_instances "
	"WHERE account_id = $1::uuid AND id = $2::uuid" };
const struct db_stmt manage_store_agent_lock = { "manage_agent_lock",
	STORE_LOCK(STATE, "agent_instances WHERE account_id = $1::uuid "
			  "AND id = $2::uuid") };
const struct db_stmt manage_store_agents = { "manage_agents",
	"SELECT " COLS ", id FROM agent_instances "
	"WHERE account_id = $1::uuid AND ($2::text IS NULL OR agent_type = $2) "
	"AND (CASE WHEN $3::text IS NULL THEN status <> 'archived' "
	"ELSE status = $3 END) AND ($4::uuid IS NULL OR id > $4::uuid) "
	"ORDER BY id LIMIT $5::integer" };

#define CONFIG_STATE "('v' || config_version)"

const struct rows_col manage_store_config_cols[] = { { "agent_id", ROW_TEXT },
	{ "agent_type", ROW_TEXT }, { "instance_name", ROW_TEXT },
	{ "version", ROW_INT }, { "configuration", ROW_JSON },
	{ NULL, ROW_END } };
const struct db_stmt manage_store_config = { "manage_config",
	"SELECT id, agent_type, instance_name, config_version, "
	"configuration, " CONFIG_STATE " FROM agent_instances "
	"WHERE account_id = $1::uuid AND id = $2::uuid" };
const struct db_stmt manage_store_config_lock = { "manage_config_lock",
	STORE_LOCK(CONFIG_STATE, "agent_instances WHERE account_id = $1::uuid "
				 "AND id = $2::uuid") };

const struct rows_col manage_store_version_cols[] = { { "version", ROW_INT },
	{ "author", ROW_TEXT }, { "created_at", ROW_TEXT }, { NULL, ROW_END } };
const struct db_stmt manage_store_versions = { "manage_versions",
	"SELECT version, author, " MADE ", version "
	"FROM agent_config_versions "
	"WHERE account_id = $1::uuid AND agent_instance_id = "
	"$2::uuid "
	"AND ($3::bigint IS NULL OR version < $3::bigint) "
	"ORDER BY version DESC LIMIT $4::integer" };
const struct rows_col manage_store_version_show_cols[] = { { "version",
							       ROW_INT },
	{ "author", ROW_TEXT }, { "created_at", ROW_TEXT },
	{ "configuration", ROW_JSON }, { NULL, ROW_END } };
const struct db_stmt manage_store_version = { "manage_version",
	"SELECT version, author, " MADE ", configuration "
	"FROM agent_config_versions WHERE account_id = "
	"$1::uuid "
	"AND agent_instance_id = $2::uuid AND version = "
	"$3::bigint" };
