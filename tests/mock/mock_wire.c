/* Both vendors' formats, as a server writes them. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mock.h"

/* What was said last, or everything. */
static void
collect(struct bytes *out, const json_t *v, bool text_only)
{
	const char *key;
	json_t *item;
	size_t i;

	if (json_is_string(v)) {
		bytes_add(out, json_string_value(v), json_string_length(v));
		bytes_adds(out, "\n");
	} else if (json_is_array(v)) {
		json_array_foreach((json_t *)(uintptr_t)v, i, item)
		{
			collect(out, item, text_only);
		}
	} else {
		json_object_foreach((json_t *)(uintptr_t)v, key, item)
		{
			if (strcmp(key, "content") == 0 ||
			    strcmp(key, "text") == 0 || !text_only)
				collect(out, item, text_only);
		}
	}
}

static void
echo_text(struct script *s, const json_t *root)
{
	const json_t *list = json_object_get(root, "messages");

	if (s->plan.echo > 1) {
		collect(&s->text, json_object_get(root, "system"), true);
		collect(&s->text, list, true);
		return;
	}
	for (size_t i = json_array_size(list); i-- > 0;) {
		const json_t *m = json_array_get(list, i);
		const char *role =
		    json_string_value(json_object_get(m, "role"));
		if (role && strcmp(role, "user") == 0) {
			collect(&s->text, json_object_get(m, "content"), true);
			if (s->text.n > 0)
				s->text.n--; /* the last line's end */
			return;
		}
	}
}

static bool
has_results(const json_t *root)
{
	const json_t *list = json_object_get(root, "messages");
	const json_t *m = json_array_get(list, json_array_size(list) - 1);
	const json_t *first = json_array_get(json_object_get(m, "content"), 0);
	const char *role = json_string_value(json_object_get(m, "role"));
	const char *type = json_string_value(json_object_get(first, "type"));

	return (role && strcmp(role, "tool") == 0) ||
	       (type && strcmp(type, "tool_result") == 0);
}

static void
pick_tool(struct script *s, const json_t *root)
{
	const json_t *t = json_array_get(json_object_get(root, "tools"), 0);
	const json_t *fn = json_object_get(t, "function");
	const char *name =
	    json_string_value(json_object_get(fn ? fn : t, "name"));

	if (name && (s->plan.tools > 1 || !has_results(root)))
		snprintf(s->tool, sizeof(s->tool), "%s", name);
}

static void
cut_chunks(struct script *s)
{
	int n = s->plan.chunks;

	s->ends = calloc((size_t)n + 1, sizeof(*s->ends));
	if (!s->ends)
		abort();
	for (int i = 0; i < n; i++) {
		size_t at = s->text.n * (size_t)(i + 1) / (size_t)n;
		while (at < s->text.n && (s->text.p[at] & 0xc0) == 0x80)
			at++;
		s->ends[i] = at;
	}
}

void
script_make(struct script *s, const struct ask *a, const struct plan *p,
    unsigned long id)
{
	memset(s, 0, sizeof(*s));
	s->plan = *p;
	s->anthropic = a->anthropic;
	s->stream = a->stream && !p->json;
	s->id = id;
	memcpy(s->model, a->model, sizeof(s->model));
	bytes_add(&s->text, "", 0);
	if (p->echo || p->tools) {
		json_t *root = json_loadb(a->body, a->body_len, 0, NULL);
		if (p->echo)
			echo_text(s, root);
		if (p->tools)
			pick_tool(s, root);
		json_decref(root);
	}
	if (p->refuse) {
		bytes_adds(&s->text, "I cannot help with that.");
	} else if (!p->echo && p->chunks == 3) {
		bytes_adds(&s->text, "This is the mock model speaking.");
	} else if (!p->echo) {
		for (int i = 0; i < p->chunks; i++)
			bytes_addf(&s->text, "w%05d ", i);
	}
	cut_chunks(s);
}

void
script_free(struct script *s)
{
	bytes_free(&s->text);
	free(s->ends);
	memset(s, 0, sizeof(*s));
}

void
wire_head(const struct script *s, struct bytes *out, size_t body_len)
{
	const struct plan *p = &s->plan;
	const char *type = p->html                         ? "text/html"
	                   : s->stream && p->status == 200 ? "text/event-stream"
	                                                   : "application/json";

	bytes_addf(
	    out, "HTTP/1.1 %d Mock\r\nContent-Type: %s\r\n", p->status, type);
	bytes_addf(out, "%s: req_mock_%lu\r\n",
	    s->anthropic ? "request-id" : "x-request-id", s->id);
	if (p->retry_after >= 0)
		bytes_addf(out, "Retry-After: %d\r\n", p->retry_after);
	if (p->gzip)
		bytes_adds(out, "Content-Encoding: gzip\r\n");
	if (p->headers)
		for (int i = 0; i < 100000; i++)
			bytes_addf(out, "X-Mock-%d: filler\r\n", i);
	if (p->status >= 300 && p->status < 400)
		bytes_adds(out, "Location: http://127.0.0.1:1/elsewhere\r\n");
	if (p->close)
		bytes_adds(out, "Connection: close\r\n");
	if (body_len == SIZE_MAX)
		bytes_adds(out, "Transfer-Encoding: chunked\r\n\r\n");
	else
		bytes_addf(out, "Content-Length: %zu\r\n\r\n", body_len);
}

static const char *
eol(const struct script *s)
{
	return s->plan.crlf ? "\r\n" : "\n";
}

/* An event of an Anthropic stream. */
static void
event(const struct script *s, struct bytes *out, const char *name,
    const char *json)
{
	bytes_addf(out, "event: %s%sdata: ", name, eol(s));
	bytes_adds(out, json);
	bytes_adds(out, eol(s));
	bytes_adds(out, eol(s));
}

/* A chunk of an OpenAI stream: {"...","choices":[{"index":0, ${choice} }]} */
static void
chunk(const struct script *s, struct bytes *out, const char *choice)
{
	bytes_addf(out,
	    "data: {\"id\":\"chatcmpl-mock%lu\",\"object\":"
	    "\"chat.completion.chunk\",\"created\":1,\"model\":",
	    s->id);
	bytes_json(out, s->model, strlen(s->model));
	bytes_adds(out, ",\"choices\":[{\"index\":0,");
	bytes_adds(out, choice);
	bytes_addf(out, "}]%s}%s%s", s->plan.no_usage ? "" : ",\"usage\":null",
	    eol(s), eol(s));
}

static void
anthropic_usage(const struct plan *p, struct bytes *out, int output)
{
	bytes_addf(out,
	    "{\"input_tokens\":%d,\"cache_creation_input_tokens\":0,"
	    "\"cache_read_input_tokens\":%d,\"output_tokens\":%d,"
	    "\"output_tokens_details\":{\"thinking_tokens\":%d}}",
	    p->in - p->cached, p->cached, output,
	    output == p->out ? p->reasoning : 0);
}

static void
openai_usage(const struct plan *p, struct bytes *out)
{
	bytes_addf(out,
	    "{\"prompt_tokens\":%d,\"completion_tokens\":%d,"
	    "\"total_tokens\":%d,\"prompt_tokens_details\":"
	    "{\"cached_tokens\":%d},\"completion_tokens_details\":"
	    "{\"reasoning_tokens\":%d}}",
	    p->in, p->out, p->in + p->out, p->cached, p->reasoning);
}

static void
anthropic_begin(const struct script *s, struct bytes *out)
{
	struct bytes b = { 0 };

	bytes_addf(&b,
	    "{\"type\":\"message_start\",\"message\":{\"id\":"
	    "\"msg_mock%lu\",\"type\":\"message\",\"role\":\"assistant\","
	    "\"content\":[],\"model\":",
	    s->id);
	bytes_json(&b, s->model, strlen(s->model));
	bytes_adds(&b, ",\"stop_reason\":null,\"stop_sequence\":null");
	if (!s->plan.no_usage) {
		bytes_adds(&b, ",\"usage\":");
		anthropic_usage(&s->plan, &b, 1);
	}
	bytes_adds(&b, "}}");
	event(s, out, "message_start", b.p);
	bytes_free(&b);
	event(s, out, "ping", "{\"type\":\"ping\"}");
	event(s, out, "content_block_start",
	    "{\"type\":\"content_block_start\",\"index\":0,"
	    "\"content_block\":{\"type\":\"text\",\"text\":\"\"}}");
}

void
wire_begin(const struct script *s, struct bytes *out)
{
	if (s->anthropic)
		anthropic_begin(s, out);
	else
		chunk(s, out,
		    "\"delta\":{\"role\":\"assistant\",\"content\":\"\"},"
		    "\"finish_reason\":null");
	if (s->plan.bad_json)
		bytes_adds(out, "data: {\"choices\":[{\"delta\":{\n\n");
	if (s->plan.wrong_type)
		bytes_adds(out,
		    "data: {\"choices\":\"no\",\"usage\":[],\"type\":7}\n\n"
		    "data: {\"choices\":[7,{\"delta\":[]}],\"usage\":{"
		    "\"prompt_tokens\":\"x\",\"completion_tokens\":-5},"
		    "\"type\":\"content_block_delta\",\"index\":\"a\","
		    "\"delta\":[]}\n\ndata: [1,2]\n\n");
}

void
wire_chunk(const struct script *s, int i, struct bytes *out)
{
	size_t from = i > 0 ? s->ends[i - 1] : 0;
	struct bytes b = { 0 };

	if (s->anthropic) {
		bytes_adds(&b, "{\"type\":\"content_block_delta\",\"index\":0,"
			       "\"delta\":{\"type\":\"text_delta\",\"text\":");
		bytes_json(&b, s->text.p + from, s->ends[i] - from);
		bytes_adds(&b, "}}");
		event(s, out, "content_block_delta", b.p);
	} else {
		bytes_addf(&b, "\"delta\":{\"%s\":",
		    s->plan.refuse ? "refusal" : "content");
		bytes_json(&b, s->text.p + from, s->ends[i] - from);
		bytes_adds(&b, "},\"finish_reason\":null");
		chunk(s, out, b.p);
	}
	bytes_free(&b);
}

static const char *
finish(const struct script *s)
{
	if (s->plan.length)
		return s->anthropic ? "max_tokens" : "length";
	if (s->tool[0])
		return s->anthropic ? "tool_use" : "tool_calls";
	if (s->anthropic)
		return s->plan.refuse ? "refusal" : "end_turn";
	return "stop";
}

static void
anthropic_end(const struct script *s, struct bytes *out)
{
	struct bytes b = { 0 };

	event(s, out, "content_block_stop",
	    "{\"type\":\"content_block_stop\",\"index\":0}");
	if (s->tool[0]) {
		bytes_addf(&b,
		    "{\"type\":\"content_block_start\",\"index\":1,"
		    "\"content_block\":{\"type\":\"tool_use\",\"id\":"
		    "\"toolu_mock%lu\",\"name\":\"%s\",\"input\":{}}}",
		    s->id, s->tool);
		event(s, out, "content_block_start", b.p);
		event(s, out, "content_block_delta",
		    "{\"type\":\"content_block_delta\",\"index\":1,"
		    "\"delta\":{\"type\":\"input_json_delta\","
		    "\"partial_json\":\"{\\\"query\\\":\"}}");
		event(s, out, "content_block_delta",
		    "{\"type\":\"content_block_delta\",\"index\":1,"
		    "\"delta\":{\"type\":\"input_json_delta\","
		    "\"partial_json\":\"\\\"mock\\\"}\"}}");
		event(s, out, "content_block_stop",
		    "{\"type\":\"content_block_stop\",\"index\":1}");
	}
	b.n = 0;
	bytes_addf(&b,
	    "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"%s\","
	    "\"stop_sequence\":null}",
	    finish(s));
	if (!s->plan.no_usage) {
		bytes_adds(&b, ",\"usage\":");
		anthropic_usage(&s->plan, &b, s->plan.out);
	}
	bytes_adds(&b, "}");
	if (!s->plan.no_finish)
		event(s, out, "message_delta", b.p);
	bytes_free(&b);
	if (!s->plan.no_done && !s->plan.no_finish)
		event(s, out, "message_stop", "{\"type\":\"message_stop\"}");
}

static void
openai_end(const struct script *s, struct bytes *out)
{
	struct bytes b = { 0 };

	if (s->tool[0]) {
		bytes_addf(&b,
		    "\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":"
		    "\"call_mock%lu\",\"type\":\"function\",\"function\":"
		    "{\"name\":\"%s\",\"arguments\":\"\"}}]},"
		    "\"finish_reason\":null",
		    s->id, s->tool);
		chunk(s, out, b.p);
		chunk(s, out,
		    "\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":"
		    "{\"arguments\":\"{\\\"query\\\":\\\"mock\\\"}\"}}]},"
		    "\"finish_reason\":null");
	}
	b.n = 0;
	bytes_addf(&b, "\"delta\":{},\"finish_reason\":\"%s\"", finish(s));
	if (!s->plan.no_finish)
		chunk(s, out, b.p);
	b.n = 0;
	if (!s->plan.no_usage && !s->plan.no_finish) {
		bytes_addf(&b,
		    "data: {\"id\":\"chatcmpl-mock%lu\",\"object\":"
		    "\"chat.completion.chunk\",\"created\":1,\"model\":",
		    s->id);
		bytes_json(&b, s->model, strlen(s->model));
		bytes_adds(&b, ",\"choices\":[],\"usage\":");
		openai_usage(&s->plan, &b);
		bytes_addf(&b, "}%s%s", eol(s), eol(s));
		bytes_add(out, b.p, b.n);
	}
	bytes_free(&b);
	if (!s->plan.no_done && !s->plan.no_finish)
		bytes_addf(out, "data: [DONE]%s%s", eol(s), eol(s));
}

void
wire_end(const struct script *s, struct bytes *out)
{
	if (s->anthropic)
		anthropic_end(s, out);
	else
		openai_end(s, out);
}

void
wire_error(const struct script *s, struct bytes *out)
{
	if (s->anthropic)
		event(s, out, "error",
		    "{\"type\":\"error\",\"error\":{\"type\":"
		    "\"overloaded_error\",\"message\":\"Overloaded\"}}");
	else
		bytes_adds(out,
		    "data: {\"error\":{\"message\":\"The mock failed.\","
		    "\"type\":\"server_error\",\"param\":null,"
		    "\"code\":null}}\n\n");
}

static void
whole_anthropic(const struct script *s, struct bytes *out)
{
	bytes_addf(out,
	    "{\"id\":\"msg_mock%lu\",\"type\":\"message\",\"role\":"
	    "\"assistant\",\"model\":",
	    s->id);
	bytes_json(out, s->model, strlen(s->model));
	bytes_adds(out, ",\"content\":[{\"type\":\"text\",\"text\":");
	bytes_json(out, s->text.p, s->text.n);
	bytes_adds(out, "}");
	if (s->tool[0])
		bytes_addf(out,
		    ",{\"type\":\"tool_use\",\"id\":\"toolu_mock%lu\","
		    "\"name\":\"%s\",\"input\":{\"query\":\"mock\"}}",
		    s->id, s->tool);
	bytes_addf(
	    out, "],\"stop_reason\":\"%s\",\"stop_sequence\":null", finish(s));
	bytes_adds(out, ",\"usage\":");
	anthropic_usage(&s->plan, out, s->plan.out);
	bytes_adds(out, "}");
}

static void
whole_openai(const struct script *s, struct bytes *out)
{
	bytes_addf(out,
	    "{\"id\":\"chatcmpl-mock%lu\",\"object\":\"chat.completion\","
	    "\"created\":1,\"model\":",
	    s->id);
	bytes_json(out, s->model, strlen(s->model));
	bytes_adds(out, ",\"choices\":[{\"index\":0,\"message\":{\"role\":"
			"\"assistant\",\"content\":");
	bytes_json(out, s->text.p, s->text.n);
	if (s->tool[0])
		bytes_addf(out,
		    ",\"tool_calls\":[{\"id\":\"call_mock%lu\",\"type\":"
		    "\"function\",\"function\":{\"name\":\"%s\","
		    "\"arguments\":\"{\\\"query\\\":\\\"mock\\\"}\"}}]",
		    s->id, s->tool);
	bytes_addf(out, "},\"finish_reason\":\"%s\"}]", finish(s));
	if (!s->plan.no_usage) {
		bytes_adds(out, ",\"usage\":");
		openai_usage(&s->plan, out);
	}
	bytes_adds(out, "}");
}

void
wire_whole(const struct script *s, struct bytes *out)
{
	if (s->plan.bad_json)
		bytes_adds(out, "{\"choices\":[{\"message\":");
	else if (s->anthropic)
		whole_anthropic(s, out);
	else
		whole_openai(s, out);
}

void
wire_refusal(const struct script *s, struct bytes *out)
{
	static const struct {
		int status;
		const char *anthropic, *type, *code;
	} rows[] = {
		{ 400, "invalid_request_error", "invalid_request_error",
		    "invalid" },
		{ 401, "authentication_error", "invalid_request_error",
		    "invalid_api_key" },
		{ 402, "billing_error", "insufficient_quota",
		    "credit_balance_exhausted" },
		{ 403, "permission_error", "request_forbidden",
		    "unsupported_country_region_territory" },
		{ 404, "not_found_error", "invalid_request_error",
		    "model_not_found" },
		{ 429, "rate_limit_error", "requests", "rate_limit_exceeded" },
		{ 503, "overloaded_error", "service_unavailable_error",
		    "server_is_overloaded" },
		{ 529, "overloaded_error", "service_unavailable_error",
		    "server_is_overloaded" },
	};
	const char *a = "api_error", *t = "server_error", *c = "internal";

	if (s->plan.html) {
		bytes_adds(out, "<html><body>Bad Gateway</body></html>");
		return;
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].status == s->plan.status) {
			a = rows[i].anthropic;
			t = rows[i].type;
			c = rows[i].code;
		}
	if (s->anthropic)
		bytes_addf(out,
		    "{\"type\":\"error\",\"error\":{\"type\":\"%s\","
		    "\"message\":\"The mock says no.\"},\"request_id\":"
		    "\"req_mock_%lu\"}",
		    a, s->id);
	else
		bytes_addf(out,
		    "{\"error\":{\"message\":\"The mock says no.\","
		    "\"type\":\"%s\",\"param\":null,\"code\":\"%s\"}}",
		    t, c);
}
