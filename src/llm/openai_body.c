/*
 * OpenAI chat completions: what is sent, and the row of the provider table.
 *
 * The limit of an answer is max_completion_tokens at the vendor's own address
 * and for reasoning models anywhere (they refuse max_tokens with a 400), and
 * max_tokens for everybody else's servers, many of which know no other.
 * Reasoning models also refuse a temperature, so they get none; the names that
 * mean one are those of reasoning().
 */
#include <string.h>

#include "llm/openai_priv.h"
#include "llm/provider_priv.h"
#include "util/json.h"
#include "util/str.h"

#include "util/banned.h"

/* o1, o3-mini, gpt-5, openai/gpt-5.1-nano, but not gpt-5-chat-latest. */
static bool
reasoning(const char *name)
{
	const char *slash = strrchr(name, '/');

	if (slash)
		name = slash + 1;
	if (name[0] == 'o' && name[1] >= '1' && name[1] <= '9')
		return true;
	return str_starts(name, "gpt-5") && !str_starts(name, "gpt-5-chat");
}

static int
openai_headers(const struct llm_access *a, struct llm_headers *h)
{
	if (a->key[0] == '\0')
		return 0;
	return llm_header_add(h, "Authorization: Bearer %s", a->key);
}

static void
add_text(struct buf *b, const char *s, size_t n)
{
	buf_json_str(b, s ? s : "", s ? n : 0);
}

static void
add_calls(struct buf *b, const struct llm_message *m)
{
	buf_adds(b, ",\"tool_calls\":[");
	for (int i = 0; i < m->ncalls; i++) {
		const struct llm_tool_call *c = &m->calls[i];
		const char *args = c->arguments ? c->arguments : "{}";
		buf_adds(b, i ? ",{\"id\":" : "{\"id\":");
		add_text(b, c->id, strlen(c->id));
		buf_adds(b, ",\"type\":\"function\",\"function\":{\"name\":");
		add_text(b, c->name, strlen(c->name));
		buf_adds(b, ",\"arguments\":");
		add_text(b, args, strlen(args));
		buf_adds(b, "}}");
	}
	buf_addc(b, ']');
}

static void
add_message(struct buf *b, const struct llm_message *m)
{
	switch (m->role) {
	case LLM_USER:
		buf_adds(b, "{\"role\":\"user\",\"content\":");
		add_text(b, m->text, m->len);
		break;
	case LLM_ASSISTANT:
		buf_adds(b, "{\"role\":\"assistant\",\"content\":");
		if (m->ncalls > 0 && (!m->text || m->len == 0))
			buf_adds(b, "null");
		else
			add_text(b, m->text, m->len);
		if (m->ncalls > 0)
			add_calls(b, m);
		break;
	case LLM_TOOL:
		buf_adds(b, "{\"role\":\"tool\",\"tool_call_id\":");
		add_text(b, m->call_id, m->call_id ? strlen(m->call_id) : 0);
		buf_adds(b, ",\"content\":");
		add_text(b, m->text, m->len);
		break;
	}
	buf_addc(b, '}');
}

static void
add_tools(struct buf *b, const json_t *tools)
{
	const json_t *t, *v;
	size_t i;

	buf_adds(b, ",\"tools\":[");
	json_array_foreach((json_t *)(uintptr_t)tools, i, t)
	{
		buf_adds(b, i ? "," : "");
		buf_adds(b, "{\"type\":\"function\",\"function\":");
		llm_tool_open(b, t);
		v = json_object_get(t, "parameters");
		if (v) {
			buf_adds(b, ",\"parameters\":");
			json_write(b, v);
		}
		if (json_is_true(json_object_get(t, "strict")))
			buf_adds(b, ",\"strict\":true");
		buf_adds(b, "}}");
	}
	buf_addc(b, ']');
}

/* Reasoning models refuse these, as they do a temperature. */
static bool
option_of_sampling(const char *name)
{
	return strcmp(name, "top_p") == 0 || strcmp(name, "stop") == 0 ||
	       strcmp(name, "presence_penalty") == 0 ||
	       strcmp(name, "frequency_penalty") == 0;
}

/* They have this format's own names. */
static void
add_options(struct buf *b, const struct llm_request *rq, bool thinks)
{
	bool tools = json_array_size(rq->tools) > 0;
	const char *name;
	json_t *v;

	json_object_foreach((json_t *)(uintptr_t)rq->options, name, v)
	{
		if ((thinks && option_of_sampling(name)) ||
		    (!tools && (strcmp(name, "tool_choice") == 0 ||
				   strcmp(name, "parallel_tool_calls") == 0)))
			continue;
		buf_addc(b, ',');
		buf_json_str(b, name, strlen(name));
		buf_addc(b, ':');
		json_write(b, v);
	}
}

static void
openai_body(const struct llm_access *a, const struct llm_request *rq,
    const char *name, struct buf *b)
{
	bool thinks = reasoning(name);

	buf_adds(b, "{\"model\":");
	add_text(b, name, strlen(name));
	buf_adds(b, ",\"stream\":true,\"stream_options\":"
		    "{\"include_usage\":true}");
	if (rq->max_tokens > 0) {
		buf_adds(b, thinks || !a->own_base
				? ",\"max_completion_tokens\":"
				: ",\"max_tokens\":");
		buf_addi(b, rq->max_tokens);
	}
	if (rq->temperature >= 0 && !thinks)
		buf_addf(b, ",\"temperature\":%.4g", rq->temperature);
	add_options(b, rq, thinks);
	buf_adds(b, ",\"messages\":[");
	if (rq->system && *rq->system) {
		buf_adds(b, "{\"role\":\"system\",\"content\":");
		add_text(b, rq->system, strlen(rq->system));
		buf_adds(b, rq->nmessages > 0 ? "}," : "}");
	}
	for (int i = 0; i < rq->nmessages; i++) {
		buf_adds(b, i ? "," : "");
		add_message(b, &rq->messages[i]);
	}
	buf_addc(b, ']');
	if (json_array_size(rq->tools) > 0)
		add_tools(b, rq->tools);
	buf_addc(b, '}');
}

const struct llm_provider llm_openai = {
	.name = "openai",
	.key_env = "OPENAI_API_KEY",
	.opt_key = offsetof(struct llm_opts, openai_key),
	.opt_base = offsetof(struct llm_opts, openai_base),
	.base = "https://api.openai.com/v1",
	.key_optional = true,
	.formats = true,
	.path = "/chat/completions",
	.embed_path = "/embeddings",
	.models_path = "/models",
	.headers = openai_headers,
	.body = openai_body,
	.event = openai_event,
	.whole = openai_whole,
};
