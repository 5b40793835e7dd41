/*
 * Configuration over template: one function a top-level key, in a table.  The
 * rules are written down in docs/agents.md and tested line by line in
 * tests/unit/agent/test_merge.c; change all three together.
 */
#include "agent/merge_priv.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "llm/llm.h"
#include "util/mem.h"
#include "util/nearest.h"
#include "util/str.h"

#include "util/banned.h"

#define DEPTH_MAX 16
#define LIST_MAX 100
#define REQUESTS_MAX INT64_C(1000000)
#define TOKENS_MAX INT64_C(1000000000000)

/* What stands between the template's prompt and the agent's own words. */
#define OVERRIDE_HEADING "\n\n## Instructions for this agent\n\n"

void
merge_error(
    struct merge *m, const char *pointer, const char *key, const char *fmt, ...)
{
	struct spec_error *se;
	size_t n;
	va_list ap;

	if (m->nerrors == SPEC_ERRORS)
		return;
	se = &m->errors[m->nerrors++];
	n = (size_t)snprintf(se->pointer, sizeof(se->pointer), "%s%s", pointer,
	    key != NULL ? "/" : "");
	for (; key != NULL && *key != '\0' && n + 2 < sizeof(se->pointer);
	     key++) {
		if (*key == '~' || *key == '/') {
			se->pointer[n++] = '~';
			se->pointer[n++] = *key == '~' ? '0' : '1';
		} else
			se->pointer[n++] = *key;
		se->pointer[n] = '\0';
	}
	if (n < sizeof(se->pointer))
		se->pointer[str_utf8_prefix(se->pointer, n)] = '\0';
	va_start(ap, fmt);
	vsnprintf(se->detail, sizeof(se->detail), fmt, ap);
	va_end(ap);
	/* A key may have been cut inside a character. */
	n = strlen(se->detail);
	se->detail[str_utf8_prefix(se->detail, n)] = '\0';
}

void
merge_unknown(struct merge *m, const char *pointer, const char *key,
    const char *noun, const char *const *known, int n)
{
	const char *near = nearest_name(key, known, n);

	if (near != NULL)
		merge_error(m, pointer, key, "unknown %s; did you mean \"%s\"?",
		    noun, near);
	else
		merge_error(m, pointer, key, "unknown %s", noun);
}

/* A whole number in [1, max]. */
static bool
count_ok(struct merge *m, const char *pointer, const char *key, const json_t *v,
    int64_t max)
{
	if (json_is_integer(v) && json_integer_value(v) >= 1 &&
	    json_integer_value(v) <= max)
		return true;
	merge_error(
	    m, pointer, key, "must be a whole number from 1 to %" PRId64, max);
	return false;
}

/* A prompt: text with something in it. */
static bool
prompt_ok(struct merge *m, const char *pointer, const json_t *v)
{
	const char *s = json_string_value(v);

	if (s == NULL)
		merge_error(m, pointer, NULL, "must be text");
	else if (s[strspn(s, " \t\r\n")] == '\0')
		merge_error(m, pointer, NULL, "must not be empty");
	else if (json_string_length(v) > AGENT_PROMPT_MAX)
		merge_error(m, pointer, NULL, "must have at most %d bytes",
		    AGENT_PROMPT_MAX);
	else
		return true;
	return false;
}

static void
system_prompt(struct merge *m, const char *pointer, const json_t *v)
{
	if (prompt_ok(m, pointer, v))
		m->spec->system_prompt =
		    mem_strdup(m->spec, json_string_value(v));
}

static void
system_prompt_override(struct merge *m, const char *pointer, const json_t *v)
{
	if (prompt_ok(m, pointer, v))
		m->spec->system_prompt =
		    mem_printf(m->spec, "%s" OVERRIDE_HEADING "%s",
			m->spec->system_prompt, json_string_value(v));
}

static void
model_override(struct merge *m, const char *pointer, const json_t *v)
{
	if (!json_is_string(v))
		merge_error(m, pointer, NULL, "must be text");
	else if (json_string_length(v) > 90 || !llm_known(json_string_value(v)))
		merge_error(m, pointer, NULL,
		    "is no model: write provider:name, with a provider that "
		    "this program has");
	else
		m->spec->model = mem_strdup(m->spec, json_string_value(v));
}

static void
embedding_model(struct merge *m, const char *pointer, const json_t *v)
{
	if (!json_is_string(v))
		merge_error(m, pointer, NULL, "must be text");
	else if (json_string_length(v) > 90 ||
		 !llm_embeds(json_string_value(v)))
		merge_error(m, pointer, NULL,
		    "is no model for embeddings: write provider:name, with a "
		    "provider of OpenAI's format");
	else
		m->spec->embedding_model =
		    mem_strdup(m->spec, json_string_value(v));
}

static void
model_fallback(struct merge *m, const char *pointer, const json_t *v)
{
	if (!json_is_boolean(v))
		merge_error(m, pointer, NULL, "must be true or false");
	else
		m->spec->model_fallback = json_is_true(v);
}

static void
max_tokens(struct merge *m, const char *pointer, const json_t *v)
{
	if (count_ok(m, pointer, NULL, v, AGENT_TOKENS_MAX))
		m->spec->max_tokens = (int)json_integer_value(v);
}

static void
temperature(struct merge *m, const char *pointer, const json_t *v)
{
	if (!json_is_number(v) || json_number_value(v) < 0 ||
	    json_number_value(v) > AGENT_TEMPERATURE_MAX)
		merge_error(m, pointer, NULL, "must be a number from 0 to 2");
	else
		m->spec->temperature = json_number_value(v);
}

static void
tools(struct merge *m, const char *pointer, const json_t *v)
{
	if (json_is_object(v))
		merge_tools(m, v);
	else
		merge_error(m, pointer, NULL, "must be an object");
}

static void
rate_limits(struct merge *m, const char *pointer, const json_t *v)
{
	static const char *const known[] = { "max_requests_per_minute",
		"max_tokens_per_hour" };
	const char *key;
	json_t *limit;

	if (!json_is_object(v)) {
		merge_error(m, pointer, NULL, "must be an object");
		return;
	}
	json_object_foreach((json_t *)(uintptr_t)v, key, limit)
	{
		if (strcmp(key, known[0]) == 0) {
			if (count_ok(m, pointer, key, limit, REQUESTS_MAX))
				m->spec->requests_per_minute =
				    json_integer_value(limit);
		} else if (strcmp(key, known[1]) == 0) {
			if (count_ok(m, pointer, key, limit, TOKENS_MAX))
				m->spec->tokens_per_hour =
				    json_integer_value(limit);
		} else
			merge_unknown(m, pointer, key, "limit", known, 2);
	}
}

static void
feature_flags(struct merge *m, const char *pointer, const json_t *v)
{
	const char *key;
	json_t *flag;

	if (!json_is_object(v) || json_object_size(v) > LIST_MAX) {
		merge_error(m, pointer, NULL,
		    "must be an object of at most %d flags", LIST_MAX);
		return;
	}
	json_object_foreach((json_t *)(uintptr_t)v, key, flag)
	{
		if (!str_is_name(key))
			merge_error(m, pointer, key,
			    "names are lower-case letters, digits and _");
		else if (!json_is_boolean(flag))
			merge_error(m, pointer, key, "must be true or false");
		else
			json_object_set(m->spec->feature_flags, key, flag);
	}
}

static void
on_disconnect(struct merge *m, const char *pointer, const json_t *v)
{
	const char *s = json_string_value(v);

	if (s != NULL && strcmp(s, "finish") == 0)
		m->spec->finish_on_disconnect = true;
	else if (s == NULL || strcmp(s, "cancel") != 0)
		merge_error(
		    m, pointer, NULL, "must be \"cancel\" or \"finish\"");
}

/* An object that other parts read: kept as it stands. */
static void
keep_object(struct merge *m, const char *pointer, const json_t *v)
{
	if (!json_is_object(v))
		merge_error(m, pointer, NULL, "must be an object");
	else if (m->shown)
		json_object_set_new(
		    m->spec->merged, pointer + 1, json_deep_copy(v));
}

/* A list of ${what}, kept as it stands. */
static void
keep_list(struct merge *m, const char *pointer, const json_t *v, json_type type,
    const char *what)
{
	const json_t *element;
	char index[24];
	size_t i;

	if (!json_is_array(v) || json_array_size(v) > LIST_MAX) {
		merge_error(m, pointer, NULL, "must be a list of at most %d %s",
		    LIST_MAX, what);
		return;
	}
	json_array_foreach(v, i, element)
	{
		snprintf(index, sizeof(index), "%zu", i);
		if (json_typeof(element) != type)
			merge_error(
			    m, pointer, index, "the list is of %s", what);
	}
	if (m->shown)
		json_object_set_new(
		    m->spec->merged, pointer + 1, json_deep_copy(v));
}

static void
search_providers(struct merge *m, const char *pointer, const json_t *v)
{
	keep_list(m, pointer, v, JSON_STRING, "names");
}

static void
document_sources(struct merge *m, const char *pointer, const json_t *v)
{
	keep_list(m, pointer, v, JSON_OBJECT, "objects");
}

/* In the order in which they are applied: the override comes after the prompt
 * it is added to. */
static const struct {
	const char *pointer;
	void (*apply)(struct merge *, const char *pointer, const json_t *v);
} rules[] = {
	{ "/system_prompt", system_prompt },
	{ "/system_prompt_override", system_prompt_override },
	{ "/model_override", model_override },
	{ "/model_fallback", model_fallback },
	{ "/embedding_model", embedding_model },
	{ "/max_tokens", max_tokens },
	{ "/temperature", temperature },
	{ "/tools", tools },
	{ "/rate_limits", rate_limits },
	{ "/feature_flags", feature_flags },
	{ "/on_disconnect", on_disconnect },
	{ "/vector_database", keep_object },
	{ "/crm_integration", keep_object },
	{ "/search_providers", search_providers },
	{ "/document_sources", document_sources },
};
#define RULES ((int)(sizeof(rules) / sizeof(rules[0])))

static void
unknown_keys(struct merge *m)
{
	const char *known[RULES], *key;
	json_t *v;
	bool found;

	for (int i = 0; i < RULES; i++)
		known[i] = rules[i].pointer + 1;
	json_object_foreach((json_t *)(uintptr_t)m->configuration, key, v)
	{
		found = false;
		for (int i = 0; i < RULES && !found; i++)
			found = strcmp(key, known[i]) == 0;
		if (!found)
			merge_unknown(m, "", key, "setting", known, RULES);
	}
}

/* No NUL in any text and no bottomless nesting: below, texts are C strings and
 * walks are recursive. */
static bool
sound(const json_t *v, int depth)
{
	const char *key;
	json_t *member;
	size_t i;

	if (depth > DEPTH_MAX)
		return false;
	if (json_is_string(v))
		return strlen(json_string_value(v)) == json_string_length(v);
	json_array_foreach(
	    v, i, member) if (!sound(member, depth + 1)) return false;
	json_object_foreach((json_t *)(uintptr_t)v, key,
	    member) if (!sound(member, depth + 1)) return false;
	return true;
}

static void
from_template(struct merge *m)
{
	struct agent_spec *s = m->spec;

	s->system_prompt = mem_strdup(s, m->t->system_prompt);
	s->model = mem_strdup(s, m->t->default_model);
	s->model_fallback = true;
	s->max_tokens = m->t->max_tokens;
	s->temperature = m->t->temperature;
	s->requests_per_minute = s->tokens_per_hour = -1;
	s->feature_flags = json_object();
	s->merged = m->shown ? json_object() : NULL;
}

/* What the pages show: everything as it came out. */
static void
show(struct agent_spec *s)
{
	json_t *list = json_object(), *limits = json_object(), *tool;

	for (int i = 0; i < s->ntools; i++) {
		tool = json_object();
		json_object_set_new(
		    tool, "available", json_boolean(s->tools[i].available));
		json_object_set(tool, "settings", s->tools[i].settings);
		json_object_set_new(list, s->tools[i].name, tool);
	}
	if (s->requests_per_minute >= 0)
		json_object_set_new(limits, "max_requests_per_minute",
		    json_integer(s->requests_per_minute));
	if (s->tokens_per_hour >= 0)
		json_object_set_new(limits, "max_tokens_per_hour",
		    json_integer(s->tokens_per_hour));
	json_object_set_new(
	    s->merged, "system_prompt", json_string(s->system_prompt));
	json_object_set_new(s->merged, "model", json_string(s->model));
	json_object_set_new(
	    s->merged, "model_fallback", json_boolean(s->model_fallback));
	if (s->embedding_model)
		json_object_set_new(s->merged, "embedding_model",
		    json_string(s->embedding_model));
	json_object_set_new(
	    s->merged, "max_tokens", json_integer(s->max_tokens));
	if (s->temperature >= 0)
		json_object_set_new(
		    s->merged, "temperature", json_real(s->temperature));
	json_object_set_new(s->merged, "tools", list);
	json_object_set_new(s->merged, "rate_limits", limits);
	json_object_set(s->merged, "feature_flags", s->feature_flags);
	json_object_set_new(s->merged, "on_disconnect",
	    json_string(s->finish_on_disconnect ? "finish" : "cancel"));
}

void
merge_apply(struct merge *m)
{
	const json_t *v, *c = m->configuration;
	bool tools_named;

	from_template(m);
	if (!json_is_object(c)) {
		merge_error(m, "", NULL, "a configuration is an object");
		return;
	}
	if (!sound(c, 0)) {
		merge_error(m, "", NULL,
		    "text with a NUL, or nested deeper than %d", DEPTH_MAX);
		return;
	}
	if (m->shown &&
	    json_dumpb(c, NULL, 0, JSON_COMPACT) > SPEC_CONFIGURATION_MAX) {
		merge_error(m, "", NULL, "larger than %d KiB",
		    SPEC_CONFIGURATION_MAX / 1024);
		return;
	}
	tools_named = json_object_get(c, "tools") != NULL;
	for (int i = 0; i < RULES; i++) {
		v = json_object_get(c, rules[i].pointer + 1);
		if (v != NULL)
			rules[i].apply(m, rules[i].pointer, v);
	}
	if (!tools_named)
		merge_tools(m, NULL);
	unknown_keys(m);
	if (m->nerrors == 0 && m->shown)
		show(m->spec);
}
