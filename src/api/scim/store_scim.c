/* The SQL of a directory's users and groups.  Every list takes the same
 * parameters: account, a name, an external id (NULL: any), after which id, how
 * many to leave out, how many. */
#include "api/scim/scim.h"

#include "util/banned.h"

#define STORE_STATE(members) "md5(row(" members ")::text)"
#define STORE_LOCK(state, from)                                                \
	"SELECT control.unchanged((SELECT " state " FROM " from                \
	" FOR NO KEY UPDATE), $3)"
#define MADE ROWS_UTC("x.created_at")
#define CHANGED ROWS_UTC("x.updated_at")

#define USER_STATE                                                             \
	STORE_STATE("x.user_name, x.external_id, x.active, x.resource")
#define USER_COLS                                                              \
	"x.id, x.user_name, x.external_id, x.active, x.resource, "             \
	"coalesce((SELECT jsonb_agg(jsonb_build_object('value', g.id, "        \
	"'display', g.display_name) ORDER BY g.id) FROM scim_members m "       \
	"JOIN scim_groups g ON g.account_id = m.account_id "                   \
	"AND g.id = m.group_id WHERE m.account_id = x.account_id "             \
	"AND m.scim_user_id = x.id), '[]'), " MADE ", " CHANGED                \
	", " USER_STATE
#define USER_FROM                                                              \
	" FROM scim_users x WHERE x.account_id = $1::uuid "                    \
	"AND ($2::text IS NULL OR lower(x.user_name) = lower($2)) "            \
	"AND ($3::text IS NULL OR x.external_id = $3)"

const struct rows_col scim_store_user_cols[] = { { "id", ROW_TEXT },
	{ "userName", ROW_TEXT }, { "externalId", ROW_TEXT },
	{ "active", ROW_BOOL }, { "resource", ROW_JSON },
	{ "groups", ROW_JSON }, { "created", ROW_TEXT },
	{ "lastModified", ROW_TEXT }, { "version", ROW_TEXT },
	{ NULL, ROW_END } };
const struct db_stmt scim_store_user = { "scim_user",
	"SELECT " USER_COLS ", " USER_STATE " FROM scim_users x "
	"WHERE x.account_id = $1::uuid AND x.id = $2::uuid" };
const struct db_stmt scim_store_user_lock = { "scim_user_lock",
	STORE_LOCK(USER_STATE, "scim_users x WHERE x.account_id = $1::uuid "
			       "AND x.id = $2::uuid") };
const struct db_stmt scim_store_users = { "scim_users",
	"SELECT " USER_COLS USER_FROM " AND x.id > $4::uuid "
	"ORDER BY x.id OFFSET $5::integer LIMIT $6::integer" };
const struct db_stmt scim_store_users_count = { "scim_users_count",
	"SELECT count(*)" USER_FROM };
const struct db_stmt scim_store_user_create = { "scim_user_create",
	"SELECT gate.scim_user_create($1::uuid, $2::uuid, $3::uuid, $4, $5, "
	"$6, "
	"$7, $8, $9::boolean, $10::jsonb, now())" };
const struct db_stmt scim_store_user_change = { "scim_user_change",
	"SELECT gate.scim_user_change($1::uuid, $2::uuid, $3, $4, $5, $6, "
	"$7::boolean, $8::jsonb)" };
const struct db_stmt scim_store_user_delete = { "scim_user_delete",
	"SELECT gate.scim_user_delete($1::uuid, $2::uuid)" };

#define MEMBERS                                                                \
	"coalesce((SELECT jsonb_agg(jsonb_build_object('value', "              \
	"m.scim_user_id, 'display', u.user_name) ORDER BY m.scim_user_id) "    \
	"FROM scim_members m JOIN scim_users u ON u.account_id = "             \
	"m.account_id "                                                        \
	"AND u.id = m.scim_user_id WHERE m.account_id = x.account_id "         \
	"AND m.group_id = x.id), '[]')"
#define GROUP_STATE STORE_STATE("x.display_name, x.external_id, " MEMBERS)
#define GROUP_COLS                                                             \
	"x.id, x.display_name, x.external_id, " MEMBERS ", " MADE ", " CHANGED \
	", " GROUP_STATE
#define GROUP_FROM                                                             \
	" FROM scim_groups x WHERE x.account_id = $1::uuid "                   \
	"AND ($2::text IS NULL OR lower(x.display_name) = lower($2)) "         \
	"AND ($3::text IS NULL OR x.external_id = $3)"

const struct rows_col scim_store_group_cols[] = { { "id", ROW_TEXT },
	{ "displayName", ROW_TEXT }, { "externalId", ROW_TEXT },
	{ "members", ROW_JSON }, { "created", ROW_TEXT },
	{ "lastModified", ROW_TEXT }, { "version", ROW_TEXT },
	{ NULL, ROW_END } };
const struct db_stmt scim_store_group = { "scim_group",
	"SELECT " GROUP_COLS ", " GROUP_STATE " FROM scim_groups x "
	"WHERE x.account_id = $1::uuid AND x.id = $2::uuid" };
const struct db_stmt scim_store_group_lock = { "scim_group_lock",
	STORE_LOCK(GROUP_STATE, "scim_groups x WHERE x.account_id = $1::uuid "
				"AND x.id = $2::uuid") };
const struct db_stmt scim_store_groups = { "scim_groups",
	"SELECT " GROUP_COLS GROUP_FROM " AND x.id > $4::uuid "
	"ORDER BY x.id OFFSET $5::integer LIMIT $6::integer" };
const struct db_stmt scim_store_groups_count = { "scim_groups_count",
	"SELECT count(*)" GROUP_FROM };
const struct db_stmt scim_store_group_create = { "scim_group_create",
	"INSERT INTO scim_groups (account_id, id, display_name, external_id) "
	"VALUES ($1::uuid, $2::uuid, $3, $4)" };
const struct db_stmt scim_store_group_change = { "scim_group_change",
	"UPDATE scim_groups SET display_name = $3, external_id = $4, "
	"updated_at = now() WHERE account_id = $1::uuid AND id = $2::uuid" };
const struct db_stmt scim_store_group_delete = { "scim_group_delete",
	"DELETE FROM scim_groups "
	"WHERE account_id = $1::uuid AND id = $2::uuid" };
const struct db_stmt scim_store_members_less = { "scim_members_less",
	"DELETE FROM scim_members WHERE account_id = $1::uuid "
	"AND group_id = $2::uuid AND scim_user_id <> ALL (ARRAY("
	"SELECT v::uuid FROM jsonb_array_elements_text($3::jsonb) v))" };
const struct db_stmt scim_store_members_more = { "scim_members_more",
	"INSERT INTO scim_members (account_id, group_id, scim_user_id) "
	"SELECT $1::uuid, $2::uuid, v::uuid "
	"FROM jsonb_array_elements_text($3::jsonb) v ON CONFLICT DO NOTHING" };
const struct db_stmt scim_store_roles = { "scim_roles",
	"SELECT gate.scim_roles($1::uuid)" };

#define SETTINGS_STATE STORE_STATE("x.default_role, x.group_roles")
const struct rows_col scim_store_settings_cols[] = { { "default_role",
							 ROW_TEXT },
	{ "group_roles", ROW_JSON }, { NULL, ROW_END } };
const struct db_stmt scim_store_settings = { "scim_settings",
	"SELECT coalesce(x.default_role, 'viewer'), "
	"coalesce(x.group_roles, '[]') FROM (SELECT $1::uuid AS id) a "
	"LEFT JOIN scim_settings x ON x.account_id = a.id" };
const struct db_stmt scim_store_settings_put = { "scim_settings_put",
	"INSERT INTO scim_settings (account_id, default_role, group_roles) "
	"VALUES ($1::uuid, $2, $3::jsonb) ON CONFLICT (account_id) DO UPDATE "
	"SET default_role = excluded.default_role, "
	"group_roles = excluded.group_roles" };
