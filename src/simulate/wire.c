/* An answer on the wire, as far as both vendors do alike. */
#include "simulate/wire_priv.h"

#include <stdio.h>
#include <string.h>

#include "util/clock.h"

#include "util/banned.h"

static const char *const openai_rates[RATES] = { "requests", "tokens", NULL };
static const char *const anthropic_rates[RATES] = { "requests", "tokens",
	"input-tokens" };

/* A span as OpenAI writes it: "12ms", "1s", "6m0s". */
static void
add_span(struct buf *out, int64_t ms)
{
	if (ms >= 60000)
		buf_addf(out, "%lldm%llds", (long long)(ms / 60000),
		    (long long)((ms % 60000 + 999) / 1000));
	else if (ms >= 1000)
		buf_addf(out, "%lld.%03llds", (long long)(ms / 1000),
		    (long long)(ms % 1000));
	else
		buf_addf(out, "%lldms", (long long)ms);
}

static void
rate_headers(const struct script *s, struct buf *out)
{
	const struct rates *r = &s->rates;
	char at[CLOCK_RFC3339_SIZE];

	for (int i = 0; i < RATES; i++) {
		const char *name =
		    s->anthropic ? anthropic_rates[i] : openai_rates[i];

		if (r->limit[i] <= 0 || !name)
			continue;
		if (s->anthropic) {
			clock_rfc3339(
			    clock_wall_us() + r->full_ms[i] * 1000, at);
			buf_addf(out,
			    "anthropic-ratelimit-%s-limit: %lld\r\n"
			    "anthropic-ratelimit-%s-remaining: %lld\r\n"
			    "anthropic-ratelimit-%s-reset: %s\r\n",
			    name, (long long)r->limit[i], name,
			    (long long)r->left[i], name, at);
			continue;
		}
		buf_addf(out,
		    "x-ratelimit-limit-%s: %lld\r\n"
		    "x-ratelimit-remaining-%s: %lld\r\n"
		    "x-ratelimit-reset-%s: ",
		    name, (long long)r->limit[i], name, (long long)r->left[i],
		    name);
		add_span(out, r->full_ms[i]);
		buf_adds(out, "\r\n");
	}
	if (r->refused) {
		buf_addf(out, "Retry-After: %lld\r\n",
		    (long long)((r->retry_ms + 999) / 1000));
		if (!s->anthropic)
			buf_addf(out, "retry-after-ms: %lld\r\n",
			    (long long)r->retry_ms);
	}
}

void
wire_head(const struct script *s, struct buf *out, size_t body_len)
{
	const struct plan *p = &s->plan;
	const char *type = p->html                         ? "text/html"
	                   : s->stream && p->status == 200 ? "text/event-stream"
	                                                   : "application/json";

	buf_addf(
	    out, "HTTP/1.1 %d Mock\r\nContent-Type: %s\r\n", p->status, type);
	buf_addf(out, "%s: req_mock_%lu\r\n",
	    s->anthropic ? "request-id" : "x-request-id", s->id);
	if (s->anthropic)
		buf_adds(out, "anthropic-organization-id: org-mock\r\n");
	if (s->rates.limited)
		rate_headers(s, out);
	if (p->retry_after >= 0 && !s->rates.refused)
		buf_addf(out, "Retry-After: %d\r\n", p->retry_after);
	if (p->no_retry)
		buf_adds(out, "x-should-retry: false\r\n");
	if (p->gzip)
		buf_adds(out, "Content-Encoding: gzip\r\n");
	if (p->headers)
		for (int i = 0; i < 100000; i++)
			buf_addf(out, "X-Mock-%d: filler\r\n", i);
	if (p->status >= 300 && p->status < 400)
		buf_adds(out, "Location: http://127.0.0.1:1/elsewhere\r\n");
	if (p->close)
		buf_adds(out, "Connection: close\r\n");
	if (body_len == SIZE_MAX)
		buf_adds(out, "Transfer-Encoding: chunked\r\n\r\n");
	else
		buf_addf(out, "Content-Length: %zu\r\n\r\n", body_len);
}

const char *
wire_eol(const struct script *s)
{
	return s->plan.crlf ? "\r\n" : "\n";
}

const char *
wire_finish(const struct script *s)
{
	if (s->plan.length)
		return s->anthropic ? "max_tokens" : "length";
	if (s->tool[0])
		return s->anthropic ? "tool_use" : "tool_calls";
	if (s->anthropic)
		return s->plan.refuse ? "refusal" : "end_turn";
	return "stop";
}

void
wire_begin(const struct script *s, struct buf *out)
{
	if (s->anthropic)
		wire_anthropic_begin(s, out);
	else
		wire_openai_begin(s, out);
	if (s->plan.bad_json)
		buf_adds(out, "data: {\"choices\":[{\"delta\":{\n\n");
	if (s->plan.wrong_type)
		buf_adds(out,
		    "data: {\"choices\":\"no\",\"usage\":[],\"type\":7}\n\n"
		    "data: {\"choices\":[7,{\"delta\":[]}],\"usage\":{"
		    "\"prompt_tokens\":\"x\",\"completion_tokens\":-5},"
		    "\"type\":\"content_block_delta\",\"index\":\"a\","
		    "\"delta\":[]}\n\ndata: [1,2]\n\n");
}

void
wire_chunk(const struct script *s, int i, struct buf *out)
{
	size_t from = i > 0 ? s->ends[i - 1] : 0;

	if (s->anthropic)
		wire_anthropic_chunk(
		    s, s->text.data + from, s->ends[i] - from, out);
	else
		wire_openai_chunk(
		    s, s->text.data + from, s->ends[i] - from, out);
}

void
wire_end(const struct script *s, struct buf *out)
{
	if (s->anthropic)
		wire_anthropic_end(s, out);
	else
		wire_openai_end(s, out);
}

void
wire_whole(const struct script *s, struct buf *out)
{
	if (s->plan.bad_json)
		buf_adds(out, "{\"choices\":[{\"message\":");
	else if (s->whole.len > 0)
		buf_add(out, s->whole.data, s->whole.len);
	else if (s->anthropic)
		wire_anthropic_whole(s, out);
	else
		wire_openai_whole(s, out);
}
