/* The SQL of people and their memberships. */
#include "cli/people/store.h"

#include "cli/rows.h"
#include "db/db.h"
#include "util/mem.h"

#include "util/banned.h"

static const struct db_stmt user_create_sql = { "cli_user_create",
	"INSERT INTO users (id, email, display_name, password_hash,"
	" is_platform_admin) VALUES ($1, $2, $3, $4, $5)" };

int
store_user_create(struct db_pool *db, const struct store_user *u, struct err *e)
{
	char id[UUID_TEXT];

	id_format(&u->id, id);
	struct db_call call = { &user_create_sql,
		.param = { id, u->email, u->name, u->password_hash,
		    u->platform_admin ? "t" : "f" },
		.nparams = 5 };

	return rows_change(db, NULL, &call, NULL, e);
}

static const struct db_stmt user_list_sql = { "cli_user_list",
	"SELECT id, email, display_name, is_platform_admin, is_active,"
	" memberships, " ROWS_UTC("created_at") " FROM gate.admin_users($1)" };
static const struct rows_col user_cols[] = { { "id", ROW_TEXT },
	{ "email", ROW_TEXT }, { "display_name", ROW_TEXT },
	{ "is_platform_admin", ROW_BOOL }, { "is_active", ROW_BOOL },
	{ "memberships", ROW_JSON }, { "created_at", ROW_TEXT },
	{ NULL, ROW_END } };

int
store_user_list(
    struct db_pool *db, const char *slug, json_t **ret, struct err *e)
{
	struct db_call call = { &user_list_sql, .param = { slug },
		.nparams = 1 };

	return rows_list(db, NULL, &call, user_cols, ret, e);
}

static const struct db_stmt user_find_sql = { "cli_user_find",
	"SELECT id, password_hash FROM gate.admin_user_by_email($1)" };

int
store_user_find(struct db_pool *db, const char *email, const void *ctx,
    struct uuid *id, char **hash, struct err *e)
{
	void *tmp = mem_root("store");
	struct db_call call = { &user_find_sql, .param = { email },
		.nparams = 1 };
	int rc = rows_run(db, NULL, &call, 1, tmp, e);

	if (rc == 0 &&
	    (db_rows(call.result) == 0 || db_uuid(call.result, 0, 0, id) != 0))
		rc = err_set(e, ERR_NOT_FOUND, "no user %s", email);
	if (rc == 0 && hash != NULL)
		*hash = mem_strdup(ctx, db_text(call.result, 0, 1));
	mem_free(tmp);
	return rc;
}

static const struct db_stmt user_password_sql = { "cli_user_password",
	"UPDATE users SET password_hash = $2, updated_at = now()"
	" WHERE id = $1 RETURNING 1" };
static const struct db_stmt user_active_sql = { "cli_user_active",
	"UPDATE users SET is_active = $2, updated_at = now()"
	" WHERE id = $1 RETURNING 1" };

static int
user_set(struct db_pool *db, const struct db_stmt *stmt,
    const struct uuid *user, const char *value, struct err *e)
{
	char id[UUID_TEXT];
	int rows;

	id_format(user, id);
	struct db_call call = { stmt, .param = { id, value }, .nparams = 2 };

	if (rows_change(db, NULL, &call, &rows, e) != 0)
		return -1;
	return rows == 1 ? 0 : err_set(e, ERR_NOT_FOUND, "no such user");
}

int
store_user_password(struct db_pool *db, const struct uuid *user,
    const char *hash, struct err *e)
{
	return user_set(db, &user_password_sql, user, hash, e);
}

int
store_user_active(
    struct db_pool *db, const struct uuid *user, bool active, struct err *e)
{
	return user_set(db, &user_active_sql, user, active ? "t" : "f", e);
}

static const struct db_stmt member_set_sql = { "cli_member_set",
	"INSERT INTO memberships (account_id, user_id, role)"
	" VALUES ($1, $2, $3) ON CONFLICT (account_id, user_id)"
	" DO UPDATE SET role = excluded.role"
	" WHERE memberships.role <> excluded.role" };

int
store_member_set(struct db_pool *db, const struct uuid *account,
    const struct uuid *user, const char *role, struct err *e)
{
	char aid[UUID_TEXT], uid[UUID_TEXT];

	id_format(account, aid);
	id_format(user, uid);
	struct db_call call = { &member_set_sql, .param = { aid, uid, role },
		.nparams = 3 };

	return rows_change(db, account, &call, NULL, e);
}

static const struct db_stmt member_remove_sql = { "cli_member_remove",
	"DELETE FROM memberships WHERE account_id = $1 AND user_id = $2"
	" RETURNING 1" };

int
store_member_remove(struct db_pool *db, const struct uuid *account,
    const struct uuid *user, struct err *e)
{
	char aid[UUID_TEXT], uid[UUID_TEXT];
	int rows;

	id_format(account, aid);
	id_format(user, uid);
	struct db_call call = { &member_remove_sql, .param = { aid, uid },
		.nparams = 2 };

	if (rows_change(db, account, &call, &rows, e) != 0)
		return -1;
	return rows == 1 ? 0
	                 : err_set(e, ERR_NOT_FOUND,
			       "the user is no member of the account");
}
