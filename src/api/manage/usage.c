/*
 * What was used and how well it went: totals and series from the roll-ups, as
 * JSON or as CSV.
 * Latencies are counted in classes, so percentiles are as fine as these.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "account/account.h"
#include "api/manage/manage.h"
#include "api/manage/percentile.h"
#include "api/manage/store.h"
#include "api/reply.h"
#include "http/request.h"
#include "http/response.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/csv.h"
#include "util/mem.h"
#include "util/str.h"

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
#define GROUP_COLS 6 /* the first ones of manage_store_usage_cols */

struct asked {
	int64_t from, hours_from, days_from, days_to, hours_to, to;
	bool by_agent, by_model, by_key, by_credential;
	const char *unit; /* "hour", "day" or NULL */
	const char *agent, *model, *key, *credential;
	bool csv;
};

/* A report: its statements and how an entry is finished. */
struct kind {
	const struct db_stmt *sums;
	const struct db_stmt *by_caller; /* NULL: that is not known */
	void (*finish)(json_t *);
	const char *groups; /* what it goes by, for errors */
};

static bool
by_caller(const struct asked *a)
{
	return a->by_key || a->by_credential || a->key != NULL ||
	       a->credential != NULL;
}

static int
add_group(struct asked *a, const struct kind *k, const char *word, size_t n,
    struct err *e)
{
	if (n == 5 && memcmp(word, "agent", n) == 0)
		a->by_agent = true;
	else if (n == 5 && memcmp(word, "model", n) == 0)
		a->by_model = true;
	else if (k->by_caller && n == 3 && memcmp(word, "key", n) == 0)
		a->by_key = true;
	else if (k->by_caller && n == 10 && memcmp(word, "credential", n) == 0)
		a->by_credential = true;
	else if (n == 4 && memcmp(word, "hour", n) == 0 && a->unit == NULL)
		a->unit = "hour";
	else if (n == 3 && memcmp(word, "day", n) == 0 && a->unit == NULL)
		a->unit = "day";
	else
		return err_set(e, ERR_INVALID,
		    "group must be a list of %s and one of hour, day",
		    k->groups);
	return 0;
}

static int
read_group(
    struct manage *m, struct asked *a, const struct kind *k, struct err *e)
{
	const char *text = manage_query(m, "group", e);

	if (text == NULL)
		return e->code == ERR_NONE ? 0 : -1;
	for (;;) {
		size_t n = strcspn(text, ",");

		if (add_group(a, k, text, n, e) != 0)
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
read_id(struct manage *m, const char *name, const char **ret, struct err *e)
{
	struct uuid id;

	*ret = manage_query(m, name, e);
	if (*ret == NULL)
		return e->code == ERR_NONE ? 0 : -1;
	if (id_parse(*ret, strlen(*ret), &id) != 0)
		return err_set(e, ERR_INVALID, "%s must be an id", name);
	return 0;
}

/* Of ?credential=none, too: answers that needed none of the pool. */
static int
read_credential(struct manage *m, struct asked *a, struct err *e)
{
	const char *text = manage_query(m, "credential", e);

	if (text != NULL && strcmp(text, "none") == 0) {
		a->credential = "00000000-0000-0000-0000-000000000000";
		return 0;
	}
	return e->code == ERR_NONE ? read_id(m, "credential", &a->credential, e)
	                           : -1;
}

static int
read_filters(
    struct manage *m, struct asked *a, const struct kind *k, struct err *e)
{
	static const char *const formats[] = { "json", "csv", NULL };
	const char *format, *accept = http_header(m->req, "accept");

	if (read_id(m, "agent", &a->agent, e) != 0)
		return -1;
	if (k->by_caller != NULL && (read_id(m, "key", &a->key, e) != 0 ||
					read_credential(m, a, e) != 0))
		return -1;
	a->model = manage_query(m, "model", e);
	if (e->code != ERR_NONE)
		return -1;
	if (k->by_caller == NULL)
		return 0;
	format = manage_word(m, "format", formats, e);
	if (e->code != ERR_NONE)
		return -1;
	a->csv = format != NULL
	             ? strcmp(format, "csv") == 0
	             : accept != NULL && str_starts(accept, "text/csv");
	return 0;
}

static const char *
number(struct manage *m, int64_t v)
{
	return mem_printf(m->ctx, "%" PRId64, v);
}

static const char *
flag(bool on)
{
	return on ? "t" : "f";
}

static struct db_call
sums_call(
    struct manage *m, const struct kind *k, const struct asked *a, bool totals)
{
	bool caller = by_caller(a);

	return (struct db_call){ .stmt = caller ? k->by_caller : k->sums,
		.param = { m->account, number(m, a->from),
		    number(m, a->hours_from), number(m, a->days_from),
		    number(m, a->days_to), number(m, a->hours_to),
		    number(m, a->to), flag(!totals && a->by_agent),
		    flag(!totals && a->by_model), totals ? NULL : a->unit,
		    a->agent, a->model, flag(!totals && a->by_key),
		    flag(!totals && a->by_credential), a->key, a->credential },
		.nparams = caller ? 16 : 12 };
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
	if (a == NULL || !a->by_key) {
		json_object_del(o, "key_kind");
		json_object_del(o, "key_id");
	}
	if (a == NULL || !a->by_credential)
		json_object_del(o, "credential_id");
	if (a == NULL || a->unit == NULL)
		json_object_del(o, "at");
	finish(o);
	return o;
}

static json_t *
nothing(void (*finish)(json_t *))
{
	json_t *o = json_object();

	for (const struct rows_col *c = manage_store_usage_cols + GROUP_COLS;
	     c->kind != ROW_END; c++)
		json_object_set_new(o, c->key,
		    c->kind == ROW_REAL   ? json_real(0)
		    : c->kind == ROW_JSON ? json_array()
					  : json_integer(0));
	finish(o);
	return o;
}

/* The series, or without one the totals. */
static int
answer_csv(struct manage *m, const struct asked *a, const json_t *totals,
    const json_t *series)
{
	json_auto_t *one = json_pack("[O]", totals);
	const char *keys[32];
	const json_t *first;
	int n = 0;
	struct buf b;

	if (a->unit != NULL)
		keys[n++] = "at";
	if (a->by_agent)
		keys[n++] = "agent_id";
	if (a->by_model)
		keys[n++] = "model";
	if (a->by_key) {
		keys[n++] = "key_kind";
		keys[n++] = "key_id";
	}
	if (a->by_credential)
		keys[n++] = "credential_id";
	first = n > 0 ? series : one;
	for (const struct rows_col *c = manage_store_usage_cols + GROUP_COLS;
	     c->kind != ROW_END; c++)
		if (json_object_get(totals, c->key) != NULL)
			keys[n++] = c->key;
	keys[n] = NULL;
	buf_init(&b, m->ctx, REPLY_MAX);
	csv_table(&b, first, keys);
	http_set(m->resp, "Content-Disposition",
	    "attachment; filename=\"usage.csv\"");
	reply_buf(m->resp, 200, "text/csv; charset=utf-8", &b);
	return 0;
}

static int
report(struct manage *m, const struct kind *k, struct err *e)
{
	struct asked a = { 0 };
	char from[CLOCK_RFC3339_SIZE], to[CLOCK_RFC3339_SIZE];
	json_auto_t *series = json_array(), *totals = NULL, *answer = NULL;

	if (read_group(m, &a, k, e) != 0 || read_span(m, &a, e) != 0 ||
	    read_filters(m, &a, k, e) != 0)
		return -1;
	struct db_call calls[2] = { sums_call(m, k, &a, true),
		sums_call(m, k, &a, false) };
	bool grouped = a.by_agent || a.by_model || a.by_key ||
	               a.by_credential || a.unit != NULL;

	if (db_run(m->app->db, DB_READ_STALE_OK, &m->who->account->id, calls,
		grouped ? 2 : 1, m->req->started + READ_WAIT, m->ctx, e) != 0)
		return -1;
	if (grouped && db_rows(calls[1].result) > ROWS_MOST)
		return err_set(e, ERR_INVALID,
		    "more than %d rows: ask for a shorter time or fewer groups",
		    ROWS_MOST);
	for (int i = 0; grouped && i < db_rows(calls[1].result); i++)
		json_array_append_new(
		    series, entry(&a, calls[1].result, i, k->finish));
	totals = db_rows(calls[0].result) > 0
	             ? entry(NULL, calls[0].result, 0, k->finish)
	             : nothing(k->finish);
	if (a.csv)
		return answer_csv(m, &a, totals, series);
	clock_rfc3339(a.from, from);
	clock_rfc3339(a.to, to);
	answer = json_pack("{s:s, s:s, s:O, s:O}", "from", from, "to", to,
	    "totals", totals, "series", series);
	return manage_answer(m, 200, answer, NULL);
}

static int
usage(struct manage *m, struct err *e)
{
	static const struct kind kind = { &manage_store_usage,
		&manage_store_usage_by_caller, usage_entry,
		"agent, model, key, credential" };

	return report(m, &kind, e);
}
MANAGE_HANDLER(api_usage, usage)

static int
metrics(struct manage *m, struct err *e)
{
	static const struct kind kind = { &manage_store_metrics, NULL,
		metrics_entry, "agent, model" };

	return report(m, &kind, e);
}
MANAGE_HANDLER(api_account_metrics, metrics)
