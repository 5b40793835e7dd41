/*
 * One template, from its YAML text.  Unknown keys are refused: a mistyped name
 * would otherwise silently change nothing.  Each error names the line.
 */
#include "agent/template.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "agent/setting.h"
#include "agent/yaml.h"
#include "crypto/hash.h"
#include "llm/llm.h"
#include "util/mem.h"
#include "util/nearest.h"
#include "util/str.h"

#include "util/banned.h"

#define TOOLS_MAX 64
#define DEPENDENCIES_MAX 64

struct reader {
	struct agent_template *t;
	const char *file;
	const json_t *lines;
	struct err *e;
};

/* Fail at the line of ${pointer}. */
__attribute__((format(printf, 3, 4))) static int
bad(struct reader *r, const char *pointer, const char *fmt, ...)
{
	char text[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_set(r->e, ERR_INVALID, "%s:%d: %s", r->file,
	    agent_yaml_line(r->lines, pointer), text);
}

/* Every key of ${object} must be one of ${known}. */
static int
known_keys(struct reader *r, const char *pointer, const json_t *object,
    const char *const *known, int n)
{
	const char *key, *near;
	char at[200];
	json_t *v;

	json_object_foreach((json_t *)(uintptr_t)object, key, v)
	{
		bool found = false;

		for (int i = 0; i < n && !found; i++)
			found = strcmp(key, known[i]) == 0;
		if (found)
			continue;
		snprintf(at, sizeof(at), "%s/%s", pointer, key);
		near = nearest_name(key, known, n);
		if (near != NULL)
			return bad(r, at,
			    "unknown key \"%.60s\"; did you mean \"%s\"?", key,
			    near);
		return bad(r, at, "unknown key \"%.60s\"", key);
	}
	return 0;
}

/* Text with something in it; white space at its end is dropped. */
static int
text(struct reader *r, const char *pointer, const json_t *v, size_t max,
    char **ret)
{
	const char *s = json_string_value(v);
	size_t n = json_string_length(v);

	if (s == NULL)
		return bad(r, pointer, "%s must be text%s", pointer + 1,
		    json_is_number(v) || json_is_boolean(v)
			? ": put it in quotes"
			: "");
	while (n > 0 && strchr(" \t\r\n", s[n - 1]) != NULL)
		n--;
	if (n == 0)
		return bad(r, pointer, "%s is empty", pointer + 1);
	if (n > max)
		return bad(r, pointer, "%s is longer than %zu bytes",
		    pointer + 1, max);
	*ret = mem_strndup(r->t, s, n);
	return 0;
}

static int
names(
    struct reader *r, const char *pointer, const json_t *v, char ***ret, int *n)
{
	size_t size = json_array_size(v), i;
	const json_t *element;
	char at[100];

	if (v == NULL)
		return 0;
	if (!json_is_array(v) || size > DEPENDENCIES_MAX)
		return bad(r, pointer, "%s must be a list of at most %d names",
		    pointer + 1, DEPENDENCIES_MAX);
	*ret = mem_array(r->t, char *, size + 1);
	json_array_foreach(v, i, element)
	{
		snprintf(at, sizeof(at), "%s/%zu", pointer, i);
		if (!json_is_string(element) ||
		    !str_is_name(json_string_value(element)))
			return bad(r, at,
			    "%s: names are lower-case letters, digits and _",
			    at + 1);
		(*ret)[(*n)++] = mem_strdup(*ret, json_string_value(element));
	}
	return 0;
}

/* config_schema: an object of types, kept as it stands. */
static int
schema(struct reader *r, const char *pointer, const json_t *v, json_t **ret)
{
	const char *key, *type;
	char at[200], why[160];
	json_t *entry;

	if (v == NULL) {
		*ret = json_object();
		return 0;
	}
	if (!json_is_object(v))
		return bad(r, pointer, "config_schema must map names to types");
	json_object_foreach((json_t *)(uintptr_t)v, key, entry)
	{
		bool others = strcmp(key, SETTING_OTHERS) == 0;

		snprintf(at, sizeof(at), "%s/%s", pointer, key);
		if (!others && !str_is_name(key))
			return bad(r, at,
			    "\"%.60s\" is no name of a setting: lower-case "
			    "letters, digits and _",
			    key);
		type = json_string_value(entry);
		if (type == NULL)
			return bad(
			    r, at, "the type of \"%s\" must be text", key);
		if (others && strcmp(type, SETTING_NONE) == 0)
			continue;
		if (!setting_type_ok(type, why, sizeof(why)))
			return bad(r, at, "\"%s\": %s", key, why);
	}
	*ret = json_deep_copy(v);
	return 0;
}

/* Default settings must fit the tool's own schema. */
static int
defaults(struct reader *r, const char *pointer, const json_t *v,
    const json_t *types, json_t **ret)
{
	const char *key, *type;
	char at[200], why[160];
	json_t *value;

	if (v == NULL) {
		*ret = json_object();
		return 0;
	}
	if (!json_is_object(v))
		return bad(r, pointer, "settings must be a mapping");
	json_object_foreach((json_t *)(uintptr_t)v, key, value)
	{
		snprintf(at, sizeof(at), "%s/%s", pointer, key);
		type = json_string_value(json_object_get(types, key));
		if (type == NULL || strcmp(key, SETTING_OTHERS) == 0)
			return bad(r, at,
			    "\"%.60s\" does not stand in config_schema", key);
		if (!setting_fits(type, value, why, sizeof(why)))
			return bad(r, at, "\"%s\": %s", key, why);
	}
	*ret = json_deep_copy(v);
	return 0;
}

static int
tool(struct reader *r, const char *pointer, const json_t *v)
{
	static const char *const known[] = { "name", "description", "required",
		"config_schema", "settings" };
	struct template_tool *tool = &r->t->tools[r->t->ntools];
	const json_t *required = json_object_get(v, "required");
	const json_t *description = json_object_get(v, "description");
	char at[100];

	if (!json_is_object(v))
		return bad(r, pointer, "a tool is a mapping with a name");
	if (known_keys(r, pointer, v, known, 5) != 0)
		return -1;
	snprintf(at, sizeof(at), "%s/name", pointer);
	if (text(r, at, json_object_get(v, "name"), 63, &tool->name) != 0)
		return -1;
	if (!str_is_name(tool->name))
		return bad(r, at,
		    "tool name \"%s\": lower-case letters, digits and _",
		    tool->name);
	for (int i = 0; i < r->t->ntools; i++)
		if (strcmp(r->t->tools[i].name, tool->name) == 0)
			return bad(
			    r, at, "tool \"%s\" stands here twice", tool->name);
	snprintf(at, sizeof(at), "%s/description", pointer);
	if (description != NULL &&
	    text(r, at, description, 1000, &tool->description) != 0)
		return -1;
	snprintf(at, sizeof(at), "%s/required", pointer);
	if (required != NULL && !json_is_boolean(required))
		return bad(r, at, "required must be true or false");
	tool->required = json_is_true(required);
	tool->built = template_tool_built(tool->name);
	/* Counted before its JSON is made, so that the destructor sees it. */
	r->t->ntools++;
	snprintf(at, sizeof(at), "%s/config_schema", pointer);
	if (schema(r, at, json_object_get(v, "config_schema"),
		&tool->config_schema) != 0)
		return -1;
	snprintf(at, sizeof(at), "%s/settings", pointer);
	return defaults(r, at, json_object_get(v, "settings"),
	    tool->config_schema, &tool->settings);
}

static int
tools(struct reader *r, const json_t *v)
{
	size_t size = json_array_size(v), i;
	const json_t *element;
	char at[40];

	if (v == NULL)
		return 0;
	if (!json_is_array(v) || size > TOOLS_MAX)
		return bad(r, "/tools", "tools must be a list of at most %d",
		    TOOLS_MAX);
	r->t->tools = mem_array(r->t, struct template_tool, size + 1);
	json_array_foreach(v, i, element)
	{
		snprintf(at, sizeof(at), "/tools/%zu", i);
		if (tool(r, at, element) != 0)
			return -1;
	}
	return 0;
}

static int
model(struct reader *r, const json_t *root)
{
	const json_t *max = json_object_get(root, "max_tokens");
	const json_t *temperature = json_object_get(root, "temperature");
	struct agent_template *t = r->t;

	if (text(r, "/default_model", json_object_get(root, "default_model"),
		90, &t->default_model) != 0)
		return -1;
	if (!llm_known(t->default_model))
		return bad(r, "/default_model",
		    "\"%s\" is no model: write provider:name, with a provider "
		    "that this program has",
		    t->default_model);
	if (!json_is_integer(max) || json_integer_value(max) < 1 ||
	    json_integer_value(max) > AGENT_TOKENS_MAX)
		return bad(r, "/max_tokens",
		    "max_tokens must be a whole number from 1 to %d",
		    AGENT_TOKENS_MAX);
	t->max_tokens = (int)json_integer_value(max);
	t->temperature = -1;
	if (temperature == NULL)
		return 0;
	if (!json_is_number(temperature) ||
	    json_number_value(temperature) < 0 ||
	    json_number_value(temperature) > AGENT_TEMPERATURE_MAX)
		return bad(r, "/temperature",
		    "temperature must be a number from 0 to 2");
	t->temperature = json_number_value(temperature);
	return 0;
}

static int
fields(struct reader *r, const json_t *root)
{
	static const char *const known[] = { "agent_type", "display_name",
		"version", "system_prompt", "required_dependencies",
		"optional_dependencies", "tools", "default_model", "max_tokens",
		"temperature" };
	const json_t *display = json_object_get(root, "display_name");
	struct agent_template *t = r->t;

	if (!json_is_object(root))
		return bad(r, "", "a template is a mapping");
	if (known_keys(r, "", root, known, 10) != 0 ||
	    text(r, "/agent_type", json_object_get(root, "agent_type"), 63,
		&t->agent_type) != 0)
		return -1;
	if (!str_is_name(t->agent_type))
		return bad(r, "/agent_type",
		    "agent_type \"%s\": lower-case letters, digits and _",
		    t->agent_type);
	if ((display != NULL && text(r, "/display_name", display, 200,
				    &t->display_name) != 0) ||
	    text(r, "/version", json_object_get(root, "version"), 32,
		&t->version) != 0 ||
	    text(r, "/system_prompt", json_object_get(root, "system_prompt"),
		AGENT_PROMPT_MAX, &t->system_prompt) != 0 ||
	    names(r, "/required_dependencies",
		json_object_get(root, "required_dependencies"),
		&t->required_dependencies, &t->nrequired) != 0 ||
	    names(r, "/optional_dependencies",
		json_object_get(root, "optional_dependencies"),
		&t->optional_dependencies, &t->noptional) != 0)
		return -1;
	if (tools(r, json_object_get(root, "tools")) != 0)
		return -1;
	return model(r, root);
}

static int
drop_json(struct agent_template *t)
{
	for (int i = 0; i < t->ntools; i++) {
		json_decref(t->tools[i].config_schema);
		json_decref(t->tools[i].settings);
	}
	return 0;
}

int
template_parse(const void *ctx, const char *yaml, size_t len, const char *name,
    struct agent_template **ret, struct err *e)
{
	json_t *root, *lines;
	struct reader r = { .file = name, .e = e };
	unsigned char hash[32];
	int rc;

	if (agent_yaml_parse(yaml, len, name, &root, &lines, e) != 0)
		return -1;
	r.lines = lines;
	r.t = mem_new(ctx, struct agent_template);
	talloc_set_destructor(r.t, drop_json);
	rc = fields(&r, root);
	json_decref(root);
	json_decref(lines);
	if (rc != 0) {
		mem_free(r.t);
		return -1;
	}
	crypto_sha256(yaml, len, hash);
	str_hex(hash, sizeof(hash), r.t->hash);
	*ret = r.t;
	return 0;
}
