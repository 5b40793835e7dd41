/* The SQL of people and their memberships. */
#include "cli/people/store.h"

#include <string.h>

#include "audit/audit.h"
#include "cli/rows.h"
#include "db/db.h"
#include "util/mem.h"

#include "util/banned.h"

/* Run ${call}, whose first parameter is the user, and record it.  People belong
 * to no account: it is the platform's chain. */
static int
user_change(struct db_pool *db, struct db_call *call, const char *action,
    const json_t *before, const json_t *after, const struct audit_entry *who,
    struct err *e)
{
	struct audit_entry entry = *who;
	void *ctx = mem_root("user");
	int rc;

	entry.action = action;
	entry.object_kind = "user";
	entry.object_id = call->param[0];
	entry.before = before;
	entry.after = after;
	rc = rows_record(db, NULL, call, 1, &entry, ctx, e);
	mem_free(ctx);
	return rc;
}

static const struct db_stmt user_create_sql = { "cli_user_create",
	"INSERT INTO users (id, email, display_name, password_hash,"
	" is_platform_admin) VALUES ($1, $2, $3, $4, $5)" };

int
store_user_create(struct db_pool *db, const struct store_user *u,
    const struct audit_entry *who, struct err *e)
{
	json_auto_t *after =
	    json_pack("{s:s, s:s, s:b}", "email", u->email, "display_name",
		u->name, "is_platform_admin", (int)u->platform_admin);
	char id[UUID_TEXT];

	id_format(&u->id, id);
	struct db_call call = { &user_create_sql,
		.param = { id, u->email, u->name, u->password_hash,
		    u->platform_admin ? "t" : "f" },
		.nparams = 5 };

	return user_change(db, &call, "user.create", NULL, after, who, e);
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

static const struct db_stmt user_password_sql = {
	"cli_user_password",
	"WITH c AS (UPDATE users SET password_hash = $2, updated_at = now()"
	" WHERE id = $1 RETURNING 1) SELECT gate.found(count(*), 'user') FROM c"
};
static const struct db_stmt user_active_sql = {
	"cli_user_active",
	"WITH c AS (UPDATE users SET is_active = $2, updated_at = now()"
	" WHERE id = $1 RETURNING 1) SELECT gate.found(count(*), 'user') FROM c"
};
static const struct db_stmt user_now_sql = { "cli_user_now",
	"SELECT is_active FROM users WHERE id = $1" };
static const struct rows_col user_now_cols[] = { { "is_active", ROW_BOOL },
	{ NULL, ROW_END } };

int
store_user_password(struct db_pool *db, const struct uuid *user,
    const char *hash, const struct audit_entry *who, struct err *e)
{
	char id[UUID_TEXT];

	id_format(user, id);
	struct db_call call = { &user_password_sql, .param = { id, hash },
		.nparams = 2 };

	return user_change(db, &call, "user.set_password", NULL, NULL, who, e);
}

int
store_user_active(struct db_pool *db, const struct uuid *user, bool active,
    const struct audit_entry *who, struct err *e)
{
	json_auto_t *before = NULL,
		    *after = json_pack("{s:b}", "is_active", (int)active);
	char id[UUID_TEXT];

	id_format(user, id);
	struct db_call now = { &user_now_sql, .param = { id }, .nparams = 1 },
		       call = { &user_active_sql,
			       .param = { id, active ? "t" : "f" },
			       .nparams = 2 };

	if (rows_one(db, NULL, &now, user_now_cols, "user", id, &before, e) !=
	    0)
		return -1;
	return user_change(db, &call,
	    active ? "user.activate" : "user.deactivate", before, after, who,
	    e);
}

static const struct db_stmt member_now_sql = { "cli_member_now",
	"SELECT role FROM memberships WHERE account_id = $1 AND user_id = $2" };
static const struct rows_col member_now_cols[] = { { "role", ROW_TEXT },
	{ NULL, ROW_END } };
static const struct db_stmt member_set_sql = { "cli_member_set",
	"INSERT INTO memberships (account_id, user_id, role)"
	" VALUES ($1, $2, $3) ON CONFLICT (account_id, user_id)"
	" DO UPDATE SET role = excluded.role" };
static const struct db_stmt member_remove_sql = { "cli_member_remove",
	"WITH c AS (DELETE FROM memberships WHERE account_id = $1"
	" AND user_id = $2 RETURNING 1)"
	" SELECT gate.found(count(*), 'membership') FROM c" };

/* The membership {role}, or NULL for none. */
static int
member_now(struct db_pool *db, const struct uuid *account, const char *aid,
    const char *uid, json_t **ret, struct err *e)
{
	struct db_call call = { &member_now_sql, .param = { aid, uid },
		.nparams = 2 };
	json_auto_t *rows = NULL;

	if (rows_list(db, account, &call, member_now_cols, &rows, e) != 0)
		return -1;
	*ret = json_incref(json_array_get(rows, 0));
	return 0;
}

/* Run ${call}, which begins with account and user, and record it. */
static int
member_change(struct db_pool *db, const struct uuid *account,
    struct db_call *call, const char *action, const json_t *before,
    const json_t *after, const struct audit_entry *who, struct err *e)
{
	struct audit_entry entry = *who;
	void *ctx = mem_root("member");
	int rc;

	entry.action = action;
	entry.object_kind = "user";
	entry.object_id = call->param[1];
	entry.before = before;
	entry.after = after;
	rc = rows_record(db, account, call, 1, &entry, ctx, e);
	mem_free(ctx);
	return rc;
}

int
store_member_set(struct db_pool *db, const struct uuid *account,
    const struct uuid *user, const char *role, const struct audit_entry *who,
    struct err *e)
{
	json_auto_t *before = NULL, *after = json_pack("{s:s}", "role", role);
	char aid[UUID_TEXT], uid[UUID_TEXT];

	id_format(account, aid);
	id_format(user, uid);
	struct db_call call = { &member_set_sql, .param = { aid, uid, role },
		.nparams = 3 };

	if (member_now(db, account, aid, uid, &before, e) != 0)
		return -1;
	if (before != NULL &&
	    strcmp(json_string_value(json_object_get(before, "role")), role) ==
		0)
		return 0;
	return member_change(
	    db, account, &call, "member.grant", before, after, who, e);
}

int
store_member_remove(struct db_pool *db, const struct uuid *account,
    const struct uuid *user, const struct audit_entry *who, struct err *e)
{
	json_auto_t *before = NULL;
	char aid[UUID_TEXT], uid[UUID_TEXT];

	id_format(account, aid);
	id_format(user, uid);
	struct db_call call = { &member_remove_sql, .param = { aid, uid },
		.nparams = 2 };

	if (member_now(db, account, aid, uid, &before, e) != 0)
		return -1;
	if (before == NULL)
		return err_set(
		    e, ERR_NOT_FOUND, "the user is no member of the account");
	return member_change(
	    db, account, &call, "member.revoke", before, NULL, who, e);
}

static const struct db_stmt role_own_sql = { "cli_role_own",
	"SELECT name FROM roles WHERE account_id = $1 AND name = $2" };
static const struct rows_col role_own_cols[] = { { "name", ROW_TEXT },
	{ NULL, ROW_END } };

int
store_role_own(struct db_pool *db, const struct uuid *account, const char *name,
    struct err *e)
{
	json_auto_t *role = NULL;
	char id[UUID_TEXT];
	struct db_call call = { &role_own_sql, .param = { id, name },
		.nparams = 2 };

	id_format(account, id);
	return rows_one(
	    db, account, &call, role_own_cols, "role", name, &role, e);
}
