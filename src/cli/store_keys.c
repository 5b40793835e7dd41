/* The SQL of keys: an account's own, and those of its widgets. */
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
