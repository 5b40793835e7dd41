/* The SQL of members.  Whoever is no member of the account is not found. */
#include "api/manage/store.h"

#include "util/banned.h"

#define FROM "memberships m JOIN users u ON u.id = m.user_id "
#define SINCE ROWS_UTC("m.created_at")
#define COLS "m.user_id, u.email, u.display_name, u.is_active, m.role, " SINCE
#define STATE STORE_STATE("m.user_id, m.role")

const struct rows_col manage_store_user_cols[] = { { "id", ROW_TEXT },
	{ "email", ROW_TEXT }, { "display_name", ROW_TEXT },
	{ "is_active", ROW_BOOL }, { "role", ROW_TEXT },
	{ "member_since", ROW_TEXT }, { NULL, ROW_END } };
const struct db_stmt manage_store_user = { "manage_user",
	"SELECT " COLS ", " STATE " FROM " FROM
	"WHERE m.account_id = $1::uuid AND m.user_id = $2::uuid" };
const struct db_stmt manage_store_user_lock = { "manage_user_lock",
	STORE_LOCK(STATE, "memberships m WHERE m.account_id = $1::uuid "
			  "AND m.user_id = $2::uuid") };
const struct db_stmt manage_store_users = { "manage_users",
	"SELECT " COLS ", m.user_id FROM " FROM
	"WHERE m.account_id = $1::uuid AND ($2::text IS NULL OR m.role = $2) "
	"AND ($3::uuid IS NULL OR m.user_id > $3::uuid) "
	"ORDER BY m.user_id LIMIT $4::integer" };
const struct db_stmt manage_store_user_role = { "manage_user_role",
	"UPDATE memberships SET role = $3 "
	"WHERE account_id = $1::uuid AND user_id = $2::uuid" };
const struct db_stmt manage_store_user_leave = { "manage_user_leave",
	"DELETE FROM memberships "
	"WHERE account_id = $1::uuid AND user_id = $2::uuid" };
/* account, new id, address, name, role, hash of no password: the person, and
 * whether she has a password. */
const struct db_stmt manage_store_user_invite = { "manage_user_invite",
	"SELECT user_id, has_password FROM gate.invite($1::uuid, $2::uuid, $3, "
	"$4, "
	"$5, $6)" };
