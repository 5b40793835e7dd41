/*
 * The chat domain's SQL: what the writer stores of a turn, and the reads.
 * Every statement names the account itself; row security is the net.
 */
#include "chat/store_priv.h"

#include "db/rows.h"

#include "util/banned.h"

/*
 * Statements for many rows, of arrays, and for one, of plain values, which is
 * most of what an idle machine writes and half the work for PostgreSQL.
 */
#define MANY(statement) statement("unnest(", "[]")
#define ONE(statement) statement("(SELECT ", "")

/*
 * A batch may hold several turns of one session (and a turn's beginning and
 * end), but an upsert may touch a row once only: hence the grouping.  Rows go
 * in key order, so that two writers never wait for each other in a circle.
 */
#define SQL_SESSIONS_INTO                                                      \
	"INSERT INTO sessions AS s (account_id, id, session_key,"              \
	" widget_key_id, email, is_anonymous, created_at, last_activity_at,"   \
	" visitor_id)"

#define SQL_SESSIONS_UPDATE                                                    \
	" ON CONFLICT (account_id, id) DO UPDATE SET"                          \
	" last_activity_at ="                                                  \
	" greatest(s.last_activity_at, excluded.last_activity_at),"            \
	" email = coalesce(excluded.email, s.email),"                          \
	" is_anonymous = s.is_anonymous AND excluded.is_anonymous"

#define SQL_SESSIONS                                                           \
	SQL_SESSIONS_INTO                                                      \
	" SELECT a, i, max(k), (array_agg(w))[1], max(m), bool_and(n),"        \
	" min(c), max(l), (array_agg(u))[1]"                                   \
	" FROM unnest($1::uuid[], $2::uuid[], $3::text[],"                     \
	" $4::uuid[], $5::text[], $6::bool[], $7::timestamptz[],"              \
	" $8::timestamptz[], $9::uuid[]) AS v(a, i, k, w, m, n, c, l, u)"      \
	" GROUP BY a, i ORDER BY a, i" SQL_SESSIONS_UPDATE

#define SQL_SESSIONS_ONE                                                       \
	SQL_SESSIONS_INTO                                                      \
	" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)" SQL_SESSIONS_UPDATE

#define SQL_OPEN(open, dim)                                                    \
	"INSERT INTO turns_open (account_id, id, session_id,"                  \
	" agent_instance_id, agent_type, instance_name,"                       \
	" config_version, api_key_id, widget_key_id, request_id,"              \
	" trace_id, channel, user_text, model, metadata,"                      \
	" started_at, worker_id, user_id) SELECT * FROM " open "$1::uuid" dim  \
	", $2::uuid" dim ", $3::uuid" dim ", $4::uuid" dim ", $5::text" dim    \
	", $6::text" dim ", $7::int8" dim ", $8::uuid" dim ", $9::uuid" dim    \
	", $10::text" dim ", $11::text" dim ", $12::text" dim                  \
	", $13::text" dim ", $14::text" dim ", $15::jsonb" dim                 \
	", $16::timestamptz" dim ", $17::uuid" dim ", $18::uuid" dim           \
	") AS v ON CONFLICT DO NOTHING"

/*
 * A key's row and its turn's are written together, the key's first, as by
 * gate.fail_turns_of(): so a worker that was taken for dead finds out here.  A
 * key that was given back meanwhile is taken again; one that somebody else has
 * by now stays his.
 */
#define SQL_KEY_ANSWER                                                         \
	"INSERT INTO idempotency_keys AS k (account_id, key_hash, turn_id,"    \
	" request_hash, worker_id, created_at, answer)"                        \
	" SELECT * FROM unnest($1::uuid[], $2::bytea[], $3::uuid[],"           \
	" $4::bytea[], $5::uuid[], $6::timestamptz[], $7::text[])"             \
	" ON CONFLICT (account_id, key_hash) DO UPDATE SET answer ="           \
	" excluded.answer WHERE k.turn_id = excluded.turn_id"

#define SQL_KEY_FREE                                                           \
	"DELETE FROM idempotency_keys k"                                       \
	" USING unnest($1::uuid[], $2::bytea[], $3::uuid[]) AS v(a, h, t)"     \
	" WHERE k.account_id = v.a AND k.key_hash = v.h AND k.turn_id = v.t"   \
	" AND k.answer IS NULL"

/* Has somebody else been given this turn's key?  Then nobody was told of the
 * turn, and it must not stand beside the one that took its place. */
#define SQL_TAKEN                                                              \
	"(c35 IS NOT NULL AND EXISTS (SELECT FROM idempotency_keys k"          \
	" WHERE k.account_id = c1 AND k.key_hash = c35 AND k.turn_id <> c2))"

#define SQL_REVIVE "SELECT gate.revive_turns($1::uuid[], $2::uuid[])"

#define SQL_TURNS(open, dim)                                                   \
	"INSERT INTO turns (account_id, id, session_id,"                       \
	" agent_instance_id, agent_type, instance_name,"                       \
	" config_version, api_key_id, widget_key_id, request_id,"              \
	" trace_id, channel, status, finish_reason, error_kind,"               \
	" user_text, reply_text, model, input_tokens,"                         \
	" output_tokens, cached_input_tokens,"                                 \
	" cache_write_tokens, reasoning_tokens, usage_estimated,"              \
	" cost_usd, attempts, latency_ms, first_token_ms,"                     \
	" tool_calls, citations, metadata, started_at,"                        \
	" finished_at, tool_offsets, user_id, credential_id, why)"             \
	" SELECT c1, c2, c3, c4, c5,"                                          \
	" c6, c7, c8, c9, c10, c11, c12, CASE WHEN taken THEN"                 \
	" 'failed' ELSE c13 END, CASE WHEN taken THEN 'error'"                 \
	" ELSE c14 END, CASE WHEN taken THEN 'superseded' ELSE"                \
	" c15 END, c16, c17, c18, c19, c20, c21, c22, c23, c24,"               \
	" c25::numeric / 1000000000, c26, c27, c28, c29, c30,"                 \
	" c31, c32, c33, c34, c36, c37, c38 FROM (SELECT *, " SQL_TAKEN        \
	" AS taken FROM " open "$1::uuid" dim ", $2::uuid" dim                 \
	", $3::uuid" dim ", $4::uuid" dim ", $5::text" dim ", $6::text" dim    \
	", $7::int8" dim ", $8::uuid" dim ", $9::uuid" dim ", $10::text" dim   \
	", $11::text" dim ", $12::text" dim ", $13::text" dim                  \
	", $14::text" dim ", $15::text" dim ", $16::text" dim                  \
	", $17::text" dim ", $18::text" dim ", $19::int8" dim                  \
	", $20::int8" dim ", $21::int8" dim ", $22::int8" dim                  \
	", $23::int8" dim ", $24::bool" dim ", $25::int8" dim                  \
	", $26::int4" dim ", $27::int4" dim ", $28::int4" dim                  \
	", $29::jsonb" dim ", $30::jsonb" dim ", $31::jsonb" dim               \
	", $32::timestamptz" dim ", $33::timestamptz" dim ", $34::jsonb" dim   \
	", $35::bytea" dim ", $36::uuid" dim ", $37::uuid" dim                 \
	", $38::jsonb" dim                                                     \
	") AS v(c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11,"                 \
	" c12, c13, c14, c15, c16, c17, c18, c19, c20, c21, c22,"              \
	" c23, c24, c25, c26, c27, c28, c29, c30, c31, c32, c33,"              \
	" c34, c35, c36, c37, c38) OFFSET 0) w ON CONFLICT DO NOTHING"

#define SQL_OPEN_END                                                           \
	"DELETE FROM turns_open o"                                             \
	" USING unnest($1::uuid[], $2::uuid[]) AS v(a, i)"                     \
	" WHERE o.account_id = v.a AND o.id = v.i"

/* By who asked and which credential answered; no credential is the nil id. */
#define SQL_BY_CALLER(open, dim)                                               \
	"INSERT INTO usage_by_caller AS r (account_id, agent_instance_id,"     \
	" caller_kind, caller_id, credential_id, model, grain, bucket,"        \
	" requests, failed, cancelled, input_tokens, output_tokens,"           \
	" cached_input_tokens, reasoning_tokens, cost_nano_usd, unpriced)"     \
	" SELECT a, i, k, c, d, m, 5, b, n1, n2, n3, n4, n5, n6, n7, n8, n9"   \
	" FROM " open "$1::uuid" dim ", $2::uuid" dim ", $3::text" dim         \
	", $4::uuid" dim ", $5::uuid" dim ", $6::text" dim                     \
	", $7::timestamptz" dim ", $8::int8" dim ", $9::int8" dim              \
	", $10::int8" dim ", $11::int8" dim ", $12::int8" dim                  \
	", $13::int8" dim ", $14::int8" dim ", $15::int8" dim                  \
	", $16::int8" dim ") AS v(a, i, k, c, d, m, b, n1, n2, n3, n4, n5,"    \
	" n6, n7, n8, n9) ON CONFLICT (account_id, agent_instance_id,"         \
	" caller_kind, caller_id, credential_id, model, grain, bucket)"        \
	" DO UPDATE SET requests = r.requests + excluded.requests,"            \
	" failed = r.failed + excluded.failed,"                                \
	" cancelled = r.cancelled + excluded.cancelled,"                       \
	" input_tokens = r.input_tokens + excluded.input_tokens,"              \
	" output_tokens = r.output_tokens + excluded.output_tokens,"           \
	" cached_input_tokens = r.cached_input_tokens"                         \
	" + excluded.cached_input_tokens, reasoning_tokens ="                  \
	" r.reasoning_tokens + excluded.reasoning_tokens, cost_nano_usd ="     \
	" r.cost_nano_usd + excluded.cost_nano_usd,"                           \
	" unpriced = r.unpriced + excluded.unpriced"

#define SQL_ROLLUPS(open, dim)                                                 \
	"INSERT INTO usage_rollups AS r (account_id,"                          \
	" agent_instance_id, model, grain, bucket, requests,"                  \
	" failed, cancelled, input_tokens, output_tokens,"                     \
	" cached_input_tokens, reasoning_tokens, cost_nano_usd,"               \
	" unpriced, latency_ms_sum, latency_ms_max,"                           \
	" latency_hist) SELECT a, i, m, 5, b, n1, n2, n3, n4,"                 \
	" n5, n6, n7, n8, n9, n10, n11, ARRAY[h1, h2, h3, h4,"                 \
	" h5, h6, h7, h8, h9, h10, h11] FROM " open "$1::uuid" dim             \
	", $2::uuid" dim ", $3::text" dim ", $4::timestamptz" dim              \
	", $5::int8" dim ", $6::int8" dim ", $7::int8" dim ", $8::int8" dim    \
	", $9::int8" dim ", $10::int8" dim ", $11::int8" dim ", $12::int8" dim \
	", $13::int8" dim ", $14::int8" dim ", $15::int8" dim                  \
	", $16::int8" dim ", $17::int8" dim ", $18::int8" dim                  \
	", $19::int8" dim ", $20::int8" dim ", $21::int8" dim                  \
	", $22::int8" dim ", $23::int8" dim ", $24::int8" dim                  \
	", $25::int8" dim ", $26::int8" dim                                    \
	") AS v(a, i, m, b, n1, n2, n3, n4, n5, n6, n7, n8, n9,"               \
	" n10, n11, h1, h2, h3, h4, h5, h6, h7, h8, h9, h10,"                  \
	" h11) ON CONFLICT (account_id, agent_instance_id,"                    \
	" model, grain, bucket) DO UPDATE SET requests ="                      \
	" r.requests + excluded.requests, failed = r.failed +"                 \
	" excluded.failed, cancelled = r.cancelled +"                          \
	" excluded.cancelled, input_tokens = r.input_tokens +"                 \
	" excluded.input_tokens, output_tokens = r.output_tokens"              \
	" + excluded.output_tokens, cached_input_tokens ="                     \
	" r.cached_input_tokens + excluded.cached_input_tokens,"               \
	" reasoning_tokens = r.reasoning_tokens +"                             \
	" excluded.reasoning_tokens, cost_nano_usd ="                          \
	" r.cost_nano_usd + excluded.cost_nano_usd, unpriced ="                \
	" r.unpriced + excluded.unpriced, latency_ms_sum ="                    \
	" r.latency_ms_sum + excluded.latency_ms_sum,"                         \
	" latency_ms_max = greatest(r.latency_ms_max,"                         \
	" excluded.latency_ms_max), latency_hist ="                            \
	" hist_add(r.latency_hist, excluded.latency_hist)"

#define U COL_UUID
#define T COL_TEXT
#define J COL_JSONB
#define Y COL_BYTEA
#define B COL_BOOL
#define I COL_INT4
#define L COL_INT8
#define Z COL_TIMESTAMPTZ

static const struct writer_stmt writes[WRITE_COUNT] = {
	[WRITE_SESSIONS] = { .name = "chat_sessions",
	    .sql = SQL_SESSIONS,
	    .one = SQL_SESSIONS_ONE,
	    .ncols = 9,
	    .col = { U, U, T, U, T, B, Z, Z, U } },
	[WRITE_OPEN] = { .name = "chat_open",
	    .sql = MANY(SQL_OPEN),
	    .one = ONE(SQL_OPEN),
	    .ncols = 18,
	    .col = { U, U, U, U, T, T, L, U, U, T, T, T, T, T, J, Z, U, U } },
	[WRITE_KEY_ANSWER] = { .name = "chat_key_answer",
	    .sql = SQL_KEY_ANSWER,
	    .ncols = 7,
	    .col = { U, Y, U, Y, U, Z, T } },
	[WRITE_KEY_FREE] = { .name = "chat_key_free",
	    .sql = SQL_KEY_FREE,
	    .ncols = 3,
	    .col = { U, Y, U } },
	[WRITE_REVIVE] = { .name = "chat_revive",
	    .sql = SQL_REVIVE,
	    .ncols = 2,
	    .col = { U, U } },
	/* the last five: where its tools were called, its key's hash, who
	 * asked it where that was a person, which credential answered, why */
	[WRITE_TURNS] = { .name = "chat_turns",
	    .sql = MANY(SQL_TURNS),
	    .one = ONE(SQL_TURNS),
	    .ncols = 38,
	    .col = { U, U, U, U, T, T, L, U, U, T, T, T, T, T, T, T, T, T, L, L,
		L, L, L, B, L, I, I, I, J, J, J, Z, Z, J, Y, U, U, J } },
	[WRITE_OPEN_END] = { .name = "chat_open_end",
	    .sql = SQL_OPEN_END,
	    .ncols = 2,
	    .col = { U, U } },
	[WRITE_BY_CALLER] = { .name = "chat_by_caller",
	    .sql = MANY(SQL_BY_CALLER),
	    .one = ONE(SQL_BY_CALLER),
	    .ncols = 16,
	    .col = { U, U, T, U, U, T, Z, L, L, L, L, L, L, L, L, L },
	    .keys = 7 },
	/* the keys, then counts; the 15th column is the greatest latency */
	[WRITE_ROLLUPS] = { .name = "chat_rollups",
	    .sql = MANY(SQL_ROLLUPS),
	    .one = ONE(SQL_ROLLUPS),
	    .ncols = 26,
	    .col = { U, U, T, Z, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L,
		L, L, L, L, L, L },
	    .keys = 4,
	    .max_mask = UINT64_C(1) << 14 },
};

#undef U
#undef T
#undef J
#undef Y
#undef B
#undef I
#undef L
#undef Z

const struct writer_stmt *
chat_store_stmts(int *n)
{
	*n = WRITE_COUNT;
	return writes;
}

#define MICROSECONDS(column) "(extract(epoch FROM " column ") * 1000000)::int8"

const struct db_stmt chat_stmt_session = {
	"chat_session",
	"SELECT id, " MICROSECONDS(
	    "last_activity_at") " FROM sessions"
				" WHERE account_id = $1 AND id = $2"
				" AND ($3::text IS NULL OR session_key = $3)",
};

const struct db_stmt chat_stmt_named = {
	"chat_named",
	"SELECT n.session_id, " MICROSECONDS(
	    "s.last_activity_at") " FROM session_names n LEFT JOIN sessions s"
				  " ON s.account_id = n.account_id AND s.id = "
				  "n.session_id"
				  " WHERE n.account_id = $1 AND n.session_key "
				  "= $2",
};

const struct db_stmt chat_stmt_name = {
	"chat_name",
	"SELECT session_id FROM session_names"
	" WHERE account_id = $1 AND session_key = $2",
};

const struct db_stmt chat_stmt_session_facts = {
	"chat_session_facts",
	"SELECT session_key, widget_key_id, visitor_id FROM sessions"
	" WHERE account_id = $1 AND id = $2",
};

/*
 * The newest turns of one agent in a session, as long as their texts together
 * stay below a number of bytes: what could not fit the model's budget is not
 * even sent.  The least id keeps older partitions out.
 */
#define SQL_HISTORY(session, least)                                            \
	"SELECT user_text, reply_text FROM (SELECT id, user_text,"             \
	" reply_text, sum(octet_length(user_text) +"                           \
	" octet_length(reply_text)) OVER (ORDER BY id DESC) AS bytes"          \
	" FROM (SELECT id, user_text, reply_text FROM turns"                   \
	" WHERE account_id = $1 AND session_id = " session " AND id >= " least \
	" AND agent_instance_id = $3 ORDER BY id DESC LIMIT $4::int) t) w"     \
	" WHERE bytes <= $5::int8 ORDER BY id DESC"

#define SQL_NAMED_SESSION                                                      \
	"(SELECT session_id FROM session_names"                                \
	" WHERE account_id = $1 AND session_key = $2)"

/* HISTORY_SLACK_MS (chat/history.h) before the session's own time. */
#define SQL_NAMED_LEAST                                                        \
	"(SELECT uuid_floor(to_timestamp(('x' || left(replace("                \
	"session_id::text, '-', ''), 12))::bit(48)::int8 / 1000.0)"            \
	" - interval '48 hours') FROM session_names"                           \
	" WHERE account_id = $1 AND session_key = $2)"

const struct db_stmt chat_stmt_history = {
	"chat_history",
	SQL_HISTORY("$2::uuid", "$6::uuid"),
};

const struct db_stmt chat_stmt_history_named = {
	"chat_history_named",
	SQL_HISTORY(SQL_NAMED_SESSION, SQL_NAMED_LEAST),
};

/* First come, first served: who loses gets the winner's session. */
const struct db_stmt chat_stmt_claim = {
	"chat_claim",
	"INSERT INTO session_names AS n (account_id, session_key, session_id)"
	" VALUES ($1, $2, $3) ON CONFLICT (account_id, session_key)"
	" DO UPDATE SET session_id = CASE WHEN n.session_id = $4::uuid"
	" THEN excluded.session_id ELSE n.session_id END"
	" RETURNING session_id",
};

/* The look before spares those who come too late the row's lock. */
const struct db_stmt chat_stmt_key_claim = {
	"chat_key_claim",
	"INSERT INTO idempotency_keys AS k"
	" (account_id, key_hash, request_hash, turn_id, worker_id)"
	" SELECT $1::uuid, $2::bytea, $3::bytea, $4::uuid, $5::uuid"
	" WHERE NOT EXISTS (SELECT FROM idempotency_keys o"
	" WHERE o.account_id = $1::uuid AND o.key_hash = $2::bytea"
	" AND o.created_at >= now() - interval '24 hours')"
	" ON CONFLICT (account_id, key_hash) DO UPDATE SET"
	" request_hash = excluded.request_hash, turn_id = excluded.turn_id,"
	" worker_id = excluded.worker_id, answer = NULL, created_at = now()"
	" WHERE k.created_at < now() - interval '24 hours'"
	" RETURNING turn_id",
};

const struct db_stmt chat_stmt_key = {
	"chat_key",
	"SELECT k.turn_id, k.request_hash = $3::bytea, k.answer,"
	" t.reply_text, t.tool_offsets FROM idempotency_keys k"
	" LEFT JOIN turns t ON t.account_id = k.account_id"
	" AND t.id = k.turn_id AND k.answer IS NOT NULL"
	" WHERE k.account_id = $1 AND k.key_hash = $2::bytea",
};

/*
 * No join of turns and sessions: both are partitioned, and a join would be
 * planned anew, over all months, at each use (docs/performance.md).
 */
const struct db_stmt chat_stmt_turn = {
	"chat_turn",
	"SELECT t.session_id, t.status, t.reply_text, t.agent_type,"
	" t.instance_name, t.model, t.input_tokens, t.output_tokens,"
	" t.cached_input_tokens, t.reasoning_tokens,"
	" (t.cost_usd * 1000000000)::int8, t.usage_estimated,"
	" t.tool_calls, t.citations, t.finish_reason, t.error_kind,"
	" t.latency_ms, " MICROSECONDS("t.started_at") ", " MICROSECONDS(
	    "t.finished_at") ", t.tool_offsets FROM turns t"
			     " WHERE t.account_id = $1 AND t.id = $2",
};

const struct db_stmt chat_stmt_turn_open = {
	"chat_turn_open",
	"SELECT session_id FROM turns_open"
	" WHERE account_id = $1 AND id = $2",
};

/* A turn that ends between the two is stored before it is no longer open. */
const struct db_stmt chat_stmt_why = {
	"chat_why",
	"SELECT status, finish_reason, error_kind, why FROM turns"
	" WHERE account_id = $1 AND id = $2 UNION ALL"
	" SELECT 'running', NULL, NULL, NULL FROM turns_open"
	" WHERE account_id = $1 AND id = $2 ORDER BY 2 NULLS LAST LIMIT 1",
};

const struct db_stmt chat_stmt_messages = {
	"chat_messages",
	"SELECT t.id, t.user_text, t.reply_text, t.status, t.finish_reason,"
	" t.agent_type, t.instance_name, t.model, t.tool_calls, "
	"t.citations, " MICROSECONDS("t.started_at") ", " MICROSECONDS(
	    "t.finished_at") ", f.rating, t.api_key_id, t.widget_key_id,"
			     " t.user_id FROM turns t LEFT JOIN feedback f"
			     " ON f.account_id = t.account_id AND f.turn_id = "
			     "t.id"
			     " WHERE t.account_id = $1 AND t.session_id = $2"
			     " AND t.id >= $3::uuid AND ($5::bool OR t.id > "
			     "$3::uuid)"
			     " ORDER BY t.id LIMIT $4::int",
};

const struct db_stmt chat_stmt_feedback = {
	"chat_feedback",
	"INSERT INTO feedback (account_id, turn_id, rating, comment)"
	" SELECT t.account_id, t.id, $4::int2, $5 FROM turns t"
	" WHERE t.account_id = $1 AND t.id = $2 AND t.session_id = $3"
	" ON CONFLICT (account_id, turn_id) DO UPDATE SET"
	" rating = excluded.rating, comment = excluded.comment,"
	" created_at = now() RETURNING (xmax = 0)",
};

const struct db_stmt chat_stmt_handoff = {
	"chat_handoff",
	"UPDATE sessions s SET handoff_at = coalesce(s.handoff_at, now())"
	" FROM (SELECT handoff_at FROM sessions WHERE account_id = $1"
	" AND id = $2 FOR UPDATE) was WHERE s.account_id = $1 AND s.id = $2"
	" RETURNING " ROWS_UTC("s.handoff_at") ", was.handoff_at IS NULL",
};

const struct db_stmt chat_stmt_used = {
	"chat_used",
	"SELECT gate.agents_used($1::uuid[], $2::uuid[])",
};
