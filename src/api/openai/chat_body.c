/*
 * The body of POST chat/completions, member by member, as the vendor takes it:
 * what it does not know is refused, and so is what we cannot do, so that nobody
 * believes it was done.  What changes nothing in an answer is passed over.
 */
#include <stdio.h>
#include <string.h>

#include "api/openai/openai.h"
#include "util/mem.h"

#include "util/banned.h"

#define TEXT_MAX ((size_t)1024 * 1024)
#define STOPS_MAX 4

/*
 * The text of ${v}: a string or a list of parts of type text (${also}: or
 * that); *text is NULL for null.
 */
static int
read_text(struct openai_read *r, const char *at, const json_t *v,
    const char *also, const char **text, size_t *len)
{
	char param[OPENAI_PARAM];
	const json_t *part;
	struct buf b;
	size_t i;

	*text = json_string_value(v);
	*len = json_string_length(v);
	if (*text || json_is_null(v))
		return 0;
	if (!json_is_array(v))
		return openai_wrong(r->fault, "invalid_type", at,
		    "%s must be a text or a list of parts", at);
	buf_init(&b, r->ctx, TEXT_MAX);
	json_array_foreach((json_t *)(uintptr_t)v, i, part)
	{
		const char *type =
		    json_string_value(json_object_get(part, "type"));
		const json_t *said;

		snprintf(param, sizeof(param), "%s[%zu]", at, i);
		if (!type || (strcmp(type, "text") != 0 &&
				 !(also && strcmp(type, also) == 0)))
			return openai_wrong(r->fault, "unsupported_value",
			    param, "%s must be a part of type text", param);
		said = json_object_get(part, type);
		if (!json_is_string(said))
			return openai_wrong(r->fault, "invalid_type", param,
			    "%s has no text", param);
		if (b.len > 0)
			buf_addc(&b, '\n');
		buf_add(&b, json_string_value(said), json_string_length(said));
	}
	*text = b.data;
	*len = b.len;
	return 0;
}

/* The calls of an assistant's message. */
static int
read_calls(struct openai_read *r, const char *at, const json_t *list,
    struct llm_message *m)
{
	size_t n = json_array_size(list), i;
	struct llm_tool_call *calls;
	char param[OPENAI_PARAM];
	const json_t *v;

	if (!list || json_is_null(list))
		return 0;
	snprintf(param, sizeof(param), "%s.tool_calls", at);
	if (!json_is_array(list) || n == 0)
		return openai_wrong(r->fault, "invalid_type", param,
		    "%s must be a list of calls", param);
	calls = mem_array(r->ctx, struct llm_tool_call, n);
	json_array_foreach((json_t *)(uintptr_t)list, i, v)
	{
		const json_t *fn = json_object_get(v, "function");
		const char *id = json_string_value(json_object_get(v, "id"));
		const char *name =
		    json_string_value(json_object_get(fn, "name"));
		const char *args =
		    json_string_value(json_object_get(fn, "arguments"));

		snprintf(param, sizeof(param), "%s.tool_calls[%zu]", at, i);
		if (!id || !*id || !name || !args)
			return openai_wrong(r->fault, "invalid_value", param,
			    "%s must be a function call with id, name and "
			    "arguments",
			    param);
		calls[i].id = mem_strdup(r->ctx, id);
		calls[i].name = mem_strdup(r->ctx, name);
		calls[i].arguments = mem_strdup(r->ctx, args);
	}
	m->calls = calls;
	m->ncalls = (int)n;
	return 0;
}

static int
read_assistant(struct openai_read *r, const char *at, const json_t *v)
{
	const json_t *content = json_object_get(v, "content");
	const char *text = NULL;
	struct llm_message *m;
	size_t len = 0;

	if (content && read_text(r, at, content, "refusal", &text, &len) < 0)
		return -1;
	m = openai_read_add(r, LLM_ASSISTANT, text, len);
	if (read_calls(r, at, json_object_get(v, "tool_calls"), m) < 0)
		return -1;
	if (!text && m->ncalls == 0 &&
	    !json_is_string(json_object_get(v, "refusal")))
		return openai_wrong(r->fault, "invalid_value", at,
		    "%s says nothing and calls nothing", at);
	return 0;
}

static int
read_tool(struct openai_read *r, const char *at, const json_t *v,
    const char *text, size_t len)
{
	const char *id = json_string_value(json_object_get(v, "tool_call_id"));
	char param[OPENAI_PARAM];

	if (!id || !*id) {
		snprintf(param, sizeof(param), "%s.tool_call_id", at);
		return openai_wrong(r->fault, "missing_required_parameter",
		    param, "%s is missing", param);
	}
	openai_read_add(r, LLM_TOOL, text, len)->call_id = id;
	return 0;
}

static int
read_message(struct openai_read *r, size_t i, const json_t *v)
{
	const char *role = json_string_value(json_object_get(v, "role"));
	const char *text;
	char at[48], content[64];
	size_t len;

	snprintf(at, sizeof(at), "messages[%zu]", i);
	snprintf(content, sizeof(content), "%s.content", at);
	if (role && strcmp(role, "assistant") == 0)
		return read_assistant(r, at, v);
	if (!role ||
	    (strcmp(role, "user") != 0 && strcmp(role, "system") != 0 &&
		strcmp(role, "developer") != 0 && strcmp(role, "tool") != 0)) {
		snprintf(at, sizeof(at), "messages[%zu].role", i);
		return openai_wrong(r->fault, "invalid_value", at,
		    "%s must be system, developer, user, assistant or tool",
		    at);
	}
	if (read_text(r, content, json_object_get(v, "content"), NULL, &text,
		&len) < 0)
		return -1;
	if (!text)
		return openai_wrong(r->fault, "invalid_type", content,
		    "%s must be a text or a list of parts", content);
	if (strcmp(role, "tool") == 0)
		return read_tool(r, at, v, text, len);
	if (strcmp(role, "user") == 0)
		openai_read_add(r, LLM_USER, text, len);
	else
		openai_read_system(r, text, len);
	return 0;
}

static int
read_messages(struct openai_read *r, const char *name, const json_t *v)
{
	const json_t *m;
	size_t i;

	if (json_array_size(v) == 0)
		return openai_wrong(r->fault, "invalid_type", name,
		    "messages must be a list of at least one message");
	json_array_foreach((json_t *)(uintptr_t)v, i, m)
	{
		if (read_message(r, i, m) < 0)
			return -1;
	}
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
		const char *type =
		    json_string_value(json_object_get(t, "type"));

		snprintf(at, sizeof(at), "tools[%zu].type", i);
		if (!type || strcmp(type, "function") != 0)
			return openai_wrong(r->fault, "unsupported_value", at,
			    "%s must be function", at);
		snprintf(at, sizeof(at), "tools[%zu].function", i);
		if (openai_read_function(
			r, at, json_object_get(t, "function")) < 0)
			return -1;
	}
	return 0;
}

static int
read_choice(struct openai_read *r, const char *name, const json_t *v)
{
	const char *type = json_string_value(json_object_get(v, "type"));

	(void)name;
	if (json_is_null(v))
		return 0;
	return openai_read_choice(r, json_string_value(v),
	    type && strcmp(type, "function") == 0
		? json_string_value(
		      json_object_get(json_object_get(v, "function"), "name"))
		: NULL);
}

static int
read_stream_options(struct openai_read *r, const char *name, const json_t *v)
{
	if (json_is_null(v))
		return 0;
	if (!json_is_object(v))
		return openai_wrong(r->fault, "invalid_type", name,
		    "stream_options must be an object");
	v = json_object_get(v, "include_usage");
	return v ? openai_read_bool(
		       r, "stream_options.include_usage", v, &r->ask->usage)
	         : 0;
}

static int
read_stop(struct openai_read *r, const char *name, const json_t *v)
{
	const json_t *s;
	size_t i;

	if (json_is_null(v))
		return 0;
	if (!json_is_string(v) &&
	    (!json_is_array(v) || json_array_size(v) > STOPS_MAX))
		return openai_wrong(r->fault, "invalid_type", name,
		    "stop must be a text or at most %d of them", STOPS_MAX);
	json_array_foreach((json_t *)(uintptr_t)v, i, s)
	{
		if (json_string_length(s) == 0)
			return openai_wrong(r->fault, "invalid_type", name,
			    "stop must be a list of texts");
	}
	json_object_set(r->options, name, (json_t *)(uintptr_t)v);
	return 0;
}

static int
read_format(struct openai_read *r, const char *name, const json_t *v)
{
	const char *type = json_string_value(json_object_get(v, "type"));

	if (json_is_null(v) || (type && strcmp(type, "text") == 0))
		return 0;
	if (!type ||
	    (strcmp(type, "json_object") != 0 &&
		(strcmp(type, "json_schema") != 0 ||
		    !json_is_object(json_object_get(v, "json_schema")))))
		return openai_wrong(r->fault, "invalid_value", name,
		    "response_format must be of type text, json_object or "
		    "json_schema");
	json_object_set(r->options, name, (json_t *)(uintptr_t)v);
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
	if (strcmp(name, "top_p") == 0)
		return openai_read_number(r, name, v, 0, 1);
	if (strcmp(name, "temperature") == 0)
		return openai_read_number(r, name, v, 0, 2);
	return openai_read_number(r, name, v, -2, 2);
}

static int
read_seed(struct openai_read *r, const char *name, const json_t *v)
{
	if (json_is_null(v))
		return 0;
	if (!json_is_integer(v))
		return openai_wrong(r->fault, "invalid_type", name,
		    "seed must be a whole number");
	json_object_set(r->options, name, (json_t *)(uintptr_t)v);
	return 0;
}

static int
read_n(struct openai_read *r, const char *name, const json_t *v)
{
	if (json_is_null(v) || json_integer_value(v) == 1)
		return 0;
	return openai_wrong(r->fault, "unsupported_value", name,
	    "n must be 1: a turn has one answer");
}

/* What it would do cannot be done, unless it says to do nothing. */
static int
read_never(struct openai_read *r, const char *name, const json_t *v)
{
	if (json_is_null(v) || json_is_false(v) ||
	    (json_is_object(v) && json_object_size(v) == 0) ||
	    (json_is_array(v) && json_array_size(v) == 1 &&
		strcmp(name, "modalities") == 0 &&
		json_is_string(json_array_get(v, 0)) &&
		strcmp(json_string_value(json_array_get(v, 0)), "text") == 0))
		return 0;
	return openai_wrong(r->fault, "unsupported_parameter", name,
	    "%s is not supported here", name);
}

static const struct openai_member members[] = {
	{ "model", openai_read_model },
	{ "messages", read_messages },
	{ "tools", read_tools },
	{ "tool_choice", read_choice },
	{ "parallel_tool_calls", read_parallel },
	{ "stream", read_stream },
	{ "stream_options", read_stream_options },
	{ "max_tokens", read_max },
	{ "max_completion_tokens", read_max },
	{ "temperature", read_sampling },
	{ "top_p", read_sampling },
	{ "presence_penalty", read_sampling },
	{ "frequency_penalty", read_sampling },
	{ "seed", read_seed },
	{ "stop", read_stop },
	{ "n", read_n },
	{ "response_format", read_format },
	{ "metadata", openai_read_metadata },
	{ "audio", read_never },
	{ "function_call", read_never },
	{ "functions", read_never },
	{ "logit_bias", read_never },
	{ "logprobs", read_never },
	{ "modalities", read_never },
	{ "prediction", read_never },
	{ "top_logprobs", read_never },
	{ "web_search_options", read_never },
	/* the vendor's own affairs */
	{ "prompt_cache_key", NULL },
	{ "prompt_cache_retention", NULL },
	{ "reasoning_effort", NULL },
	{ "safety_identifier", NULL },
	{ "service_tier", NULL },
	{ "store", NULL },
	{ "user", NULL },
	{ "verbosity", NULL },
	{ NULL, NULL },
};

int
openai_read_chat(struct openai_read *r, const json_t *body)
{
	static const char *const needed[] = { "model", "messages", NULL };

	if (openai_read_members(r, body, members, needed) < 0)
		return -1;
	if (r->ask->usage && !r->ask->stream)
		return openai_wrong(r->fault, NULL, "stream_options",
		    "stream_options is only allowed with stream");
	return openai_read_end(r, "messages");
}
