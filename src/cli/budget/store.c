/* The SQL of switchboard budget. */
#include "cli/budget/store.h"

#include "audit/audit.h"
#include "cli/rows.h"
#include "util/mem.h"

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
#define SUMS SHOWN(SPENT) SHOWN(RESERVED) SHOWN(LEFT)
#define COLS                                                                   \
	WHAT SHOWN("b.amount") RULES SUMS                                      \
	    "coalesce(p.unpriced, 0), " ROWS_UTC(RESETS)

static const struct db_stmt list_sql = { "cli_budget_list",
	"SELECT " COLS " FROM budgets b LEFT JOIN budget_periods p "
	"ON p.account_id = b.account_id AND p.budget_id = b.id "
	"AND p.starts_at = " STARTS
	" WHERE b.account_id = $1::uuid ORDER BY b.id" };
static const struct rows_col cols[] = { { "id", ROW_TEXT },
	{ "name", ROW_TEXT }, { "scope", ROW_TEXT }, { "subject_id", ROW_TEXT },
	{ "period", ROW_TEXT }, { "unit", ROW_TEXT }, { "limit", ROW_JSON },
	{ "soft_percent", ROW_INT }, { "hard", ROW_BOOL },
	{ "status", ROW_TEXT }, { "spent", ROW_JSON }, { "reserved", ROW_JSON },
	{ "left", ROW_JSON }, { "unpriced", ROW_INT },
	{ "resets_at", ROW_TEXT }, { NULL, ROW_END } };

int
store_budget_list(
    struct db_pool *db, const struct uuid *account, json_t **ret, struct err *e)
{
	char id[UUID_TEXT];

	id_format(account, id);
	struct db_call call = { &list_sql, .param = { id }, .nparams = 1 };

	return rows_list(db, account, &call, cols, ret, e);
}

/* ${n} calls of a change and its record. */
static int
record(struct db_pool *db, const struct uuid *account, struct db_call *calls,
    int n, const char *action, const json_t *before, const json_t *after,
    const struct audit_entry *who, struct err *e)
{
	struct audit_entry entry = *who;
	void *ctx = mem_root("budget");
	int rc;

	entry.action = action;
	entry.object_kind = "budget";
	entry.object_id = calls[0].param[1];
	entry.before = before;
	entry.after = after;
	rc = rows_record(db, account, calls, n, &entry, ctx, e);
	mem_free(ctx);
	return rc;
}

#define AMOUNT(n, unit)                                                        \
	"CASE " unit " WHEN 'usd' THEN round(" n "::numeric * 1000000000) "    \
	"ELSE round(" n "::numeric) END::bigint, "
#define IN_ACCOUNT(table, id)                                                  \
	"EXISTS (SELECT FROM " table " WHERE account_id = $1::uuid "           \
	"AND " id " = $5::uuid) "
#define SUBJECT                                                                \
	"CASE $4::text WHEN 'account' THEN $5::uuid IS NULL "                  \
	"WHEN 'agent' THEN " IN_ACCOUNT(                                       \
	    "agent_instances", "id") "ELSE " IN_ACCOUNT("api_keys",            \
	    "id") "OR " IN_ACCOUNT("widget_keys",                              \
	    "id") "OR " IN_ACCOUNT("memberships", "user_id") "END "
static const struct db_stmt used_sql = { "cli_budget_used",
	"SELECT used, unpriced FROM gate.budget_used($1::uuid, $2, $3::uuid, "
	"$4, date_trunc($5, now(), 'UTC'))" };
static const struct rows_col used_cols[] = { { "used", ROW_TEXT },
	{ "unpriced", ROW_TEXT }, { NULL, ROW_END } };
static const struct db_stmt make_sql = { "cli_budget_make",
	"WITH new AS (INSERT INTO budgets (account_id, id, name, scope, "
	"subject_id, period, unit, amount, soft_percent, hard, status) "
	"SELECT $1, $2, $3, $4, $5::uuid, $6, $7, " AMOUNT(
	    "$8", "$7::text") "$9::smallint, $10::boolean, $11 WHERE " SUBJECT
			      "RETURNING 1) SELECT gate.found(count(*), 'agent "
			      "or key') FROM new" };
static const struct db_stmt period_sql = { "cli_budget_period",
	"INSERT INTO budget_periods (account_id, budget_id, starts_at, spent, "
	"unpriced) SELECT account_id, id, date_trunc(period, now(), 'UTC'), "
	"$3::bigint, $4::bigint FROM budgets WHERE account_id = $1::uuid "
	"AND id = $2::uuid ON CONFLICT DO NOTHING" };

int
store_budget_make(struct db_pool *db, const struct uuid *account,
    const struct store_budget *b, const struct audit_entry *who, struct err *e)
{
	char aid[UUID_TEXT], id[UUID_TEXT];
	json_auto_t *used = NULL, *after = NULL;
	const json_t *row;
	struct uuid u;

	id_new(&u);
	id_format(&u, id);
	id_format(account, aid);
	struct db_call so_far = { &used_sql,
		.param = { aid, b->scope, b->subject, b->unit, b->period },
		.nparams = 5 };

	if (rows_list(db, account, &so_far, used_cols, &used, e) != 0)
		return -1;
	row = json_array_get(used, 0);
	struct db_call calls[] = {
		{ &make_sql,
		    .param = { aid, id, b->name, b->scope, b->subject,
			b->period, b->unit, b->limit, b->soft,
			b->hard ? "t" : "f", b->paused ? "paused" : "active" },
		    .nparams = 11 },
		{ &period_sql,
		    .param = { aid, id,
			json_string_value(json_object_get(row, "used")),
			json_string_value(json_object_get(row, "unpriced")) },
		    .nparams = 4 },
	};

	after =
	    json_pack("{s:s, s:s, s:s?, s:s, s:s, s:s, s:s?, s:b, s:b}", "name",
		b->name, "scope", b->scope, "subject_id", b->subject, "period",
		b->period, "unit", b->unit, "limit", b->limit, "soft_percent",
		b->soft, "hard", (int)b->hard, "paused", (int)b->paused);
	return record(
	    db, account, calls, 2, "budget.create", NULL, after, who, e);
}

static const struct db_stmt change_sql = { "cli_budget_change",
	"UPDATE budgets SET amount = " AMOUNT(
	    "$3", "unit") "soft_percent = $4::smallint, hard = $5::boolean, "
			  "status = $6 "
			  "WHERE account_id = $1::uuid AND id = $2::uuid" };

int
store_budget_change(struct db_pool *db, const struct uuid *account,
    const json_t *was, const struct store_budget *b,
    const struct audit_entry *who, struct err *e)
{
	json_auto_t *after = json_pack("{s:s, s:s?, s:b, s:b}", "limit",
	    b->limit, "soft_percent", b->soft, "hard", (int)b->hard, "paused",
	    (int)b->paused);
	char aid[UUID_TEXT];

	id_format(account, aid);
	struct db_call call = { &change_sql,
		.param = { aid, json_string_value(json_object_get(was, "id")),
		    b->limit, b->soft, b->hard ? "t" : "f",
		    b->paused ? "paused" : "active" },
		.nparams = 6 };

	return record(
	    db, account, &call, 1, "budget.update", was, after, who, e);
}

static const struct db_stmt remove_sql = { "cli_budget_remove",
	"DELETE FROM budgets WHERE account_id = $1::uuid AND id = $2::uuid" };

int
store_budget_remove(struct db_pool *db, const struct uuid *account,
    const json_t *was, const struct audit_entry *who, struct err *e)
{
	char aid[UUID_TEXT];

	id_format(account, aid);
	struct db_call call = { &remove_sql,
		.param = { aid, json_string_value(json_object_get(was, "id")) },
		.nparams = 2 };

	return record(
	    db, account, &call, 1, "budget.delete", was, NULL, who, e);
}
