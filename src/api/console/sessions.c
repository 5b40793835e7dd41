/* Sessions and what was said in them. */
#include <string.h>

#include "api/console/console.h"
#include "api/handlers.h"
#include "util/buf.h"
#include "util/json.h"
#include "util/mem.h"

#include "util/banned.h"

#define SHOWN 50
#define MESSAGES 100
#define PIECE ((size_t)64 * 1024)

static const char *const times[] = { "created_at", "last_activity_at", NULL };

/* Who it is with, as far as anybody knows. */
static void
finish(struct console *c, json_t *s)
{
	const json_t *visitor = json_object_get(s, "visitor");
	const char *who = json_string_value(json_object_get(visitor, "name"));

	if (who == NULL || *who == '\0')
		who = json_string_value(json_object_get(s, "email"));
	if (who == NULL || *who == '\0')
		who =
		    json_string_value(json_object_get(visitor, "external_id"));
	if (who == NULL || *who == '\0')
		who = console_text(c, "sessions.unnamed");
	json_object_set_new(s, "with", json_string(who));
	json_object_set_new(s, "href",
	    json_string(console_path(
		c, mem_printf(c->ctx, "sessions/%s",
		       json_string_value(json_object_get(s, "id"))))));
	json_object_set_new(s, "state",
	    console_state(c, json_string_value(json_object_get(s, "status"))));
}

/* ?status=, ?agent=, ?from= and ?to= as the API takes them: "&..." */
static const char *
filter(struct console *c, json_t *agents)
{
	static const char *const words[] = { "running", "completed", "failed",
		"cancelled" };
	const char *status = console_field(c, "status"),
		   *agent = console_field(c, "agent"),
		   *day = console_field(c, "day"), *out = "";
	json_t *states = json_array(), *v;
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		bool on = strcmp(status, words[i]) == 0;

		if (on)
			out = mem_printf(c->ctx, "%s&status=%s", out, words[i]);
		json_array_append_new(states,
		    json_pack("{s:s, s:s, s:b}", "word", words[i], "text",
			console_text(
			    c, mem_printf(c->ctx, "state.%s", words[i])),
			"on", on));
	}
	console_set(c, "states", states);
	json_array_foreach(agents, i, v)
	{
		const char *id = json_string_value(json_object_get(v, "id"));
		bool on = strcmp(agent, id) == 0;

		if (on)
			out = mem_printf(c->ctx, "%s&agent=%s", out, id);
		json_object_set_new(v, "on", json_boolean(on));
	}
	if (strlen(day) == 10 && strspn(day, "0123456789-") == 10) {
		out = mem_printf(c->ctx,
		    "%s&to=%sT23:59:59.999Z&from=%sT00:00:00Z", out, day, day);
		console_set(c, "day", json_string(day));
	}
	return out;
}

/* The same as the page's own address has it. */
static const char *
own_filter(struct console *c)
{
	static const char *const names[] = { "status", "agent", "day" };
	const char *out = "";

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *v = console_field(c, names[i]);

		if (*v != '\0')
			out = mem_printf(c->ctx, "%s&%s=%s", out, names[i],
			    console_escape(c, v));
	}
	return out;
}

static int
sessions(struct console *c)
{
	json_t *agents = NULL, *list, *v;
	const char *wanted;
	size_t i;

	console_title(c, console_text(c, "sessions.title"), NULL);
	if (console_may(c, PERM_AGENT_READ) &&
	    (agents = console_get(c, "/agents?limit=200")) == NULL)
		return -1;
	agents = json_object_get(agents, "data");
	wanted = filter(c, agents);
	list =
	    console_get(c, "/sessions%s", console_list_query(c, SHOWN, wanted));
	if (list == NULL)
		return -1;
	json_array_foreach(json_object_get(list, "data"), i, v) finish(c, v);
	console_times(c, json_object_get(list, "data"), times);
	console_set(c, "any", json_boolean(i > 0));
	console_set(c, "filtered", json_boolean(*wanted != '\0'));
	console_set(c, "sessions", json_incref(json_object_get(list, "data")));
	if (agents != NULL)
		console_set(c, "agents", json_incref(agents));
	console_set(c, "here_list", json_string(console_path(c, "sessions")));
	console_more(c, list, "sessions", own_filter(c));
	return 0;
}
CONSOLE_PAGE(console_sessions, "sessions", "sessions", sessions)

/* --- one ------------------------------------------------------------------ */

static const char *
text_of(struct console *c, const json_t *v)
{
	struct buf b;

	if (json_is_string(v))
		return json_string_value(v);
	buf_init(&b, c->ctx, PIECE);
	json_write(&b, v);
	return buf_failed(&b) || b.data == NULL ? "…" : b.data;
}

/* Its tools and sources as texts. */
static void
say(struct console *c, json_t *m)
{
	json_t *calls = json_array(), *sources = json_array(), *v;
	const json_t *agent = json_object_get(m, "agent");
	const char *name;
	size_t i;

	json_array_foreach(json_object_get(m, "tool_calls"), i, v)
	{
		const json_t *args = json_object_get(v, "arguments");

		name = json_string_value(json_object_get(v, "name"));
		json_array_append_new(
		    calls, json_pack("{s:s, s:s?, s:O*, s:b}", "name",
			       name != NULL ? name : "?", "arguments",
			       args != NULL ? text_of(c, args) : NULL, "result",
			       json_object_get(v, "summary"), "failed",
			       !json_is_true(json_object_get(v, "ok"))));
	}
	json_array_foreach(json_object_get(m, "citations"), i, v)
	{
		name = json_string_value(json_object_get(v, "title"));
		if (name == NULL)
			name = console_text(c, "sessions.source");
		json_array_append_new(
		    sources, json_pack("{s:s, s:O*}", "title", name, "quote",
				 json_object_get(v, "quote")));
	}
	name = json_string_value(json_object_get(agent, "name"));
	json_object_set_new(m, "user",
	    json_boolean(strcmp(json_string_value(json_object_get(m, "role")),
			     "user") == 0));
	json_object_set_new(
	    m, "by", name != NULL ? json_string(name) : json_null());
	json_object_set_new(
	    m, "called", json_boolean(json_array_size(calls) > 0));
	json_object_set_new(m, "calls", calls);
	json_object_set_new(
	    m, "cited", json_boolean(json_array_size(sources) > 0));
	json_object_set_new(m, "sources", sources);
	json_object_set_new(m, "up",
	    json_boolean(json_integer_value(json_object_get(m, "rating")) > 0));
	json_object_set_new(m, "down",
	    json_boolean(json_integer_value(json_object_get(m, "rating")) < 0));
	name = json_string_value(json_object_get(m, "status"));
	if (name != NULL && strcmp(name, "completed") == 0)
		name = NULL;
	json_object_set_new(m, "state", console_state(c, name));
}

static int
session_one(struct console *c)
{
	static const char *const said[] = { "created_at", NULL };
	const char *id = console_id(c, "session_id"),
		   *after = console_field(c, "after"), *next;
	json_t *s, *page, *v;
	size_t i;

	if (id == NULL)
		return -1;
	s = console_get(c, "/sessions/%s?limit=%d%s%s", id, MESSAGES,
	    *after != '\0' ? "&after=" : "",
	    *after != '\0' ? console_escape(c, after) : "");
	if (s == NULL)
		return -1;
	finish(c, s);

	json_auto_t *one = json_pack("[O]", s);

	console_times(c, one, times);
	page = json_object_get(s, "messages");
	json_array_foreach(json_object_get(page, "data"), i, v) say(c, v);
	console_times(c, json_object_get(page, "data"), said);
	console_title(c, json_string_value(json_object_get(s, "with")),
	    console_text(c, "sessions.title"), "sessions", NULL);
	console_set(c, "session", json_incref(s));
	console_set(c, "said", json_incref(json_object_get(page, "data")));
	next = json_string_value(json_object_get(page, "next"));
	if (next != NULL)
		console_set(c, "next",
		    json_string(console_path(
			c, mem_printf(c->ctx, "sessions/%s?after=%s", id,
			       console_escape(c, next)))));
	return 0;
}
CONSOLE_PAGE(console_session, "session", "sessions", session_one)
