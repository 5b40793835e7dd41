/* The SQL of usage: sums of roll-ups, never of turns. */
#include "api/manage/store.h"

#include "util/banned.h"

const struct rows_col manage_store_usage_cols[] = { { "agent_id", ROW_TEXT },
	{ "model", ROW_TEXT }, { "at", ROW_TEXT }, { "requests", ROW_INT },
	{ "failed", ROW_INT }, { "cancelled", ROW_INT },
	{ "input_tokens", ROW_INT }, { "output_tokens", ROW_INT },
	{ "cached_input_tokens", ROW_INT }, { "reasoning_tokens", ROW_INT },
	{ "cost_usd", ROW_REAL }, { "unpriced", ROW_INT },
	{ "latency_ms_sum", ROW_INT }, { "latency_ms_max", ROW_INT },
	{ "latency_hist", ROW_JSON }, { NULL, ROW_END } };

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
#define SUMS(hist)                                                             \
	"SELECT CASE WHEN $8::boolean THEN agent_instance_id END AS agent, "   \
	"CASE WHEN $9::boolean THEN model END AS what, " AT " AS at, "         \
	"sum(requests), sum(failed), sum(cancelled), sum(input_tokens), "      \
	"sum(output_tokens), sum(cached_input_tokens), "                       \
	"sum(reasoning_tokens), " COST ", sum(unpriced), "                     \
	"sum(latency_ms_sum), max(latency_ms_max), " hist " "                  \
	"FROM usage_rollups WHERE account_id = $1::uuid "                      \
	"AND (grain = 5 AND " FINE " OR grain = 60 AND " HOURS " "             \
	"OR grain = 1440 AND " DAYS ") "                                       \
	"AND ($11::uuid IS NULL OR agent_instance_id = $11::uuid) "            \
	"AND ($12::text IS NULL OR model = $12) "                              \
	"GROUP BY agent, what, at ORDER BY at, agent, what LIMIT 10001"

const struct db_stmt manage_store_usage = { "manage_usage", SUMS("NULL") };
const struct db_stmt manage_store_metrics = { "manage_metrics",
	SUMS("to_jsonb(hist_sum(latency_hist))") };
