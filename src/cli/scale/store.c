/* The SQL of accounts that were made to measure with. */
#include "cli/scale/store.h"

#include <stdio.h>
#include <stdlib.h>

#include "audit/audit.h"
#include "cli/rows.h"
#include "db/db.h"
#include "util/mem.h"

#include "util/banned.h"

/* What tells them from others, of accounts a. */
#define OURS(a) a ".name = 'For measuring: ' || " a ".slug"

static const struct db_stmt accounts_sql = { "cli_scale_accounts",
	"WITH new AS (INSERT INTO accounts (id, slug, name, tier, max_agents,"
	" requests_per_hour) SELECT id, slug, 'For measuring: ' || slug,"
	" 'enterprise', -1, -1 FROM jsonb_to_recordset($1::jsonb)"
	" AS r (id uuid, slug text) ON CONFLICT (slug) DO NOTHING RETURNING 1)"
	" SELECT count(*) FROM new" };

/* After the above: a slug of ours that somebody else has. */
static const struct db_stmt taken_sql = { "cli_scale_taken",
	"SELECT a.slug FROM jsonb_to_recordset($1::jsonb) AS r (slug text)"
	" JOIN accounts a ON a.slug = r.slug WHERE NOT (" OURS(
	    "a") ") LIMIT 1" };

static const struct db_stmt agents_sql = { "cli_scale_agents",
	"WITH new AS (INSERT INTO agent_instances (account_id, id, agent_type,"
	" instance_name, display_name, configuration)"
	" SELECT a.id, r.id, r.agent_type, r.instance_name, r.instance_name,"
	" r.configuration FROM jsonb_to_recordset($1::jsonb)"
	" AS r (id uuid, slug text, agent_type text, instance_name text,"
	" configuration jsonb) JOIN accounts a ON a.slug = r.slug AND " OURS(
	    "a") " ON CONFLICT (account_id, agent_type, instance_name)"
		 " DO NOTHING RETURNING account_id, id, configuration)"
		 " INSERT INTO agent_config_versions (account_id,"
		 " agent_instance_id, version, configuration, author)"
		 " SELECT account_id, id, 1, configuration, 'switchboard'"
		 " FROM new" };

static const struct db_stmt keys_drop_sql = { "cli_scale_keys_drop",
	"DELETE FROM api_keys k USING jsonb_to_recordset($1::jsonb)"
	" AS r (slug text), accounts a WHERE a.slug = r.slug"
	" AND k.account_id = a.id AND k.name = 'measuring' AND " OURS("a") };

static const struct db_stmt keys_sql = { "cli_scale_keys",
	"INSERT INTO api_keys (account_id, id, name, prefix, key_hash, role)"
	" SELECT a.id, r.id, 'measuring', r.prefix, decode(r.key_hash, 'hex'),"
	" 'account_owner' FROM jsonb_to_recordset($1::jsonb) AS r (id uuid,"
	" slug text, prefix text, key_hash text)"
	" JOIN accounts a ON a.slug = r.slug AND " OURS("a") };

int
store_scale_add(struct db_pool *owner, const json_t *accounts,
    const json_t *agents, const json_t *keys, const struct audit_entry *who,
    int64_t *made, struct err *e)
{
	json_auto_t *what = json_pack("{s:O?, s:O?, s:I, s:I}", "first",
	    json_object_get(json_array_get(accounts, 0), "slug"), "last",
	    json_object_get(
		json_array_get(accounts, json_array_size(accounts) - 1),
		"slug"),
	    "accounts", (json_int_t)json_array_size(accounts), "agents",
	    (json_int_t)json_array_size(agents));
	struct audit_entry entry = *who;
	void *ctx = mem_root("scale");
	char *a = json_dumps(accounts, JSON_COMPACT);
	char *g = json_dumps(agents, JSON_COMPACT);
	char *k = json_dumps(keys, JSON_COMPACT);
	struct db_call calls[] = {
		{ &accounts_sql, .param = { a }, .nparams = 1 },
		{ &taken_sql, .param = { a }, .nparams = 1 },
		{ &agents_sql, .param = { g }, .nparams = 1 },
		{ &keys_drop_sql, .param = { k }, .nparams = 1 },
		{ &keys_sql, .param = { k }, .nparams = 1 },
	};
	int rc;

	entry.action = "scale.add";
	entry.object_kind = "account";
	entry.after = what;
	rc = rows_record(owner, NULL, calls, 5, &entry, ctx, e);
	if (rc == 0)
		*made = db_int(calls[0].result, 0, 0);
	if (rc == 0 && db_rows(calls[1].result) > 0)
		rc = err_set(e, ERR_CONFLICT,
		    "there is an account %s that was not made for measuring",
		    db_text(calls[1].result, 0, 0));
	free(a);
	free(g);
	free(k);
	mem_free(ctx);
	return rc;
}

static const struct db_stmt find_sql = { "cli_scale_find",
	"SELECT coalesce(array_agg(id), '{}'), count(*) FROM"
	" (SELECT a.id FROM accounts a WHERE a.slug ~ ('^' || $1 ||"
	" '-[0-9a-f]+$') AND " OURS("a") " ORDER BY a.slug LIMIT $2::int) f" };

int
store_scale_find(struct db_pool *owner, const char *kind, int limit,
    const void *ctx, char **ids, int64_t *n, struct err *e)
{
	char most[16];

	snprintf(most, sizeof(most), "%d", limit);
	struct db_call call = { &find_sql, .param = { kind, most },
		.nparams = 2 };

	if (rows_run(owner, NULL, &call, 1, ctx, e) != 0)
		return -1;
	*ids = mem_strdup(ctx, db_text(call.result, 0, 0));
	*n = db_int(call.result, 0, 1);
	return 0;
}

static const struct db_stmt turns_sql = { "cli_scale_turns",
	"SELECT count(*) FROM turns WHERE account_id = ANY ($1::uuid[])" };

int
store_scale_turns(
    struct db_pool *owner, const char *ids, int64_t *n, struct err *e)
{
	void *ctx = mem_root("scale");
	struct db_call call = { &turns_sql, .param = { ids }, .nparams = 1 };
	int rc = rows_run(owner, NULL, &call, 1, ctx, e);

	if (rc == 0)
		*n = db_int(call.result, 0, 0);
	mem_free(ctx);
	return rc;
}

/* Children before parents, the data plane before the control plane. */
#define DROP(table)                                                            \
	{                                                                      \
		"cli_scale_drop_" table,                                       \
		    "DELETE FROM " table " WHERE account_id ="                 \
		    " ANY ($1::uuid[])"                                        \
	}
static const struct db_stmt drops[] = {
	DROP("feedback"),
	DROP("turns_open"),
	DROP("turns"),
	DROP("idempotency_keys"),
	DROP("session_names"),
	DROP("sessions"),
	DROP("visitors"),
	DROP("usage_by_caller"),
	DROP("usage_rollups"),
	DROP("chunks"),
	DROP("documents"),
	DROP("products"),
	DROP("budgets"),
	DROP("widget_keys"),
	DROP("visitor_secrets"),
	DROP("api_keys"),
	DROP("memberships"),
	DROP("agent_config_versions"),
	DROP("agent_instances"),
	DROP("knowledge_epochs"),
	{ "cli_scale_drop_accounts",
	    "DELETE FROM accounts WHERE id = ANY ($1::uuid[])" },
};
#undef DROP
#define DROPS (sizeof(drops) / sizeof(drops[0]))

int
store_scale_remove(struct db_pool *owner, const char *ids, int64_t n,
    const struct audit_entry *who, struct err *e)
{
	json_auto_t *what = json_pack("{s:I}", "accounts", (json_int_t)n);
	struct audit_entry entry = *who;
	void *ctx = mem_root("scale");
	struct db_call calls[DROPS];
	int rc;

	for (size_t i = 0; i < DROPS; i++)
		calls[i] = (struct db_call){
			.stmt = &drops[i], .param = { ids }, .nparams = 1
		};
	entry.action = "scale.remove";
	entry.object_kind = "account";
	entry.before = what;
	rc = rows_record(owner, NULL, calls, DROPS, &entry, ctx, e);
	mem_free(ctx);
	return rc;
}
