/* Both wire formats where published transcripts do not reach: odd servers,
 * odd histories, and what exactly is asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "llm/provider_priv.h"
#include "llm/stream_priv.h"
#include "net/call.h"
#include "util/mem.h"

static void *ctx;
static struct llm_stream s;
static struct llm_reply r;
static struct llm_request rq;

static void
begin(const struct llm_provider *p)
{
	mem_free(ctx);
	ctx = mem_root("formats");
	memset(&r, 0, sizeof(r));
	memset(&rq, 0, sizeof(rq));
	rq.temperature = -1;
	buf_init(&r.text, ctx, 100000);
	stream_init(&s, p, &r, NULL, ctx, ctx, 100000);
}

static int
ev(const char *json)
{
	return s.provider->event(&s, "message", json, strlen(json));
}

/* OpenAI: what comes back. */

#define CALLS(x) "{\"choices\":[{\"delta\":{\"tool_calls\":[" x "]}}]}"
#define FN(name, args)                                                         \
	"\"function\":{\"name\":\"" name "\",\"arguments\":\"" args "\"}"

static void
test_openai_call_shapes(void **state)
{
	(void)state;
	/* Each call has index 0, but its own id and name. */
	begin(&llm_openai);
	ev(CALLS("{\"index\":0,\"id\":\"a\"," FN("f", "{}") "}"));
	ev(CALLS("{\"index\":0,\"id\":\"b\"," FN("g", "{1}") "}"));
	ev("{\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}");
	stream_end(&s, &rq);
	assert_int_equal(r.ncalls, 2);
	assert_string_equal(r.calls[1].name, "g");
	assert_string_equal(r.calls[1].arguments, "{1}");
	assert_int_equal(r.finish, LLM_TOOL_CALLS);
	/* No index and no id. */
	begin(&llm_openai);
	ev(CALLS("{" FN("f", "{") "}"));
	ev(CALLS("{" FN("", "}") "}"));
	ev(CALLS("{" FN("g", "") "}"));
	stream_end(&s, &rq);
	assert_int_equal(r.ncalls, 2);
	assert_string_equal(r.calls[0].arguments, "{}");
	assert_string_equal(r.calls[1].arguments, "{}");
	assert_true(r.calls[0].id[0] != '\0');
	/* Id and name repeated in every fragment; arguments as an object. */
	begin(&llm_openai);
	ev(CALLS("{\"index\":0,\"id\":\"a\"," FN("f", "{\\\"x\\\":") "}"));
	ev(CALLS("{\"index\":0,\"id\":\"a\"," FN("f", "1}") "}"));
	ev(CALLS("{\"index\":1,\"id\":\"b\",\"function\":{\"name\":\"g\","
		 "\"arguments\":{\"y\":2}}}"));
	stream_end(&s, &rq);
	assert_int_equal(r.ncalls, 2);
	assert_string_equal(r.calls[0].name, "f");
	assert_string_equal(r.calls[0].arguments, "{\"x\":1}");
	assert_string_equal(r.calls[1].arguments, "{\"y\":2}");
}

static void
test_openai_odd_chunks(void **state)
{
	static const char *const fine[] = { "{}", "{\"choices\":[]}",
		"{\"choices\":null}", "{\"choices\":\"no\"}",
		"{\"choices\":[7]}", "{\"choices\":[{\"delta\":[]}]}",
		"{\"choices\":[{\"delta\":{\"content\":null}}]}",
		"{\"choices\":[{\"delta\":{\"content\":7}}]}",
		"{\"choices\":[{\"delta\":{\"tool_calls\":{}}}]}",
		"{\"choices\":[{\"delta\":{\"tool_calls\":[null,7,{}]}}]}",
		"{\"choices\":[{\"finish_reason\":7}]}",
		"{\"choices\":[{\"finish_reason\":\"\"}]}", "{\"usage\":7}",
		"{\"error\":null}" };
	static const char *const bad[] = { "", "x", "[]", "7", "\"x\"",
		"{\"choices\":[{\"delta\":{" };

	(void)state;
	for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++) {
		begin(&llm_openai);
		assert_int_equal(ev(fine[i]), 0);
		assert_false(s.finished);
		stream_end(&s, &rq);
		assert_int_equal(r.text.len, 0);
		assert_int_equal(r.finish, LLM_ERROR);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		begin(&llm_openai);
		assert_int_equal(ev(bad[i]), NET_STOP);
		assert_true(s.garbled);
	}
	/* Errors in every shape seen. */
	begin(&llm_openai);
	assert_int_equal(ev("{\"error\":\"broken\"}"), NET_STOP);
	assert_true(s.failed);
	begin(&llm_openai);
	assert_int_equal(ev("{\"error\":{\"code\":429,\"type\":"
			    "\"rate_limit_error\"}}"),
	    NET_STOP);
	assert_int_equal(s.fault.status, 429);
	/* Content in parts. */
	begin(&llm_openai);
	ev("{\"choices\":[{\"delta\":{\"content\":[{\"type\":\"text\","
	   "\"text\":\"a\"},{\"type\":\"x\"},{\"text\":\"b\"}]}}]}");
	assert_string_equal(r.text.data, "ab");
	assert_int_equal(ev("[DONE]"), NET_ENOUGH);
}

static void
test_openai_usage_shapes(void **state)
{
	(void)state;
	begin(&llm_openai);
	ev("{\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":1}}");
	ev("{\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":9,"
	   "\"prompt_cache_hit_tokens\":4}}");
	ev("{\"choices\":[],\"usage\":null}");
	ev("[DONE]");
	stream_end(&s, &rq);
	assert_int_equal(r.usage.input, 5);
	assert_int_equal(r.usage.output, 9);
	assert_int_equal(r.usage.cached, 4);
	assert_false(r.usage.estimated);
	begin(&llm_openai);
	ev("{\"x_groq\":{\"usage\":{\"prompt_tokens\":3,"
	   "\"completion_tokens\":2}}}");
	assert_int_equal(r.usage.input, 3);
}

/* Anthropic: what comes back. */

#define START(i, block)                                                        \
	"{\"type\":\"content_block_start\",\"index\":" #i                      \
	",\"content_block\":" block "}"
#define DELTA(i, d)                                                            \
	"{\"type\":\"content_block_delta\",\"index\":" #i ",\"delta\":" d "}"
#define STOP(why)                                                              \
	"{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"" why "\"}}"

static void
test_anthropic_thinking_kept(void **state)
{
	(void)state;
	begin(&llm_anthropic);
	ev(START(0, "{\"type\":\"thinking\",\"thinking\":\"\"}"));
	ev(DELTA(0, "{\"type\":\"thinking_delta\",\"thinking\":\"hm \"}"));
	ev(DELTA(0, "{\"type\":\"thinking_delta\",\"thinking\":\"so\"}"));
	ev(DELTA(0, "{\"type\":\"signature_delta\",\"signature\":\"c2ln\"}"));
	ev(START(1, "{\"type\":\"redacted_thinking\",\"data\":\"eA==\"}"));
	ev(START(2, "{\"type\":\"text\",\"text\":\"\"}"));
	ev(DELTA(2, "{\"type\":\"text_delta\",\"text\":\"I look.\"}"));
	ev(START(3, "{\"type\":\"server_tool_use\",\"id\":\"x\"}"));
	ev(DELTA(3, "{\"type\":\"input_json_delta\",\"partial_json\":\"{\"}"));
	ev(START(4, "{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":\"f\","
		    "\"input\":{}}"));
	ev(DELTA(4, "{\"type\":\"input_json_delta\",\"partial_json\":\"\"}"));
	ev(DELTA(4,
	    "{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"q\\\":"
	    "1}\"}"));
	ev(STOP("tool_use"));
	assert_int_equal(ev("{\"type\":\"message_stop\"}"), NET_ENOUGH);
	stream_end(&s, &rq);
	assert_string_equal(r.text.data, "I look.");
	assert_int_equal(r.ncalls, 1);
	assert_string_equal(r.calls[0].arguments, "{\"q\":1}");
	assert_int_equal(r.finish, LLM_TOOL_CALLS);
	json_t *want = json_loads(
	    "[{\"type\":\"thinking\",\"thinking\":\"hm so\",\"signature\":"
	    "\"c2ln\"},{\"type\":\"redacted_thinking\",\"data\":\"eA==\"},"
	    "{\"type\":\"text\",\"text\":\"I look.\"},{\"type\":\"tool_use\","
	    "\"id\":\"t1\",\"name\":\"f\",\"input\":{\"q\":1}}]",
	    0, NULL);
	assert_true(json_equal((json_t *)(uintptr_t)r.raw_blocks, want));
	json_decref(want);
	/* Without thinking, or without a call, nothing is kept. */
	begin(&llm_anthropic);
	ev(START(0, "{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\","
		    "\"input\":{\"a\":2}}"));
	ev(STOP("tool_use"));
	ev("{\"type\":\"message_stop\"}");
	stream_end(&s, &rq);
	assert_null(r.raw_blocks);
	assert_string_equal(r.calls[0].arguments, "{\"a\":2}");
}

static void
test_anthropic_usage(void **state)
{
	(void)state;
	begin(&llm_anthropic);
	ev("{\"type\":\"message_start\",\"message\":{\"usage\":{"
	   "\"input_tokens\":10,\"cache_creation_input_tokens\":3,"
	   "\"cache_read_input_tokens\":4,\"output_tokens\":1}}}");
	assert_int_equal(r.usage.input, 17);
	ev("{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":"
	   "\"max_tokens\"},\"usage\":{\"output_tokens\":9,"
	   "\"cache_read_input_tokens\":null,\"cache_creation_input_tokens\":"
	   "5}}");
	ev("{\"type\":\"message_stop\"}");
	stream_end(&s, &rq);
	assert_int_equal(r.usage.input, 19);
	assert_int_equal(r.usage.cached, 4);
	assert_int_equal(r.usage.cache_write, 5);
	assert_int_equal(r.usage.output, 9);
	assert_int_equal(r.finish, LLM_LENGTH);
	assert_false(r.usage.estimated);
}

static void
test_anthropic_odd_events(void **state)
{
	static const char *const fine[] = { "{}", "{\"type\":7}",
		"{\"type\":\"ping\"}", "{\"type\":\"new_kind\",\"x\":1}",
		DELTA(9, "{\"type\":\"text_delta\",\"text\":\"lost\"}"),
		"{\"type\":\"content_block_start\"}",
		"{\"type\":\"content_block_delta\"}",
		"{\"type\":\"message_start\",\"message\":7}",
		"{\"type\":\"message_delta\",\"delta\":[],\"usage\":\"x\"}",
		START(0, "{\"type\":\"tool_use\",\"id\":7,\"name\":null,"
			 "\"input\":[1]}"),
		"{\"type\":\"content_block_stop\",\"index\":\"a\"}" };

	(void)state;
	for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++) {
		begin(&llm_anthropic);
		assert_int_equal(ev(fine[i]), 0);
		stream_end(&s, &rq);
		assert_int_equal(r.text.len, 0);
		assert_int_equal(r.finish, LLM_ERROR);
	}
	begin(&llm_anthropic);
	assert_int_equal(ev("[1]"), NET_STOP);
	assert_true(s.garbled);
	/* Blocks without end. */
	begin(&llm_anthropic);
	char text[128];
	int rc = 0;
	for (int i = 0; i < 1000 && rc == 0; i++) {
		snprintf(text, sizeof(text),
		    "{\"type\":\"content_block_start\",\"index\":%d,"
		    "\"content_block\":{\"type\":\"text\"}}",
		    i);
		rc = ev(text);
	}
	assert_int_equal(rc, NET_STOP);
	/* A delta of another kind than its block is dropped. */
	begin(&llm_anthropic);
	ev(START(0, "{\"type\":\"thinking\",\"thinking\":\"secret\"}"));
	ev(DELTA(0, "{\"type\":\"text_delta\",\"text\":\"leak\"}"));
	assert_int_equal(r.text.len, 0);
}

/* What is asked for. */

static json_t *
body(const struct llm_provider *p, bool own_base, const char *name)
{
	struct llm_access a = { .base = "", .key = "k", .own_base = own_base };
	struct buf b;
	json_error_t je;

	buf_init(&b, ctx, 1 << 20);
	p->body(&a, &rq, name, &b);
	json_t *v = json_loadb(b.data, b.len, JSON_REJECT_DUPLICATES, &je);
	if (!v)
		fail_msg("%s: %s", je.text, b.data);
	return v;
}

static void
test_openai_parameters(void **state)
{
	static const struct {
		const char *name;
		bool own, completion, temperature;
	} rows[] = {
		{ "gpt-4o", false, true, true },
		{ "gpt-4o", true, false, true },
		{ "o1", false, true, false },
		{ "o3-mini", true, true, false },
		{ "gpt-5", false, true, false },
		{ "openai/gpt-5.1-mini", true, true, false },
		{ "gpt-5-chat-latest", false, true, true },
		{ "omni-large", true, false, true },
		{ "llama3.3:70b", true, false, true },
	};
	struct llm_message m = { .role = LLM_USER, .text = "x", .len = 1 };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin(&llm_openai);
		rq.messages = &m;
		rq.nmessages = 1;
		rq.max_tokens = 99;
		rq.temperature = 0.2;
		json_t *v = body(&llm_openai, rows[i].own, rows[i].name);
		const char *key =
		    rows[i].completion ? "max_completion_tokens" : "max_tokens";
		const char *other =
		    rows[i].completion ? "max_tokens" : "max_completion_tokens";
		assert_int_equal(
		    json_integer_value(json_object_get(v, key)), 99);
		assert_null(json_object_get(v, other));
		assert_int_equal(json_object_get(v, "temperature") != NULL,
		    rows[i].temperature);
		assert_null(json_object_get(v, "tools"));
		json_decref(v);
	}
	begin(&llm_openai);
	rq.messages = &m;
	rq.nmessages = 1;
	json_t *v = body(&llm_openai, false, "gpt-4o");
	assert_null(json_object_get(v, "max_completion_tokens"));
	assert_null(json_object_get(v, "temperature"));
	json_decref(v);
}

static void
expect_anthropic(const char *want)
{
	json_t *v = body(&llm_anthropic, false, "claude");
	json_t *w = json_loads(want, 0, NULL);

	assert_non_null(w);
	if (!json_equal(json_object_get(v, "messages"), w))
		fail_msg("%s",
		    json_dumps(json_object_get(v, "messages"), JSON_COMPACT));
	json_decref(v);
	json_decref(w);
}

static void
test_anthropic_turns(void **state)
{
	struct llm_tool_call calls[2] = { { "c1", "f", "{\"a\":1}" },
		{ "c2", "g", "not json" } };
	struct llm_message m[] = {
		{ .role = LLM_ASSISTANT, .text = "lost", .len = 4 },
		{ .role = LLM_USER, .text = "a", .len = 1 },
		{ .role = LLM_USER, .text = "b", .len = 1 },
		{ .role = LLM_ASSISTANT,
		    .text = "",
		    .calls = calls,
		    .ncalls = 2 },
		{ .role = LLM_TOOL, .text = "r1", .len = 2, .call_id = "c1" },
		{ .role = LLM_TOOL, .call_id = "c2", .is_error = true },
		{ .role = LLM_USER, .text = "c", .len = 1 },
	};

	(void)state;
	begin(&llm_anthropic);
	rq.messages = m;
	rq.nmessages = 7;
	expect_anthropic(
	    "[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":"
	    "\"a\"},{\"type\":\"text\",\"text\":\"b\"}]},{\"role\":"
	    "\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"c1\","
	    "\"name\":\"f\",\"input\":{\"a\":1}},{\"type\":\"tool_use\","
	    "\"id\":\"c2\",\"name\":\"g\",\"input\":{}}]},{\"role\":\"user\","
	    "\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"c1\","
	    "\"content\":\"r1\"},{\"type\":\"tool_result\",\"tool_use_id\":"
	    "\"c2\",\"is_error\":true},{\"type\":\"text\",\"text\":\"c\"}]}]");
	/* The vendor's own blocks go back as they came. */
	json_t *raw = json_pack("[{s:s,s:s,s:s}]", "type", "thinking",
	    "thinking", "t", "signature", "s");
	m[3].raw_blocks = raw;
	rq.messages = m + 2;
	rq.nmessages = 3;
	expect_anthropic(
	    "[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":"
	    "\"b\"}]},{\"role\":\"assistant\",\"content\":[{\"type\":"
	    "\"thinking\",\"thinking\":\"t\",\"signature\":\"s\"}]},{\"role\":"
	    "\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":"
	    "\"c1\",\"content\":\"r1\"}]}]");
	json_decref(raw);
	m[3].raw_blocks = NULL;
	/* A limit is always named, and the temperature within its scale. */
	rq.temperature = 1.7;
	json_t *v = body(&llm_anthropic, false, "claude");
	assert_int_equal(
	    json_integer_value(json_object_get(v, "max_tokens")), 4096);
	assert_true(json_number_value(json_object_get(v, "temperature")) <= 1);
	json_decref(v);
}

/* Member ${key} of what is sent, as JSON. */
static void
expect_member(const char *key, const char *want)
{
	json_t *v = body(&llm_anthropic, false, "claude");
	json_t *w = want ? json_loads(want, 0, NULL) : NULL;

	assert_true(!want == !w);
	if (want ? !json_equal(json_object_get(v, key), w)
		 : json_object_get(v, key) != NULL)
		fail_msg(
		    "%s", json_dumps(json_object_get(v, key), JSON_COMPACT));
	json_decref(v);
	json_decref(w);
}

/* The tools and the stable start of the system content are marked, nothing
 * behind it is. */
static void
test_anthropic_cache_marks(void **state)
{
	static const char whole[] =
	    "[{\"type\":\"text\",\"text\":\"Be kind. Today.\","
	    "\"cache_control\":{\"type\":\"ephemeral\"}}]";
	struct llm_message m = { .role = LLM_USER, .text = "x", .len = 1 };
	json_t *tools = json_pack("[{s:s, s:s}, {s:s, s:s}]", "name", "f",
	    "description", "d", "name", "g", "description", "d");

	(void)state;
	begin(&llm_anthropic);
	rq.messages = &m;
	rq.nmessages = 1;
	rq.system = NULL;
	expect_member("system", NULL);
	expect_member("tools", NULL);
	rq.system = "";
	expect_member("system", NULL);
	rq.system = "Be kind. Today.";
	expect_member("system", whole);
	rq.system_stable = 15;
	expect_member("system", whole);
	rq.system_stable = 99;
	expect_member("system", whole);
	rq.system_stable = 8;
	expect_member("system",
	    "[{\"type\":\"text\",\"text\":\"Be kind.\",\"cache_control\":"
	    "{\"type\":\"ephemeral\"}},{\"type\":\"text\",\"text\":"
	    "\" Today.\"}]");
	rq.tools = tools;
	expect_member("tools",
	    "[{\"name\":\"f\",\"description\":\"d\",\"input_schema\":"
	    "{\"type\":\"object\"}},{\"name\":\"g\",\"description\":\"d\","
	    "\"input_schema\":{\"type\":\"object\"},\"cache_control\":"
	    "{\"type\":\"ephemeral\"}}]");
	expect_member("messages",
	    "[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":"
	    "\"x\"}]}]");
	json_decref(tools);
}

static void
test_headers(void **state)
{
	struct llm_access a = { .base = "", .key = "sk-1" };
	struct llm_access none = { .base = "", .key = "" };
	static struct llm_headers h;
	static char big[2000];

	(void)state;
	memset(&h, 0, sizeof(h));
	assert_int_equal(llm_openai.headers(&a, &h), 0);
	assert_string_equal(h.line[0], "Authorization: Bearer sk-1");
	assert_null(h.line[1]);
	memset(&h, 0, sizeof(h));
	assert_int_equal(llm_openai.headers(&none, &h), 0);
	assert_int_equal(h.n, 0);
	assert_int_equal(llm_anthropic.headers(&a, &h), 0);
	assert_string_equal(h.line[0], "anthropic-version: 2023-06-01");
	assert_string_equal(h.line[1], "x-api-key: sk-1");
	/* A key too long for its place is refused, not cut. */
	memset(big, 'k', sizeof(big) - 1);
	a.key = big;
	memset(&h, 0, sizeof(h));
	assert_int_equal(llm_openai.headers(&a, &h), -1);
}

static void
test_names(void **state)
{
	(void)state;
	assert_true(llm_known("openai:gpt-4o"));
	assert_true(llm_known("openai:meta-llama/Llama-3.3:70b@q4"));
	assert_true(llm_known("anthropic:claude-sonnet-4-5"));
	assert_true(llm_known("builtin:concierge"));
	assert_false(llm_known("builtin:other"));
	assert_false(llm_known("openai:"));
	assert_false(llm_known("openai"));
	assert_false(llm_known(":gpt"));
	assert_false(llm_known("opena:gpt"));
	assert_false(llm_known("openai:a b"));
	assert_false(llm_known("openai:a\r\nX: y"));
	assert_false(llm_known("openai:\"x\""));
	assert_false(llm_known(
	    "openai:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
}

static int
teardown(void **state)
{
	(void)state;
	mem_free(ctx);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_openai_call_shapes),
		cmocka_unit_test(test_openai_odd_chunks),
		cmocka_unit_test(test_openai_usage_shapes),
		cmocka_unit_test(test_anthropic_thinking_kept),
		cmocka_unit_test(test_anthropic_usage),
		cmocka_unit_test(test_anthropic_odd_events),
		cmocka_unit_test(test_openai_parameters),
		cmocka_unit_test(test_anthropic_turns),
		cmocka_unit_test(test_anthropic_cache_marks),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
