/* The SQL of API keys and widget keys; what makes them is auth/store.c's. */
#include "api/manage/store.h"

#include "util/banned.h"

#define API_STATUS                                                             \
	"CASE WHEN revoked_at IS NOT NULL THEN 'revoked' "                     \
	"WHEN expires_at <= now() THEN 'expired' ELSE 'active' END"
#define EXPIRES ROWS_UTC("expires_at")
#define REVOKED ROWS_UTC("revoked_at")
#define USED ROWS_UTC("last_used_at")
#define MADE ROWS_UTC("created_at")
#define API_COLS                                                               \
	"id, name, prefix, role, " API_STATUS ", " EXPIRES ", " REVOKED        \
	", " USED ", " MADE
#define API_STATE STORE_STATE("name, role, expires_at, revoked_at")

const struct rows_col manage_store_api_key_cols[] = { { "id", ROW_TEXT },
	{ "name", ROW_TEXT }, { "prefix", ROW_TEXT }, { "role", ROW_TEXT },
	{ "status", ROW_TEXT }, { "expires_at", ROW_TEXT },
	{ "revoked_at", ROW_TEXT }, { "last_used_at", ROW_TEXT },
	{ "created_at", ROW_TEXT }, { NULL, ROW_END } };
const struct db_stmt manage_store_api_key = { "manage_api_key",
	"SELECT " API_COLS ", " API_STATE " FROM api_keys "
	"WHERE account_id = $1::uuid AND id = $2::uuid" };
const struct db_stmt manage_store_api_key_lock = { "manage_api_key_lock",
	STORE_LOCK(API_STATE, "api_keys WHERE account_id = $1::uuid "
			      "AND id = $2::uuid") };
const struct db_stmt manage_store_api_keys = { "manage_api_keys",
	"SELECT " API_COLS ", id FROM api_keys WHERE account_id = $1::uuid "
	"AND ($2::text IS NULL OR $2 = " API_STATUS ") "
	"AND ($3::uuid IS NULL OR id > $3::uuid) "
	"ORDER BY id LIMIT $4::integer" };

/* A key never lives longer by this than it would have. */
const struct db_stmt manage_store_api_key_end = { "manage_api_key_end",
	"UPDATE api_keys SET "
	"revoked_at = CASE WHEN $3::bigint = 0 THEN coalesce(revoked_at, "
	"now()) ELSE revoked_at END, "
	"expires_at = CASE WHEN $3::bigint = 0 THEN expires_at "
	"ELSE least(expires_at, now() + $3::bigint * interval '1 second') END "
	"WHERE account_id = $1::uuid AND id = $2::uuid" };

#define WIDGET_STATUS                                                          \
	"CASE WHEN revoked_at IS NOT NULL THEN 'revoked' ELSE 'active' END"
#define WIDGET_COLS                                                            \
	"id, name, prefix, agent_instance_id, "                                \
	"to_jsonb(allowed_origins), appearance, " WIDGET_STATUS ", " REVOKED   \
	", " USED ", " MADE
#define WIDGET_STATE                                                           \
	STORE_STATE("name, agent_instance_id, allowed_origins, appearance, "   \
		    "revoked_at")

const struct rows_col manage_store_widget_key_cols[] = { { "id", ROW_TEXT },
	{ "name", ROW_TEXT }, { "prefix", ROW_TEXT }, { "agent_id", ROW_TEXT },
	{ "allowed_origins", ROW_JSON }, { "appearance", ROW_JSON },
	{ "status", ROW_TEXT }, { "revoked_at", ROW_TEXT },
	{ "last_used_at", ROW_TEXT }, { "created_at", ROW_TEXT },
	{ NULL, ROW_END } };
const struct db_stmt manage_store_widget_key = { "manage_widget_key",
	"SELECT " WIDGET_COLS ", " WIDGET_STATE " FROM widget_keys "
	"WHERE account_id = $1::uuid AND id = $2::uuid" };
const struct db_stmt manage_store_widget_key_lock = { "manage_widget_key_lock",
	STORE_LOCK(WIDGET_STATE, "widget_keys WHERE account_id = $1::uuid "
				 "AND id = $2::uuid") };
const struct db_stmt manage_store_widget_keys = { "manage_widget_keys",
	"SELECT " WIDGET_COLS ", id FROM widget_keys "
	"WHERE account_id = $1::uuid "
	"AND ($2::text IS NULL OR $2 = " WIDGET_STATUS ") "
	"AND ($3::uuid IS NULL OR id > $3::uuid) "
	"ORDER BY id LIMIT $4::integer" };
const struct db_stmt manage_store_widget_key_change = {
	"manage_widget_key_change",
	"UPDATE widget_keys SET name = $3, agent_instance_id = $4::uuid, "
	"allowed_origins = ARRAY(SELECT jsonb_array_elements_text($5::jsonb)), "
	"appearance = $6::jsonb "
	"WHERE account_id = $1::uuid AND id = $2::uuid"
};
const struct db_stmt manage_store_widget_key_revoke = {
	"manage_widget_key_revoke",
	"UPDATE widget_keys SET revoked_at = coalesce(revoked_at, now()) "
	"WHERE account_id = $1::uuid AND id = $2::uuid"
};
