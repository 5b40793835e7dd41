/* The SQL of reports: usage, prices. */
#include "cli/report/store.h"

#include <inttypes.h>
#include <stdio.h>

#include "audit/audit.h"
#include "cli/rows.h"
#include "db/db.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

#define NIL "'00000000-0000-0000-0000-000000000000'"
#define USAGE(table, caller, latency)                                                                                                 \
	"SELECT CASE WHEN $5::boolean THEN agent_instance_id END AS agent,"                                                           \
	" CASE WHEN $6::boolean THEN model END AS what, " caller                                                                      \
	", " ROWS_UTC(                                                                                                                \
	    "date_bin($4::interval, bucket, timestamptz 'epoch')") " AS at,"                                                          \
								   " sum("                                                            \
								   "requests)"                                                        \
								   ", "                                                               \
								   "sum("                                                             \
								   "failed), "                                                        \
								   "sum("                                                             \
								   "cancelled"                                                        \
								   "), "                                                              \
								   "sum("                                                             \
								   "input_"                                                           \
								   "tokens),"                                                         \
								   " sum("                                                            \
								   "output_"                                                          \
								   "tokens), "                                                        \
								   "sum("                                                             \
								   "cached_"                                                          \
								   "input_"                                                           \
								   "tokens),"                                                         \
								   " sum("                                                            \
								   "reasoning"                                                        \
								   "_tokens),"                                                        \
								   " sum("                                                            \
								   "cost_"                                                            \
								   "nano_usd)"                                                        \
								   " / 1e9, "                                                         \
								   "sum("                                                             \
								   "unpriced)"                                                        \
								   ","                                                                \
								   " " latency                                                        \
								   " FROM"                                                            \
								   " " table                                                          \
								   " WHERE "                                                          \
								   "account_"                                                         \
								   "id = $1 "                                                         \
								   "AND "                                                             \
								   "grain = 5"                                                        \
								   " AND "                                                            \
								   "bucket "                                                          \
								   ">= "                                                              \
								   "date_bin("                                                        \
								   "'5 "                                                              \
								   "minutes',"                                                        \
								   " " ROWS_FROM_US(                                                  \
								       "$2") ","                                                      \
									     " timestamptz 'epoch') AND bucket < " ROWS_FROM_US(      \
										 "$3") " GROUP BY agent, what, kind, whose, cred, at" \
										       " ORDER BY at, agent, what, kind, whose, cred"
static const struct db_stmt usage_sql = { "cli_usage",
	USAGE("usage_rollups",
	    "NULL::text AS kind, NULL::uuid AS whose, NULL::uuid AS cred",
	    "sum(latency_ms_sum) / greatest(sum(requests), 1),"
	    " max(latency_ms_max)") };
/* How long answers took is not known by caller. */
static const struct db_stmt usage_by_caller_sql = { "cli_usage_by_caller",
	USAGE("usage_by_caller",
	    "CASE WHEN $7::boolean THEN caller_kind END AS kind,"
	    " CASE WHEN $7::boolean THEN nullif(caller_id, " NIL
	    ") END AS whose,"
	    " CASE WHEN $8::boolean THEN nullif(credential_id, " NIL ") END"
	    " AS cred",
	    "NULL, NULL") };
static const struct rows_col usage_cols[] = { { "agent_id", ROW_TEXT },
	{ "model", ROW_TEXT }, { "key_kind", ROW_TEXT }, { "key_id", ROW_TEXT },
	{ "credential_id", ROW_TEXT }, { "bucket", ROW_TEXT },
	{ "requests", ROW_INT }, { "failed", ROW_INT },
	{ "cancelled", ROW_INT }, { "input_tokens", ROW_INT },
	{ "output_tokens", ROW_INT }, { "cached_input_tokens", ROW_INT },
	{ "reasoning_tokens", ROW_INT }, { "cost_usd", ROW_REAL },
	{ "unpriced", ROW_INT }, { "latency_ms_avg", ROW_INT },
	{ "latency_ms_max", ROW_INT }, { NULL, ROW_END } };

int
store_usage(struct db_pool *db, const struct uuid *account,
    const struct store_usage_ask *a, json_t **ret, struct err *e)
{
	bool caller = a->by_key || a->by_credential;
	char id[UUID_TEXT], since[24], until[24];

	id_format(account, id);
	snprintf(since, sizeof since, "%" PRId64, a->since_us);
	snprintf(until, sizeof until, "%" PRId64, a->until_us);
	/* Without a bucket: date_bin() of null is one null for all. */
	struct db_call call = { caller ? &usage_by_caller_sql : &usage_sql,
		.param = { id, since, until, a->bucket, a->by_agent ? "t" : "f",
		    a->by_model ? "t" : "f", a->by_key ? "t" : "f",
		    a->by_credential ? "t" : "f" },
		.nparams = caller ? 8 : 6 };

	return rows_list_stale(db, account, &call, usage_cols, ret, e);
}

static const struct db_stmt price_list_sql = { "cli_price_list",
	"SELECT model, input_usd_per_mtok, output_usd_per_mtok,"
	" cached_usd_per_mtok, cache_write_usd_per_mtok,"
	" " ROWS_UTC("valid_from") ", " ROWS_UTC(
	    "valid_until") " FROM prices"
			   " WHERE $1::boolean OR valid_until IS NULL OR "
			   "valid_until > now()"
			   " ORDER BY model, valid_from" };
static const struct rows_col price_cols[] = { { "model", ROW_TEXT },
	{ "input_usd_per_mtok", ROW_REAL }, { "output_usd_per_mtok", ROW_REAL },
	{ "cached_usd_per_mtok", ROW_REAL },
	{ "cache_write_usd_per_mtok", ROW_REAL }, { "valid_from", ROW_TEXT },
	{ "valid_until", ROW_TEXT }, { NULL, ROW_END } };

int
store_price_list(struct db_pool *db, bool all, json_t **ret, struct err *e)
{
	struct db_call call = { &price_list_sql, .param = { all ? "t" : "f" },
		.nparams = 1 };

	return rows_list(db, NULL, &call, price_cols, ret, e);
}

/* The price that holds at $2 and goes on, if it is this one exactly. */
static const struct db_stmt price_same_sql = { "cli_price_same",
	"SELECT 1 FROM prices WHERE model = $1 AND valid_from <= " ROWS_FROM_US(
	    "$2") " AND valid_until IS NULL"
		  " AND input_usd_per_mtok = $3::numeric"
		  " AND output_usd_per_mtok = $4::numeric"
		  " AND cached_usd_per_mtok = $5::numeric"
		  " AND cache_write_usd_per_mtok = $6::numeric" };
/* What held before ends where the new one begins; what was to begin later is
 * overruled. */
static const struct db_stmt price_end_sql = { "cli_price_end",
	"UPDATE prices SET valid_until = " ROWS_FROM_US(
	    "$2") " WHERE model = $1 AND valid_from "
		  "< " ROWS_FROM_US("$2") " AND (valid_until "
					  "IS NULL OR "
					  "valid_until "
					  "> " ROWS_FROM_US("$"
							    "2") ")" };
static const struct db_stmt price_drop_sql = { "cli_price_drop",
	"DELETE FROM prices WHERE model = $1 AND valid_from >= " ROWS_FROM_US(
	    "$2") };
static const struct db_stmt price_add_sql = { "cli_price_add",
	"INSERT INTO prices (id, model, valid_from, input_usd_per_mtok,"
	" output_usd_per_mtok, cached_usd_per_mtok, cache_write_usd_per_mtok)"
	" VALUES ($7, $1, " ROWS_FROM_US("$2") ", $3, $4, $5, $6)" };

/* What holds at $2 as it is recorded; one row or none. */
static const struct db_stmt price_now_sql = { "cli_price_now",
	"SELECT input_usd_per_mtok::text, output_usd_per_mtok::text,"
	" cached_usd_per_mtok::text, cache_write_usd_per_mtok::text"
	" FROM prices WHERE model = $1 AND valid_from <= " ROWS_FROM_US(
	    "$2") " AND (valid_until IS NULL OR valid_until "
		  "> " ROWS_FROM_US("$2") ")" };
static const struct rows_col price_now_cols[] = { { "input", ROW_TEXT },
	{ "output", ROW_TEXT }, { "cached", ROW_TEXT },
	{ "cache_write", ROW_TEXT }, { NULL, ROW_END } };

/* Run the ${n} calls, of which the first knows model and moment, and record
 * them in the platform's chain. */
static int
price_change(struct db_pool *db, struct db_call *calls, int n,
    const struct store_price *p, const struct audit_entry *who, struct err *e)
{
	json_auto_t *before = NULL, *after = NULL;
	struct db_call now = { &price_now_sql,
		.param = { p->model, calls[0].param[1] }, .nparams = 2 };
	struct audit_entry entry = *who;
	char from[CLOCK_RFC3339_SIZE];
	void *ctx;
	int rc;

	if (rows_list(db, NULL, &now, price_now_cols, &before, e) != 0)
		return -1;
	clock_rfc3339(p->from_us, from);
	after = json_pack("{s:s, s:s, s:s, s:s, s:s}", "input", p->input,
	    "output", p->output, "cached", p->cached, "cache_write",
	    p->cache_write, "from", from);
	entry.action = "price.set";
	entry.object_kind = "model";
	entry.object_id = p->model;
	entry.before = json_array_get(before, 0);
	entry.after = after;
	ctx = mem_root("price");
	rc = rows_record(db, NULL, calls, n, &entry, ctx, e);
	mem_free(ctx);
	return rc;
}

int
store_price_set(struct db_pool *db, const struct store_price *p,
    const struct audit_entry *who, bool *changed, struct err *e)
{
	char id[UUID_TEXT], from[24];
	struct uuid u;
	int rc, rows = 0;

	id_new(&u);
	id_format(&u, id);
	snprintf(from, sizeof from, "%" PRId64, p->from_us);
	struct db_call same = { &price_same_sql,
		.param = { p->model, from, p->input, p->output, p->cached,
		    p->cache_write },
		.nparams = 6 };
	struct db_call calls[] = {
		{ &price_end_sql, .param = { p->model, from }, .nparams = 2 },
		{ &price_drop_sql, .param = { p->model, from }, .nparams = 2 },
		{ &price_add_sql,
		    .param = { p->model, from, p->input, p->output, p->cached,
			p->cache_write, id },
		    .nparams = 7 },
	};

	rc = rows_change(db, NULL, &same, &rows, e);
	*changed = rc == 0 && rows == 0;
	if (*changed)
		rc = price_change(db, calls, 3, p, who, e);
	return rc;
}

static const struct db_stmt price_known_sql = { "cli_price_known",
	"SELECT 1 FROM prices WHERE model = $1 LIMIT 1" };

int
store_price_known(
    struct db_pool *db, const char *model, bool *known, struct err *e)
{
	struct db_call call = { &price_known_sql, .param = { model },
		.nparams = 1 };
	int rows;

	if (rows_change(db, NULL, &call, &rows, e) != 0)
		return -1;
	*known = rows > 0;
	return 0;
}

static const struct db_stmt activity_list_sql = { "cli_activity_list",
	"SELECT id, " ROWS_UTC(
	    "started_at") ", agent_type || '/' || "
			  "agent_name, status, error_message, model, "
			  "credential_name, attempts, "
			  "input_tokens, output_tokens, cost_usd, duration_ms "
			  "FROM agent_activities WHERE account_id = $1 "
			  "AND ($2::text IS NULL OR status = $2) "
			  "AND ($3::text IS NULL OR (agent_type = $3 AND "
			  "agent_name = $4)) "
			  "ORDER BY id DESC LIMIT $5::integer" };

static const struct rows_col activity_cols[] = { { "id", ROW_TEXT },
	{ "started_at", ROW_TEXT }, { "agent", ROW_TEXT },
	{ "status", ROW_TEXT }, { "error_message", ROW_TEXT },
	{ "model", ROW_TEXT }, { "credential_name", ROW_TEXT },
	{ "attempts", ROW_INT }, { "input_tokens", ROW_INT },
	{ "output_tokens", ROW_INT }, { "cost_usd", ROW_REAL },
	{ "duration_ms", ROW_INT }, { NULL, ROW_END } };

int
store_activity_list(struct db_pool *db, const struct uuid *account,
    const struct store_activity_ask *a, json_t **ret, struct err *e)
{
	char id[UUID_TEXT], limit[24];

	id_format(account, id);
	snprintf(limit, sizeof limit, "%" PRId64, a->limit);
	struct db_call call = { &activity_list_sql,
		.param = { id, a->status, a->type, a->name, limit },
		.nparams = 5 };

	return rows_list(db, account, &call, activity_cols, ret, e);
}
