/*
 * A turn as JSON, with the fields of INTERFACE.md: written, not built, since
 * every turn that is answered comes through here.
 */
#include <string.h>

#include "agent/spec.h"
#include "chat/turn.h"
#include "util/json.h"

#include "util/banned.h"

/* "${before}${value}" with the value as a string; ${before}: its key and what
 * stands before it. */
static void
add_string(struct buf *b, const char *before, const char *value)
{
	buf_adds(b, before);
	buf_json_str(b, value, strlen(value));
}

static void
add_count(struct buf *b, const char *before, int64_t n)
{
	buf_adds(b, before);
	buf_addi(b, n);
}

void
chat_agent_write(struct buf *b, const struct chat_turn *t)
{
	add_string(b, "{\"type\":", t->spec->type);
	add_string(b, ",\"name\":", t->spec->name);
	add_string(b, ",\"display_name\":", t->spec->display_name);
	buf_addc(b, '}');
}

void
chat_usage_write(struct buf *b, const struct chat_turn *t)
{
	const struct llm_usage *u = &t->answer.reply.usage;
	json_auto_t *cost =
	    t->priced ? json_real((double)t->cost_nano / 1e9) : json_null();

	add_count(b, "{\"input_tokens\":", u->input);
	add_count(b, ",\"output_tokens\":", u->output);
	add_count(b, ",\"cached_input_tokens\":", u->cached);
	add_count(b, ",\"reasoning_tokens\":", u->reasoning);
	buf_adds(b, ",\"cost_usd\":");
	json_write(b, cost);
	buf_adds(
	    b, u->estimated ? ",\"estimated\":true}" : ",\"estimated\":false}");
}

void
chat_turn_write(struct buf *b, const struct chat_turn *t, bool with_reply)
{
	const struct buf *text = &t->answer.reply.text;
	char id[UUID_TEXT];

	add_string(b, "{\"session_key\":", t->session_key);
	id_format(&t->id, id);
	add_string(b, ",\"turn_id\":", id);
	id_format(&t->reply_id, id);
	add_string(b, ",\"message_id\":", id);
	buf_adds(b, ",\"reply\":");
	buf_json_str(
	    b, with_reply ? text->data : "", with_reply ? text->len : 0);
	buf_adds(b, ",\"agent\":");
	chat_agent_write(b, t);
	add_string(b, ",\"model\":", t->model);
	buf_adds(b, ",\"usage\":");
	chat_usage_write(b, t);
	buf_adds(b, ",\"tool_calls\":");
	json_write(b, t->answer.tool_calls);
	buf_adds(b, ",\"citations\":");
	json_write(b, t->answer.citations);
	add_string(b, ",\"finish_reason\":", t->finish_reason);
	add_count(b, ",\"latency_ms\":", t->latency_us / 1000);
	buf_addc(b, '}');
}
