/*
 * The body of POST responses: the part of it that a turn without a stored
 * response can serve.  Input is a text or items: messages, calls of functions
 * and their outputs; a reasoning item is passed over.
 */
#include <stdio.h>
#include <string.h>

#include "api/openai/openai.h"
#include "util/mem.h"

#include "util/banned.h"

#define TEXT_MAX ((size_t)1024 * 1024)

static const char *
text_of(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static bool
is_text_part(const char *type)
{
	return type && (strcmp(type, "input_text") == 0 ||
			   strcmp(type, "output_text") == 0 ||
			   strcmp(type, "refusal") == 0);
}

static int
read_content(struct openai_read *r, const char *at, const json_t *v,
    const char **text, size_t *len)
{
	char param[OPENAI_PARAM];
	const json_t *part;
	struct buf b;
	size_t i;

	*text = json_string_value(v);
	*len = json_string_length(v);
	if (*text)
		return 0;
	if (!json_is_array(v))
		return openai_wrong(r->fault, "invalid_type", at,
		    "%s must be a text or a list of parts", at);
	buf_init(&b, r->ctx, TEXT_MAX);
	json_array_foreach((json_t *)(uintptr_t)v, i, part)
	{
		const char *type = text_of(part, "type"), *said;

		snprintf(param, sizeof(param), "%s[%zu]", at, i);
		if (!is_text_part(type))
			return openai_wrong(r->fault, "unsupported_value",
			    param, "%s must be a part of text", param);
		said = text_of(
		    part, strcmp(type, "refusal") == 0 ? "refusal" : "text");
		if (!said)
			return openai_wrong(r->fault, "invalid_type", param,
			    "%s has no text", param);
		buf_adds(&b, b.len > 0 ? "\n" : "");
		buf_adds(&b, said);
	}
	*text = b.data;
	*len = b.len;
	return 0;
}

static int
read_message(struct openai_read *r, const char *at, const json_t *v)
{
	const char *role = text_of(v, "role"), *text;
	char param[OPENAI_PARAM];
	size_t len;

	snprintf(param, sizeof(param), "%s.content", at);
	if (read_content(r, param, json_object_get(v, "content"), &text, &len) <
	    0)
		return -1;
	if (role && strcmp(role, "user") == 0)
		openai_read_add(r, LLM_USER, text, len);
	else if (role && strcmp(role, "assistant") == 0)
		openai_read_add(r, LLM_ASSISTANT, text, len);
	else if (role && (strcmp(role, "system") == 0 ||
			     strcmp(role, "developer") == 0))
		openai_read_system(r, text, len);
	else
		return openai_wrong(r->fault, "invalid_value", at,
		    "%s.role must be system, developer, user or assistant", at);
	return 0;
}

/* The message whose calls may go on with one more: calls are items here, and
 * of one message where they follow each other. */
static struct llm_message *
calling(struct openai_read *r)
{
	struct llm_message *last = r->n > 0 ? &r->messages[r->n - 1] : NULL;

	if (last && last->role == LLM_ASSISTANT)
		return last;
	return openai_read_add(r, LLM_ASSISTANT, NULL, 0);
}

static int
read_call(struct openai_read *r, const char *at, const json_t *v)
{
	const char *id = text_of(v, "call_id"), *name = text_of(v, "name");
	const char *args = text_of(v, "arguments");
	struct llm_tool_call *calls;
	struct llm_message *m;

	if (!id || !*id || !name || !args)
		return openai_wrong(r->fault, "invalid_value", at,
		    "%s must have call_id, name and arguments", at);
	m = calling(r);
	calls = mem_array(r->ctx, struct llm_tool_call, (size_t)m->ncalls + 1);
	if (m->ncalls > 0)
		memcpy(calls, m->calls, sizeof(*calls) * (size_t)m->ncalls);
	calls[m->ncalls].id = mem_strdup(r->ctx, id);
	calls[m->ncalls].name = mem_strdup(r->ctx, name);
	calls[m->ncalls].arguments = mem_strdup(r->ctx, args);
	m->calls = calls;
	m->ncalls++;
	return 0;
}

static int
read_output(struct openai_read *r, const char *at, const json_t *v)
{
	const char *id = text_of(v, "call_id"), *text;
	char param[OPENAI_PARAM];
	size_t len;

	snprintf(param, sizeof(param), "%s.output", at);
	if (!id || !*id)
		return openai_wrong(r->fault, "invalid_value", at,
		    "%s must have a call_id", at);
	if (read_content(r, param, json_object_get(v, "output"), &text, &len) <
	    0)
		return -1;
	openai_read_add(r, LLM_TOOL, text, len)->call_id = id;
	return 0;
}

static int
read_item(struct openai_read *r, size_t i, const json_t *v)
{
	const char *type = text_of(v, "type");
	char at[48];

	snprintf(at, sizeof(at), "input[%zu]", i);
	if (!type ? json_object_get(v, "role") != NULL
		  : strcmp(type, "message") == 0)
		return read_message(r, at, v);
	if (type && strcmp(type, "function_call") == 0)
		return read_call(r, at, v);
	if (type && strcmp(type, "function_call_output") == 0)
		return read_output(r, at, v);
	if (type && strcmp(type, "reasoning") == 0)
		return 0;
	return openai_wrong(r->fault, "unsupported_value", at,
	    "%s must be a message, a function_call or a function_call_output",
	    at);
}

static int
read_input(struct openai_read *r, const char *name, const json_t *v)
{
	const json_t *item;
	size_t i;

	if (json_is_string(v)) {
		openai_read_add(
		    r, LLM_USER, json_string_value(v), json_string_length(v));
		return 0;
	}
	if (!json_is_array(v))
		return openai_wrong(r->fault, "invalid_type", name,
		    "input must be a text or a list of items");
	json_array_foreach((json_t *)(uintptr_t)v, i, item)
	{
		if (read_item(r, i, item) < 0)
			return -1;
	}
	return 0;
}

static int
read_instructions(struct openai_read *r, const char *name, const json_t *v)
{
	if (json_is_null(v))
		return 0;
	if (!json_is_string(v))
		return openai_wrong(r->fault, "invalid_type", name,
		    "instructions must be a text");
	openai_read_system(r, json_string_value(v), json_string_length(v));
	return 0;
}

static int
read_tools(struct openai_read *r, const char *name, const json_t *v)
{
	const json_t *t;
	char at[64];
	size_t i;

	if (json_is_null(v))
		return 0;
	if (!json_is_array(v))
		return openai_wrong(
		    r->fault, "invalid_type", name, "tools must be a list");
	json_array_foreach((json_t *)(uintptr_t)v, i, t)
	{
		const char *type = text_of(t, "type");

		snprintf(at, sizeof(at), "tools[%zu]", i);
		if (!type || strcmp(type, "function") != 0)
			return openai_wrong(r->fault, "unsupported_value", at,
			    "%s must be of type function", at);
		if (openai_read_function(r, at, t) < 0)
			return -1;
	}
	return 0;
}

static int
read_choice(struct openai_read *r, const char *name, const json_t *v)
{
	const char *type = text_of(v, "type");

	(void)name;
	if (json_is_null(v))
		return 0;
	return openai_read_choice(r, json_string_value(v),
	    type && strcmp(type, "function") == 0 ? text_of(v, "name") : NULL);
}

/* text.format, in chat/completions' words. */
static int
read_text(struct openai_read *r, const char *name, const json_t *v)
{
	json_t *format = json_object_get(v, "format"), *schema;
	const char *type = text_of(format, "type"), *key;
	json_t *part;

	(void)name;
	if (!format || json_is_null(format) ||
	    (type && strcmp(type, "text") == 0))
		return 0;
	if (type && strcmp(type, "json_object") == 0) {
		json_object_set(r->options, "response_format", format);
		return 0;
	}
	if (!type || strcmp(type, "json_schema") != 0)
		return openai_wrong(r->fault, "invalid_value", "text.format",
		    "text.format must be of type text, json_object or "
		    "json_schema");
	schema = json_object();
	json_object_foreach(format, key, part)
	{
		if (strcmp(key, "type") != 0)
			json_object_set(schema, key, part);
	}
	json_object_set_new(r->options, "response_format",
	    json_pack(
		"{s:s, s:o}", "type", "json_schema", "json_schema", schema));
	return 0;
}

static int
read_max(struct openai_read *r, const char *name, const json_t *v)
{
	return openai_read_count(r, name, v, &r->ask->given.max_tokens);
}

static int
read_stream(struct openai_read *r, const char *name, const json_t *v)
{
	return openai_read_bool(r, name, v, &r->ask->stream);
}

static int
read_parallel(struct openai_read *r, const char *name, const json_t *v)
{
	bool said = true;

	if (openai_read_bool(r, name, v, &said) < 0)
		return -1;
	if (!said)
		json_object_set_new(r->options, name, json_false());
	return 0;
}

static int
read_sampling(struct openai_read *r, const char *name, const json_t *v)
{
	return openai_read_number(
	    r, name, v, 0, strcmp(name, "top_p") == 0 ? 1 : 2);
}

/* No response is kept to go on from, and none is made later. */
static int
read_never(struct openai_read *r, const char *name, const json_t *v)
{
	if (json_is_null(v) || json_is_false(v))
		return 0;
	return openai_wrong(r->fault, "unsupported_parameter", name,
	    "%s is not supported here", name);
}

static const struct openai_member members[] = {
	{ "model", openai_read_model },
	{ "input", read_input },
	{ "instructions", read_instructions },
	{ "stream", read_stream },
	{ "tools", read_tools },
	{ "tool_choice", read_choice },
	{ "parallel_tool_calls", read_parallel },
	{ "max_output_tokens", read_max },
	{ "temperature", read_sampling },
	{ "top_p", read_sampling },
	{ "text", read_text },
	{ "metadata", openai_read_metadata },
	{ "background", read_never },
	{ "conversation", read_never },
	{ "max_tool_calls", read_never },
	{ "previous_response_id", read_never },
	{ "prompt", read_never },
	{ "top_logprobs", read_never },
	/* the vendor's own affairs */
	{ "include", NULL },
	{ "prompt_cache_key", NULL },
	{ "prompt_cache_retention", NULL },
	{ "reasoning", NULL },
	{ "safety_identifier", NULL },
	{ "service_tier", NULL },
	{ "store", NULL },
	{ "stream_options", NULL },
	{ "truncation", NULL },
	{ "user", NULL },
	{ NULL, NULL },
};

int
openai_read_response(struct openai_read *r, const json_t *body)
{
	static const char *const needed[] = { "model", "input", NULL };

	if (openai_read_members(r, body, members, needed) < 0)
		return -1;
	return openai_read_end(r, "input");
}
