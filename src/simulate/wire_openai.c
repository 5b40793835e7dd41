/* OpenAI's chat completions, as its server writes them. */
#include <string.h>

#include "simulate/wire_priv.h"

#include "util/banned.h"

/* A chunk of an OpenAI stream: {"...","choices":[{"index":0, ${choice} }]} */
static void
add_event(const struct script *s, struct buf *out, const char *choice)
{
	buf_addf(out,
	    "data: {\"id\":\"chatcmpl-mock%lu\",\"object\":"
	    "\"chat.completion.chunk\",\"created\":%lld,\"model\":",
	    s->id, (long long)s->created);
	buf_json_str(out, s->model, strlen(s->model));
	buf_adds(out, ",\"choices\":[{\"index\":0,");
	buf_adds(out, choice);
	buf_addf(out, "}]%s}%s%s", s->plan.no_usage ? "" : ",\"usage\":null",
	    wire_eol(s), wire_eol(s));
}

static void
add_usage(const struct plan *p, struct buf *out)
{
	buf_addf(out,
	    "{\"prompt_tokens\":%d,\"completion_tokens\":%d,"
	    "\"total_tokens\":%d,\"prompt_tokens_details\":"
	    "{\"cached_tokens\":%d},\"completion_tokens_details\":"
	    "{\"reasoning_tokens\":%d}}",
	    p->in, p->out, p->in + p->out, p->cached, p->reasoning);
}

void
wire_openai_begin(const struct script *s, struct buf *out)
{
	add_event(s, out,
	    "\"delta\":{\"role\":\"assistant\",\"content\":\"\"},"
	    "\"finish_reason\":null");
}

void
wire_openai_chunk(
    const struct script *s, const char *p, size_t n, struct buf *out)
{
	struct buf b;

	buf_init(&b, out->ctx, WIRE_MOST);
	buf_addf(
	    &b, "\"delta\":{\"%s\":", s->plan.refuse ? "refusal" : "content");
	buf_json_str(&b, p, n);
	buf_adds(&b, "},\"finish_reason\":null");
	add_event(s, out, b.data);
	buf_free(&b);
}

void
wire_openai_end(const struct script *s, struct buf *out)
{
	struct buf b;

	buf_init(&b, out->ctx, WIRE_MOST);

	if (s->tool[0]) {
		buf_addf(&b,
		    "\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":"
		    "\"call_mock%lu\",\"type\":\"function\",\"function\":"
		    "{\"name\":\"%s\",\"arguments\":\"\"}}]},"
		    "\"finish_reason\":null",
		    s->id, s->tool);
		add_event(s, out, b.data);
		add_event(s, out,
		    "\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":"
		    "{\"arguments\":\"{\\\"query\\\":\\\"mock\\\"}\"}}]},"
		    "\"finish_reason\":null");
	}
	buf_clear(&b);
	buf_addf(&b, "\"delta\":{},\"finish_reason\":\"%s\"", wire_finish(s));
	if (!s->plan.no_finish)
		add_event(s, out, b.data);
	buf_clear(&b);
	if (!s->plan.no_usage && !s->plan.no_finish) {
		buf_addf(&b,
		    "data: {\"id\":\"chatcmpl-mock%lu\",\"object\":"
		    "\"chat.completion.chunk\",\"created\":%lld,\"model\":",
		    s->id, (long long)s->created);
		buf_json_str(&b, s->model, strlen(s->model));
		buf_adds(&b, ",\"choices\":[],\"usage\":");
		add_usage(&s->plan, &b);
		buf_addf(&b, "}%s%s", wire_eol(s), wire_eol(s));
		buf_add(out, b.data, b.len);
	}
	buf_free(&b);
	if (!s->plan.no_done && !s->plan.no_finish)
		buf_addf(out, "data: [DONE]%s%s", wire_eol(s), wire_eol(s));
}

void
wire_openai_whole(const struct script *s, struct buf *out)
{
	buf_addf(out,
	    "{\"id\":\"chatcmpl-mock%lu\",\"object\":\"chat.completion\","
	    "\"created\":%lld,\"model\":",
	    s->id, (long long)s->created);
	buf_json_str(out, s->model, strlen(s->model));
	buf_adds(out, ",\"choices\":[{\"index\":0,\"message\":{\"role\":"
		      "\"assistant\",\"content\":");
	buf_json_str(out, s->text.data, s->text.len);
	if (s->tool[0])
		buf_addf(out,
		    ",\"tool_calls\":[{\"id\":\"call_mock%lu\",\"type\":"
		    "\"function\",\"function\":{\"name\":\"%s\","
		    "\"arguments\":\"{\\\"query\\\":\\\"mock\\\"}\"}}]",
		    s->id, s->tool);
	buf_addf(out, "},\"finish_reason\":\"%s\"}]", wire_finish(s));
	if (!s->plan.no_usage) {
		buf_adds(out, ",\"usage\":");
		add_usage(&s->plan, out);
	}
	buf_adds(out, "}");
}
