/* What the operator's command asks about keys for model providers; what changes
 * them is gateway/store.c's. */
#include "cli/credential/store.h"

#include <string.h>

#include "audit/audit.h"
#include "cli/rows.h"
#include "db/db.h"
#include "gateway/seal.h"
#include "gateway/store.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/mem.h"

#include "util/banned.h"

#define MODELS_MAX ((size_t)64 * 1024)
#define SETTINGS 9 /* base_url to status */
#define COLS                                                                   \
	"SELECT id, slot, provider, name, hint, base_url, tier, rpm, tpm, "    \
	"itpm, weight, priority, to_jsonb(models), status, "
#define USED ROWS_UTC("last_used_at")
#define FROM " FROM llm_credentials WHERE account_id = $1::uuid "

static const struct rows_col cols[] = { { "id", ROW_TEXT }, { "slot", ROW_INT },
	{ "provider", ROW_TEXT }, { "name", ROW_TEXT }, { "hint", ROW_TEXT },
	{ "base_url", ROW_TEXT }, { "tier", ROW_INT }, { "rpm", ROW_INT },
	{ "tpm", ROW_INT }, { "itpm", ROW_INT }, { "weight", ROW_INT },
	{ "priority", ROW_INT }, { "models", ROW_JSON }, { "status", ROW_TEXT },
	{ "last_used_at", ROW_TEXT }, { NULL, ROW_END } };
static const struct db_stmt list_sql = { "cli_credential_list",
	COLS USED FROM "ORDER BY id" };
static const struct db_stmt find_sql = { "cli_credential_find",
	COLS USED FROM "AND (id::text = $2 OR name = $2) "
		       "ORDER BY id::text = $2 DESC LIMIT 1" };

int
store_credential_list(
    struct db_pool *db, const struct uuid *account, json_t **ret, struct err *e)
{
	char whose[UUID_TEXT];
	struct db_call call = { &list_sql, .param = { whose }, .nparams = 1 };

	id_format(account, whose);
	return rows_list(db, account, &call, cols, ret, e);
}

int
store_credential_find(struct db_pool *db, const struct uuid *account,
    const char *name, json_t **ret, struct err *e)
{
	char whose[UUID_TEXT];
	struct db_call call = { &find_sql, .param = { whose, name },
		.nparams = 2 };

	id_format(account, whose);
	return rows_one(db, account, &call, cols, "credential", name, ret, e);
}

static const char *
text_of(const json_t *o, const char *name)
{
	return json_string_value(json_object_get(o, name));
}

/* base_url to status, as gateway_store_add and _change take them. */
static void
settings(const void *ctx, const json_t *o, const char **p)
{
	static const char *const numbers[] = { "tier", "rpm", "tpm", "itpm",
		"weight", "priority" };
	struct buf models;

	*p++ = text_of(o, "base_url");
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		const json_t *v = json_object_get(o, numbers[i]);

		*p++ = json_is_integer(v)
		           ? mem_printf(ctx, "%" JSON_INTEGER_FORMAT,
				 json_integer_value(v))
		           : NULL;
	}
	buf_init(&models, ctx, MODELS_MAX);
	json_write(&models, json_object_get(o, "models"));
	*p++ = models.data;
	*p = text_of(o, "status");
}

/* What of a row is for the record. */
static json_t *
recorded(const json_t *o)
{
	json_t *copy = json_copy((json_t *)(uintptr_t)o);

	json_object_del(copy, "slot");
	json_object_del(copy, "last_used_at");
	return copy;
}

struct record {
	const char *action, *id;
	const json_t *before, *after;
};

static int
record(struct db_pool *db, const struct uuid *account, struct db_call *calls,
    int n, const struct record *r, const struct audit_entry *who, void *ctx,
    struct err *e)
{
	json_auto_t *before = r->before != NULL ? recorded(r->before) : NULL;
	json_auto_t *after = r->after != NULL ? recorded(r->after) : NULL;
	struct audit_entry entry = *who;

	entry.action = r->action;
	entry.object_kind = "credential";
	entry.object_id = r->id;
	entry.before = before;
	entry.after = after;
	return rows_record(db, account, calls, n, &entry, ctx, e);
}

int
store_credential_add(struct db_pool *db, const struct uuid *account,
    const struct uuid *id, const json_t *o, const struct sealed_key *key,
    const struct audit_entry *who, struct err *e)
{
	void *ctx = mem_root("credential");
	char whose[UUID_TEXT], row[UUID_TEXT], now[CLOCK_RFC3339_SIZE];
	struct db_call call = { .stmt = &gateway_store_add,
		.param = { whose, row, text_of(o, "provider"),
		    text_of(o, "name"), (const char *)key->bytes, key->version,
		    key->hint },
		.nparams = 8 + SETTINGS,
		.binary = 1U << GATEWAY_ADD_SEALED };
	const struct record r = { "credential.create", row, NULL, o };
	int rc;

	id_format(account, whose);
	id_format(id, row);
	clock_rfc3339(clock_wall_us(), now);
	call.plen[GATEWAY_ADD_SEALED] = (int)key->len;
	settings(ctx, o, &call.param[7]);
	call.param[7 + SETTINGS] = now;
	rc = record(db, account, &call, 1, &r, who, ctx, e);
	mem_free(ctx);
	return rc;
}

int
store_credential_change(struct db_pool *db, const struct uuid *account,
    const json_t *before, const json_t *after, const struct sealed_key *key,
    const struct audit_entry *who, struct err *e)
{
	void *ctx = mem_root("credential");
	const char *id = text_of(before, "id");
	char whose[UUID_TEXT];
	struct db_call calls[2] = {
		{ .stmt = &gateway_store_change,
		    .param = { whose, id, text_of(after, "name") },
		    .nparams = 3 + SETTINGS },
		{ .stmt = &gateway_store_key,
		    .param = { whose, id },
		    .nparams = 5,
		    .binary = 1U << GATEWAY_KEY_SEALED },
	};
	const struct record r = { "credential.update", id, before, after };
	int rc;

	id_format(account, whose);
	settings(ctx, after, &calls[0].param[3]);
	if (key != NULL) {
		calls[1].param[2] = (const char *)key->bytes;
		calls[1].plen[GATEWAY_KEY_SEALED] = (int)key->len;
		calls[1].param[3] = key->version;
		calls[1].param[4] = key->hint;
	}
	rc = record(db, account, calls, key != NULL ? 2 : 1, &r, who, ctx, e);
	mem_free(ctx);
	return rc;
}

int
store_credential_remove(struct db_pool *db, const struct uuid *account,
    const json_t *row, const struct audit_entry *who, struct err *e)
{
	void *ctx = mem_root("credential");
	char whose[UUID_TEXT];
	struct db_call call = { .stmt = &gateway_store_remove,
		.param = { whose, text_of(row, "id") },
		.nparams = 2 };
	const struct record r = { "credential.delete", text_of(row, "id"), row,
		NULL };
	int rc;

	id_format(account, whose);
	rc = record(db, account, &call, 1, &r, who, ctx, e);
	mem_free(ctx);
	return rc;
}

int
store_credential_breaker(struct db_pool *db, const struct uuid *account,
    const json_t *row, const char *action, const struct audit_entry *who,
    struct err *e)
{
	void *ctx = mem_root("credential");
	json_auto_t *after = json_pack("{s:O, s:s}", "name",
	    json_object_get(row, "name"), "breaker", action);
	const struct record r = { "credential.breaker", text_of(row, "id"),
		NULL, after };
	int rc = record(db, account, NULL, 0, &r, who, ctx, e);

	mem_free(ctx);
	return rc;
}
