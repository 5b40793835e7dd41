/*
 * What was used and how well it went: totals and series from the roll-ups.
 * Latencies are counted in classes, so percentiles are as fine as these.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "account/account.h"
#include "api/manage/manage.h"
#include "api/manage/percentile.h"
#include "api/manage/store.h"
#include "http/request.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

#define READ_WAIT (10 * CLOCK_S)
#define SECOND INT64_C(1000000)
#define STEP (300 * SECOND) /* of the finest roll-up */
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)
#define USUAL_SPAN (30 * DAY)
#define LONGEST_SPAN (400 * DAY)
/* Longer spans read hourly and daily sums, but for the last ones, which are
 * still summed. */
#define FINE_SPAN (7 * DAY)
#define HOURS_SUMMED (3 * HOUR)
#define DAYS_SUMMED (3 * DAY)
#define ROWS_MOST 10000

struct asked {
	int64_t from, hours_from, days_from, days_to, hours_to, to;
	bool by_agent, by_model;
	const char *unit; /* "hour", "day" or NULL */
	const char *agent, *model;
};

static int
add_group(struct asked *a, const char *word, size_t n, struct err *e)
{
	if (n == 5 && memcmp(word, "agent", n) == 0)
		a->by_agent = true;
	else if (n == 5 && memcmp(word, "model", n) == 0)
		a->by_model = true;
	else if (n == 4 && memcmp(word, "hour", n) == 0 && a->unit == NULL)
		a->unit = "hour";
	else if (n == 3 && memcmp(word, "day", n) == 0 && a->unit == NULL)
		a->unit = "day";
	else
		return err_set(e, ERR_INVALID,
		    "group must be a list of agent, model and one of hour, "
		    "day");
	return 0;
}

static int
read_group(struct manage *m, struct asked *a, struct err *e)
{
	const char *text = manage_query(m, "group", e);

	if (text == NULL)
		return e->code == ERR_NONE ? 0 : -1;
	for (;;) {
		size_t n = strcspn(text, ",");

		if (add_group(a, text, n, e) != 0)
			return -1;
		if (text[n] == '\0')
			return 0;
		text += n + 1;
	}
}

/* The whole ${unit}s between ${from} and ${to} of those that are summed. */
static void
whole(int64_t from, int64_t to, int64_t unit, int64_t summed, int64_t *first,
    int64_t *last)
{
	*first = from + (unit - from % unit) % unit;
	*last = to < summed ? to : summed;
	*last -= *last % unit;
	if (*last < *first)
		*first = *last = from;
}

static void
whole_units(struct asked *a, int64_t now)
{
	a->hours_from = a->hours_to = a->days_from = a->days_to = a->from;
	if (a->to - a->from <= FINE_SPAN)
		return;
	whole(a->from, a->to, HOUR, now - HOURS_SUMMED, &a->hours_from,
	    &a->hours_to);
	a->days_from = a->days_to = a->hours_from;
	if (a->unit == NULL || strcmp(a->unit, "day") == 0)
		whole(a->hours_from, a->hours_to, DAY, now - DAYS_SUMMED,
		    &a->days_from, &a->days_to);
}

/* From when to when, in whole steps. */
static int
read_span(struct manage *m, struct asked *a, struct err *e)
{
	int64_t now = clock_wall_us();

	if (manage_time(m, "to", now, &a->to, e) != 0 ||
	    manage_time(m, "from", a->to - USUAL_SPAN, &a->from, e) != 0)
		return -1;
	if (a->from < 0)
		a->from = 0;
	a->from -= a->from % STEP;
	a->to += (STEP - a->to % STEP) % STEP;
	if (a->to <= a->from)
		return err_set(e, ERR_INVALID, "to must be after from");
	if (a->to - a->from > LONGEST_SPAN + DAY)
		return err_set(e, ERR_INVALID,
		    "from and to may be at most 400 days apart");
	whole_units(a, now);
	return 0;
}

static int
read_filters(struct manage *m, struct asked *a, struct err *e)
{
	struct uuid id;

	a->agent = manage_query(m, "agent", e);
	if (e->code != ERR_NONE)
		return -1;
	if (a->agent != NULL && id_parse(a->agent, strlen(a->agent), &id) != 0)
		return err_set(e, ERR_INVALID, "agent must be an agent's id");
	a->model = manage_query(m, "model", e);
	return e->code == ERR_NONE ? 0 : -1;
}

static const char *
number(struct manage *m, int64_t v)
{
	return mem_printf(m->ctx, "%" PRId64, v);
}

static struct db_call
sums_call(struct manage *m, const struct db_stmt *stmt, const struct asked *a,
    bool totals)
{
	return (struct db_call){ .stmt = stmt,
		.param = { m->account, number(m, a->from),
		    number(m, a->hours_from), number(m, a->days_from),
		    number(m, a->days_to), number(m, a->hours_to),
		    number(m, a->to), !totals && a->by_agent ? "t" : "f",
		    !totals && a->by_model ? "t" : "f", totals ? NULL : a->unit,
		    a->agent, a->model },
		.nparams = 12 };
}

/* Take out what was not asked for, and say what it means. */
static void
usage_entry(json_t *row)
{
	json_object_del(row, "latency_ms_sum");
	json_object_del(row, "latency_ms_max");
	json_object_del(row, "latency_hist");
}

static json_t *
rate(json_int_t part, json_int_t of)
{
	return of > 0 ? json_real((double)part / (double)of) : json_null();
}

static void
metrics_entry(json_t *row)
{
	static const char *const tokens[] = { "input_tokens", "output_tokens",
		"cached_input_tokens", "reasoning_tokens", "cost_usd",
		"unpriced", "latency_ms_sum", "latency_hist" };
	json_int_t requests =
		       json_integer_value(json_object_get(row, "requests")),
		   sum = json_integer_value(
		       json_object_get(row, "latency_ms_sum")),
		   max = json_integer_value(
		       json_object_get(row, "latency_ms_max"));
	json_t *hist = json_object_get(row, "latency_hist");
	json_int_t answers = percentile_count(hist);

	json_object_set_new(row, "error_rate",
	    rate(json_integer_value(json_object_get(row, "failed")), requests));
	json_object_set_new(row, "latency_ms_avg",
	    answers > 0 ? json_integer(sum / answers) : json_null());
	json_object_set_new(row, "latency_ms_p50", percentile(hist, 50, max));
	json_object_set_new(row, "latency_ms_p95", percentile(hist, 95, max));
	if (answers == 0)
		json_object_set_new(row, "latency_ms_max", json_null());
	for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++)
		json_object_del(row, tokens[i]);
}

/* What was not grouped by has no member. */
static json_t *
entry(const struct asked *a, const struct db_result *r, int row,
    void (*finish)(json_t *))
{
	json_t *o = rows_object(r, row, manage_store_usage_cols);

	if (a == NULL || !a->by_agent)
		json_object_del(o, "agent_id");
	if (a == NULL || !a->by_model)
		json_object_del(o, "model");
	if (a == NULL || a->unit == NULL)
		json_object_del(o, "at");
	finish(o);
	return o;
}

static json_t *
nothing(void (*finish)(json_t *))
{
	json_t *o = json_object();

	for (const struct rows_col *c = manage_store_usage_cols + 3;
	     c->kind != ROW_END; c++)
		json_object_set_new(o, c->key,
		    c->kind == ROW_REAL   ? json_real(0)
		    : c->kind == ROW_JSON ? json_array()
					  : json_integer(0));
	finish(o);
	return o;
}

static int
report(struct manage *m, const struct db_stmt *stmt, void (*finish)(json_t *),
    struct err *e)
{
	struct asked a = { 0 };
	char from[CLOCK_RFC3339_SIZE], to[CLOCK_RFC3339_SIZE];
	json_auto_t *series = json_array(), *answer = NULL;

	if (read_group(m, &a, e) != 0 || read_span(m, &a, e) != 0 ||
	    read_filters(m, &a, e) != 0)
		return -1;
	struct db_call calls[2] = { sums_call(m, stmt, &a, true),
		sums_call(m, stmt, &a, false) };
	bool grouped = a.by_agent || a.by_model || a.unit != NULL;

	if (db_run(m->app->db, DB_READ_STALE_OK, &m->who->account->id, calls,
		grouped ? 2 : 1, m->req->started + READ_WAIT, m->ctx, e) != 0)
		return -1;
	if (grouped && db_rows(calls[1].result) > ROWS_MOST)
		return err_set(e, ERR_INVALID,
		    "more than %d rows: ask for a shorter time or fewer groups",
		    ROWS_MOST);
	for (int i = 0; grouped && i < db_rows(calls[1].result); i++)
		json_array_append_new(
		    series, entry(&a, calls[1].result, i, finish));
	clock_rfc3339(a.from, from);
	clock_rfc3339(a.to, to);
	answer =
	    json_pack("{s:s, s:s, s:o, s:O}", "from", from, "to", to, "totals",
		db_rows(calls[0].result) > 0
		    ? entry(NULL, calls[0].result, 0, finish)
		    : nothing(finish),
		"series", series);
	return manage_answer(m, 200, answer, NULL);
}

static int
usage(struct manage *m, struct err *e)
{
	return report(m, &manage_store_usage, usage_entry, e);
}
MANAGE_HANDLER(api_usage, usage)

static int
metrics(struct manage *m, struct err *e)
{
	return report(m, &manage_store_metrics, metrics_entry, e);
}
MANAGE_HANDLER(api_account_metrics, metrics)
