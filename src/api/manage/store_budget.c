/* The SQL of budgets: what they are, and what of them is spent. */
#include "api/manage/store.h"

#include "util/banned.h"

/* Amounts as they are shown: dollars or tokens. */
#define SHOWN(x)                                                               \
	"to_jsonb(trim_scale(CASE b.unit WHEN 'usd' THEN (" x ")::numeric / "  \
	"1000000000 ELSE (" x ")::numeric END)), "
#define STARTS "date_trunc(b.period, now(), 'UTC')"
#define RESETS                                                                 \
	"((date_trunc(b.period, now() AT TIME ZONE 'UTC') + "                  \
	"('1 ' || b.period)::interval) AT TIME ZONE 'UTC')"
#define SPENT "coalesce(p.spent, 0)"
#define RESERVED                                                               \
	"coalesce((SELECT sum(l.reserved) FROM budget_leases l "               \
	"WHERE l.account_id = b.account_id AND l.budget_id = b.id "            \
	"AND l.starts_at = p.starts_at), 0)"
#define LEFT "greatest(b.amount - " SPENT " - " RESERVED ", 0)"
#define WHAT "b.id, b.name, b.scope, b.subject_id, b.period, b.unit, "
#define RULES "b.soft_percent, b.hard, b.status, "
#define UNPRICED "coalesce(p.unpriced, 0), "
#define TIMES ROWS_UTC(STARTS) ", " ROWS_UTC(RESETS) ", "
#define MADE ROWS_UTC("p.alerted_at") ", " ROWS_UTC("b.created_at")
#define SUMS SHOWN(SPENT) SHOWN(RESERVED) SHOWN(LEFT)
#define COLS WHAT SHOWN("b.amount") RULES TIMES SUMS UNPRICED MADE
#define FROM                                                                   \
	" FROM budgets b LEFT JOIN budget_periods p "                          \
	"ON p.account_id = b.account_id AND p.budget_id = b.id "               \
	"AND p.starts_at = " STARTS " WHERE b.account_id = $1::uuid "
#define STATE STORE_STATE("name, amount, soft_percent, hard, status")

const struct rows_col manage_store_budget_cols[] = { { "id", ROW_TEXT },
	{ "name", ROW_TEXT }, { "scope", ROW_TEXT }, { "subject_id", ROW_TEXT },
	{ "period", ROW_TEXT }, { "unit", ROW_TEXT }, { "limit", ROW_JSON },
	{ "soft_percent", ROW_INT }, { "hard", ROW_BOOL },
	{ "status", ROW_TEXT }, { "starts_at", ROW_TEXT },
	{ "resets_at", ROW_TEXT }, { "spent", ROW_JSON },
	{ "reserved", ROW_JSON }, { "left", ROW_JSON }, { "unpriced", ROW_INT },
	{ "alerted_at", ROW_TEXT }, { "created_at", ROW_TEXT },
	{ NULL, ROW_END } };
const struct db_stmt manage_store_budget = { "manage_budget",
	"SELECT " COLS ", " STATE FROM "AND b.id = $2::uuid" };
const struct db_stmt manage_store_budget_lock = { "manage_budget_lock",
	STORE_LOCK(STATE, "budgets WHERE account_id = $1::uuid "
			  "AND id = $2::uuid") };
const struct db_stmt manage_store_budgets = { "manage_budgets",
	"SELECT " COLS ", b.id" FROM "AND ($2::text IS NULL OR b.status = $2) "
	"AND ($3::uuid IS NULL OR b.id > $3::uuid) "
	"ORDER BY b.id LIMIT $4::integer" };

#define AMOUNT(n, unit)                                                        \
	"CASE " unit " WHEN 'usd' THEN round(" n "::numeric * 1000000000) "    \
	"ELSE round(" n "::numeric) END::bigint, "
#define IN_ACCOUNT(table, id)                                                  \
	"EXISTS (SELECT FROM " table " WHERE account_id = $1::uuid "           \
	"AND " id " = $5::uuid) "
/* Only for an agent, a key or a member of the account. */
#define SUBJECT                                                                \
	"CASE $4::text WHEN 'account' THEN $5::uuid IS NULL "                  \
	"WHEN 'agent' THEN " IN_ACCOUNT(                                       \
	    "agent_instances", "id") "ELSE " IN_ACCOUNT("api_keys",            \
	    "id") "OR " IN_ACCOUNT("widget_keys",                              \
	    "id") "OR " IN_ACCOUNT("memberships", "user_id") "END "
const struct db_stmt manage_store_budget_create = { "manage_budget_create",
	"WITH new AS (INSERT INTO budgets (account_id, id, name, scope, "
	"subject_id, period, unit, amount, soft_percent, hard, status, "
	"created_at) SELECT $1, $2, $3, $4, $5::uuid, $6, $7, " AMOUNT(
	    "$8", "$7::text") "$9::smallint, $10::boolean, $11, "
			      "$12::timestamptz WHERE " SUBJECT
			      "RETURNING 1) SELECT gate.found(count(*), "
			      "'subject') FROM new" };
const struct db_stmt manage_store_budget_period = { "manage_budget_period",
	"INSERT INTO budget_periods (account_id, budget_id, starts_at, spent, "
	"unpriced) SELECT account_id, id, date_trunc(period, now(), 'UTC'), "
	"$3::bigint, $4::bigint FROM budgets WHERE account_id = $1::uuid "
	"AND id = $2::uuid ON CONFLICT DO NOTHING" };
const struct db_stmt manage_store_budget_used = { "manage_budget_used",
	"SELECT used, unpriced FROM gate.budget_used($1::uuid, $2, $3::uuid, "
	"$4, date_trunc($5, now(), 'UTC'))" };
const struct db_stmt manage_store_budget_change = { "manage_budget_change",
	"UPDATE budgets SET name = $3, amount = " AMOUNT(
	    "$4", "unit") "soft_percent = $5::smallint, hard = $6::boolean, "
			  "status = $7 "
			  "WHERE account_id = $1::uuid AND id = $2::uuid" };
const struct db_stmt manage_store_budget_delete = { "manage_budget_delete",
	"DELETE FROM budgets WHERE account_id = $1::uuid AND id = $2::uuid" };
