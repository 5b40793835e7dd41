/*
 * The SQL of accounts, agents and keys.  Rows that are only shown
 * become JSON by the column list that stands beside each statement.
 */
#include "cli/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/rows.h"
#include "db/db.h"
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
    const char *slug, const char *name, const char *tier, struct err *e)
{
	char text[UUID_TEXT];

	id_format(id, text);
	struct db_call call = { &account_create_sql,
		.param = { text, slug, name, tier }, .nparams = 4 };

	return rows_change(db, id, &call, NULL, e);
}

static const struct db_stmt account_list_sql = { "cli_account_list",
	"SELECT slug, name, tier, is_active, nullif(max_agents, -1),"
	" own_max_agents, nullif(requests_per_hour, -1),"
	" own_requests_per_hour, agents, config_epoch, id, " ROWS_UTC(
	    "created_at") " FROM gate.admin_accounts($1)" };
static const struct rows_col account_cols[] = { { "slug", ROW_TEXT },
	{ "name", ROW_TEXT }, { "tier", ROW_TEXT }, { "is_active", ROW_BOOL },
	{ "max_agents", ROW_INT }, { "own_max_agents", ROW_BOOL },
	{ "requests_per_hour", ROW_INT }, { "own_requests_per_hour", ROW_BOOL },
	{ "agents", ROW_INT }, { "config_epoch", ROW_INT }, { "id", ROW_TEXT },
	{ "created_at", ROW_TEXT }, { NULL, ROW_END } };

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

static const struct db_stmt account_tier_sql = { "cli_account_tier",
	"UPDATE accounts SET tier = $2, updated_at = now() WHERE id = $1"
	" RETURNING 1" };
static const struct db_stmt account_active_sql = { "cli_account_active",
	"UPDATE accounts SET is_active = $2, updated_at = now() WHERE id = $1"
	" RETURNING 1" };
static const struct db_stmt account_max_agents_sql = { "cli_account_max_agents",
	"UPDATE accounts SET max_agents = $2, updated_at = now()"
	" WHERE id = $1 RETURNING 1" };
static const struct db_stmt account_requests_sql = { "cli_account_requests",
	"UPDATE accounts SET requests_per_hour = $2, updated_at = now()"
	" WHERE id = $1 RETURNING 1" };

/* Set one column of the account's row. */
static int
account_set(struct db_pool *db, const struct db_stmt *stmt,
    const struct uuid *account, const char *value, struct err *e)
{
	char id[UUID_TEXT];
	int rows;

	id_format(account, id);
	struct db_call call = { stmt, .param = { id, value }, .nparams = 2 };

	if (rows_change(db, account, &call, &rows, e) != 0)
		return -1;
	return rows == 1 ? 0 : err_set(e, ERR_NOT_FOUND, "no such account");
}

int
store_account_tier(struct db_pool *db, const struct uuid *account,
    const char *tier, struct err *e)
{
	return account_set(db, &account_tier_sql, account, tier, e);
}

int
store_account_active(
    struct db_pool *db, const struct uuid *account, bool active, struct err *e)
{
	return account_set(
	    db, &account_active_sql, account, active ? "t" : "f", e);
}

int
store_account_limit(struct db_pool *db, const struct uuid *account,
    const char *name, const int64_t *value, struct err *e)
{
	const struct db_stmt *stmt = strcmp(name, "max_agents") == 0
	                                 ? &account_max_agents_sql
	                                 : &account_requests_sql;
	char text[24];

	if (value != NULL)
		snprintf(text, sizeof text, "%" PRId64, *value);
	return account_set(db, stmt, account, value != NULL ? text : NULL, e);
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

static const struct db_stmt key_api_sql = { "cli_key_api",
	"INSERT INTO api_keys (account_id, id, name, prefix, key_hash, role,"
	" expires_at) VALUES ($1, $2, $3, $4, $5, $6, " ROWS_FROM_US(
	    "$7") ")" };

int
store_key_api(struct db_pool *db, const struct uuid *account,
    const struct store_key *k, struct err *e)
{
	char aid[UUID_TEXT], id[UUID_TEXT], hash[HASH_TEXT], expires[24];

	id_format(account, aid);
	id_format(&k->id, id);
	hash_text(k->hash, hash);
	if (k->expires_us != NULL)
		snprintf(expires, sizeof expires, "%" PRId64, *k->expires_us);
	struct db_call call = { &key_api_sql,
		.param = { aid, id, k->name, k->prefix, hash, k->role,
		    k->expires_us != NULL ? expires : NULL },
		.nparams = 7 };

	return rows_change(db, account, &call, NULL, e);
}

static const struct db_stmt key_widget_sql = { "cli_key_widget",
	"INSERT INTO widget_keys (account_id, id, name, prefix, key_hash,"
	" agent_instance_id, allowed_origins) VALUES ($1, $2, $3, $4, $5, $6,"
	" ARRAY(SELECT jsonb_array_elements_text($7::jsonb)))" };

int
store_key_widget(struct db_pool *db, const struct uuid *account,
    const struct store_key *k, struct err *e)
{
	char aid[UUID_TEXT], id[UUID_TEXT], agent[UUID_TEXT], hash[HASH_TEXT];
	char *origins = json_dumps(k->origins, JSON_COMPACT);
	int rc;

	id_format(account, aid);
	id_format(&k->id, id);
	hash_text(k->hash, hash);
	if (k->agent != NULL)
		id_format(k->agent, agent);
	struct db_call call = { &key_widget_sql,
		.param = { aid, id, k->name, k->prefix, hash,
		    k->agent != NULL ? agent : NULL, origins },
		.nparams = 7 };

	rc = rows_change(db, account, &call, NULL, e);
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
	"expires_at, " ROWS_UTC("revoked_at") " AS revoked_at, NULL AS "       \
					      "last_used_at, " ROWS_UTC(       \
						  "created_at") " AS "         \
								"created_at"

static const struct db_stmt key_list_sql = { "cli_key_list",
	"SELECT " KEY_COLS_API " FROM api_keys WHERE account_id = $1"
	" UNION ALL SELECT " KEY_COLS_WIDGET
	" FROM widget_keys k WHERE account_id = $1"
	" ORDER BY created_at, kind" };
static const struct db_stmt key_revoke_sql = { "cli_key_revoke",
	"WITH a AS (UPDATE api_keys"
	" SET revoked_at = coalesce(revoked_at, now())"
	" WHERE account_id = $1 AND (id::text = $2 OR prefix = $2)"
	" RETURNING id, name, prefix, role, expires_at, revoked_at, "
	"last_used_at,"
	" created_at), k AS (UPDATE widget_keys"
	" SET revoked_at = coalesce(revoked_at, now())"
	" WHERE account_id = $1 AND (id::text = $2 OR prefix = $2)"
	" RETURNING account_id, id, name, prefix, agent_instance_id,"
	" allowed_origins, revoked_at, created_at) SELECT " KEY_COLS_API
	" FROM a UNION ALL"
	" SELECT " KEY_COLS_WIDGET " FROM k" };
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

int
store_key_revoke(struct db_pool *db, const struct uuid *account,
    const char *key, json_t **ret, struct err *e)
{
	char aid[UUID_TEXT];

	id_format(account, aid);
	struct db_call call = { &key_revoke_sql, .param = { aid, key },
		.nparams = 2 };

	return rows_one(db, account, &call, key_cols, "key", key, ret, e);
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
