/*
 * The model providers' formats against published transcripts, bodies, errors
 * and framing cases:
 *
 *	llm_contract check DIR		run all of DIR (contracts/llm)
 *	llm_contract requests		print request bodies, one JSON a line,
 *					for a check against the vendors' OpenAPI
 *
 * check prints a line for each case: "ok", "not ok" or "skip", and its name.
 */
#include <dirent.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "llm/errors_priv.h"
#include "llm/llm.h"
#include "llm/provider_priv.h"
#include "llm/sse.h"
#include "llm/stream_priv.h"
#include "net/call.h"
#include "net/head_priv.h"
#include "util/buf.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

static bool wrong;
static char why[512];

static void __attribute__((format(printf, 1, 2))) fail(const char *fmt, ...)
{
	va_list ap;

	if (wrong)
		return;
	wrong = true;
	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
}

static void
report(const char *kind, const char *name)
{
	if (wrong)
		printf("not ok %s/%s: %s\n", kind, name, why);
	else
		printf("ok %s/%s\n", kind, name);
	wrong = false;
}

static char *
slurp(void *ctx, const char *dir, const char *name, size_t *len)
{
	char path[2048];
	FILE *f;
	struct buf b;
	char part[4096];
	size_t n;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "rb");
	if (!f)
		return NULL;
	buf_init(&b, ctx, 4 * 1024 * 1024);
	while ((n = fread(part, 1, sizeof(part), f)) > 0)
		buf_add(&b, part, n);
	fclose(f);
	*len = b.len;
	return b.data;
}

static json_t *
load(const char *dir, const char *name)
{
	char path[2048];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return json_load_file(path, 0, NULL);
}

static const char *
str(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

/* A run of a parser, with all that can be seen of it. */
struct outcome {
	void *ctx;
	struct llm_stream s;
	struct llm_reply r;
	struct llm_sink sink;
	struct buf heard;
	int rc;
};

static int
hear(struct llm_sink *sink, const char *p, size_t n)
{
	struct outcome *o =
	    (struct outcome *)(void *)((char *)sink -
				       offsetof(struct outcome, sink));

	if (!str_utf8_valid(p, n))
		fail("the sink got half a character");
	buf_add(&o->heard, p, n);
	return 0;
}

static struct outcome *
outcome_new(const struct llm_provider *p)
{
	void *ctx = mem_root("outcome");
	struct outcome *o = mem_new(ctx, struct outcome);

	o->ctx = ctx;
	o->sink = (struct llm_sink){ .text = hear, .gone_fd = -1 };
	buf_init(&o->heard, ctx, 1 << 20);
	buf_init(&o->r.text, ctx, 1 << 20);
	stream_init(&o->s, p, &o->r, &o->sink, ctx, ctx, 1 << 20);
	return o;
}

static void
outcome_end(struct outcome *o)
{
	struct llm_request rq = { .system = "12345678" };

	stream_end(&o->s, &rq);
	if (o->heard.len != o->r.text.len ||
	    memcmp(o->heard.data, o->r.text.data, o->heard.len) != 0)
		fail("the sink heard something else than the reply says");
}

/* All that is neutral about it, as text. */
static void
outcome_write(const struct outcome *o, struct buf *b)
{
	const struct llm_reply *r = &o->r;

	buf_addf(b, "%s done=%d finished=%d failed=%d %s garbled=%d ",
	    llm_finish_name(r->finish), o->s.done, o->s.finished, o->s.failed,
	    o->s.fault.type, o->s.garbled);
	buf_addf(b, "usage %d %d %lld %lld %lld %lld %lld hidden %zu text ",
	    o->s.usage_seen, r->usage.estimated, (long long)r->usage.input,
	    (long long)r->usage.cached, (long long)r->usage.cache_write,
	    (long long)r->usage.output, (long long)r->usage.reasoning,
	    o->s.hidden);
	buf_json_str(b, r->text.data, r->text.len);
	for (int i = 0; i < r->ncalls; i++)
		buf_addf(b, " call %s %s %s", r->calls[i].id, r->calls[i].name,
		    r->calls[i].arguments);
	if (r->raw_blocks)
		json_write(b, r->raw_blocks);
}

static struct outcome *
run_parts(const struct llm_provider *p, const char *s, size_t n, size_t step,
    size_t first)
{
	struct outcome *o = outcome_new(p);
	size_t at = 0;

	while (at < n && o->rc == 0) {
		size_t k = first && at == 0 ? first : step;
		if (k > n - at)
			k = n - at;
		o->rc = stream_feed(&o->s, s + at, k);
		at += k;
	}
	outcome_end(o);
	return o;
}

/* Every way of cutting in two, byte by byte, and a few sizes. */
static void
check_splits(
    const struct llm_provider *p, const char *s, size_t n, struct buf *whole)
{
	struct buf b;

	buf_init(&b, NULL, 1 << 21);
	for (size_t i = 0; i < n + 5 && !wrong; i++) {
		static const size_t steps[] = { 1, 2, 3, 5, 17 };
		struct outcome *o = i < n ? run_parts(p, s, n, n, i)
		                          : run_parts(p, s, n, steps[i - n], 0);
		buf_clear(&b);
		outcome_write(o, &b);
		if (b.len != whole->len ||
		    memcmp(b.data, whole->data, b.len) != 0)
			fail("split %zu of %zu gives %.200s", i, n, b.data);
		mem_free(o->ctx);
	}
	buf_free(&b);
}

/* What a transcript must come to. */

static void
expect_count(const char *what, int64_t got, int64_t want)
{
	if (got != want)
		fail("%s is %lld, not %lld", what, (long long)got,
		    (long long)want);
}

static int64_t
num(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static void
expect_usage(const struct outcome *o, const json_t *u, bool anthropic)
{
	const struct llm_usage *g = &o->r.usage;

	if (!json_is_object(u)) {
		if (o->s.usage_seen || !g->estimated)
			fail("usage was invented");
		return;
	}
	if (!o->s.usage_seen)
		fail("usage was not seen");
	if (anthropic) {
		expect_count("input", g->input,
		    num(u, "input_tokens") +
			num(u, "cache_creation_input_tokens") +
			num(u, "cache_read_input_tokens"));
		expect_count(
		    "cached", g->cached, num(u, "cache_read_input_tokens"));
		expect_count("cache_write", g->cache_write,
		    num(u, "cache_creation_input_tokens"));
		if (o->s.usage_final)
			expect_count(
			    "output", g->output, num(u, "output_tokens"));
		else if (g->output < num(u, "output_tokens"))
			fail("output is less than the provider counted");
		expect_count("reasoning", g->reasoning,
		    num(json_object_get(u, "output_tokens_details"),
			"thinking_tokens"));
		return;
	}
	expect_count("input", g->input, num(u, "prompt_tokens"));
	expect_count("output", g->output, num(u, "completion_tokens"));
	expect_count("cached", g->cached,
	    num(json_object_get(u, "prompt_tokens_details"), "cached_tokens"));
	expect_count("reasoning", g->reasoning,
	    num(json_object_get(u, "completion_tokens_details"),
		"reasoning_tokens"));
}

static void
expect_calls(const struct outcome *o, const json_t *list)
{
	const json_t *v;
	size_t i;

	if (json_array_size(list) != (size_t)o->r.ncalls) {
		fail("%d tool calls", o->r.ncalls);
		return;
	}
	json_array_foreach((json_t *)(uintptr_t)list, i, v)
	{
		const struct llm_tool_call *c = &o->r.calls[i];
		const char *raw = str(v, "arguments_raw");
		json_t *parsed = json_loads(c->arguments, 0, NULL);
		const json_t *want = json_object_get(v, "arguments");
		if (strcmp(c->id, str(v, "id")) != 0)
			fail("call id %s", c->id);
		if (strcmp(c->name, str(v, "name")) != 0)
			fail("call name %s", c->name);
		if (*raw && strcmp(c->arguments, raw) != 0)
			fail("arguments %s", c->arguments);
		if (json_is_null(want) ? parsed != NULL
				       : !json_equal(parsed, want))
			fail("arguments parse wrongly: %s", c->arguments);
		json_decref(parsed);
	}
}

static enum llm_finish
finish_of(const json_t *e, bool anthropic)
{
	static const struct {
		const char *word;
		enum llm_finish f;
	} words[] = { { "stop", LLM_STOP }, { "end_turn", LLM_STOP },
		{ "length", LLM_LENGTH }, { "max_tokens", LLM_LENGTH },
		{ "tool_calls", LLM_TOOL_CALLS },
		{ "tool_use", LLM_TOOL_CALLS },
		{ "refusal", LLM_CONTENT_FILTER } };
	const char *s = str(e, anthropic ? "stop_reason" : "finish_reason");

	if (!json_is_true(json_object_get(e, "complete")))
		return LLM_ERROR;
	if (*str(e, "refusal"))
		return LLM_CONTENT_FILTER;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(s, words[i].word) == 0)
			return words[i].f;
	return LLM_ERROR;
}

static void
expect_all(const struct outcome *o, const json_t *e, bool anthropic)
{
	struct buf text;
	const json_t *err = json_object_get(e, "error");
	bool complete = json_is_true(json_object_get(e, "complete"));
	const char *hidden = str(e, anthropic ? "thinking" : "reasoning");

	buf_init(&text, o->ctx, 1 << 20);
	buf_adds(&text, str(e, "text"));
	/* What a model says instead of an answer is said to the visitor. */
	buf_adds(&text, str(e, "refusal"));
	if (strcmp(text.data, o->r.text.data) != 0)
		fail("text %.100s", o->r.text.data);
	expect_count("hidden", (int64_t)o->s.hidden, (int64_t)strlen(hidden));
	expect_calls(o, json_object_get(e, "tool_calls"));
	expect_usage(o, json_object_get(e, "usage"), anthropic);
	if (o->r.finish != finish_of(e, anthropic))
		fail("finish %s", llm_finish_name(o->r.finish));
	if (complete != ((o->s.finished || o->s.done) && !o->s.failed))
		fail("complete is %d", !complete);
	if (json_is_object(err) != o->s.failed)
		fail("failed is %d", o->s.failed);
	if (json_is_object(err) &&
	    strcmp(o->s.fault.type, str(err, "type")) != 0)
		fail("error type %s", o->s.fault.type);
	if (o->s.garbled)
		fail("called garbled");
}

static void
check_transcript(const char *dir, const char *name, bool anthropic)
{
	const struct llm_provider *p = anthropic ? &llm_anthropic : &llm_openai;
	void *ctx = mem_root("transcript");
	char file[300];
	size_t n = 0;
	struct buf whole;
	char *s;

	snprintf(file, sizeof(file), "%s.sse", name);
	s = slurp(ctx, dir, file, &n);
	snprintf(file, sizeof(file), "%s.expect.json", name);
	json_t *want = load(dir, file);
	if (!s || !want) {
		fail("cannot be read");
	} else {
		struct outcome *o = run_parts(p, s, n, n, 0);
		expect_all(o, json_object_get(want, "expected"), anthropic);
		buf_init(&whole, ctx, 1 << 21);
		outcome_write(o, &whole);
		mem_free(o->ctx);
		check_splits(p, s, n, &whole);
	}
	json_decref(want);
	mem_free(ctx);
}

static int
by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void
check_transcripts(const char *root, const char *kind)
{
	struct dirent **list;
	char dir[1024], name[256];

	snprintf(dir, sizeof(dir), "%s/sse/%s", root, kind);
	int n = scandir(dir, &list, NULL, by_name);
	if (n <= 0) {
		fail("no transcripts in %s", dir);
		report("sse", kind);
	}
	for (int i = 0; i < n; i++) {
		char *dot = strstr(list[i]->d_name, ".sse");
		if (dot && dot[4] == '\0') {
			snprintf(name, sizeof(name), "%.*s",
			    (int)(dot - list[i]->d_name), list[i]->d_name);
			check_transcript(
			    dir, name, strcmp(kind, "anthropic") == 0);
			report(kind, name);
		}
		free(list[i]);
	}
	if (n >= 0)
		free(list);
}

/* Framing. */

static int
note_event(void *arg, const char *event, const char *data, size_t len)
{
	json_t *list = arg;

	json_array_append_new(list, json_pack("[s, s%]", event, data, len));
	return 0;
}

static size_t
base64(const char *s, unsigned char *out)
{
	static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklm"
				  "nopqrstuvwxyz0123456789+/";
	unsigned v = 0, bits = 0;
	size_t n = 0;

	for (; *s && *s != '='; s++) {
		const char *p = strchr(set, *s);
		v = v << 6 | (unsigned)(p - set);
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			out[n++] = (unsigned char)(v >> bits);
		}
	}
	return n;
}

static void
check_framing_case(const json_t *c)
{
	const char *b64 = str(c, "bytes_base64");
	unsigned char *bytes = malloc(strlen(b64) + 4);
	size_t n = base64(b64, bytes);

	for (size_t cut = 0; cut <= n + 1 && !wrong; cut++) {
		void *ctx = mem_root("framing");
		json_t *got = json_array();
		struct sse_parser p;
		sse_init(&p, ctx, 65536, note_event, got);
		if (cut <= n) {
			sse_feed(&p, (char *)bytes, cut);
			sse_feed(&p, (char *)bytes + cut, n - cut);
		}
		for (size_t i = 0; cut == n + 1 && i < n; i++)
			sse_feed(&p, (char *)bytes + i, 1);
		if (!json_equal(got, json_object_get(c, "events")))
			fail("cut at %zu", cut);
		json_decref(got);
		mem_free(ctx);
	}
	free(bytes);
}

static void
check_framing(const char *root)
{
	json_t *all = load(root, "sse/framing.json");
	json_t *c;
	size_t i;

	if (json_array_size(json_object_get(all, "cases")) == 0) {
		fail("framing.json has no cases");
		report("framing", "all");
	}
	json_array_foreach(json_object_get(all, "cases"), i, c)
	{
		check_framing_case(c);
		report("framing", str(c, "name"));
	}
	json_decref(all);
}

/* Bodies that were not streamed. */

static void
expect_openai_body(const struct outcome *o, const json_t *root)
{
	const json_t *choice =
	    json_array_get(json_object_get(root, "choices"), 0);
	const json_t *m = json_object_get(choice, "message");
	const json_t *u = json_object_get(root, "usage");
	const json_t *calls = json_object_get(m, "tool_calls");
	const json_t *v;
	size_t i;

	if (strcmp(o->r.text.data, str(m, "content")) != 0)
		fail("text");
	if ((size_t)o->r.ncalls != json_array_size(calls))
		fail("calls");
	json_array_foreach((json_t *)(uintptr_t)calls, i, v)
	{
		const json_t *f = json_object_get(v, "function");
		if (wrong || strcmp(o->r.calls[i].name, str(f, "name")) != 0 ||
		    strcmp(o->r.calls[i].arguments, str(f, "arguments")) != 0)
			fail("call %zu", i);
	}
	expect_usage(o, u, false);
	/* A tool that was asked for by name ends in "stop": there is still
	 * something to call. */
	const char *finish =
	    o->r.ncalls > 0 ? "tool_calls" : str(choice, "finish_reason");
	if (strcmp(llm_finish_name(o->r.finish), finish) != 0)
		fail("finish %s", llm_finish_name(o->r.finish));
}

static void
expect_anthropic_body(const struct outcome *o, const json_t *root)
{
	const json_t *v;
	struct buf text;
	size_t i;
	int call = 0;

	buf_init(&text, o->ctx, 1 << 20);
	json_array_foreach(json_object_get(root, "content"), i, v)
	{
		buf_adds(&text, str(v, "text"));
		if (strcmp(str(v, "type"), "tool_use") != 0)
			continue;
		json_t *args =
		    call < o->r.ncalls
			? json_loads(o->r.calls[call].arguments, 0, NULL)
			: NULL;
		if (!json_equal(args, json_object_get(v, "input")) ||
		    strcmp(o->r.calls[call].id, str(v, "id")) != 0)
			fail("call %d", call);
		json_decref(args);
		call++;
	}
	if (call != o->r.ncalls || strcmp(text.data, o->r.text.data) != 0)
		fail("text or calls");
	expect_usage(o, json_object_get(root, "usage"), true);
	json_t *e = json_pack("{s:b, s:s}", "complete", 1, "stop_reason",
	    str(root, "stop_reason"));
	if (o->r.finish != finish_of(e, true))
		fail("finish %s", llm_finish_name(o->r.finish));
	json_decref(e);
}

static void
check_body(const char *dir, const char *name)
{
	json_t *root = load(dir, name);
	bool anthropic = strncmp(name, "anthropic.", 10) == 0;
	struct outcome *o;

	if (strstr(name, "embeddings")) { /* asked for by no code of ours */
		json_decref(root);
		return;
	}
	o = outcome_new(anthropic ? &llm_anthropic : &llm_openai);
	struct buf text;

	buf_init(&text, NULL, 1 << 24);
	json_write(&text, root);
	int rc = o->s.provider->whole(
	    &o->s, json_doc_read(&o->s.doc, text.data, text.len,
		       &(struct json_limits){ 64, 20000 }));
	buf_free(&text);
	outcome_end(o);
	if (strstr(name, ".error.")) {
		if (rc == 0 || !o->s.failed ||
		    strcmp(o->s.fault.code, "unsupported_parameter") != 0)
			fail("not seen as an error");
	} else if (rc != 0) {
		fail("not understood");
	} else if (anthropic) {
		expect_anthropic_body(o, root);
	} else {
		expect_openai_body(o, root);
	}
	report("bodies", name);
	mem_free(o->ctx);
	json_decref(root);
}

static void
check_bodies(const char *root)
{
	char dir[1024];
	json_t *index, *v;
	size_t i;

	snprintf(dir, sizeof(dir), "%s/bodies", root);
	index = load(dir, "INDEX.json");
	if (json_array_size(index) == 0) {
		fail("no index");
		report("bodies", "all");
	}
	json_array_foreach(index, i, v)
	{
		check_body(dir, str(v, "file"));
	}
	json_decref(index);
}

/* Errors. */

static void
check_error(const json_t *c)
{
	const json_t *x = json_object_get(c, "expect");
	const json_t *body = json_object_get(c, "body"), *v;
	const char *text = str(c, "body_text"), *key;
	char *dumped = body ? json_dumps(body, 0) : NULL;
	struct net_reply r = { 0 };
	struct head h = { 0 };
	struct llm_fault f;
	struct err e = { 0 };
	char line[512];
	int n;

	n = snprintf(
	    line, sizeof(line), "HTTP/1.1 %d X\r\n", (int)num(c, "status"));
	head_line(&h, &r, line, (size_t)n);
	json_object_foreach(json_object_get(c, "headers"), key, v)
	{
		n = snprintf(line, sizeof(line), "%s: %s\r\n", key,
		    json_string_value(v));
		head_line(&h, &r, line, (size_t)n);
	}
	head_line(&h, &r, "\r\n", 2);
	if (dumped)
		text = dumped;
	errors_read(&f, &r, text, strlen(text), 0);
	if (f.status != num(c, "status"))
		fail("status %d", f.status);
	if (f.retryable != json_is_true(json_object_get(x, "retryable")))
		fail("retryable is %d", f.retryable);
	if (strcmp(f.type, str(x, "error_type")) != 0)
		fail("type %s", f.type);
	if (strcmp(f.code, str(x, "error_code")) != 0)
		fail("code %s", f.code);
	/* The reader is told the class, never the vendor's message. */
	const char *message = str(json_object_get(body, "error"), "message");
	if (errors_set(&f, "vendor", &e) != -1 || e.code == ERR_NONE ||
	    !e.kind || (*message && strstr(e.text, message)))
		fail("error %d %s", (int)e.code, e.text);
	if (f.retry_ms == 0 && strstr(str(c, "note"), "12)"))
		fail("retry-after was not understood");
	free(dumped);
}

static void
check_errors(const char *root)
{
	json_t *all = load(root, "errors.json"), *c;
	size_t i;

	if (json_array_size(json_object_get(all, "cases")) == 0) {
		fail("no cases");
		report("errors", "all");
	}
	json_array_foreach(json_object_get(all, "cases"), i, c)
	{
		check_error(c);
		report("errors", str(c, "name"));
	}
	json_decref(all);
}

/* Requests. */

static void
print_request(const char *name, const struct llm_provider *p, bool own_base,
    const char *model, const struct llm_request *rq)
{
	void *ctx = mem_root("request");
	struct llm_access a = { .base = "", .key = "", .own_base = own_base };
	struct buf b;

	buf_init(&b, ctx, 1 << 20);
	buf_addf(&b, "{\"name\":\"%s\",\"provider\":\"%s\",\"body\":", name,
	    p->name);
	p->body(&a, rq, model, &b);
	buf_adds(&b, "}\n");
	fwrite(b.data, 1, b.len, stdout);
	mem_free(ctx);
}

static void
print_both(const char *name, const struct llm_request *rq)
{
	print_request(name, &llm_openai, false, "gpt-4o", rq);
	print_request(name, &llm_openai, false, "o4-mini", rq);
	print_request(name, &llm_openai, true, "llama3.3:70b", rq);
	print_request(name, &llm_anthropic, false, "claude-sonnet-4-5", rq);
}

static void
print_requests(void)
{
	struct llm_tool_call calls[] = {
		{ "call_1", "search", "{\"q\":\"Z\xc3\xbcrich \\\"x\\\"\"}" },
		{ "call_2", "now", "" },
		{ "call_3", "broken", "{\"cut" },
	};
	json_t *raw = json_pack("[{s:s,s:s,s:s},{s:s,s:s,s:s,s:{s:s}}]", "type",
	    "thinking", "thinking", "hm", "signature", "c2ln", "type",
	    "tool_use", "id", "call_1", "name", "search", "input", "q", "x");
	json_t *tools =
	    json_pack("[{s:s,s:s,s:{s:s,s:{s:{s:s}},s:[s]}},{s:s,s:s}]", "name",
		"search", "description", "Look \"things\" up.", "parameters",
		"type", "object", "properties", "q", "type", "string",
		"required", "q", "name", "now", "description", "The time.");
	struct llm_message m[] = {
		{ .role = LLM_USER, .text = "Hello\n\"you\"\t\x01", .len = 13 },
		{ .role = LLM_ASSISTANT, .text = "Hi", .len = 2 },
		{ .role = LLM_USER, .text = "Find it", .len = 7 },
		{ .role = LLM_ASSISTANT, .calls = calls, .ncalls = 3 },
		{ .role = LLM_TOOL,
		    .text = "found",
		    .len = 5,
		    .call_id = "call_1" },
		{ .role = LLM_TOOL, .text = "", .call_id = "call_2" },
		{ .role = LLM_TOOL,
		    .text = "no",
		    .len = 2,
		    .call_id = "call_3",
		    .is_error = true },
		{ .role = LLM_USER, .text = "\xf0\x9f\x9a\x80", .len = 4 },
	};
	struct llm_message think[] = { m[2],
		{ .role = LLM_ASSISTANT,
		    .calls = calls,
		    .ncalls = 1,
		    .raw_blocks = raw },
		m[4] };
	struct llm_request rq = {
		.messages = m, .nmessages = 1, .temperature = -1
	};

	print_both("one message", &rq);
	rq.system = "You are \"S\".";
	rq.max_tokens = 500;
	rq.temperature = 0.7;
	rq.nmessages = 3;
	print_both("system and history", &rq);
	rq.temperature = 2;
	rq.tools = tools;
	print_both("tools", &rq);
	rq.nmessages = 8;
	print_both("tool results", &rq);
	rq.messages = m + 1; /* history cut before an answer */
	rq.nmessages = 2;
	print_both("history that begins with an answer", &rq);
	rq.messages = think;
	rq.nmessages = 3;
	print_both("thinking sent back", &rq);
	json_decref(raw);
	json_decref(tools);
}

int
main(int argc, char **argv)
{
	json_setup();
	if (argc == 2 && strcmp(argv[1], "requests") == 0) {
		print_requests();
		return 0;
	}
	if (argc != 3 || strcmp(argv[1], "check") != 0) {
		fprintf(stderr, "usage: llm_contract check DIR | requests\n");
		return 2;
	}
	check_framing(argv[2]);
	check_transcripts(argv[2], "openai");
	check_transcripts(argv[2], "openai-compatible");
	check_transcripts(argv[2], "anthropic");
	check_bodies(argv[2]);
	check_errors(argv[2]);
	return 0;
}
