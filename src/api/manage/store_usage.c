/* The SQL of usage: sums of roll-ups, never of turns. */
#include "api/manage/store.h"

#include "util/banned.h"

const struct rows_col manage_store_usage_cols[] = { { "agent_id", ROW_TEXT },
	{ "model", ROW_TEXT }, { "key_kind", ROW_TEXT }, { "key_id", ROW_TEXT },
	{ "credential_id", ROW_TEXT }, { "at", ROW_TEXT },
	{ "requests", ROW_INT }, { "failed", ROW_INT },
	{ "cancelled", ROW_INT }, { "input_tokens", ROW_INT },
	{ "output_tokens", ROW_INT }, { "cached_input_tokens", ROW_INT },
	{ "reasoning_tokens", ROW_INT }, { "cost_usd", ROW_REAL },
	{ "unpriced", ROW_INT }, { "latency_ms_sum", ROW_INT },
	{ "latency_ms_max", ROW_INT }, { "latency_hist", ROW_JSON },
	{ NULL, ROW_END } };

/* No known price is null, never 0. */
#define COST                                                                   \
	"CASE WHEN sum(cost_nano_usd) = 0 AND sum(unpriced) > 0 THEN NULL "    \
	"ELSE sum(cost_nano_usd) / 1e9 END"

/* $2 to $7: from when to when whole hours, and in them whole days, are read. */
#define BETWEEN(a, b)                                                          \
	"(bucket >= " ROWS_FROM_US(a) " AND bucket < " ROWS_FROM_US(b) ")"
#define FINE "(" BETWEEN("$2", "$3") " OR " BETWEEN("$6", "$7") ")"
#define HOURS "(" BETWEEN("$3", "$4") " OR " BETWEEN("$5", "$6") ")"
#define DAYS BETWEEN("$4", "$5")
#define AT ROWS_UTC("date_trunc($10::text, bucket, 'UTC')")
/* Who asked and which credential answered, where the table knows; the nil id
 * is nobody and none. */
#define NIL "'00000000-0000-0000-0000-000000000000'"
#define UNKNOWN "NULL::text AS kind, NULL::uuid AS whose, NULL::uuid AS cred"
#define CALLER                                                                 \
	"CASE WHEN $13::boolean THEN caller_kind END AS kind, "                \
	"CASE WHEN $13::boolean THEN nullif(caller_id, " NIL                   \
	") END AS whose, "                                                     \
	"CASE WHEN $14::boolean THEN nullif(credential_id, " NIL               \
	") END AS cred"
#define ONLY                                                                   \
	"AND ($15::uuid IS NULL OR caller_id = $15::uuid) "                    \
	"AND ($16::uuid IS NULL OR credential_id = $16::uuid) "
#define SUMS(table, caller, only, latency)                                     \
	"SELECT CASE WHEN $8::boolean THEN agent_instance_id END AS agent, "   \
	"CASE WHEN $9::boolean THEN model END AS what, " caller ", " AT        \
	" AS at, sum(requests), sum(failed), sum(cancelled), "                 \
	"sum(input_tokens), "                                                  \
	"sum(output_tokens), sum(cached_input_tokens), "                       \
	"sum(reasoning_tokens), " COST ", sum(unpriced), " latency " "         \
	"FROM " table " WHERE account_id = $1::uuid "                          \
	"AND (grain = 5 AND " FINE " OR grain = 60 AND " HOURS " "             \
	"OR grain = 1440 AND " DAYS ") "                                       \
	"AND ($11::uuid IS NULL OR agent_instance_id = $11::uuid) "            \
	"AND ($12::text IS NULL OR model = $12) " only                         \
	"GROUP BY agent, what, kind, whose, cred, at "                         \
	"ORDER BY at, agent, what, kind, whose, cred LIMIT 10001"

const struct db_stmt manage_store_usage = { "manage_usage",
	SUMS("usage_rollups", UNKNOWN, "", "NULL, NULL, NULL") };
const struct db_stmt manage_store_usage_by_caller = { "manage_usage_by_caller",
	SUMS("usage_by_caller", CALLER, ONLY, "NULL, NULL, NULL") };
const struct db_stmt manage_store_metrics = { "manage_metrics",
	SUMS("usage_rollups", UNKNOWN, "",
	    "sum(latency_ms_sum), max(latency_ms_max), "
	    "to_jsonb(hist_sum(latency_hist))") };

/*
 * The overview: (account, from_us, days_to_us, hours_to_us, to_us, width of the
 * series' steps or NULL, by agent and model).  Daily sums are read to days_to,
 * hourly ones from there to hours_to, then the finest.
 */
const struct db_stmt manage_store_overview = { "manage_overview",
	"SELECT CASE WHEN $7::boolean THEN agent_instance_id END AS agent, "
	"CASE WHEN $7::boolean THEN model END AS what, " UNKNOWN ", " ROWS_UTC(
	    "date_bin($6::interval, bucket, timestamptz '2000-01-01 "
	    "00:00Z')") " AS at, "
			"sum(requests), sum(failed), sum(cancelled), "
			"sum(input_tokens), "
			"sum(output_tokens), sum(cached_input_tokens), "
			"sum(reasoning_tokens), " COST ", sum(unpriced), "
			"sum(latency_ms_sum), max(latency_ms_max), "
			"to_jsonb(hist_sum(latency_hist)) "
			"FROM usage_rollups WHERE account_id = $1::uuid "
			"AND (grain = 1440 AND " BETWEEN("$2",
			    "$3") " "
				  "OR grain = 60 AND " BETWEEN("$3",
				      "$4") " "
					    "OR grain = 5 AND " BETWEEN(
						"$4", "$5") ") "
							    "GROUP BY agent, "
							    "what, at ORDER BY "
							    "at, agent, what "
							    "LIMIT 2001" };
