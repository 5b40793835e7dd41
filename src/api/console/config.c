/* The configuration of an agent: the usual settings as a form beside the whole
 * as JSON, what the template makes of it, its versions and back to one. */
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "account/account.h"
#include "agent/spec.h"
#include "agent/template.h"
#include "api/app.h"
#include "api/console/console.h"
#include "api/guard.h"
#include "api/handlers.h"
#include "http/request.h"
#include "shm/change.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/mem.h"

#include "util/banned.h"

#define LIMITS ((struct json_limits){ 32, 20000 })
#define LIVE_WAIT (500 * CLOCK_MS)
#define LIVE_AGAIN_MS 5
#define SHOWN 50

enum kind { TEXT, WHOLE, REAL };

/* What the form has, and what kind of value each is. */
static const struct {
	const char *name, *group; /* group: the object it lies in, or NULL */
	enum kind kind;
} fields[] = { { "system_prompt_override", NULL, TEXT },
	{ "model_override", NULL, TEXT }, { "max_tokens", NULL, WHOLE },
	{ "temperature", NULL, REAL }, { "on_disconnect", NULL, TEXT },
	{ "max_requests_per_minute", "rate_limits", WHOLE },
	{ "max_tokens_per_hour", "rate_limits", WHOLE } };
#define FIELDS (sizeof(fields) / sizeof(fields[0]))

static const char *
pretty(const struct console *c, const json_t *v)
{
	const size_t flags =
	    JSON_INDENT(2) | JSON_REAL_PRECISION(15) | JSON_ENCODE_ANY;
	size_t n = json_dumpb(v, NULL, 0, flags);
	char *out = mem_array(c->ctx, char, n + 1);

	(void)json_dumpb(v, out, n, flags);
	out[n] = '\0';
	return out;
}

/* A number where it is one; else the text, which the API then refuses at its
 * place. */
static json_t *
value_of(const char *text, enum kind kind)
{
	char *end;
	double real;
	long long whole;

	if (kind == TEXT)
		return json_string(text);
	whole = strtoll(text, &end, 10);
	if (*end == '\0')
		return json_integer(whole);
	real = strtod(text, &end);
	return *end == '\0' && kind == REAL ? json_real(real)
	                                    : json_string(text);
}

/* What the form says, over what is stored; new reference. */
static json_t *
from_form(struct console *c, const json_t *stored)
{
	json_t *out = json_deep_copy(stored), *in;

	for (size_t i = 0; i < FIELDS; i++) {
		const char *text = console_field(c, fields[i].name);

		in = out;
		if (fields[i].group != NULL) {
			in = json_object_get(out, fields[i].group);
			if (in == NULL && *text != '\0') {
				in = json_object();
				json_object_set_new(out, fields[i].group, in);
			}
		}
		if (in == NULL)
			continue;
		if (*text == '\0')
			json_object_del(in, fields[i].name);
		else
			json_object_set_new(
			    in, fields[i].name, value_of(text, fields[i].kind));
	}
	in = json_object_get(out, "rate_limits");
	if (json_is_object(in) && json_object_size(in) == 0)
		json_object_del(out, "rate_limits");
	return out;
}

static void
add_form(struct console *c, const json_t *configuration)
{
	json_t *form = json_object();

	for (size_t i = 0; i < FIELDS; i++) {
		const json_t *v = configuration;

		if (fields[i].group != NULL)
			v = json_object_get(v, fields[i].group);
		v = json_object_get(v, fields[i].name);
		if (v != NULL)
			json_object_set_new(form, fields[i].name,
			    json_string(json_is_string(v) ? json_string_value(v)
							  : pretty(c, v)));
	}
	if (strcmp(
		json_string_value(json_object_get(form, "on_disconnect")) !=
			NULL
		    ? json_string_value(json_object_get(form, "on_disconnect"))
		    : "",
		"finish") == 0)
		console_set(c, "finishes", json_true());
	console_set(c, "form", form);
	console_set(c, "json", json_string(pretty(c, configuration)));
}

/* "live in 8/8 workers, 41 ms": the change is seen within milliseconds. */
static void
add_live(struct console *c)
{
	int64_t until = clock_mono() + LIVE_WAIT;
	struct change ch;

	if (strcmp(console_field(c, "done"), "config_saved") != 0 ||
	    console_posts(c))
		return;
	for (;;) {
		change_state(c->who->account->slot, &ch);
		if ((ch.noted && ch.epoch >= c->who->account->epoch &&
			ch.workers > 0 && ch.live == ch.workers) ||
		    clock_mono() >= until)
			break;
		poll(NULL, 0, LIVE_AGAIN_MS);
	}
	if (!ch.noted || ch.workers == 0)
		return;
	console_set(c, "live",
	    json_pack("{s:i, s:i, s:b, s:i}", "live", (int)ch.live, "workers",
		(int)ch.workers, "timed", ch.took_us >= 0, "ms",
		(int)((ch.took_us + 500) / 1000)));
}

static const char *
base(const struct console *c, const char *id)
{
	return console_path(c, mem_printf(c->ctx, "agents/%s", id));
}

/* Where what a version has changed is told. */
static json_t *
version_path(const struct console *c, const char *id, const json_t *of)
{
	return json_sprintf("%s/versions?version=%lld", base(c, id),
	    (long long)json_integer_value(json_object_get(of, "version")));
}

/* The page; ${mine}: what was sent and is not saved, or NULL. */
static int
show(struct console *c, const char *id, const json_t *mine,
    const json_t *problem)
{
	const char *etag = NULL, *name;
	json_t *config = console_get_tagged(
	    c, mem_printf(c->ctx, "/agents/%s/config", id), &etag);

	if (config == NULL)
		return -1;
	name = json_string_value(json_object_get(config, "instance_name"));
	console_title(c, console_text(c, "agents.config"),
	    console_text(c, "agents.title"), "agents", name,
	    mem_printf(c->ctx, "agents/%s", id), NULL);
	console_set(c, "base", json_string(base(c, id)));
	console_set(
	    c, "version", json_incref(json_object_get(config, "version")));
	console_set(c, "latest", version_path(c, id, config));
	console_set(c, "state", json_string(etag != NULL ? etag : ""));
	console_set(
	    c, "write", json_boolean(console_may(c, PERM_AGENT_CONFIG)));
	if (json_object_get(c->data, "merged") == NULL)
		console_set(c, "merged",
		    json_string(pretty(c, json_object_get(config, "merged"))));
	console_set(c, "unavailable",
	    json_incref(json_object_get(config, "unavailable")));
	add_form(
	    c, mine != NULL ? mine : json_object_get(config, "configuration"));
	add_live(c);
	if (problem == NULL)
		return 0;
	console_wrong(c, problem);
	if (c->status == 412)
		console_set(c, "conflict", json_true());
	return 0;
}

/* What the template would make of it, without saving it. */
static int
preview(
    struct console *c, const char *id, const json_t *stored, const json_t *mine)
{
	const struct agent_template *t = templates_find(c->app->templates,
	    json_string_value(json_object_get(stored, "agent_type")));
	struct spec_error errors[SPEC_ERRORS];
	json_auto_t *problem = NULL;
	struct agent_spec *s = NULL;
	json_t *list;
	int n = 0;

	if (t != NULL && spec_build_shown(t, mine, &s, errors, &n) == 0) {
		console_set(c, "merged", json_string(pretty(c, s->merged)));
		console_set(c, "preview", json_true());
		agent_spec_unref(s);
		return show(c, id, mine, NULL);
	}
	list = json_array();
	for (int i = 0; i < n; i++)
		json_array_append_new(list,
		    json_pack("{s:o, s:s}", "pointer",
			json_sprintf("/configuration%s", errors[i].pointer),
			"detail", errors[i].detail));
	problem = json_pack("{s:i, s:s, s:o}", "status", 422, "detail",
	    console_text(c, "config.refused"), "errors", list);
	return show(c, id, mine, problem);
}

static int
bad_json(struct console *c, const char *id, const struct err *e)
{
	json_auto_t *problem = json_pack(
	    "{s:i, s:s, s:[]}", "status", 422, "detail", e->text, "errors");
	int rc = show(c, id, NULL, problem);

	console_set(c, "json", json_string(console_field(c, "json")));
	return rc;
}

static int
config(struct console *c)
{
	const char *id = console_id(c, "agent_id");
	const char *text = console_field(c, "json");
	json_t *stored, *problem = NULL;
	json_auto_t *mine = NULL, *body = NULL;
	struct err e = { 0 };

	if (id == NULL)
		return -1;
	if (!console_posts(c))
		return show(c, id, NULL, NULL);
	stored = console_get(c, "/agents/%s/config", id);
	if (stored == NULL)
		return -1;
	if (strcmp(console_field(c, "as"), "json") != 0)
		mine = from_form(c, json_object_get(stored, "configuration"));
	else if (json_parse(text, strlen(text), &LIMITS, &mine, &e) != 0)
		return bad_json(c, id, &e);
	if (strcmp(console_field(c, "do"), "preview") == 0)
		return preview(c, id, stored, mine);
	body = json_pack("{s:O}", "configuration", mine);
	if (console_do(c, "PUT", mem_printf(c->ctx, "/agents/%s/config", id),
		body, console_field(c, "state"), NULL, &problem) != 0)
		return show(c, id, mine, problem);
	return console_go(
	    c, mem_printf(c->ctx, "agents/%s/config?done=config_saved", id));
}
CONSOLE_PAGE(console_config, "config", "agents", config)

/* --- versions ------------------------------------------------------------- */

static int
add_diff(struct console *c, const char *id)
{
	const char *to = console_field(c, "version");
	json_t *diff, *v;
	size_t i;

	if (*to == '\0')
		return 0;
	diff = console_get(c, "/agents/%s/config/diff?to_version=%.20s", id,
	    console_escape(c, to));
	if (diff == NULL)
		return -1;
	json_array_foreach(json_object_get(diff, "changes"), i, v)
	{
		json_t *old = json_object_get(v, "before"),
		       *now = json_object_get(v, "after");

		if (old != NULL)
			json_object_set_new(
			    v, "before", json_string(pretty(c, old)));
		if (now != NULL)
			json_object_set_new(
			    v, "after", json_string(pretty(c, now)));
	}
	console_set(c, "same", json_boolean(i == 0));
	console_set(c, "diff", json_incref(diff));
	return 0;
}

static int
versions(struct console *c)
{
	static const char *const times[] = { "created_at", NULL };
	const char *id = console_id(c, "agent_id");
	json_t *list, *config, *v;
	size_t i;

	if (id == NULL ||
	    (config = console_get(c, "/agents/%s/config", id)) == NULL ||
	    (list = console_get(c, "/agents/%s/config/versions%s", id,
		 console_list_query(c, SHOWN, ""))) == NULL ||
	    add_diff(c, id) != 0)
		return -1;
	console_title(c, console_text(c, "config.versions"),
	    console_text(c, "agents.title"), "agents",
	    json_string_value(json_object_get(config, "instance_name")),
	    mem_printf(c->ctx, "agents/%s", id), NULL);
	json_array_foreach(json_object_get(list, "data"), i, v)
	{
		json_object_set_new(v, "current",
		    json_boolean(json_equal(json_object_get(v, "version"),
			json_object_get(config, "version"))));
		json_object_set_new(v, "href", version_path(c, id, v));
	}
	console_times(c, json_object_get(list, "data"), times);
	console_set(c, "versions", json_incref(json_object_get(list, "data")));
	console_set(c, "base", json_string(base(c, id)));
	console_set(
	    c, "write", json_boolean(console_may(c, PERM_AGENT_CONFIG)));
	console_more(c, list, mem_printf(c->ctx, "agents/%s/versions", id), "");
	return 0;
}
CONSOLE_PAGE(console_versions, "versions", "agents", versions)

static int
restore(struct console *c)
{
	const char *id = console_id(c, "agent_id"),
		   *version = console_escape(c, http_var(c->req, "version"));
	json_t *problem = NULL;

	if (id == NULL)
		return -1;
	if (console_do(c, "POST",
		mem_printf(c->ctx, "/agents/%s/config/versions/%s/restore", id,
		    version),
		NULL, NULL, NULL, &problem) != 0)
		return console_refuse(c, problem);
	return console_go(
	    c, mem_printf(c->ctx, "agents/%s/config?done=config_saved", id));
}
CONSOLE_PAGE(console_restore, "versions", "agents", restore)
