/* Agents: the list, a new one from a template, one with what can be done to it.
 */
#include <string.h>

#include "agent/template.h"
#include "api/app.h"
#include "api/console/console.h"
#include "api/handlers.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/rfc3339.h"

#include "util/banned.h"

#define DAYS 14
#define DAY INT64_C(86400000000)
#define SHOWN 50

static const char *const times[] = { "created_at", "updated_at", "last_used_at",
	NULL };

/* Requests of each of the last days, drawn small. */
static json_t *
spark_of(const json_t *usage, const char *id, int64_t from)
{
	double days[DAYS] = { 0 };
	json_t *v;
	size_t i;

	json_array_foreach(json_object_get(usage, "series"), i, v)
	{
		const char *at = json_string_value(json_object_get(v, "at")),
			   *agent = json_string_value(
			       json_object_get(v, "agent_id"));
		int64_t us;

		if (at == NULL || agent == NULL || strcmp(agent, id) != 0 ||
		    rfc3339_read(at, &us) != 0 || us < from ||
		    us >= from + DAYS * DAY)
			continue;
		days[(us - from) / DAY] +=
		    json_number_value(json_object_get(v, "requests"));
	}
	return console_spark(days, DAYS);
}

static void
finish(struct console *c, json_t *agent)
{
	const char *id = json_string_value(json_object_get(agent, "id"));
	const char *name =
	    json_string_value(json_object_get(agent, "display_name"));

	if (name == NULL || *name == '\0')
		json_object_set(agent, "display_name",
		    json_object_get(agent, "instance_name"));
	json_object_set_new(agent, "href",
	    json_string(console_path(c, mem_printf(c->ctx, "agents/%s", id))));
	json_object_set_new(agent, "state",
	    console_state(
		c, json_string_value(json_object_get(agent, "status"))));
}

/* The words of ?status=, and which one is on. */
static const char *
add_states(struct console *c)
{
	static const char *const words[] = { "active", "inactive", "archived" };
	const char *asked = console_field(c, "status"), *found = "";
	json_t *list = json_array();

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		bool on = strcmp(asked, words[i]) == 0;

		if (on)
			found = words[i];
		json_array_append_new(
		    list, json_pack("{s:s, s:s, s:b}", "word", words[i], "text",
			      console_text(
				  c, mem_printf(c->ctx, "state.%s", words[i])),
			      "on", on));
	}
	console_set(c, "states", list);
	return *found == '\0' ? "" : mem_printf(c->ctx, "&status=%s", found);
}

static int
agents(struct console *c)
{
	const char *more = add_states(c);
	char from[CLOCK_RFC3339_SIZE];
	int64_t first = clock_wall_us() - (DAYS - 1) * DAY;
	json_t *list, *usage = NULL, *v;
	size_t i;

	first -= first % DAY;
	clock_rfc3339(first, from);
	console_title(c, console_text(c, "agents.title"), NULL);
	list = console_get(c, "/agents%s", console_list_query(c, SHOWN, more));
	if (list == NULL)
		return -1;
	if (console_may(c, PERM_USAGE_READ) &&
	    (usage = console_get(c, "/usage?group=agent,day&from=%s", from)) ==
		NULL)
		return -1;
	json_array_foreach(json_object_get(list, "data"), i, v)
	{
		const char *id = json_string_value(json_object_get(v, "id"));

		json_object_set_new(v, "spark", spark_of(usage, id, first));
		finish(c, v);
	}
	console_times(c, json_object_get(list, "data"), times);
	console_set(c, "any", json_boolean(i > 0));
	console_set(c, "agents", json_incref(json_object_get(list, "data")));
	console_set(c, "sparks", json_boolean(usage != NULL));
	console_set(c, "here_list", json_string(console_path(c, "agents")));
	if (console_may(c, PERM_AGENT_WRITE))
		console_set(
		    c, "make", json_string(console_path(c, "agents/new")));
	console_more(c, list, "agents", more);
	return 0;
}
CONSOLE_PAGE(console_agents, "agents", "agents", agents)

/* --- a new one ------------------------------------------------------------ */

static int
form(struct console *c, const json_t *problem)
{
	const char *type = console_field(c, "agent_type");
	json_t *types = json_array();

	for (int i = 0; i < templates_count(c->app->templates); i++) {
		const struct agent_template *t =
		    templates_at(c->app->templates, i);

		json_array_append_new(types,
		    json_pack("{s:s, s:s, s:s, s:i, s:b}", "type",
			t->agent_type, "name",
			t->display_name != NULL ? t->display_name
						: t->agent_type,
			"model", t->default_model, "tools", t->ntools, "on",
			*type != '\0' ? strcmp(type, t->agent_type) == 0
				      : i == 0));
	}
	console_title(c, console_text(c, "agents.new"),
	    console_text(c, "agents.title"), "agents", NULL);
	console_set(c, "types", types);
	console_set(c, "action", json_string(console_path(c, "agents/new")));
	console_set(
	    c, "instance_name", json_string(console_field(c, "instance_name")));
	console_set(
	    c, "display_name", json_string(console_field(c, "display_name")));
	if (problem != NULL)
		console_wrong(c, problem);
	return 0;
}

static int
agent_new(struct console *c)
{
	json_t *made = NULL, *problem = NULL;
	json_auto_t *body = NULL;
	const char *shown;

	if (!console_posts(c))
		return form(c, NULL);
	shown = console_field(c, "display_name");
	body = json_pack("{s:s, s:s}", "agent_type",
	    console_field(c, "agent_type"), "instance_name",
	    console_field(c, "instance_name"));
	if (*shown != '\0')
		json_object_set_new(body, "display_name", json_string(shown));
	if (console_do(c, "POST", "/agents", body, NULL, &made, &problem) != 0)
		return form(c, problem);
	return console_go(
	    c, mem_printf(c->ctx, "agents/%s?done=agent_made",
		   json_string_value(json_object_get(made, "id"))));
}
CONSOLE_PAGE(console_agent_new, "agent_new", "agents", agent_new)

/* --- one ------------------------------------------------------------------ */

static int
show(struct console *c, const json_t *problem)
{
	const char *id = console_id(c, "agent_id");
	json_t *agent;

	if (id == NULL || (agent = console_get(c, "/agents/%s", id)) == NULL)
		return -1;

	json_auto_t *one = json_pack("[O]", agent);
	const char *status =
	    json_string_value(json_object_get(agent, "status"));

	finish(c, agent);
	console_times(c, one, times);
	console_title(c,
	    json_string_value(json_object_get(agent, "display_name")),
	    console_text(c, "agents.title"), "agents", NULL);
	console_set(c, "agent", json_incref(agent));
	console_set(c, "write", json_boolean(console_may(c, PERM_AGENT_WRITE)));
	console_set(
	    c, "may_sessions", json_boolean(console_may(c, PERM_SESSION_READ)));
	console_set(c, "sessions",
	    json_string(
		console_path(c, mem_printf(c->ctx, "sessions?agent=%s", id))));
	if (status != NULL)
		console_set(
		    c, mem_printf(c->ctx, "is_%s", status), json_true());
	if (problem != NULL)
		console_wrong(c, problem);
	return 0;
}

static int
agent_one(struct console *c)
{
	static const char *const words[] = { "active", "inactive", "archived" };
	const char *id = console_id(c, "agent_id"), *status;
	json_t *problem = NULL;
	json_auto_t *body = json_object();

	if (!console_posts(c))
		return show(c, NULL);
	if (id == NULL)
		return -1;
	status = console_field(c, "status");
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(status, words[i]) == 0)
			json_object_set_new(
			    body, "status", json_string(words[i]));
	if (*console_field(c, "display_name") != '\0')
		json_object_set_new(body, "display_name",
		    json_string(console_field(c, "display_name")));
	if (console_do(c, "PATCH", mem_printf(c->ctx, "/agents/%s", id), body,
		NULL, NULL, &problem) != 0)
		return show(c, problem);
	return console_go(
	    c, mem_printf(c->ctx, "agents/%s?done=agent_changed", id));
}
CONSOLE_PAGE(console_agent, "agent", "agents", agent_one)
