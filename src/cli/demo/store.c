/* The SQL of the demo.  Rows come as JSON arrays, one statement a table. */
#include "cli/demo/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/rows.h"
#include "db/db.h"
#include "util/mem.h"

#include "util/banned.h"

static const struct db_stmt products_sql = { "cli_demo_products",
	"INSERT INTO products AS p (account_id, id, agent_instance_id, sku,"
	" name, description, price_text, url)"
	" SELECT $1, id, agent_instance_id, sku, name, description,"
	" price_text, url FROM jsonb_to_recordset($2::jsonb) AS r (id uuid,"
	" agent_instance_id uuid, sku text, name text, description text,"
	" price_text text, url text)"
	" ON CONFLICT (account_id, id) DO UPDATE SET"
	" agent_instance_id = excluded.agent_instance_id, sku = excluded.sku,"
	" name = excluded.name, description = excluded.description,"
	" price_text = excluded.price_text, url = excluded.url"
	" WHERE (p.agent_instance_id, p.sku, p.name, p.description,"
	" p.price_text, p.url) IS DISTINCT FROM (excluded.agent_instance_id,"
	" excluded.sku, excluded.name, excluded.description,"
	" excluded.price_text, excluded.url) RETURNING 1" };
static const struct db_stmt documents_sql = { "cli_demo_documents",
	"INSERT INTO documents AS d (account_id, id, agent_instance_id,"
	" title, url) SELECT $1, id, agent_instance_id, title, url"
	" FROM jsonb_to_recordset($2::jsonb) AS r (id uuid,"
	" agent_instance_id uuid, title text, url text)"
	" ON CONFLICT (account_id, id) DO UPDATE SET"
	" agent_instance_id = excluded.agent_instance_id,"
	" title = excluded.title, url = excluded.url"
	" WHERE (d.agent_instance_id, d.title, d.url) IS DISTINCT FROM"
	" (excluded.agent_instance_id, excluded.title, excluded.url)"
	" RETURNING 1" };
static const struct db_stmt chunks_drop_sql = { "cli_demo_chunks_drop",
	"DELETE FROM chunks WHERE account_id = $1"
	" AND document_id IN (SELECT id FROM jsonb_to_recordset($2::jsonb)"
	" AS r (id uuid)) AND id NOT IN (SELECT id"
	" FROM jsonb_to_recordset($3::jsonb) AS r (id uuid)) RETURNING 1" };
static const struct db_stmt chunks_sql = { "cli_demo_chunks",
	"INSERT INTO chunks AS c (account_id, id, document_id, position,"
	" title, body) SELECT $1, id, document_id, position, title, body"
	" FROM jsonb_to_recordset($2::jsonb) AS r (id uuid, document_id uuid,"
	" position integer, title text, body text)"
	" ON CONFLICT (account_id, id) DO UPDATE SET"
	" position = excluded.position, title = excluded.title,"
	" body = excluded.body WHERE (c.position, c.title, c.body)"
	" IS DISTINCT FROM (excluded.position, excluded.title,"
	" excluded.body) RETURNING 1" };

int
store_demo_knowledge(struct db_pool *db, const struct uuid *account,
    const json_t *products, const json_t *documents, const json_t *chunks,
    int64_t *changed, struct err *e)
{
	void *ctx = mem_root("demo");
	char id[UUID_TEXT];
	char *p = json_dumps(products, JSON_COMPACT);
	char *d = json_dumps(documents, JSON_COMPACT);
	char *k = json_dumps(chunks, JSON_COMPACT);
	int rc;

	id_format(account, id);
	struct db_call calls[] = {
		{ &products_sql, .param = { id, p }, .nparams = 2 },
		{ &documents_sql, .param = { id, d }, .nparams = 2 },
		{ &chunks_drop_sql, .param = { id, d, k }, .nparams = 3 },
		{ &chunks_sql, .param = { id, k }, .nparams = 2 },
	};

	rc = rows_run(db, account, calls, 4, ctx, e);
	*changed = 0;
	for (int i = 0; rc == 0 && i < 4; i++)
		*changed += db_rows(calls[i].result);
	free(p);
	free(d);
	free(k);
	mem_free(ctx);
	return rc;
}

static const struct db_stmt agents_sql = { "cli_demo_agents",
	"SELECT count(*) FROM agent_instances WHERE account_id = $1"
	" AND status <> 'archived'" };
static const struct db_stmt counts_sql = { "cli_demo_counts",
	"SELECT (SELECT count(*) FROM products WHERE account_id = $1),"
	" (SELECT count(*) FROM documents WHERE account_id = $1),"
	" (SELECT count(*) FROM chunks WHERE account_id = $1)" };

int
store_demo_counts(
    struct db_pool *db, const struct uuid *account, json_t **ret, struct err *e)
{
	void *ctx = mem_root("demo");
	char id[UUID_TEXT];
	int rc;

	id_format(account, id);
	struct db_call calls[] = {
		{ &agents_sql, .param = { id }, .nparams = 1 },
		{ &counts_sql, .param = { id }, .nparams = 1 },
	};

	rc = rows_run(db, account, calls, 2, ctx, e);
	if (rc == 0)
		*ret = json_pack("{s:I, s:I, s:I, s:I}", "agents",
		    (json_int_t)db_int(calls[0].result, 0, 0), "products",
		    (json_int_t)db_int(calls[1].result, 0, 0), "documents",
		    (json_int_t)db_int(calls[1].result, 0, 1), "chunks",
		    (json_int_t)db_int(calls[1].result, 0, 2));
	mem_free(ctx);
	return rc;
}

static const struct db_stmt partitions_sql = { "cli_demo_partitions",
	"SELECT gate.maintain_partitions(" ROWS_FROM_US("$1") ")" };
static const struct db_stmt sums_sql = { "cli_demo_sums",
	"SELECT gate.sum_rollups(" ROWS_FROM_US("$1") ")" };

int
store_demo_partitions(struct db_pool *owner, int64_t since_us, struct err *e)
{
	char since[24];

	snprintf(since, sizeof since, "%" PRId64, since_us);
	struct db_call call = { &partitions_sql, .param = { since },
		.nparams = 1 };

	return rows_change(owner, NULL, &call, NULL, e);
}

int
store_demo_sums(struct db_pool *job, int64_t since_us, struct err *e)
{
	char since[24];

	snprintf(since, sizeof since, "%" PRId64, since_us);
	struct db_call call = { &sums_sql, .param = { since }, .nparams = 1 };

	return rows_change(job, NULL, &call, NULL, e);
}

static const struct db_stmt sessions_sql = { "cli_demo_sessions",
	"INSERT INTO sessions (account_id, id, session_key, is_anonymous,"
	" created_at, last_activity_at) SELECT $1, id, session_key, true,"
	" created_at, last_activity_at FROM jsonb_to_recordset($2::jsonb)"
	" AS r (id uuid, session_key text, created_at timestamptz,"
	" last_activity_at timestamptz) ON CONFLICT DO NOTHING" };
#define NOBODY "00000000-0000-0000-0000-000000000000"
/* Only turns that were not there are counted, so a day that was written in
 * part is finished and nothing is counted twice. */
static const struct db_stmt turns_sql = { "cli_demo_turns",
	"WITH new AS (INSERT INTO turns (account_id, id, session_id,"
	" agent_instance_id, agent_type, instance_name, config_version,"
	" request_id, trace_id, channel, status, finish_reason, error_kind,"
	" user_text, reply_text, model, input_tokens, output_tokens,"
	" cached_input_tokens, cache_write_tokens, reasoning_tokens,"
	" usage_estimated, cost_usd, attempts, latency_ms, first_token_ms,"
	" tool_calls, citations, metadata, started_at, finished_at)"
	" SELECT $1, id, session_id, agent_instance_id, agent_type,"
	" instance_name, 1, request_id, md5(id::text), 'chat', status,"
	" finish_reason, error_kind, user_text, reply_text, 'demo:invented',"
	" input_tokens, output_tokens, 0, 0, 0, true,"
	" cost_nano_usd::numeric / 1000000000, 1, latency_ms,"
	" latency_ms / 4, '[]', '[]', '{\"demo\": true}', started_at,"
	" started_at + latency_ms * interval '1 millisecond'"
	" FROM jsonb_to_recordset($2::jsonb) AS r (id uuid, session_id uuid,"
	" agent_instance_id uuid, agent_type text, instance_name text,"
	" request_id text, status text, finish_reason text, error_kind text,"
	" user_text text, reply_text text, input_tokens bigint,"
	" output_tokens bigint, cost_nano_usd bigint, latency_ms integer,"
	" started_at timestamptz) ON CONFLICT DO NOTHING RETURNING *),"
	" callers AS (INSERT INTO usage_by_caller AS u (account_id,"
	" agent_instance_id, caller_kind, caller_id, credential_id, model,"
	" grain, bucket, requests, failed, cancelled, input_tokens,"
	" output_tokens, cached_input_tokens, reasoning_tokens,"
	" cost_nano_usd, unpriced) SELECT $1, agent_instance_id, 'user',"
	" '" NOBODY "', '" NOBODY "', model, 5, date_bin('5 minutes',"
	" finished_at, timestamptz '2000-01-01 00:00+00') AS bucket, count(*),"
	" count(*) FILTER (WHERE status = 'failed'),"
	" count(*) FILTER (WHERE status = 'cancelled'),"
	" sum(input_tokens), sum(output_tokens), 0, 0,"
	" sum(cost_usd * 1000000000)::bigint, 0 FROM new"
	" GROUP BY agent_instance_id, model, bucket"
	" ORDER BY agent_instance_id, model, bucket"
	" ON CONFLICT (account_id, agent_instance_id, caller_kind, caller_id,"
	" credential_id, model, grain, bucket)"
	" DO UPDATE SET requests = u.requests + excluded.requests,"
	" failed = u.failed + excluded.failed,"
	" cancelled = u.cancelled + excluded.cancelled,"
	" input_tokens = u.input_tokens + excluded.input_tokens,"
	" output_tokens = u.output_tokens + excluded.output_tokens,"
	" cost_nano_usd = u.cost_nano_usd + excluded.cost_nano_usd),"
	" sums AS (INSERT INTO usage_rollups AS u (account_id,"
	" agent_instance_id, model, grain, bucket, requests, failed,"
	" cancelled, input_tokens, output_tokens, cached_input_tokens,"
	" reasoning_tokens, cost_nano_usd, unpriced, latency_ms_sum,"
	" latency_ms_max, latency_hist)"
	" SELECT $1, agent_instance_id, model, 5, bucket, count(*),"
	" count(*) FILTER (WHERE status = 'failed'),"
	" count(*) FILTER (WHERE status = 'cancelled'),"
	" sum(input_tokens), sum(output_tokens), 0, 0,"
	" sum(cost_usd * 1000000000)::bigint, 0, sum(latency_ms),"
	" max(latency_ms), ARRAY[count(*) FILTER (WHERE h = 0),"
	" count(*) FILTER (WHERE h = 1), count(*) FILTER (WHERE h = 2),"
	" count(*) FILTER (WHERE h = 3), count(*) FILTER (WHERE h = 4),"
	" count(*) FILTER (WHERE h = 5), count(*) FILTER (WHERE h = 6),"
	" count(*) FILTER (WHERE h = 7), count(*) FILTER (WHERE h = 8),"
	" count(*) FILTER (WHERE h = 9), count(*) FILTER (WHERE h = 10)]"
	" FROM (SELECT new.*, width_bucket(latency_ms, ARRAY[51, 101, 201,"
	" 501, 1001, 2001, 5001, 10001, 30001, 60001]) AS h,"
	" date_bin('5 minutes', finished_at,"
	" timestamptz '2000-01-01 00:00+00') AS bucket FROM new) AS n"
	" GROUP BY agent_instance_id, model, bucket"
	" ORDER BY agent_instance_id, model, bucket"
	" ON CONFLICT (account_id, agent_instance_id, model, grain, bucket)"
	" DO UPDATE SET requests = u.requests + excluded.requests,"
	" failed = u.failed + excluded.failed,"
	" cancelled = u.cancelled + excluded.cancelled,"
	" input_tokens = u.input_tokens + excluded.input_tokens,"
	" output_tokens = u.output_tokens + excluded.output_tokens,"
	" cost_nano_usd = u.cost_nano_usd + excluded.cost_nano_usd,"
	" latency_ms_sum = u.latency_ms_sum + excluded.latency_ms_sum,"
	" latency_ms_max = greatest(u.latency_ms_max,"
	" excluded.latency_ms_max),"
	" latency_hist = data.hist_add(u.latency_hist, excluded.latency_hist))"
	" SELECT count(*) FROM new" };

int
store_demo_day(struct db_pool *owner, const struct uuid *account,
    const json_t *sessions, const json_t *turns, int64_t *written,
    struct err *e)
{
	void *ctx = mem_root("demo");
	char id[UUID_TEXT];
	char *s = json_dumps(sessions, JSON_COMPACT);
	char *t = json_dumps(turns, JSON_COMPACT);
	int rc;

	id_format(account, id);
	struct db_call calls[] = {
		{ &sessions_sql, .param = { id, s }, .nparams = 2 },
		{ &turns_sql, .param = { id, t }, .nparams = 2 },
	};

	rc = rows_run(owner, account, calls, 2, ctx, e);
	if (rc == 0)
		*written = db_int(calls[1].result, 0, 0);
	free(s);
	free(t);
	mem_free(ctx);
	return rc;
}
