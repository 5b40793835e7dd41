/* Anthropic's messages, as its server writes them. */
#include <string.h>

#include "simulate/wire_priv.h"

#include "util/banned.h"

void
wire_anthropic_event(
    const struct script *s, struct buf *out, const char *name, const char *json)
{
	buf_addf(out, "event: %s%sdata: ", name, wire_eol(s));
	buf_adds(out, json);
	buf_adds(out, wire_eol(s));
	buf_adds(out, wire_eol(s));
}

static void
add_usage(const struct plan *p, struct buf *out, int output)
{
	buf_addf(out,
	    "{\"input_tokens\":%d,\"cache_creation_input_tokens\":0,"
	    "\"cache_read_input_tokens\":%d,\"output_tokens\":%d,"
	    "\"output_tokens_details\":{\"thinking_tokens\":%d}}",
	    p->in - p->cached, p->cached, output,
	    output == p->out ? p->reasoning : 0);
}

void
wire_anthropic_begin(const struct script *s, struct buf *out)
{
	struct buf b;

	buf_init(&b, out->ctx, WIRE_MOST);

	buf_addf(&b,
	    "{\"type\":\"message_start\",\"message\":{\"id\":"
	    "\"msg_mock%lu\",\"type\":\"message\",\"role\":\"assistant\","
	    "\"content\":[],\"model\":",
	    s->id);
	buf_json_str(&b, s->model, strlen(s->model));
	buf_adds(&b, ",\"stop_reason\":null,\"stop_sequence\":null");
	if (!s->plan.no_usage) {
		buf_adds(&b, ",\"usage\":");
		add_usage(&s->plan, &b, 1);
	}
	buf_adds(&b, "}}");
	wire_anthropic_event(s, out, "message_start", b.data);
	buf_free(&b);
	wire_anthropic_event(s, out, "ping", "{\"type\":\"ping\"}");
	wire_anthropic_event(s, out, "content_block_start",
	    "{\"type\":\"content_block_start\",\"index\":0,"
	    "\"content_block\":{\"type\":\"text\",\"text\":\"\"}}");
}

void
wire_anthropic_chunk(
    const struct script *s, const char *p, size_t n, struct buf *out)
{
	struct buf b;

	buf_init(&b, out->ctx, WIRE_MOST);
	buf_adds(&b, "{\"type\":\"content_block_delta\",\"index\":0,"
		     "\"delta\":{\"type\":\"text_delta\",\"text\":");
	buf_json_str(&b, p, n);
	buf_adds(&b, "}}");
	wire_anthropic_event(s, out, "content_block_delta", b.data);
	buf_free(&b);
}

void
wire_anthropic_end(const struct script *s, struct buf *out)
{
	struct buf b;

	buf_init(&b, out->ctx, WIRE_MOST);

	wire_anthropic_event(s, out, "content_block_stop",
	    "{\"type\":\"content_block_stop\",\"index\":0}");
	if (s->tool[0]) {
		buf_addf(&b,
		    "{\"type\":\"content_block_start\",\"index\":1,"
		    "\"content_block\":{\"type\":\"tool_use\",\"id\":"
		    "\"toolu_mock%lu\",\"name\":\"%s\",\"input\":{}}}",
		    s->id, s->tool);
		wire_anthropic_event(s, out, "content_block_start", b.data);
		wire_anthropic_event(s, out, "content_block_delta",
		    "{\"type\":\"content_block_delta\",\"index\":1,"
		    "\"delta\":{\"type\":\"input_json_delta\","
		    "\"partial_json\":\"{\\\"query\\\":\"}}");
		wire_anthropic_event(s, out, "content_block_delta",
		    "{\"type\":\"content_block_delta\",\"index\":1,"
		    "\"delta\":{\"type\":\"input_json_delta\","
		    "\"partial_json\":\"\\\"mock\\\"}\"}}");
		wire_anthropic_event(s, out, "content_block_stop",
		    "{\"type\":\"content_block_stop\",\"index\":1}");
	}
	buf_clear(&b);
	buf_addf(&b,
	    "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"%s\","
	    "\"stop_sequence\":null}",
	    wire_finish(s));
	if (!s->plan.no_usage) {
		buf_adds(&b, ",\"usage\":");
		add_usage(&s->plan, &b, s->plan.out);
	}
	buf_adds(&b, "}");
	if (!s->plan.no_finish)
		wire_anthropic_event(s, out, "message_delta", b.data);
	buf_free(&b);
	if (!s->plan.no_done && !s->plan.no_finish)
		wire_anthropic_event(
		    s, out, "message_stop", "{\"type\":\"message_stop\"}");
}

void
wire_anthropic_whole(const struct script *s, struct buf *out)
{
	buf_addf(out,
	    "{\"id\":\"msg_mock%lu\",\"type\":\"message\",\"role\":"
	    "\"assistant\",\"model\":",
	    s->id);
	buf_json_str(out, s->model, strlen(s->model));
	buf_adds(out, ",\"content\":[{\"type\":\"text\",\"text\":");
	buf_json_str(out, s->text.data, s->text.len);
	buf_adds(out, "}");
	if (s->tool[0])
		buf_addf(out,
		    ",{\"type\":\"tool_use\",\"id\":\"toolu_mock%lu\","
		    "\"name\":\"%s\",\"input\":{\"query\":\"mock\"}}",
		    s->id, s->tool);
	buf_addf(out, "],\"stop_reason\":\"%s\",\"stop_sequence\":null",
	    wire_finish(s));
	buf_adds(out, ",\"usage\":");
	add_usage(&s->plan, out, s->plan.out);
	buf_adds(out, "}");
}
