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

const struct db_stmt
    manage_store_usage = {
	    "manage_usage",
	    "SELECT CASE WHEN $6::boolean THEN agent_instance_id END AS agent, "
	    "CASE WHEN $7::boolean THEN model END AS what, " ROWS_UTC(
		"date_trunc($8::text, bucket, 'UTC')") " AS at, sum(requests), "
						       "sum(failed), "
						       "sum(cancelled), "
						       "sum(input_tokens), "
						       "sum(output_tokens), "
						       "sum(cached_input_"
						       "tokens), "
						       "sum(reasoning_tokens),"
						       " " COST ", "
						       "sum(unpriced), "
						       "sum(latency_ms_sum), "
						       "max(latency_ms_max), "
						       "to_jsonb(hist_sum("
						       "latency_hist)) FROM "
						       "usage_rollups "
						       "WHERE account_id = "
						       "$1::uuid "
						       "AND (grain = 5 AND "
						       "(bucket "
						       ">= " ROWS_FROM_US("$2") " AND bucket < " ROWS_FROM_US("$3") " OR bucket >= " ROWS_FROM_US("$4") " AND bucket < " ROWS_FROM_US(
							   "$5") ") "
								 "OR grain = "
								 "60 AND "
								 "bucket "
								 ">="
								 " " ROWS_FROM_US("$3") " AND bucket < " ROWS_FROM_US(
								     "$4") ") "
									   "AND"
									   " ($"
									   "9::"
									   "uui"
									   "d "
									   "IS "
									   "NUL"
									   "L "
									   "OR "
									   "age"
									   "nt_"
									   "ins"
									   "tan"
									   "ce_"
									   "id "
									   "= "
									   "$9:"
									   ":uu"
									   "id)"
									   " "
									   "AND"
									   " ($"
									   "10:"
									   ":te"
									   "xt "
									   "IS "
									   "NUL"
									   "L "
									   "OR "
									   "mod"
									   "el "
									   "= "
									   "$10"
									   ") "
									   "GRO"
									   "UP "
									   "BY "
									   "age"
									   "nt,"
									   " wh"
									   "at,"
									   " at"
									   " OR"
									   "DER"
									   " BY"
									   " at"
									   ", "
									   "age"
									   "nt,"
									   " wh"
									   "at "
									   "LIM"
									   "IT "
									   "100"
									   "01"
    };
