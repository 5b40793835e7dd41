/*
 * How an account has done of late: one period up to now beside the one before,
 * from the roll-ups, in one round trip.
 */
#include <inttypes.h>
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
#define MINUTES (60 * SECOND)
#define HOUR (60 * MINUTES)
#define DAY (24 * HOUR)
/* The last sums of hours and days are still being made. */
#define HOURS_SUMMED (3 * HOUR)
#define DAYS_SUMMED (3 * DAY)

static const struct period {
	const char *word;
	int64_t span, step;
	const char *width; /* the step, as SQL has it */
	bool hours, days;  /* are sums of these read? */
} periods[] = {
	{ "1h", HOUR, 5 * MINUTES, "5 minutes", false, false },
	{ "24h", DAY, HOUR, "1 hour", false, false },
	{ "7d", 7 * DAY, 6 * HOUR, "6 hours", true, false },
	{ "30d", 30 * DAY, DAY, "1 day", true, true },
	{ "90d", 90 * DAY, DAY, "1 day", true, true },
};
#define USUAL 1

static const struct period *
period_asked(struct manage *m, struct err *e)
{
	static const char *const words[] = { "1h", "24h", "7d", "30d", "90d",
		NULL };
	const char *word = manage_word(m, "period", words, e);

	if (e->code != ERR_NONE)
		return NULL;
	for (size_t i = 0; word != NULL && words[i] != NULL; i++)
		if (strcmp(words[i], word) == 0)
			return &periods[i];
	return &periods[USUAL];
}

static const char *
number(const struct manage *m, int64_t v)
{
	return mem_printf(m->ctx, "%" PRId64, v);
}

/* To where sums of ${unit} are whole, and not before ${from}. */
static int64_t
summed(bool read, int64_t from, int64_t to, int64_t unit, int64_t whole)
{
	int64_t end = to < whole ? to : whole;

	end -= end % unit;
	return read && end > from ? end : from;
}

static struct db_call
sums(const struct manage *m, const struct period *p, int64_t from, int64_t to,
    bool series, bool groups)
{
	int64_t now = clock_wall_us();
	int64_t days = summed(p->days, from, to, DAY, now - DAYS_SUMMED);
	int64_t hours = summed(p->hours, days, to, HOUR, now - HOURS_SUMMED);

	return (struct db_call){ .stmt = &manage_store_overview,
		.param = { m->account, number(m, from), number(m, days),
		    number(m, hours), number(m, to), series ? p->width : NULL,
		    groups ? "t" : "f" },
		.nparams = 7 };
}

static json_int_t
figure(const json_t *o, const char *name)
{
	return json_integer_value(json_object_get(o, name));
}

/* What a row says beside its sums. */
static void
finish(json_t *o)
{
	static const char *const inner[] = { "latency_ms_sum", "latency_ms_max",
		"latency_hist" };
	json_int_t requests = figure(o, "requests"),
		   max = figure(o, "latency_ms_max");
	json_t *hist = json_object_get(o, "latency_hist");

	json_object_set_new(o, "error_rate",
	    requests > 0
		? json_real((double)figure(o, "failed") / (double)requests)
		: json_null());
	json_object_set_new(o, "latency_ms_p50", percentile(hist, 50, max));
	json_object_set_new(o, "latency_ms_p95", percentile(hist, 95, max));
	for (size_t i = 0; i < sizeof(inner) / sizeof(inner[0]); i++)
		json_object_del(o, inner[i]);
}

static json_t *
row(const struct db_result *r, int i, bool at)
{
	json_t *o = rows_object(r, i, manage_store_usage_cols);

	for (int k = 0; k < MANAGE_USAGE_NAMES; k++)
		if (!at || strcmp(manage_store_usage_cols[k].key, "at") != 0)
			json_object_del(o, manage_store_usage_cols[k].key);
	finish(o);
	return o;
}

static json_t *
total(const struct db_result *r)
{
	json_t *o;

	if (db_rows(r) > 0)
		return row(r, 0, false);
	o = json_object();
	for (const struct rows_col *c =
		 manage_store_usage_cols + MANAGE_USAGE_NAMES;
	     c->kind != ROW_END; c++)
		json_object_set_new(o, c->key,
		    c->kind == ROW_REAL   ? json_real(0)
		    : c->kind == ROW_JSON ? json_array()
					  : json_integer(0));
	finish(o);
	return o;
}

/* Add a row's sums to what ${list} has of the same ${key}. */
static void
add(json_t *list, const char *key, const json_t *what, const json_t *from)
{
	static const char *const names[] = { "requests", "failed", "cancelled",
		"input_tokens", "output_tokens", "cached_input_tokens",
		"reasoning_tokens", "unpriced" };
	const json_t *cost = json_object_get(from, "cost_usd");
	json_t *to = NULL, *v;
	size_t i;

	json_array_foreach(
	    list, i, v) if (json_equal(json_object_get(v, key), what)) to = v;
	if (to == NULL) {
		to = json_pack("{s:O, s:n}", key, what, "cost_usd");
		json_array_append_new(list, to);
	}
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		json_object_set_new(to, names[i],
		    json_integer(
			figure(to, names[i]) + figure(from, names[i])));
	if (json_is_number(cost))
		json_object_set_new(to, "cost_usd",
		    json_real(
			json_number_value(cost) +
			json_number_value(json_object_get(to, "cost_usd"))));
}

/* The most used first; a list is short. */
static void
sort(json_t *list)
{
	for (size_t i = 1; i < json_array_size(list); i++)
		for (size_t j = i; j > 0; j--) {
			json_t *a = json_array_get(list, j - 1),
			       *b = json_array_get(list, j);

			if (figure(a, "requests") >= figure(b, "requests"))
				break;
			json_incref(a);
			json_array_set(list, j - 1, b);
			json_array_set_new(list, j, a);
		}
}

static int
overview(struct manage *m, struct err *e)
{
	const struct period *p = period_asked(m, e);
	char from_text[CLOCK_RFC3339_SIZE], to_text[CLOCK_RFC3339_SIZE];
	json_auto_t *series = json_array(), *agents = json_array(),
		    *models = json_array(), *answer = NULL;
	int64_t from, to;

	if (p == NULL)
		return -1;
	to = clock_wall_us();
	to += p->step - to % p->step;
	from = to - p->span;
	struct db_call calls[4] = { sums(m, p, from, to, false, false),
		sums(m, p, from - p->span, from, false, false),
		sums(m, p, from, to, true, false),
		sums(m, p, from, to, false, true) };

	if (db_run(m->app->db, DB_READ_STALE_OK, &m->who->account->id, calls, 4,
		m->req->started + READ_WAIT, m->ctx, e) != 0)
		return -1;
	for (int i = 0; i < db_rows(calls[2].result); i++)
		json_array_append_new(series, row(calls[2].result, i, true));
	for (int i = 0; i < db_rows(calls[3].result); i++) {
		json_auto_t *o =
		    rows_object(calls[3].result, i, manage_store_usage_cols);

		add(agents, "agent_id", json_object_get(o, "agent_id"), o);
		add(models, "model", json_object_get(o, "model"), o);
	}
	sort(agents);
	sort(models);
	clock_rfc3339(from, from_text);
	clock_rfc3339(to, to_text);
	answer = json_pack("{s:s, s:s, s:s, s:I, s:o, s:o, s:O, s:O, s:O}",
	    "period", p->word, "from", from_text, "to", to_text, "step_seconds",
	    (json_int_t)(p->step / SECOND), "totals", total(calls[0].result),
	    "before", total(calls[1].result), "series", series, "agents",
	    agents, "models", models);
	return manage_answer(m, 200, answer, NULL);
}
MANAGE_HANDLER(api_overview, overview)
