/*
 * The SQL of accounts, agents and keys.  Rows that are only shown
 * become JSON by the column list that stands beside each statement.
 */
#include "cli/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "audit/audit.h"
#include "auth/store.h"
#include "cli/rows.h"
#include "db/db.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

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
	    "created_at") ", " ROWS_UTC("ends_at") " FROM "
						   "gate.admin_accounts($1)" };
static const struct rows_col account_cols[] = { { "slug", ROW_TEXT },
	{ "name", ROW_TEXT }, { "tier", ROW_TEXT }, { "is_active", ROW_BOOL },
	{ "max_agents", ROW_INT }, { "own_max_agents", ROW_BOOL },
	{ "requests_per_hour", ROW_INT }, { "own_requests_per_hour", ROW_BOOL },
	{ "agents", ROW_INT }, { "config_epoch", ROW_INT }, { "id", ROW_TEXT },
	{ "created_at", ROW_TEXT }, { "ends_at", ROW_TEXT },
	{ NULL, ROW_END } };

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
	" ELSE to_jsonb(second_factor_roles) END FROM accounts WHERE id = $1" };
static const struct rows_col account_now_cols[] = { { "tier", ROW_TEXT },
	{ "is_active", ROW_BOOL }, { "max_agents", ROW_INT },
	{ "requests_per_hour", ROW_INT }, { "require_second_factor", ROW_JSON },
	{ NULL, ROW_END } };
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

/* ---- keys ---- */

/* A hash as bytea's text form. */
#define HASH_TEXT 67
static void
hash_text(const unsigned char hash[32], char out[HASH_TEXT])
{
	out[0] = '\\';
	out[1] = 'x';
	str_hex(hash, 32, out + 2);
}

/* Run ${call} and record the key that it makes. */
static int
key_made(struct db_pool *db, const struct uuid *account, struct db_call *call,
    const struct store_key *k, bool widget, const struct audit_entry *who,
    struct err *e)
{
	char id[UUID_TEXT], agent[UUID_TEXT], expires[CLOCK_RFC3339_SIZE];
	struct audit_entry entry = *who;
	json_auto_t *after = NULL;
	void *ctx;
	int rc;

	id_format(&k->id, id);
	if (k->agent != NULL)
		id_format(k->agent, agent);
	if (k->expires_us != NULL)
		clock_rfc3339(*k->expires_us, expires);
	after = json_pack("{s:s, s:s, s:s*, s:s*, s:s*, s:O*}", "name", k->name,
	    "prefix", k->prefix, "role", k->role, "expires_at",
	    k->expires_us != NULL ? expires : NULL, "agent_id",
	    k->agent != NULL ? agent : NULL, "origins",
	    widget ? k->origins : NULL);
	entry.action = widget ? "widget_key.create" : "api_key.create";
	entry.object_kind = widget ? "widget_key" : "api_key";
	entry.object_id = id;
	entry.after = after;
	ctx = mem_root("key");
	rc = rows_record(db, account, call, 1, &entry, ctx, e);
	mem_free(ctx);
	return rc;
}

int
store_key_api(struct db_pool *db, const struct uuid *account,
    const struct store_key *k, const struct audit_entry *who, struct err *e)
{
	char aid[UUID_TEXT], id[UUID_TEXT], hash[HASH_TEXT], expires[24];

	id_format(account, aid);
	id_format(&k->id, id);
	hash_text(k->hash, hash);
	if (k->expires_us != NULL)
		snprintf(expires, sizeof expires, "%" PRId64, *k->expires_us);
	struct db_call call = { &auth_store_api_key_create,
		.param = { aid, id, k->name, k->prefix, hash, k->role,
		    k->expires_us != NULL ? expires : NULL },
		.nparams = 8 };

	return key_made(db, account, &call, k, false, who, e);
}

int
store_key_widget(struct db_pool *db, const struct uuid *account,
    const struct store_key *k, const struct audit_entry *who, struct err *e)
{
	char aid[UUID_TEXT], id[UUID_TEXT], agent[UUID_TEXT], hash[HASH_TEXT];
	char *origins = json_dumps(k->origins, JSON_COMPACT);
	int rc;

	id_format(account, aid);
	id_format(&k->id, id);
	hash_text(k->hash, hash);
	if (k->agent != NULL)
		id_format(k->agent, agent);
	struct db_call call = { &auth_store_widget_key_create,
		.param = { aid, id, k->name, k->prefix, hash,
		    k->agent != NULL ? agent : NULL, origins },
		.nparams = 9 };

	rc = key_made(db, account, &call, k, true, who, e);
	free(origins);
	return rc;
}

/* Both kinds of keys in one shape. */
#define KEY_COLS_API                                                                \
	"id, 'api' AS kind, name, prefix, role, NULL AS agent,"                     \
	" NULL::jsonb AS origins, " ROWS_UTC(                                       \
	    "expires_at") " AS "                                                    \
			  "expires_at,"                                             \
			  " " ROWS_UTC(                                             \
			      "revo"                                                \
			      "ked_"                                                \
			      "at") " AS revoked_at, " ROWS_UTC("last_used_"        \
								"at") " AS "        \
								      "last_"       \
								      "used_"       \
								      "at,"         \
								      " " ROWS_UTC( \
									  "cr"      \
									  "ea"      \
									  "te"      \
									  "d_"      \
									  "a"       \
									  "t") " AS created_at"
#define KEY_COLS_WIDGET                                                        \
	"id, 'widget' AS kind, name, prefix, NULL AS role,"                    \
	" (SELECT i.agent_type || '/' || i.instance_name"                      \
	" FROM agent_instances i WHERE i.account_id = k.account_id"            \
	" AND i.id = k.agent_instance_id) AS agent,"                           \
	" to_jsonb(allowed_origins) AS origins, NULL AS "                      \
	"expires_at, " ROWS_UTC("revoked_at") " AS revoked_at, " ROWS_UTC(     \
	    "last_used_at") " AS last_used_at, " ROWS_UTC("created_at") " AS " \
									"crea" \
									"ted_" \
									"at"

static const struct db_stmt key_list_sql = { "cli_key_list",
	"SELECT " KEY_COLS_API " FROM api_keys WHERE account_id = $1"
	" UNION ALL SELECT " KEY_COLS_WIDGET
	" FROM widget_keys k WHERE account_id = $1"
	" ORDER BY created_at, kind" };
static const struct db_stmt key_revoke_sql = { "cli_key_revoke",
	"WITH a AS (UPDATE api_keys"
	" SET revoked_at = coalesce(revoked_at, now())"
	" WHERE account_id = $1 AND id = $2 RETURNING 1), k AS ("
	"UPDATE widget_keys SET revoked_at = coalesce(revoked_at, now())"
	" WHERE account_id = $1 AND id = $2 RETURNING 1)"
	" SELECT gate.found(count(*), 'key')"
	" FROM (SELECT FROM a UNION ALL SELECT FROM k) r" };
static const struct rows_col key_cols[] = { { "id", ROW_TEXT },
	{ "kind", ROW_TEXT }, { "name", ROW_TEXT }, { "prefix", ROW_TEXT },
	{ "role", ROW_TEXT }, { "agent", ROW_TEXT }, { "origins", ROW_JSON },
	{ "expires_at", ROW_TEXT }, { "revoked_at", ROW_TEXT },
	{ "last_used_at", ROW_TEXT }, { "created_at", ROW_TEXT },
	{ NULL, ROW_END } };

int
store_key_list(
    struct db_pool *db, const struct uuid *account, json_t **ret, struct err *e)
{
	char aid[UUID_TEXT];

	id_format(account, aid);
	struct db_call call = { &key_list_sql, .param = { aid }, .nparams = 1 };

	return rows_list(db, account, &call, key_cols, ret, e);
}

/* The one key of that id or prefix, as key_list shows it. */
static int
key_find(struct db_pool *db, const struct uuid *account, const char *key,
    json_t **ret, struct err *e)
{
	json_auto_t *rows = NULL;
	json_t *row, *found = NULL;
	size_t i;

	if (store_key_list(db, account, &rows, e) != 0)
		return -1;
	json_array_foreach(rows, i, row)
	{
		const char *id = json_string_value(json_object_get(row, "id")),
			   *prefix = json_string_value(
			       json_object_get(row, "prefix"));

		if (strcmp(id, key) != 0 && strcmp(prefix, key) != 0)
			continue;
		if (found != NULL)
			return err_set(e, ERR_CONFLICT,
			    "more than one key begins with %s; give its id",
			    key);
		found = row;
	}
	if (found == NULL)
		return err_set(e, ERR_NOT_FOUND, "no key %s", key);
	*ret = json_incref(found);
	return 0;
}

/* What of a key's row the record tells. */
static json_t *
key_state(const json_t *row)
{
	return json_pack("{s:O, s:O, s:O}", "name",
	    json_object_get(row, "name"), "prefix",
	    json_object_get(row, "prefix"), "revoked_at",
	    json_object_get(row, "revoked_at"));
}

int
store_key_revoke(struct db_pool *db, const struct uuid *account,
    const char *key, const struct audit_entry *who, json_t **ret, struct err *e)
{
	json_auto_t *row = NULL, *before = NULL;
	struct audit_entry entry = *who;
	char aid[UUID_TEXT];
	void *ctx;
	int rc;

	if (key_find(db, account, key, &row, e) != 0)
		return -1;
	id_format(account, aid);
	struct db_call call = { &key_revoke_sql,
		.param = { aid, json_string_value(json_object_get(row, "id")) },
		.nparams = 2 };

	before = key_state(row);
	entry.object_id = call.param[1];
	entry.object_kind =
	    strcmp(json_string_value(json_object_get(row, "kind")), "api") == 0
		? "api_key"
		: "widget_key";
	entry.action = strcmp(entry.object_kind, "api_key") == 0
	                   ? "api_key.revoke"
	                   : "widget_key.revoke";
	entry.before = before;
	ctx = mem_root("key");
	rc = rows_record(db, account, &call, 1, &entry, ctx, e);
	mem_free(ctx);
	/* as it stands now */
	return rc == 0
	           ? key_find(db, account,
			 json_string_value(json_object_get(row, "id")), ret, e)
	           : -1;
}

static const struct db_stmt key_good_sql = { "cli_key_good",
	"SELECT 1 WHERE gate.admin_key_good($1, $2)" };

int
store_key_good(struct db_pool *db, const struct uuid *account,
    const unsigned char hash[32], bool *good, struct err *e)
{
	char aid[UUID_TEXT], text[HASH_TEXT];
	int rows;

	id_format(account, aid);
	hash_text(hash, text);
	struct db_call call = { &key_good_sql, .param = { aid, text },
		.nparams = 2 };

	if (rows_change(db, account, &call, &rows, e) != 0)
		return -1;
	*good = rows > 0;
	return 0;
}
