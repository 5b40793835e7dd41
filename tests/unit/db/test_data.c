/* Views, partitions, roll-ups and lost turns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "util/id.h"
#include "util/mem.h"

#include "lib/dbtemp.h"
#include "unit/db/schema.h"

#include "util/banned.h"

static void
test_views(void **state)
{
	struct uuid turn, want;
	char text[UUID_TEXT], *sql, *id;

	(void)state;
	id = dbtemp_sql(db, "sb_owner",
	    "SELECT id FROM turns WHERE account_id = '" A "' ORDER BY id LIMIT "
	    "1");
	assert_int_equal(id_parse(id, strlen(id), &turn), 0);
	id_user_message(&turn, &want);
	id_format(&want, text);
	sql = mem_printf(NULL,
	    AS_A "SELECT role || content FROM messages WHERE "
		 "id = '%s'",
	    text);
	expect("sb_chat", sql, "userhello");
	mem_free(sql);
	id_reply_message(&turn, &want);
	id_format(&want, text);
	sql = mem_printf(NULL,
	    AS_A "SELECT role || content FROM messages WHERE "
		 "id = '%s'",
	    text);
	expect("sb_chat", sql, "assistantgood day");
	mem_free(sql);
	mem_free(id);
	expect("sb_admin",
	    AS_A
	    "SELECT string_agg(status || response_time_ms, ' ' ORDER BY status)"
	    " FROM agent_performance_metrics",
	    "completed120 failed120");
	expect("sb_admin",
	    AS_A
	    "SELECT sum(request_count) || ' ' || sum(input_tokens) || ' ' || "
	    "sum(cost_usd) FROM agent_usage_log",
	    "2 20 0.000002000");
	/* every last digit a turn can have */
	expect("sb_owner",
	    "SELECT string_agg(right(message_id(('0192f3a0-0000-7000-8000-"
	    "00000000000' || d)::uuid, w)::text, 1), '' ORDER BY w, d) FROM "
	    "unnest('{0,4,8,c}'::text[]) d, generate_series(1, 2) w",
	    "159d26ae");
}

/* A session's messages come by its index, in every partition. */
static void
test_plans(void **state)
{
	PGconn *pg = login("sb_chat");
	PGresult *r;
	int i, by_index = 0;

	(void)state;
	PQclear(PQexec(pg, "BEGIN; SET LOCAL enable_seqscan = off;" AS_A));
	r = PQexec(pg, "EXPLAIN SELECT * FROM messages WHERE account_id = '" A
		       "' AND session_id = '" A "' ORDER BY turn_id");
	assert_int_equal(PQresultStatus(r), PGRES_TUPLES_OK);
	for (i = 0; i < PQntuples(r); i++) {
		assert_null(strstr(PQgetvalue(r, i, 0), "Seq Scan"));
		if (strstr(PQgetvalue(r, i, 0), "account_id_session_id_id_idx"))
			by_index++;
	}
	PQclear(r);
	assert_true(by_index >= 10);
	/* the time in the id leaves one partition to look at */
	r = PQexec(pg, "EXPLAIN SELECT * FROM turns WHERE account_id = '" A
		       "' AND id = uuid_floor(now())");
	for (by_index = 0, i = 0; i < PQntuples(r); i++)
		if (strstr(PQgetvalue(r, i, 0), "Subplans Removed: 4") != NULL)
			by_index = 1;
	PQclear(r);
	assert_int_equal(by_index, 1);
	PQfinish(pg);
	/* row security does not keep gate.knowledge_search from the index */
	owner("INSERT INTO products (account_id, id, name, description) SELECT "
	      "'" A "', gen_random_uuid(), 'thing ' || i, md5(i::text) FROM "
	      "generate_series(1, 3000) i; ANALYZE products");
	pg = login("sb_owner");
	PQclear(PQexec(pg, "SET ROLE sb_gate; SET enable_seqscan = off"));
	r = PQexec(pg,
	    "EXPLAIN SELECT FROM data.products WHERE account_id = '" A
	    "' AND search @@ '2777'");
	for (by_index = 0, i = 0; i < PQntuples(r); i++)
		if (strstr(PQgetvalue(r, i, 0), "products_search_idx") != NULL)
			by_index = 1;
	PQclear(r);
	assert_int_equal(by_index, 1);
	PQfinish(pg);
}

static void
test_partitions(void **state)
{
	(void)state;
	expect("sb_job", "SELECT gate.maintain_partitions()", "0");
	expect("sb_owner",
	    "SELECT string_agg(n || '', ',') FROM (SELECT count(*) AS n FROM "
	    "pg_inherits i JOIN pg_class c ON c.oid = i.inhparent WHERE "
	    "c.relkind = 'p' GROUP BY c.relname) x",
	    "5,5,5,5,5");
	/* the edges of this month belong to it */
	expect("sb_owner",
	    "SELECT string_agg(DISTINCT p::text, ',') FROM (SELECT "
	    "pg_get_expr(relpartbound, oid) LIKE '%FROM (''' || "
	    "uuid_floor(date_trunc('month', now(), 'UTC')) || ''')%' AND "
	    "pg_get_expr(relpartbound, oid) LIKE '%TO (''' || "
	    "uuid_floor(date_trunc('month', now(), 'UTC') + interval '1 month')"
	    " || ''')%' AS p FROM pg_class WHERE relname = 'turns_p' || "
	    "to_char(now() AT TIME ZONE 'UTC', 'YYYYMM')) x",
	    "true");
	expect_state("sb_owner",
	    "INSERT INTO sessions VALUES ('" A "', uuid_floor('2001-01-01'), "
	    "'k', NULL, NULL, true, now(), now())",
	    "23514");
	expect("sb_job",
	    "SELECT gate.maintain_partitions(now() - interval '3 months') > 0",
	    "t");
	/* partitions are as closed as their parents */
	expect("sb_owner",
	    "SELECT count(*) FROM pg_class WHERE relispartition AND relkind = "
	    "'r' AND NOT (relrowsecurity AND relforcerowsecurity)",
	    "0");
	expect_state(
	    "sb_chat", "SELECT count(*) FROM data.turns_p202611", "42501");
}

/* A 5-minute row of B. */
#define FIVE(when, n)                                                          \
	"('" B "', '" B "', 'm', 5, " when ", " n ", 1, 0, 10, 20, 3, 4, "     \
	"1000000001, 1, 500, 400, '{1,0,0,0,0,0,0,0,0,0,2}')"

static void
test_rollups(void **state)
{
	(void)state;
	owner("INSERT INTO usage_rollups VALUES " FIVE(
	    "date_trunc('hour', now())",
	    "5") ", " FIVE("date_trunc('hour', now()) + interval '5 minutes'",
	    "6") ", " FIVE("date_trunc('hour', now()) - interval '1 hour'",
	    "7") ", " FIVE("date_trunc('day', now()) - interval '2 days'",
	    "9") ", " FIVE("date_trunc('day', now()) - interval '3 days'",
	    "100"));
	expect("sb_job", "SELECT gate.sum_rollups() > 0", "t");
#define SUMS                                                                   \
	"SELECT (SELECT sum(requests) FROM usage_rollups WHERE grain = 60) "   \
	"|| "                                                                  \
	"' ' || (SELECT sum(requests) FROM usage_rollups WHERE grain = 1440)"
	expect("sb_owner", SUMS, "18 27");
	expect("sb_owner",
	    "SELECT (requests, failed, input_tokens, output_tokens, "
	    "cached_input_tokens, reasoning_tokens, cost_nano_usd, unpriced, "
	    "latency_ms_sum, latency_ms_max, latency_hist) FROM usage_rollups "
	    "WHERE grain = 60 AND bucket = date_trunc('hour', now())",
	    "(11,2,20,40,6,8,2000000002,2,1000,400,\"{2,0,0,0,0,0,0,0,0,0,4}"
	    "\")");
	/* again: nothing changes, nothing is written */
	expect("sb_job", "SELECT gate.sum_rollups()", "0");
	expect("sb_owner", SUMS, "18 27");
	owner("UPDATE usage_rollups SET requests = 8 WHERE grain = 5 AND "
	      "requests = 5");
	expect("sb_job", "SELECT gate.sum_rollups()", "2");
	expect("sb_owner", SUMS, "21 30");
	/* older ones on demand */
	expect("sb_job",
	    "SELECT gate.sum_rollups(now() - interval '4 days') > 0", "t");
	expect("sb_owner", SUMS, "130 130");
	owner("DELETE FROM usage_rollups");
}

/* The same by caller. */
static void
test_rollups_by_caller(void **state)
{
	(void)state;
	owner("INSERT INTO usage_by_caller SELECT '" B "', '" B "', k, '" A
	      "', '" B "', 'm', 5, date_trunc('day', now()) - d * interval "
	      "'1 day' + n * interval '5 minutes', 2, 1, 0, 10, 20, 3, 4, 7, 1 "
	      "FROM unnest(ARRAY['api_key', 'user']) k, generate_series(0, 1) "
	      "n, generate_series(0, 3) d");
	expect("sb_job", "SELECT gate.sum_rollups() > 0", "t");
	expect("sb_owner",
	    "SELECT string_agg((caller_kind, requests, failed, cancelled, "
	    "input_tokens, output_tokens, cached_input_tokens, "
	    "reasoning_tokens, cost_nano_usd, unpriced)::text, ' ' ORDER BY "
	    "bucket, caller_kind) FROM usage_by_caller WHERE grain = 1440 AND "
	    "bucket >= date_trunc('day', now())",
	    "(api_key,4,2,0,20,40,6,8,14,2) (user,4,2,0,20,40,6,8,14,2)");
	expect("sb_owner",
	    "SELECT count(*) FROM usage_by_caller WHERE grain = 1440", "6");
	expect("sb_job", "SELECT gate.sum_rollups()", "0");
	owner("DELETE FROM usage_by_caller");
}

#define W1 "0192f3a0-0000-7000-8000-0000000000f0"
#define W2 "0192f3a0-0000-7000-8000-0000000000f4"
#define W3 "0192f3a0-0000-7000-8000-0000000000f8"
#define W4 "0192f3a0-0000-7000-8000-0000000000fc"

static void
open_turn(const char *worker, const char *since)
{
	char *id = turn_id();
	char *sql = mem_printf(NULL,
	    "INSERT INTO turns_open (account_id, id, session_id, "
	    "agent_instance_id, agent_type, instance_name, config_version, "
	    "request_id, trace_id, channel, user_text, model, started_at, "
	    "worker_id) SELECT '" A "', '%s', id, '" A "', 'sales', 'human', 1,"
	    " 'r', 't', 'stream', 'hi', NULL, now() - interval '%s', '%s' FROM "
	    "sessions WHERE account_id = '" A "'",
	    id, since, worker);

	owner(sql);
	mem_free(sql);
	mem_free(id);
}

static void
claim(
    const char *key, const char *worker, const char *since, const char *answer)
{
	char *sql = mem_printf(NULL,
	    "INSERT INTO idempotency_keys (account_id, key_hash, request_hash,"
	    " turn_id, worker_id, answer, created_at) VALUES ('" A "', "
	    "decode(repeat('0%s', 32), 'hex'), decode(repeat('0%s', 32), "
	    "'hex'), '" A "', '%s', %s%s%s, now() - interval '%s')",
	    key, key, worker, answer ? "'" : "", answer ? answer : "NULL",
	    answer ? "'" : "", since);

	owner(sql);
	mem_free(sql);
}

/* The first digit of each key. */
#define CLAIMS                                                                 \
	"SELECT coalesce(string_agg(substr(encode(key_hash, 'hex'), 2, 1),"    \
	" '' ORDER BY key_hash), '') FROM idempotency_keys"

/* Turns of dead and silent workers end as failed, once, whoever asks. */
static void
test_lost_turns(void **state)
{
	(void)state;
	mem_free(dbtemp_sql(db, "sb_job",
	    "SELECT gate.worker_seen('" W1 "', 'here', 'chat'), "
	    "gate.worker_seen('" W2 "', 'there', 'chat')"));
	open_turn(W1, "1 hour");
	open_turn(W1, "1 second");
	open_turn(W2, "1 hour");
	open_turn(W3, "1 hour");    /* nobody knows W3 */
	open_turn(W4, "-1 minute"); /* nor W4, yet */
	claim("1", W1, "1 hour", NULL);
	claim("2", W1, "1 hour", "{}");
	claim("3", W2, "1 hour", NULL);
	claim("4", W3, "1 hour", NULL);
	claim("5", W4, "1 second", NULL);
	owner("UPDATE workers SET seen_at = now() - interval '1 hour' WHERE id "
	      "= '" W2 "'");
	/* a cluster that has just come up calls nobody silent */
	expect("sb_job", "SELECT gate.fail_lost_turns('10 years')", "0");
	expect("sb_owner", "SELECT count(*) FROM turns_open", "5");
	expect("sb_job",
	    "SELECT gate.fail_lost_turns(least(interval '30 s', "
	    "(now() - pg_postmaster_start_time()) / 2))",
	    "2");
	expect("sb_owner",
	    "SELECT count(*) FROM turns_open WHERE worker_id IN ('" W1 "', '" W4
	    "')",
	    "3");
	/* their keys are free again, but for those with an answer */
	expect("sb_owner", CLAIMS, "125");
	expect("sb_job", "SELECT gate.worker_gone('" W1 "')", "2");
	expect("sb_owner", CLAIMS, "25");
	expect("sb_job", "SELECT gate.worker_gone('" W1 "')", "0");
	expect("sb_job", "SELECT gate.worker_gone('" W4 "')", "1");
	expect("sb_owner", CLAIMS, "2");
	expect("sb_owner", "SELECT count(*) FROM turns_open", "0");
	expect("sb_owner",
	    "SELECT count(*) || error_kind || finish_reason || channel || "
	    "bool_and(latency_ms >= 0) FROM turns WHERE status = 'failed' AND "
	    "error_kind IS NOT NULL GROUP BY error_kind, finish_reason, "
	    "channel",
	    "5worker-losterrorstreamtrue");
	expect("sb_owner",
	    "SELECT sum(requests) || ' ' || sum(failed) FROM usage_rollups",
	    "5 5");
	expect("sb_owner",
	    "SELECT sum(requests) || ' ' || sum(failed) FROM usage_by_caller",
	    "5 5");
	/* one that was stored after all is not counted again */
	open_turn(W1, "1 hour");
	owner(
	    "INSERT INTO turns SELECT account_id, id, session_id, "
	    "agent_instance_id, agent_type, instance_name, config_version, "
	    "NULL, NULL, request_id, trace_id, channel, 'completed', 'stop', "
	    "NULL, user_text, 'done', NULL, 0, 0, 0, 0, 0, false, NULL, 1, 1, "
	    "NULL, '[]', '[]', NULL, started_at, now() FROM turns_open");
	expect("sb_job", "SELECT gate.worker_gone('" W1 "')", "0");
	expect("sb_owner", "SELECT count(*) FROM turns_open", "0");
	expect("sb_owner", "SELECT sum(requests) FROM usage_rollups", "5");
	owner("DELETE FROM usage_rollups; DELETE FROM usage_by_caller; DELETE "
	      "FROM turns WHERE channel = "
	      "'stream'");
}

static void
test_trim(void **state)
{
	(void)state;
	owner("INSERT INTO writer_batches (id) VALUES (uuid_floor(now() - "
	      "interval '8 days')), (uuid_floor(now() - interval '6 days'))");
	expect("sb_job", "SELECT gate.trim_writer_batches()", "1");
	expect("sb_owner", "SELECT count(*) FROM writer_batches", "1");
	claim("6", W1, "24 hours 1 second", "{}");
	claim("7", W1, "24 hours 1 second", NULL);
	claim("8", W1, "23 hours 59 minutes", "{}");
	/* those of changes too */
	owner("INSERT INTO request_answers (account_id, key_hash, "
	      "request_hash, status, answer, created_at) SELECT '" A
	      "', sha256(n::text::bytea), sha256('x'), 201, '{}', now() - n * "
	      "interval '11 hours' FROM generate_series(1, 3) n");
	expect("sb_job", "SELECT gate.trim_idempotency_keys()", "3");
	expect("sb_owner", CLAIMS, "28");
	expect("sb_owner", "SELECT count(*) FROM request_answers", "2");
	expect("sb_owner",
	    "SELECT hist_add('{1,2,3,4,5,6,7,8,9,10,11}', "
	    "'{1,1,1,1,1,1,1,1,1,1,1}')",
	    "{2,3,4,5,6,7,8,9,10,11,12}");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_views),
		cmocka_unit_test(test_plans),
		cmocka_unit_test(test_partitions),
		cmocka_unit_test(test_rollups),
		cmocka_unit_test(test_rollups_by_caller),
		cmocka_unit_test(test_lost_turns),
		cmocka_unit_test(test_trim),
	};

	if (!dbtemp_there())
		return 77;
	return cmocka_run_group_tests(tests, schema_set_up, schema_tear_down);
}
