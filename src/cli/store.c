/*
 * The SQL of accounts and agents (keys: store_keys.c).  Rows that are only
 * shown become JSON by the column list that stands beside each statement.
 */
#include "cli/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "audit/audit.h"
#include "cli/rows.h"
#include "db/db.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

/* ---- accounts ---- */

static const struct db_stmt account_id_sql = { "cli_account_id",
	"SELECT gate.admin_account_id($1)" };

int
store_account_id(
    struct db_pool *db, const char *slug, struct uuid *id, struct err *e)
{
	struct db_call call = { &account_id_sql, .param = { slug },
		.nparams = 1 };

	return rows_id(db, NULL, &call, "account", slug, id, e);
}

static const struct db_stmt account_epoch_sql = { "cli_account_epoch",
	"SELECT slot, config_epoch FROM gate.account_by_slug($1)" };

int
store_account_epoch(struct db_pool *db, const char *slug, int64_t *slot,
    int64_t *epoch, struct err *e)
{
	struct db_call call = { &account_epoch_sql, .param = { slug },
		.nparams = 1 };
	void *ctx = mem_root("account epoch");
	int rc = rows_run(db, NULL, &call, 1, ctx, e);

	if (rc == 0 && db_rows(call.result) == 0)
		rc = err_set(e, ERR_NOT_FOUND, "there is no account %s", slug);
	if (rc == 0) {
		*slot = db_int(call.result, 0, 0);
		*epoch = db_int(call.result, 0, 1);
	}
	mem_free(ctx);
	return rc;
}

static const struct db_stmt account_create_sql = { "cli_account_create",
	"INSERT INTO accounts (id, slug, name, tier) VALUES ($1, $2, $3, $4)" };

int
store_account_create(struct db_pool *db, const struct uuid *id,
    const char *slug, const char *name, const char *tier,
    const struct audit_entry *who, struct err *e)
{
	json_auto_t *after = json_pack(
	    "{s:s, s:s, s:s}", "slug", slug, "name", name, "tier", tier);
	struct audit_entry entry = *who;
	char text[UUID_TEXT];
	void *ctx;
	int rc;

	id_format(id, text);
	struct db_call call = { &account_create_sql,
		.param = { text, slug, name, tier }, .nparams = 4 };

	entry.action = "account.create";
	entry.object_kind = "account";
	entry.object_id = text;
	entry.after = after;
	ctx = mem_root("account");
	rc = rows_record(db, id, &call, 1, &entry, ctx, e);
	mem_free(ctx);
	return rc;
}

static const struct db_stmt account_list_sql = { "cli_account_list",
	"SELECT slug, name, tier, is_active, nullif(max_agents, -1),"
	" own_max_agents, nullif(requests_per_hour, -1),"
	" own_requests_per_hour, agents, config_epoch, id, " ROWS_UTC(
	    "created_at") ", " ROWS_UTC("ends_at") ", credential_strategy FROM "
						   "gate.admin_accounts($1)" };
static const struct rows_col account_cols[] = { { "slug", ROW_TEXT },
	{ "name", ROW_TEXT }, { "tier", ROW_TEXT }, { "is_active", ROW_BOOL },
	{ "max_agents", ROW_INT }, { "own_max_agents", ROW_BOOL },
	{ "requests_per_hour", ROW_INT }, { "own_requests_per_hour", ROW_BOOL },
	{ "agents", ROW_INT }, { "config_epoch", ROW_INT }, { "id", ROW_TEXT },
	{ "created_at", ROW_TEXT }, { "ends_at", ROW_TEXT },
	{ "credential_strategy", ROW_TEXT }, { NULL, ROW_END } };

int
store_account_list(struct db_pool *db, json_t **ret, struct err *e)
{
	struct db_call call = { &account_list_sql, .nparams = 1 };

	return rows_list(db, NULL, &call, account_cols, ret, e);
}

int
store_account_show(
    struct db_pool *db, const char *slug, json_t **ret, struct err *e)
{
	struct db_call call = { &account_list_sql, .param = { slug },
		.nparams = 1 };

	return rows_one(db, NULL, &call, account_cols, "account", slug, ret, e);
}

#define ACCOUNT_SET_TO(column, value)                                          \
	"WITH c AS (UPDATE accounts SET " column " = " value                   \
	", updated_at = now() WHERE id = $1 RETURNING 1)"                      \
	" SELECT gate.found(count(*), 'account') FROM c"
#define ACCOUNT_SET(column) ACCOUNT_SET_TO(column, "$2")

static const struct db_stmt account_now_sql = { "cli_account_now",
	"SELECT tier, is_active, max_agents, requests_per_hour,"
	" CASE second_factor_roles WHEN '{}' THEN '\"none\"' WHEN '{*}' THEN"
	" '\"all\"' WHEN '{+}' THEN '\"admins\"'"
	" ELSE to_jsonb(second_factor_roles) END, credential_strategy"
	" FROM accounts WHERE id = $1" };
static const struct rows_col account_now_cols[] = { { "tier", ROW_TEXT },
	{ "is_active", ROW_BOOL }, { "max_agents", ROW_INT },
	{ "requests_per_hour", ROW_INT }, { "require_second_factor", ROW_JSON },
	{ "credential_strategy", ROW_TEXT }, { NULL, ROW_END } };
static const struct db_stmt account_factor_sql = { "cli_account_factor",
	ACCOUNT_SET_TO("second_factor_roles",
	    "ARRAY(SELECT jsonb_array_elements_text($2::jsonb))") };
static const struct db_stmt account_tier_sql = { "cli_account_tier",
	ACCOUNT_SET("tier") };
static const struct db_stmt account_active_sql = { "cli_account_active",
	ACCOUNT_SET("is_active") };
static const struct db_stmt account_max_agents_sql = { "cli_account_max_agents",
	ACCOUNT_SET("max_agents") };
static const struct db_stmt account_requests_sql = { "cli_account_requests",
	ACCOUNT_SET("requests_per_hour") };
static const struct db_stmt account_strategy_sql = { "cli_account_strategy",
	ACCOUNT_SET("credential_strategy") };

/* A column of an account's row, and what it shall be. */
struct account_change {
	const struct db_stmt *stmt;
	const char *action, *column, *value;
	json_t *after; /* the value as JSON; taken over */
};

static int
account_set(struct db_pool *db, const struct uuid *account,
    const struct account_change *change, const struct audit_entry *who,
    struct err *e)
{
	json_auto_t *now = NULL, *before = json_object(),
		    *after = json_pack("{s:o}", change->column, change->after);
	struct audit_entry entry = *who;
	char id[UUID_TEXT];
	void *ctx;
	int rc;

	id_format(account, id);
	struct db_call calls[] = {
		{ &account_now_sql, .param = { id }, .nparams = 1 },
		{ change->stmt, .param = { id, change->value }, .nparams = 2 }
	};

	if (rows_one(db, account, &calls[0], account_now_cols, "account", id,
		&now, e) != 0)
		return -1;
	json_object_set(
	    before, change->column, json_object_get(now, change->column));
	entry.action = change->action;
	entry.object_kind = "account";
	entry.object_id = id;
	entry.before = before;
	entry.after = after;
	ctx = mem_root("account");
	rc = rows_record(db, account, &calls[1], 1, &entry, ctx, e);
	mem_free(ctx);
	return rc;
}

int
store_account_tier(struct db_pool *db, const struct uuid *account,
    const char *tier, const struct audit_entry *who, struct err *e)
{
	const struct account_change change = { &account_tier_sql,
		"account.set_tier", "tier", tier, json_string(tier) };

	return account_set(db, account, &change, who, e);
}

int
store_account_factor(struct db_pool *db, const struct uuid *account,
    const char *roles, json_t *said, const struct audit_entry *who,
    struct err *e)
{
	const struct account_change change = { &account_factor_sql,
		"account.set_second_factor", "require_second_factor", roles,
		said };

	return account_set(db, account, &change, who, e);
}

int
store_account_active(struct db_pool *db, const struct uuid *account,
    bool active, const struct audit_entry *who, struct err *e)
{
	const struct account_change change = { &account_active_sql,
		active ? "account.activate" : "account.deactivate", "is_active",
		active ? "t" : "f", json_boolean(active) };

	return account_set(db, account, &change, who, e);
}

static const struct db_stmt account_end_sql = { "cli_account_end",
	"WITH c AS (UPDATE accounts SET is_active = false, ends_at = now() +"
	" make_interval(days => $2), updated_at = now() WHERE id = $1"
	" AND ends_at IS NULL RETURNING 1)"
	" SELECT gate.found(count(*), 'account that stays') FROM c" };
static const struct db_stmt account_restore_sql = { "cli_account_restore",
	"WITH c AS (UPDATE accounts SET is_active = true, ends_at = NULL,"
	" updated_at = now() WHERE id = $1 AND ends_at > now() RETURNING 1)"
	" SELECT gate.found(count(*), 'account that is going to be deleted')"
	" FROM c" };

/* Run ${call} for the account and record it. */
static int
account_act(struct db_pool *db, const struct uuid *account,
    struct db_call *call, const char *action, const char *id,
    const struct audit_entry *who, struct err *e)
{
	struct audit_entry entry = *who;
	void *ctx = mem_root("account");
	int rc;

	entry.action = action;
	entry.object_kind = "account";
	entry.object_id = id;
	rc = rows_record(db, account, call, 1, &entry, ctx, e);
	mem_free(ctx);
	return rc;
}

int
store_account_end(struct db_pool *db, const struct uuid *account, int64_t days,
    const struct audit_entry *who, struct err *e)
{
	char id[UUID_TEXT], number[24];
	struct db_call call = { &account_end_sql, .param = { id, number },
		.nparams = 2 };

	id_format(account, id);
	snprintf(number, sizeof number, "%" PRId64, days);
	return account_act(db, account, &call, "account.delete", id, who, e);
}

int
store_account_restore(struct db_pool *db, const struct uuid *account,
    const struct audit_entry *who, struct err *e)
{
	char id[UUID_TEXT];
	struct db_call call = { &account_restore_sql, .param = { id },
		.nparams = 1 };

	id_format(account, id);
	return account_act(db, account, &call, "account.restore", id, who, e);
}

int
store_account_export(struct db_pool *db, const struct uuid *account,
    const struct audit_entry *who, struct err *e)
{
	char id[UUID_TEXT];
	struct db_call call = { &account_now_sql, .param = { id },
		.nparams = 1 };

	id_format(account, id);
	return account_act(db, account, &call, "account.export", id, who, e);
}

int
store_account_limit(struct db_pool *db, const struct uuid *account,
    const char *name, const int64_t *value, const struct audit_entry *who,
    struct err *e)
{
	bool agents = strcmp(name, "max_agents") == 0;
	char text[24];
	const struct account_change change = {
		agents ? &account_max_agents_sql : &account_requests_sql,
		"account.set_limit",
		agents ? "max_agents" : "requests_per_hour",
		value != NULL ? text : NULL,
		value != NULL ? json_integer((json_int_t)*value) : json_null()
	};

	if (value != NULL)
		snprintf(text, sizeof text, "%" PRId64, *value);
	return account_set(db, account, &change, who, e);
}

int
store_account_strategy(struct db_pool *db, const struct uuid *account,
    const char *strategy, const struct audit_entry *who, struct err *e)
{
	const struct account_change change = { &account_strategy_sql,
		"account.set_strategy", "credential_strategy", strategy,
		json_string(strategy) };

	return account_set(db, account, &change, who, e);
}

/* ---- agents ---- */

#define AGENT_COLS                                                             \
	"id, agent_type, instance_name, display_name, status,"                 \
	" config_version, " ROWS_UTC("created_at") ", " ROWS_UTC(              \
	    "updated_at") ", " ROWS_UTC("last_used_at")

static const struct db_stmt agent_list_sql = { "cli_agent_list",
	"SELECT " AGENT_COLS " FROM agent_instances WHERE account_id = $1"
	" AND ($2::boolean OR status <> 'archived')"
	" ORDER BY agent_type, instance_name" };
static const struct db_stmt agent_show_sql = { "cli_agent_show",
	"SELECT " AGENT_COLS ", configuration FROM agent_instances"
	" WHERE account_id = $1 AND agent_type = $2 AND instance_name = $3" };
static const struct rows_col agent_cols[] = { { "id", ROW_TEXT },
	{ "agent_type", ROW_TEXT }, { "instance_name", ROW_TEXT },
	{ "display_name", ROW_TEXT }, { "status", ROW_TEXT },
	{ "config_version", ROW_INT }, { "created_at", ROW_TEXT },
	{ "updated_at", ROW_TEXT }, { "last_used_at", ROW_TEXT },
	{ NULL, ROW_END } };
static const struct rows_col agent_show_cols[] = { { "id", ROW_TEXT },
	{ "agent_type", ROW_TEXT }, { "instance_name", ROW_TEXT },
	{ "display_name", ROW_TEXT }, { "status", ROW_TEXT },
	{ "config_version", ROW_INT }, { "created_at", ROW_TEXT },
	{ "updated_at", ROW_TEXT }, { "last_used_at", ROW_TEXT },
	{ "configuration", ROW_JSON }, { NULL, ROW_END } };

int
store_agent_list(struct db_pool *db, const struct uuid *account, bool archived,
    json_t **ret, struct err *e)
{
	char id[UUID_TEXT];

	id_format(account, id);
	struct db_call call = { &agent_list_sql,
		.param = { id, archived ? "t" : "f" }, .nparams = 2 };

	return rows_list(db, account, &call, agent_cols, ret, e);
}

int
store_agent_show(struct db_pool *db, const struct uuid *account,
    const char *type, const char *name, json_t **ret, struct err *e)
{
	char id[UUID_TEXT], path[160];

	id_format(account, id);
	snprintf(path, sizeof path, "%s/%s", type, name);
	struct db_call call = { &agent_show_sql, .param = { id, type, name },
		.nparams = 3 };

	return rows_one(
	    db, account, &call, agent_show_cols, "agent", path, ret, e);
}

int
store_agent_id(struct db_pool *db, const struct uuid *account, const char *type,
    const char *name, struct uuid *id, struct err *e)
{
	char aid[UUID_TEXT], path[160];

	id_format(account, aid);
	snprintf(path, sizeof path, "%s/%s", type, name);
	struct db_call call = { &agent_show_sql, .param = { aid, type, name },
		.nparams = 3 };

	return rows_id(db, account, &call, "agent", path, id, e);
}
