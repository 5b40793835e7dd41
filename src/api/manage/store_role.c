/* The SQL of roles.  The built-in ones come from the program, as a list. */
#include "api/manage/store.h"

#include "util/banned.h"

#define MADE ROWS_UTC("r.created_at")
#define CHANGED ROWS_UTC("r.updated_at")
#define USED                                                                   \
	"(SELECT count(*) FROM memberships m WHERE m.account_id = $1::uuid "   \
	"AND m.role = r.name), (SELECT count(*) FROM api_keys k "              \
	"WHERE k.account_id = $1::uuid AND k.role = r.name "                   \
	"AND k.revoked_at IS NULL)"
#define STATE STORE_STATE("r.name, r.description, r.permissions")

const struct rows_col manage_store_role_cols[] = { { "name", ROW_TEXT },
	{ "built_in", ROW_BOOL }, { "description", ROW_TEXT },
	{ "permissions", ROW_JSON }, { "members", ROW_INT },
	{ "api_keys", ROW_INT }, { "created_at", ROW_TEXT },
	{ "updated_at", ROW_TEXT }, { NULL, ROW_END } };
const struct db_stmt manage_store_roles = { "manage_roles",
	"SELECT r.name, r.built_in, r.description, r.permissions, " USED
	", " MADE ", " CHANGED ", r.name FROM ("
	"SELECT b.name, true AS built_in, b.description, b.permissions, "
	"NULL::timestamptz AS created_at, NULL::timestamptz AS updated_at "
	"FROM jsonb_to_recordset($2::jsonb) AS b (name text, description text, "
	"permissions jsonb) UNION ALL SELECT o.name, false, o.description, "
	"to_jsonb(o.permissions), o.created_at, o.updated_at FROM roles o "
	"WHERE o.account_id = $1::uuid) r "
	"WHERE ($3::text IS NULL OR r.name = $3) "
	"AND ($4::text IS NULL OR r.name > $4) "
	"ORDER BY r.name LIMIT $5::integer" };
const struct db_stmt manage_store_role = { "manage_role",
	"SELECT r.name, false, r.description, to_jsonb(r.permissions), " USED
	", " MADE ", " CHANGED ", " STATE " FROM roles r "
	"WHERE r.account_id = $1::uuid AND r.name = $2" };
const struct db_stmt manage_store_role_lock = { "manage_role_lock",
	STORE_LOCK(
	    STATE, "roles r WHERE r.account_id = $1::uuid AND r.name = $2") };
const struct db_stmt manage_store_role_perms = { "manage_role_perms",
	"SELECT array_to_string(permissions, ' ') FROM roles "
	"WHERE account_id = $1::uuid AND name = $2" };
const struct db_stmt manage_store_role_create = { "manage_role_create",
	"INSERT INTO roles (account_id, name, description, permissions, "
	"created_at, updated_at) VALUES ($1::uuid, $2, coalesce($3, ''), "
	"ARRAY(SELECT jsonb_array_elements_text($4::jsonb)), "
	"$5::timestamptz, $5::timestamptz)" };
const struct db_stmt manage_store_role_change = { "manage_role_change",
	"UPDATE roles SET description = coalesce($3, description), "
	"permissions = CASE WHEN $4::text IS NULL THEN permissions "
	"ELSE ARRAY(SELECT jsonb_array_elements_text($4::jsonb)) END, "
	"updated_at = now() WHERE account_id = $1::uuid AND name = $2" };
const struct db_stmt manage_store_role_delete = { "manage_role_delete",
	"DELETE FROM roles WHERE account_id = $1::uuid AND name = $2" };
