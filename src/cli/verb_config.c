/* switchboard config: the server's parameters, and what an agent's template
 * and its own configuration make together. */
#include <stdio.h>
#include <stdlib.h>

#include "agent/spec.h"
#include "agent/template.h"
#include "cli/cli.h"
#include "cli/out.h"
#include "cli/store.h"
#include "cli/verbs.h"
#include "conf/conf.h"
#include "util/mem.h"

#include "util/banned.h"

static json_t *
int_json(int64_t v)
{
	return json_integer((json_int_t)v);
}

static json_t *
bool_json(bool v)
{
	return json_boolean(v);
}

static json_t *
text_json(const char *v)
{
	return json_string(v);
}

static json_t *
list_json(const char *const *v)
{
	json_t *list = json_array();

	for (; *v != NULL; v++)
		json_array_append_new(list, json_string(*v));
	return list;
}

#define VALUE_JSON(v)                                                          \
	_Generic((v), int64_t: int_json, bool: bool_json,                     \
	    const char *: text_json, const char *const *: list_json)(v)

/* One row a parameter, in the table's order. */
static json_t *
parameters(const struct conf *conf)
{
	json_t *rows = json_array();

#define PARAM(name, type, def, min, max, when, text)                           \
	json_array_append_new(                                                 \
	    rows, json_pack("{s:s, s:s, s:o, s:s, s:s}", "name", #name,        \
		      "type", #type, "value", VALUE_JSON(conf->name),          \
		      "default", def, "changes", #when));
#include "conf/params.def"
#undef PARAM
	return rows;
}

static const struct out_col parameter_cols[] = { { "name", "PARAMETER" },
	{ "value", "VALUE" }, { "type", "TYPE" }, { "default", "DEFAULT" },
	{ "changes", "CHANGES BY" }, { NULL, NULL } };
static const struct out_col spec_cols[] = { { "agent_type", "type" },
	{ "instance_name", "name" }, { "status", "status" },
	{ "config_version", "configuration version" },
	{ "template_version", "template version" }, { "model", "model" },
	{ "model_fallback", "falls to other models" },
	{ "max_tokens", "max_tokens" }, { "temperature", "temperature" },
	{ "requests_per_minute", "requests per minute" },
	{ "tokens_per_hour", "tokens per hour" },
	{ "system_prompt", "system prompt" }, { "tools", "tools" },
	{ "unavailable", "unavailable" }, { "feature_flags", "feature flags" },
	{ NULL, NULL } };

static json_t *
limit_json(int64_t limit)
{
	return limit < 0 ? json_null() : json_integer((json_int_t)limit);
}

static void
spec_tools(const struct agent_spec *s, json_t *tools, json_t *unavailable)
{
	for (int i = 0; i < s->ntools; i++) {
		const struct spec_tool *t = &s->tools[i];

		json_array_append_new(tools,
		    json_pack("{s:s, s:b, s:O?}", "name", t->name, "available",
			(int)t->available, "settings", t->settings));
		if (!t->available)
			json_array_append_new(
			    unavailable, json_string(t->name));
	}
}

static json_t *
spec_json(const struct agent_template *t, const struct agent_spec *s,
    const json_t *agent)
{
	json_t *tools = json_array(), *unavailable = json_array();

	spec_tools(s, tools, unavailable);
	return json_pack("{s:O, s:O, s:O, s:O, s:s, s:s, s:b, s:i, s:o, s:o,"
			 " s:o, s:s, s:o, s:o, s:O, s:O?}",
	    "agent_type", json_object_get(agent, "agent_type"), "instance_name",
	    json_object_get(agent, "instance_name"), "status",
	    json_object_get(agent, "status"), "config_version",
	    json_object_get(agent, "config_version"), "template_version",
	    t->version, "model", s->model, "model_fallback",
	    (int)s->model_fallback, "max_tokens", s->max_tokens, "temperature",
	    s->temperature < 0 ? json_null() : json_real(s->temperature),
	    "requests_per_minute", limit_json(s->requests_per_minute),
	    "tokens_per_hour", limit_json(s->tokens_per_hour), "system_prompt",
	    s->system_prompt, "tools", tools, "unavailable", unavailable,
	    "feature_flags", s->feature_flags, "merged", s->merged);
}

static int
show_merged(struct cli *c, const struct templates *templates, json_t *agent,
    struct err *e)
{
	const char *type =
	    json_string_value(json_object_get(agent, "agent_type"));
	const struct agent_template *t = templates_find(templates, type);
	struct spec_error errors[SPEC_ERRORS];
	struct agent_spec *spec;
	int nerrors = 0;

	if (t == NULL)
		return err_set(
		    e, ERR_NOT_FOUND, "there is no template for %s", type);
	if (spec_build_shown(t, json_object_get(agent, "configuration"), &spec,
		errors, &nerrors) != 0) {
		cli_errors(c, errors, nerrors);
		return err_set(e, ERR_INVALID,
		    "the stored configuration does not fit the template as "
		    "it is now; \"switchboard agent configure\" mends it");
	}
	int rc = out_object(c, spec_json(t, spec, agent), spec_cols);

	agent_spec_unref(spec);
	return rc;
}

static int
show_agent(struct cli *c, struct err *e)
{
	const char *type, *name;
	struct templates *templates;
	struct uuid account;
	struct db_pool *db;
	json_t *agent;
	int rc = -1;

	if (cli_agent_path(c, c->word[1], &type, &name, e) != 0 ||
	    cli_account(c, &db, &account, e) != 0 ||
	    store_agent_show(db, &account, type, name, &agent, e) != 0)
		return -1;
	if (cli_templates(c, &templates, e) == 0) {
		rc = show_merged(c, templates, agent, e);
		templates_free(templates);
	}
	json_decref(agent);
	return rc;
}

int
verb_config_show(struct cli *c, struct err *e)
{
	const struct conf *conf;

	if (c->nwords == 1)
		return cli_misuse(c, e, "wants SLUG TYPE/NAME, or no words");
	if (c->nwords == 2)
		return show_agent(c, e);
	if (cli_conf(c, &conf, e) != 0)
		return -1;
	return out_list(c, parameters(conf), parameter_cols);
}

int
verb_config_check(struct cli *c, struct err *e)
{
	const struct conf *conf;
	struct templates *templates;
	int n;

	if (cli_conf(c, &conf, e) != 0 || cli_templates(c, &templates, e) != 0)
		return -1;
	n = templates_count(templates);
	templates_free(templates);
	return out_done(c,
	    json_pack(
		"{s:s, s:b, s:i}", "file", conf->file, "ok", 1, "templates", n),
	    "%s is good; %d agent templates.", conf->file, n);
}

int
verb_config_example(struct cli *c, struct err *e)
{
	char *text = NULL;
	size_t len;
	FILE *f;

	if (!c->json) {
		conf_write_example(stdout);
		return 0;
	}
	f = open_memstream(&text, &len);
	if (f == NULL)
		return err_set(e, ERR_INTERNAL, "open_memstream: %m");
	conf_write_example(f);
	fclose(f);
	int rc = out_done(c, json_pack("{s:s}", "text", text), "-");

	free(text);
	return rc;
}
