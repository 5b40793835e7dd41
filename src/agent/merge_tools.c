/* The rules for tools: the template's list, with each one's settings. */
#include "agent/merge_priv.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "agent/setting.h"
#include "util/mem.h"

#include "util/banned.h"

#define ENABLED "enabled"
#define SEARCH "product_search" /* in products and documents */
#define MAX_RESULTS "max_results"
#define SEARCH_DEFAULT 5

/* One setting of a tool: may it be, and what may it be? */
static void
setting(struct merge *m, const char *pointer, const struct template_tool *t,
    const char *key, json_t *v, json_t *into)
{
	const char *type =
	    json_string_value(json_object_get(t->config_schema, key));
	const char *known[64], *name;
	char why[160];
	json_t *entry;
	int n = 0;

	if (type == NULL || strcmp(key, SETTING_OTHERS) == 0)
		type = json_string_value(
		    json_object_get(t->config_schema, SETTING_OTHERS));
	if (type != NULL && strcmp(type, SETTING_NONE) == 0) {
		json_object_foreach(t->config_schema, name,
		    entry) if (n < 64 && strcmp(name, SETTING_OTHERS) != 0)
		    known[n++] = name;
		merge_unknown(m, pointer, key, "setting", known, n);
		return;
	}
	if (type != NULL && !setting_fits(type, v, why, sizeof(why))) {
		merge_error(m, pointer, key, "%s", why);
		return;
	}
	json_object_set_new(into, key, json_deep_copy(v));
}

/* ${conf}: what the configuration says of this tool, NULL nothing. */
static void
one_tool(struct merge *m, const struct template_tool *t, const json_t *conf)
{
	struct spec_tool *out = &m->spec->tools[m->spec->ntools++];
	bool on = t->required || conf != NULL;
	char pointer[100];
	const char *key;
	json_t *v;

	out->name = mem_strdup(m->spec->tools, t->name);
	out->description = mem_strdup(m->spec->tools, t->description);
	/* Shared with the template, which outlives it, unless it is changed:
	 * jansson counts references atomically. */
	out->settings = json_object_size(conf) > 0 ? json_deep_copy(t->settings)
	                                           : json_incref(t->settings);
	snprintf(pointer, sizeof(pointer), "/tools/%s", t->name);
	if (conf != NULL && !json_is_object(conf)) {
		merge_error(m, pointer, NULL, "must be an object");
		return;
	}
	json_object_foreach((json_t *)(uintptr_t)conf, key, v)
	{
		if (strcmp(key, ENABLED) != 0) {
			setting(m, pointer, t, key, v, out->settings);
			continue;
		}
		if (!json_is_boolean(v))
			merge_error(m, pointer, key, "must be true or false");
		else if (json_is_false(v) && t->required)
			merge_error(
			    m, pointer, key, "the template requires this tool");
		else
			on = json_is_true(v);
	}
	out->available = on && t->built;
}

/* How many passages a turn starts with: what its search tool says. */
static int
search_results(const struct agent_spec *s)
{
	json_int_t most = 0, n;
	const json_t *v;

	for (int i = 0; i < s->ntools; i++) {
		if (!s->tools[i].available ||
		    strcmp(s->tools[i].name, SEARCH) != 0)
			continue;
		v = json_object_get(s->tools[i].settings, MAX_RESULTS);
		n = json_is_integer(v) ? json_integer_value(v) : SEARCH_DEFAULT;
		if (n > most)
			most = n;
	}
	return most > SPEC_SEARCH_MAX ? SPEC_SEARCH_MAX : (int)most;
}

void
merge_tools(struct merge *m, const json_t *tools)
{
	const struct agent_template *t = m->t;
	const char **names =
	    mem_array(m->spec, const char *, (size_t)t->ntools + 1);
	const char *key;
	json_t *v;
	bool found;

	m->spec->tools =
	    mem_array(m->spec, struct spec_tool, (size_t)t->ntools + 1);
	for (int i = 0; i < t->ntools; i++) {
		names[i] = t->tools[i].name;
		one_tool(m, &t->tools[i], json_object_get(tools, names[i]));
	}
	json_object_foreach((json_t *)(uintptr_t)tools, key, v)
	{
		found = false;
		for (int i = 0; i < t->ntools && !found; i++)
			found = strcmp(key, names[i]) == 0;
		if (!found)
			merge_unknown(m, "/tools", key,
			    "tool: the template has none of this name", names,
			    t->ntools);
	}
	m->spec->search_results = search_results(m->spec);
	talloc_free(names);
}
