/*
 * Anthropic messages: what is sent, and the row of the provider table.
 *
 * Turns alternate there: the answers of several tools are one user turn with
 * the results first, and what the visitor says next belongs to the same one.
 * Empty text blocks are refused, and the first turn must be the user's.
 *
 * What is the same turn after turn is marked, so that it is read from the
 * provider's cache: the tools, then the stable start of the system content, in
 * the order in which the prefix is counted.  Below the model's least length a
 * mark does nothing.
 */
#include <string.h>

#include "llm/anthropic_priv.h"
#include "llm/provider_priv.h"
#include "util/json.h"

#include "util/banned.h"

/* The format wants a limit; this when the agent names none. */
#define MAX_TOKENS 4096

/* Up to the end of the block that has it, at most four in a request. */
#define CACHE_MARK ",\"cache_control\":{\"type\":\"ephemeral\"}"

static int
anthropic_headers(const struct llm_access *a, struct llm_headers *h)
{
	if (llm_header_add(h, "anthropic-version: 2023-06-01") != 0)
		return -1;
	return llm_header_add(h, "x-api-key: %s", a->key);
}

/* A turn that is being written. */
struct turn {
	struct buf *b;
	int turns, blocks;
	const char *role; /* NULL: none open */
};

static void
turn_close(struct turn *t)
{
	if (t->role)
		buf_adds(t->b, "]}");
	t->role = NULL;
}

static void
turn_open(struct turn *t, const char *role)
{
	if (t->role == role)
		return;
	turn_close(t);
	buf_addf(t->b, "%s{\"role\":\"%s\",\"content\":[", t->turns ? "," : "",
	    role);
	t->role = role;
	t->turns++;
	t->blocks = 0;
}

static void
block(struct turn *t)
{
	buf_adds(t->b, t->blocks++ ? "," : "");
}

static void
block_text(struct turn *t, const char *role, const char *s, size_t n)
{
	if (!s || n == 0)
		return;
	turn_open(t, role);
	block(t);
	buf_adds(t->b, "{\"type\":\"text\",\"text\":");
	buf_json_str(t->b, s, n);
	buf_addc(t->b, '}');
}

/* input is an object; what the model wrote may be none. */
static void
add_input(struct buf *b, const char *arguments)
{
	struct json_limits lim = { 64, 20000 };
	json_t *v = NULL;

	if (arguments &&
	    json_parse(arguments, strlen(arguments), &lim, &v, NULL) == 0 &&
	    json_is_object(v))
		json_write(b, v);
	else
		buf_adds(b, "{}");
	json_decref(v);
}

static void
add_assistant(struct turn *t, const char *role, const struct llm_message *m)
{
	const json_t *v;
	size_t i;

	if (json_array_size(m->raw_blocks) > 0) {
		turn_open(t, role);
		json_array_foreach((json_t *)(uintptr_t)m->raw_blocks, i, v)
		{
			block(t);
			json_write(t->b, v);
		}
		return;
	}
	block_text(t, role, m->text, m->len);
	for (int k = 0; k < m->ncalls; k++) {
		const struct llm_tool_call *c = &m->calls[k];
		turn_open(t, role);
		block(t);
		buf_adds(t->b, "{\"type\":\"tool_use\",\"id\":");
		buf_json_str(t->b, c->id, strlen(c->id));
		buf_adds(t->b, ",\"name\":");
		buf_json_str(t->b, c->name, strlen(c->name));
		buf_adds(t->b, ",\"input\":");
		add_input(t->b, c->arguments);
		buf_addc(t->b, '}');
	}
}

static void
add_result(struct turn *t, const char *role, const struct llm_message *m)
{
	turn_open(t, role);
	block(t);
	buf_adds(t->b, "{\"type\":\"tool_result\",\"tool_use_id\":");
	buf_json_str(t->b, m->call_id ? m->call_id : "",
	    m->call_id ? strlen(m->call_id) : 0);
	if (m->text && m->len > 0) {
		buf_adds(t->b, ",\"content\":");
		buf_json_str(t->b, m->text, m->len);
	}
	buf_adds(t->b, m->is_error ? ",\"is_error\":true}" : "}");
}

static void
add_messages(struct buf *b, const struct llm_request *rq)
{
	static const char user[] = "user", assistant[] = "assistant";
	struct turn t = { .b = b };

	buf_adds(b, ",\"messages\":[");
	for (int i = 0; i < rq->nmessages; i++) {
		const struct llm_message *m = &rq->messages[i];
		if (m->role == LLM_USER)
			block_text(&t, user, m->text, m->len);
		else if (m->role == LLM_TOOL)
			add_result(&t, user, m);
		else if (t.turns > 0)
			add_assistant(&t, assistant, m);
	}
	turn_close(&t);
	buf_addc(b, ']');
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
		llm_tool_open(b, t);
		buf_adds(b, ",\"input_schema\":");
		v = json_object_get(t, "parameters");
		if (json_is_object(v))
			json_write(b, v);
		else
			buf_adds(b, "{\"type\":\"object\"}");
		buf_adds(b, i + 1 == json_array_size(tools) ? CACHE_MARK : "");
		buf_addc(b, '}');
	}
	buf_addc(b, ']');
}

/* What changes from turn to turn stands behind the mark. */
static void
add_system(struct buf *b, const char *system, size_t stable)
{
	size_t n = strlen(system);

	if (stable == 0 || stable > n)
		stable = n;
	buf_adds(b, ",\"system\":[{\"type\":\"text\",\"text\":");
	buf_json_str(b, system, stable);
	buf_adds(b, CACHE_MARK "}");
	if (stable < n) {
		buf_adds(b, ",{\"type\":\"text\",\"text\":");
		buf_json_str(b, system + stable, n - stable);
		buf_addc(b, '}');
	}
	buf_addc(b, ']');
}

static void
add_choice(struct buf *b, const struct llm_request *rq)
{
	const json_t *v = json_object_get(rq->options, "tool_choice");
	bool alone =
	    json_is_false(json_object_get(rq->options, "parallel_tool_calls"));
	const char *word = json_string_value(v), *type = "auto";

	if (json_array_size(rq->tools) == 0 || (!v && !alone))
		return;
	if (word && strcmp(word, "required") == 0)
		type = "any";
	else if (word && strcmp(word, "none") == 0)
		type = "none";
	else if (json_is_object(v))
		type = "tool";
	buf_addf(b, ",\"tool_choice\":{\"type\":\"%s\"", type);
	if (json_is_object(v)) {
		buf_adds(b, ",\"name\":");
		json_write(
		    b, json_object_get(json_object_get(v, "function"), "name"));
	}
	if (alone && strcmp(type, "none") != 0)
		buf_adds(b, ",\"disable_parallel_tool_use\":true");
	buf_addc(b, '}');
}

/* Those of the options that this format knows, by its names. */
static void
add_options(struct buf *b, const struct llm_request *rq)
{
	const json_t *v = json_object_get(rq->options, "stop");

	if (json_is_string(v)) {
		buf_adds(b, ",\"stop_sequences\":[");
		json_write(b, v);
		buf_addc(b, ']');
	} else if (json_array_size(v) > 0) {
		buf_adds(b, ",\"stop_sequences\":");
		json_write(b, v);
	}
	v = json_object_get(rq->options, "top_p");
	if (v) {
		buf_adds(b, ",\"top_p\":");
		json_write(b, v);
	}
	add_choice(b, rq);
}

static void
anthropic_body(const struct llm_access *a, const struct llm_request *rq,
    const char *name, struct buf *b)
{
	(void)a;
	buf_adds(b, "{\"model\":");
	buf_json_str(b, name, strlen(name));
	buf_addf(b, ",\"stream\":true,\"max_tokens\":%d",
	    rq->max_tokens > 0 ? rq->max_tokens : MAX_TOKENS);
	if (rq->temperature >= 0) /* its scale ends at 1 */
		buf_addf(b, ",\"temperature\":%.4g",
		    rq->temperature > 1 ? 1.0 : rq->temperature);
	if (rq->options)
		add_options(b, rq);
	if (rq->system && *rq->system)
		add_system(b, rq->system, rq->system_stable);
	add_messages(b, rq);
	if (json_array_size(rq->tools) > 0)
		add_tools(b, rq->tools);
	buf_addc(b, '}');
}

const struct llm_provider llm_anthropic = {
	.name = "anthropic",
	.key_env = "ANTHROPIC_API_KEY",
	.opt_key = offsetof(struct llm_opts, anthropic_key),
	.opt_base = offsetof(struct llm_opts, anthropic_base),
	.base = "https://api.anthropic.com",
	.path = "/v1/messages",
	.models_path = "/v1/models",
	.headers = anthropic_headers,
	.body = anthropic_body,
	.event = anthropic_event,
	.whole = anthropic_whole,
};
