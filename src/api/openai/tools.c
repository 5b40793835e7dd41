/* The caller's functions: what he declares, and which the model is to call. */
#include <stdio.h>
#include <string.h>

#include "api/openai/openai.h"

#include "util/banned.h"

#define TOOLS_MAX 128

static bool
name_ok(const char *s)
{
	size_t n = s ? strlen(s) : 0;

	return n > 0 && n <= 64 &&
	       strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			 "0123456789_-") == n;
}

static bool
has(const struct openai_read *r, const char *name)
{
	const json_t *t;
	size_t i;

	json_array_foreach(r->tools, i, t)
	{
		if (strcmp(json_string_value(json_object_get(t, "name")),
			name) == 0)
			return true;
	}
	return false;
}

int
openai_read_function(
    struct openai_read *r, const char *at, const json_t *function)
{
	json_t *text = json_object_get(function, "description");
	json_t *parameters = json_object_get(function, "parameters");
	const char *name = json_string_value(json_object_get(function, "name"));
	char param[OPENAI_PARAM];

	snprintf(param, sizeof(param), "%s.name", at);
	if (!name_ok(name) || has(r, name))
		return openai_wrong(r->fault, "invalid_function_name", param,
		    "%s must be 1 to 64 of A-Z a-z 0-9 _ -, and of one "
		    "function only",
		    param);
	if (json_array_size(r->tools) == TOOLS_MAX)
		return openai_wrong(r->fault, "array_above_max_length", "tools",
		    "at most %d tools are taken", TOOLS_MAX);
	snprintf(param, sizeof(param), "%s.parameters", at);
	if (parameters && !json_is_object(parameters) &&
	    !json_is_null(parameters))
		return openai_wrong(r->fault, "invalid_type", param,
		    "%s must be an object", param);
	json_array_append_new(r->tools,
	    json_pack("{s:s, s:O*, s:o, s:b}", "name", name, "description",
		json_is_string(text) ? text : NULL, "parameters",
		json_is_object(parameters)
		    ? json_incref(parameters)
		    : json_pack("{s:s, s:{}}", "type", "object", "properties"),
		"strict", json_is_true(json_object_get(function, "strict"))));
	return 0;
}

int
openai_read_choice(struct openai_read *r, const char *word, const char *name)
{
	bool forced = name || (word && strcmp(word, "required") == 0);

	if (!name && !forced &&
	    (!word || (strcmp(word, "auto") != 0 && strcmp(word, "none") != 0)))
		return openai_wrong(r->fault, "invalid_value", "tool_choice",
		    "tool_choice must be \"none\", \"auto\", \"required\" or "
		    "one function");
	r->choice = true;
	r->ask->given.only_tools = forced;
	json_object_set_new(r->options, "tool_choice",
	    name ? json_pack("{s:s, s:{s:s}}", "type", "function", "function",
		       "name", name)
		 : json_string(word));
	return 0;
}

int
openai_check_choice(struct openai_read *r)
{
	const json_t *choice = json_object_get(r->options, "tool_choice");
	const char *name = json_string_value(
	    json_object_get(json_object_get(choice, "function"), "name"));

	if (r->choice && json_array_size(r->tools) == 0)
		return openai_wrong(r->fault, NULL, "tool_choice",
		    "tool_choice is only allowed with tools");
	if (name && !has(r, name))
		return openai_wrong(r->fault, NULL, "tool_choice",
		    "tool_choice names a function that tools has not");
	return 0;
}
