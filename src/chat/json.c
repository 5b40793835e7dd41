/*
 * A turn as JSON, with the fields of INTERFACE.md.
 */
#include "agent/spec.h"
#include "chat/turn.h"

#include "util/banned.h"

json_t *
chat_agent_json(const struct chat_turn *t)
{
	return json_pack("{s:s, s:s, s:s}", "type", t->spec->type, "name",
	    t->spec->name, "display_name", t->spec->display_name);
}

json_t *
chat_usage_json(const struct chat_turn *t)
{
	const struct llm_usage *u = &t->answer.reply.usage;

	return json_pack("{s:I, s:I, s:I, s:I, s:o, s:b}", "input_tokens",
	    (json_int_t)u->input, "output_tokens", (json_int_t)u->output,
	    "cached_input_tokens", (json_int_t)u->cached, "reasoning_tokens",
	    (json_int_t)u->reasoning, "cost_usd",
	    t->priced ? json_real((double)t->cost_nano / 1e9) : json_null(),
	    "estimated", (int)u->estimated);
}

json_t *
chat_turn_json(const struct chat_turn *t)
{
	const struct buf *text = &t->answer.reply.text;
	char turn[UUID_TEXT], message[UUID_TEXT];

	id_format(&t->id, turn);
	id_format(&t->reply_id, message);
	return json_pack("{s:s, s:s, s:s, s:o, s:o, s:s, s:o, s:O, s:O, s:s,"
			 " s:I}",
	    "session_key", t->session_key, "turn_id", turn, "message_id",
	    message, "reply",
	    json_stringn(text->len > 0 ? text->data : "", text->len), "agent",
	    chat_agent_json(t), "model", t->model, "usage", chat_usage_json(t),
	    "tool_calls", t->answer.tool_calls, "citations",
	    t->answer.citations, "finish_reason", t->finish_reason,
	    "latency_ms", (json_int_t)(t->latency_us / 1000));
}
