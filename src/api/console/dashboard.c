/* How the account does: figures beside those of the period before, charts, the
 * most used agents and models; for who may see no usage, where to go. */
#include <stdio.h>
#include <string.h>

#include "api/console/console.h"
#include "api/handlers.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/rfc3339.h"

#include "util/banned.h"

#define SECOND INT64_C(1000000)
#define STEPS_MOST 100
#define SHOWN 6 /* agents and models */

static const char *const periods[] = { "1h", "24h", "7d", "30d", "90d" };

static const char *
period_of(struct console *c)
{
	const char *asked = console_field(c, "period");

	for (size_t i = 0; i < sizeof(periods) / sizeof(periods[0]); i++)
		if (strcmp(asked, periods[i]) == 0)
			return periods[i];
	return "24h";
}

static void
add_periods(struct console *c, const char *now)
{
	json_t *list = json_array();

	for (size_t i = 0; i < sizeof(periods) / sizeof(periods[0]); i++)
		json_array_append_new(list,
		    json_pack("{s:s, s:s, s:b}", "text",
			console_text(
			    c, mem_printf(c->ctx, "dashboard.p%s", periods[i])),
			"href",
			console_path(
			    c, mem_printf(c->ctx, "?period=%s", periods[i])),
			"current", strcmp(periods[i], now) == 0));
	console_set(c, "periods", list);
	console_set(c, "here_period",
	    json_string(
		console_path(c, mem_printf(c->ctx, "?period=%s", now))));
}

static double
real(const json_t *o, const char *name)
{
	return json_number_value(json_object_get(o, name));
}

static double
tokens(const json_t *o)
{
	return real(o, "input_tokens") + real(o, "output_tokens");
}

/* "+12%" of what was before; which way is good: +1 up, -1 down, 0 neither. */
static json_t *
change(struct console *c, double now, double before, int good)
{
	double share;
	const char *kind = "flat";
	json_auto_t *moved = NULL, *text = NULL;

	if (before <= 0)
		return json_null();
	share = now / before - 1;
	if (good != 0 && (share > 0.005 || share < -0.005))
		kind = (share > 0) == (good > 0) ? "better" : "worse";
	moved = json_real(share < 0 ? -share : share);
	if (share > 9.99)
		text = json_string("> 999%");
	else
		text = console_percent(c, moved);
	return json_pack("{s:s, s:s, s:o}", "kind", kind, "sign",
	    share > 0.005    ? "▲"
	    : share < -0.005 ? "▼"
			     : "=",
	    "text", json_incref(text));
}

static void
card(struct console *c, json_t *cards, const char *name, json_t *value,
    json_t *moved, json_t *more)
{
	json_array_append_new(cards,
	    json_pack("{s:s, s:o, s:o, s:o?}", "label",
		console_text(c, mem_printf(c->ctx, "dashboard.%s", name)),
		"value", json_is_null(value) ? json_string("–") : value,
		"change", moved, "more", more));
}

static json_t *
p50_text(struct console *c, const json_t *now)
{
	json_auto_t *p50 =
	    console_ms(c, json_object_get(now, "latency_ms_p50"));

	if (json_is_null(p50))
		return NULL;
	return json_sprintf("%s %s", console_text(c, "dashboard.median"),
	    json_string_value(p50));
}

static json_t *
split_text(struct console *c, const json_t *now)
{
	json_auto_t *in = console_short(c, (int64_t)real(now, "input_tokens")),
		    *out =
			console_short(c, (int64_t)real(now, "output_tokens"));

	return json_sprintf("%s %s · %s %s", json_string_value(in),
	    console_text(c, "dashboard.in"), json_string_value(out),
	    console_text(c, "dashboard.out"));
}

static json_t *
count_text(struct console *c, double n, const char *what)
{
	json_auto_t *number = console_number(c, (int64_t)n);

	if (n <= 0)
		return NULL;
	return json_sprintf(
	    "%s %s", json_string_value(number), console_text(c, what));
}

static void
add_cards(struct console *c, const json_t *now, const json_t *before)
{
	json_t *cards = json_array();

	card(c, cards, "requests",
	    console_short(c, (int64_t)real(now, "requests")),
	    change(c, real(now, "requests"), real(before, "requests"), 0),
	    count_text(c, real(now, "cancelled"), "dashboard.cancelled"));
	card(c, cards, "p95",
	    console_ms(c, json_object_get(now, "latency_ms_p95")),
	    change(c, real(now, "latency_ms_p95"),
		real(before, "latency_ms_p95"), -1),
	    p50_text(c, now));
	card(c, cards, "errors",
	    console_percent(c, json_object_get(now, "error_rate")),
	    change(c, real(now, "error_rate"), real(before, "error_rate"), -1),
	    count_text(c, real(now, "failed"), "dashboard.failed"));
	card(c, cards, "tokens", console_short(c, (int64_t)tokens(now)),
	    change(c, tokens(now), tokens(before), 0), split_text(c, now));
	card(c, cards, "cost",
	    console_money(c, json_object_get(now, "cost_usd")),
	    change(c, real(now, "cost_usd"), real(before, "cost_usd"), 0),
	    count_text(c, real(now, "unpriced"), "dashboard.unpriced"));
	console_set(c, "cards", cards);
}

/* --- charts --------------------------------------------------------------- */

struct series {
	int64_t from, step;
	int n;
	double requests[STEPS_MOST], p95[STEPS_MOST], cost[STEPS_MOST];
};

static void
read_series(const json_t *overview, struct series *s)
{
	int64_t to = 0, at;
	json_t *v;
	size_t i;

	*s = (struct series){ .n = 0 };
	(void)rfc3339_read(
	    json_string_value(json_object_get(overview, "from")), &s->from);
	(void)rfc3339_read(
	    json_string_value(json_object_get(overview, "to")), &to);
	s->step =
	    json_integer_value(json_object_get(overview, "step_seconds")) *
	    SECOND;
	if (s->step <= 0)
		return;
	s->n = (int)((to - s->from) / s->step);
	if (s->n > STEPS_MOST)
		s->n = STEPS_MOST;
	json_array_foreach(json_object_get(overview, "series"), i, v)
	{
		const char *text = json_string_value(json_object_get(v, "at"));

		if (text == NULL || rfc3339_read(text, &at) != 0 ||
		    at < s->from || at >= s->from + s->n * s->step)
			continue;
		s->requests[(at - s->from) / s->step] = real(v, "requests");
		s->p95[(at - s->from) / s->step] = real(v, "latency_ms_p95");
		s->cost[(at - s->from) / s->step] = real(v, "cost_usd");
	}
}

static json_t *
show_count(const struct console *c, double v)
{
	if (v > 0 && v < 4 && v != (double)(int)v)
		return json_string("");
	return console_short(c, (int64_t)(v + 0.5));
}

static json_t *
show_ms(const struct console *c, double v)
{
	json_auto_t *ms = json_real(v);

	return console_ms(c, ms);
}

static json_t *
show_money(const struct console *c, double v)
{
	json_auto_t *usd = json_real(v);

	return console_money(c, usd);
}

static void
add_charts(struct console *c, const json_t *overview)
{
	struct series *s = mem_new(c->ctx, struct series);
	json_t *charts = json_array();

	read_series(overview, s);
	const struct chart all[] = {
		{ "requests", console_text(c, "dashboard.chart_requests"),
		    console_text(c, "dashboard.requests"), s->from, s->step,
		    s->n, s->requests, true, show_count },
		{ "latency", console_text(c, "dashboard.chart_latency"),
		    console_text(c, "dashboard.p95"), s->from, s->step, s->n,
		    s->p95, false, show_ms },
		{ "cost", console_text(c, "dashboard.chart_cost"),
		    console_text(c, "dashboard.cost"), s->from, s->step, s->n,
		    s->cost, false, show_money },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		json_array_append_new(charts, console_chart(c, &all[i]));
	console_set(c, "charts", charts);
}

/* --- who was asked -------------------------------------------------------- */

static const char *
agent_name(const json_t *agents, const char *id)
{
	json_t *v;
	size_t i;

	json_array_foreach(json_object_get(agents, "data"), i,
	    v) if (id != NULL &&
		   strcmp(json_string_value(json_object_get(v, "id")), id) == 0)
	{
		const char *name =
		    json_string_value(json_object_get(v, "display_name"));

		return name != NULL && *name != '\0'
		           ? name
		           : json_string_value(
				 json_object_get(v, "instance_name"));
	}
	return NULL;
}

static json_t *
share_row(struct console *c, const json_t *v, double all)
{
	double n = real(v, "requests");
	json_auto_t *part = json_real(all > 0 ? n / all : 0);

	return json_pack("{s:o, s:o, s:o, s:i, s:o}", "requests",
	    console_number(c, (int64_t)n), "tokens",
	    console_short(c, (int64_t)tokens(v)), "cost",
	    console_money(c, json_object_get(v, "cost_usd")), "width",
	    (int)(all > 0 ? 100 * n / all + 0.5 : 0), "share",
	    console_percent(c, part));
}

static void
add_shares(struct console *c, const json_t *overview, const json_t *agents)
{
	double all = real(json_object_get(overview, "totals"), "requests");
	json_t *by_agent = json_array(), *by_model = json_array(), *v, *row;
	size_t i;

	json_array_foreach(json_object_get(overview, "agents"), i, v)
	{
		const char *id =
		    json_string_value(json_object_get(v, "agent_id"));
		const char *name = agent_name(agents, id);

		if (i >= SHOWN || id == NULL)
			break;
		row = share_row(c, v, all);
		json_object_set_new(row, "name",
		    json_string(
			name != NULL ? name : console_text(c, "agents.gone")));
		if (name != NULL)
			json_object_set_new(row, "href",
			    json_string(console_path(
				c, mem_printf(c->ctx, "agents/%s", id))));
		json_array_append_new(by_agent, row);
	}
	json_array_foreach(json_object_get(overview, "models"), i, v)
	{
		const char *name =
		    json_string_value(json_object_get(v, "model"));

		if (i >= SHOWN)
			break;
		row = share_row(c, v, all);
		json_object_set_new(row, "name",
		    json_string(name != NULL && *name != '\0'
				    ? name
				    : console_text(c, "dashboard.no_model")));
		json_array_append_new(by_model, row);
	}
	console_set(c, "any", json_boolean(json_array_size(by_model) > 0));
	console_set(c, "by_agent", by_agent);
	console_set(c, "by_model", by_model);
}

/* The next step of who has just begun. */
static void
add_steps(struct console *c, const json_t *agents, bool quiet)
{
	json_t *first = json_array_get(json_object_get(agents, "data"), 0);

	if (!quiet)
		return;
	console_set(c, "begin",
	    json_pack("{s:b, s:s, s:b, s:s, s:b}", "agent", first != NULL,
		"agents", console_path(c, "agents"), "make",
		console_may(c, PERM_AGENT_WRITE), "keys",
		console_path(c, "keys"), "key",
		console_may(c, PERM_KEY_WRITE)));
}

static int
dashboard(struct console *c)
{
	const char *period = period_of(c);
	json_t *overview, *agents = NULL, *totals;

	console_title(c, console_text(c, "dashboard.title"), NULL);
	if (!console_may(c, PERM_USAGE_READ)) {
		console_set(c, "plain", json_true());
		return 0;
	}
	overview = console_get(c, "/overview?period=%s", period);
	if (overview == NULL)
		return -1;
	if (console_may(c, PERM_AGENT_READ) &&
	    (agents = console_get(c, "/agents?limit=200")) == NULL)
		return -1;
	totals = json_object_get(overview, "totals");
	add_periods(c, period);
	add_cards(c, totals, json_object_get(overview, "before"));
	add_charts(c, overview);
	add_shares(c, overview, agents);
	add_steps(c, agents, real(totals, "requests") <= 0);
	console_set(c, "live", json_true());
	return 0;
}
CONSOLE_PAGE(console_dashboard, "dashboard", "dashboard", dashboard)
