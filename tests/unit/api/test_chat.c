/*
 * The chat endpoints around a turn that follows a script: bodies, events and
 * their ids, headers, errors.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "account/account.h"
#include "agent/spec.h"
#include "api/app.h"
#include "api/chat_body.h"
#include "api/follow.h"
#include "api/guard.h"
#include "api/handlers.h"
#include "api/telling.h"
#include "auth/key.h"
#include "chat/event_log.h"
#include "chat/turn.h"
#include "telemetry/log.h"
#include "unit/http/memio.h"
#include "util/json.h"

#include "util/banned.h"

#define TURN "00000000-0000-7000-8000-000000000100"
#define REPLY "00000000-0000-7000-8000-000000000102"

static struct {
	struct err before, after; /* what fails, and when */
	bool limited, tool;
	int leaves_at;      /* what sink call said that nobody is there */
	const char *replay; /* the answer of an earlier request */
	bool attach;        /* which runs */
	bool refused;       /* or has been refused since */
	char kept[2048];
	char key[256];
	struct chat_ask seen;
	char message[64], session[64], email[64];
	int calls;
} fake;

static struct key api_key = { .kind = KEY_API };
static struct agent_spec spec = {
	.type = "sales", .name = "one", .display_name = "One"
};

static void
note(int rc)
{
	fake.calls++;
	if (rc < 0 && fake.leaves_at == 0)
		fake.leaves_at = fake.calls;
}

static int
turn_drop(struct chat_turn *t)
{
	json_decref(t->replay);
	json_decref(t->answer.tool_calls);
	json_decref(t->answer.citations);
	return 0;
}

/* What of the stream is kept for others. */
void
event_log_add(struct event_log *l, const struct event *ev)
{
	size_t at = strlen(fake.kept);

	assert_ptr_equal(l, &fake);
	snprintf(fake.kept + at, sizeof(fake.kept) - at, "%s %lld %.*s\n",
	    ev->name, (long long)ev->n, (int)ev->len, ev->data);
}

/* In place of the guard. */
int
guard_still(
    struct app *a, struct http_req *req, struct caller *who, struct err *e)
{
	(void)a, (void)req, (void)who;
	(void)e;
	return 0;
}

/* The turn that runs under the key, or was refused before it could. */
int
follow_turn(struct app *a, struct telling *f, const struct caller *caller,
    const struct uuid *turn, struct err *e)
{
	char text[UUID_TEXT];

	(void)a;
	assert_ptr_equal(caller->key, &api_key);
	id_format(turn, text);
	assert_string_equal(text, TURN);
	fake.attach = false;
	if (fake.refused)
		return err_set(e, ERR_NOT_FOUND, "nothing");
	snprintf(f->turn, sizeof(f->turn), "%s", text);
	return telling_event(f,
	    &(struct event){ .name = "done", .n = 14, .data = "{}", .len = 2 });
}

/* Of libsb_chat only the JSON of a turn is real here. */
int
chat_turn_run(const struct chat_deps *deps, const struct chat_ask *ask,
    struct chat_sink *sink, const void *ctx, struct chat_turn **ret,
    struct err *e)
{
	struct chat_turn *t = mem_new(ctx, struct chat_turn);

	(void)deps;
	fake.seen = *ask;
	snprintf(fake.message, sizeof(fake.message), "%s", ask->message);
	snprintf(fake.session, sizeof(fake.session), "%s",
	    ask->session_key ? ask->session_key : "");
	snprintf(
	    fake.email, sizeof(fake.email), "%s", ask->email ? ask->email : "");
	*ret = t;
	t->spec = &spec;
	t->step = "run";
	snprintf(fake.key, sizeof(fake.key), "%s",
	    ask->idempotency_key ? ask->idempotency_key : "(none)");
	t->log = (struct event_log *)(void *)&fake;
	if (fake.attach) {
		id_parse(TURN, 36, &t->id);
		t->attach = true;
		return 0;
	}
	if (fake.replay) {
		talloc_set_destructor(t, turn_drop);
		t->replay = json_loads(fake.replay, 0, NULL);
		return 0;
	}
	t->quota = (struct quota_state){ .any = fake.limited,
		.limit = 20,
		.remaining = 19,
		.reset_s = 3,
		.retry_after_s = 2 };
	if (fake.before.code) {
		*e = fake.before;
		return -1;
	}
	id_parse(TURN, 36, &t->id);
	id_reply_message(&t->id, &t->reply_id);
	snprintf(t->session_key, sizeof(t->session_key), "s_1");
	note(sink->opened(sink, t));
	note(sink->text(sink, "H\xc3\xa9\"\n", 5));
	note(sink->beat(sink));
	if (fake.tool) {
		note(sink->tool_call(
		    sink, "c1", "product_search", "{\"query\":\"x\"}"));
		note(sink->tool_result(
		    sink, "c1", "product_search", true, "1 passage"));
	}
	note(sink->text(sink, "llo", 3));
	if (fake.after.code) {
		*e = fake.after;
		if (sink->ended)
			sink->ended(sink, t, -1, e);
		return -1;
	}
	buf_init(&t->answer.reply.text, t, 1024);
	buf_adds(&t->answer.reply.text, "H\xc3\xa9\"\nllo");
	t->answer.reply.usage =
	    (struct llm_usage){ .input = 10, .cached = 4, .output = 3 };
	talloc_set_destructor(t, turn_drop);
	t->answer.tool_calls = json_array();
	t->answer.citations = json_array();
	t->model = "fake:model";
	t->priced = true;
	t->cost_nano = 1500;
	t->status = "completed";
	t->finish_reason = "stop";
	t->latency_us = 12345;
	if (sink->ended)
		sink->ended(sink, t, 0, e);
	return 0;
}

static struct app app = { .face = FACE_CHAT,
	.body_max_chat = 65536,
	.message_max = 32,
	.beat_ms = 3000 };
static struct key widget_key = { .kind = KEY_WIDGET };
static struct caller who;
static struct memio m;

static int
begin(void **state)
{
	(void)state;
	memset(&fake, 0, sizeof(fake));
	memset(&m, 0, sizeof(m));
	who.key = &api_key;
	return 0;
}

typedef void handler(
    struct app *, struct http_req *, struct http_resp *, struct caller *);

static const char *key_header; /* "HTTP_IDEMPOTENCY_KEY=...", or NULL */

static void
post(handler *h, const char *body)
{
	static const struct http_param vars[] = { { "slug", "acme" },
		{ "agent_type", "sales" }, { "instance_name", "one" } };
	char length[40];
	const char *const env[] = { "REQUEST_METHOD=POST", "REQUEST_URI=/x",
		"CONTENT_TYPE=application/json", length, key_header, NULL };

	snprintf(length, sizeof(length), "CONTENT_LENGTH=%zu", strlen(body));
	m.body = body;
	memio_open(&m, env);
	m.req->vars = vars;
	m.req->nvars = 3;
	h(&app, m.req, m.resp, &who);
}

static void
done(void)
{
	memio_close(&m);
}

static json_t *
answer(void)
{
	const char *body = memio_body(&m);
	struct err e = { 0 };
	json_t *v;

	assert_non_null(body);
	if (json_parse(body, strlen(body), &JSON_LIMITS_REQUEST, &v, &e) < 0)
		fail_msg("%s: %s", e.text, body);
	return v;
}

static void
a_whole_answer(void **state)
{
	(void)state;
	fake.limited = true;
	post(api_chat,
	    "{\"message\":\"Hi\",\"session_key\":\"order-17\",\"email\":"
	    "\"a@b.c\",\"metadata\":{\"a\":1},\"on_disconnect\":\"finish\","
	    "\"stream\":false}");
	json_t *got = answer();
	json_t *want = json_pack(
	    "{s:s, s:s, s:s, s:s, s:{s:s, s:s, s:s}, s:s, s:{s:i, s:i, s:i,"
	    " s:i, s:f, s:b}, s:[], s:[], s:s, s:i}",
	    "session_key", "s_1", "turn_id", TURN, "message_id", REPLY, "reply",
	    "H\xc3\xa9\"\nllo", "agent", "type", "sales", "name", "one",
	    "display_name", "One", "model", "fake:model", "usage",
	    "input_tokens", 10, "output_tokens", 3, "cached_input_tokens", 4,
	    "reasoning_tokens", 0, "cost_usd", 1.5e-6, "estimated", 0,
	    "tool_calls", "citations", "finish_reason", "stop", "latency_ms",
	    12);

	assert_true(json_equal(got, want));
	assert_true(memio_has(&m, "RateLimit-Limit: 20"));
	assert_true(memio_has(&m, "RateLimit-Remaining: 19"));
	assert_true(memio_has(&m, "RateLimit-Reset: 3"));
	assert_int_equal(http_status_of(m.resp), 200);
	assert_string_equal(fake.session, "order-17");
	assert_string_equal(fake.email, "a@b.c");
	assert_int_equal(fake.seen.on_disconnect, 'f');
	assert_false(fake.seen.stream);
	json_decref(got);
	json_decref(want);
	done();
}

#define SESSION                                                                \
	"retry: 500\n\nevent: session\nid: " TURN                              \
	":1\ndata: {\"session_key\":\"s_1\",\"turn_id\":\"" TURN               \
	"\",\"agent\":{\"type\":\"sales\",\"name\":\"one\","                   \
	"\"display_name\":\"One\"}}\n\nevent: delta\nid: " TURN                \
	":6\ndata: {\"text\":\"H\xc3\xa9\\\"\\n\"}\n\n: ping\n\n"

static void
a_stream_to_the_letter(void **state)
{
	(void)state;
	fake.tool = true;
	post(api_stream, "{\"message\":\"Hi\"}");
	assert_string_equal(memio_body(&m), SESSION
	    "event: tool_call\nid: " TURN
	    ":7\ndata: {\"id\":\"c1\",\"name\":\"product_search\","
	    "\"arguments\":{\"query\":\"x\"}}\n\n"
	    "event: tool_result\nid: " TURN
	    ":8\ndata: {\"id\":\"c1\",\"name\":\"product_search\","
	    "\"ok\":true,\"summary\":\"1 passage\"}\n\n"
	    "event: delta\nid: " TURN ":11\ndata: {\"text\":\"llo\"}\n\n"
	    "event: message\nid: " TURN ":12\ndata: {\"message_id\":\"" REPLY
	    "\",\"reply\":\"H\xc3\xa9\\\"\\nllo\",\"finish_reason\":"
	    "\"stop\",\"citations\":[]}\n\n"
	    "event: usage\nid: " TURN
	    ":13\ndata: {\"input_tokens\":10,\"output_tokens\":3,"
	    "\"cached_input_tokens\":4,\"reasoning_tokens\":0,"
	    "\"cost_usd\":1.5e-6,\"estimated\":false}\n\n"
	    "event: done\nid: " TURN ":14\ndata: {}\n\n");
	assert_true(memio_has(&m, "Content-Type: text/event-stream"));
	assert_true(fake.seen.stream);
	done();
	/* kept is the same, but that text is text */
	assert_memory_equal(fake.kept, "session 1 {\"session_key\":", 25);
	assert_non_null(strstr(
	    fake.kept, "}\ndelta 6 H\xc3\xa9\"\n\ntool_call 7 {\"id\":\"c1\""));
	assert_non_null(strstr(fake.kept, "}\ndelta 11 llo\nmessage 12 {"));
	assert_non_null(strstr(fake.kept, "}\ndone 14 {}\n"));
	/* the chat route streams when the body says so */
	post(api_chat, "{\"message\":\"Hi\",\"stream\":true}");
	assert_true(memio_has(&m, "Content-Type: text/event-stream"));
	done();
}

static void
what_fails_late_is_an_event(void **state)
{
	(void)state;
	err_set(&fake.after, ERR_UPSTREAM, "the model failed");
	post(api_stream, "{\"message\":\"Hi\"}");
	const char *body = memio_body(&m);
	const char *event = strstr(body, "event: error\nid: " TURN ":10\n");

	assert_memory_equal(body, SESSION, strlen(SESSION));
	assert_non_null(event);
	assert_non_null(strstr(event, "\"status\":502"));
	assert_non_null(strstr(event, "/problems/upstream-failed"));
	assert_null(strstr(body, "event: done"));
	done();
	post(api_chat, "{\"message\":\"Hi\"}");
	assert_int_equal(http_status_of(m.resp), 502);
	done();
}

static void
what_fails_early_is_a_problem(void **state)
{
	(void)state;
	fake.limited = true;
	err_set_kind(&fake.before, ERR_LIMIT, "limit-exceeded", 2, "enough");
	for (int i = 0; i < 2; i++) {
		post(i ? api_stream : api_chat, "{\"message\":\"Hi\"}");
		assert_int_equal(http_status_of(m.resp), 429);
		assert_true(
		    memio_has(&m, "Content-Type: application/problem+json"));
		assert_true(memio_has(&m, "Retry-After: 2"));
		assert_true(memio_has(&m, "RateLimit-Limit: 20"));
		done();
	}
	err_set(&fake.before, ERR_NOT_FOUND, "no agent");
	post(api_stream, "{\"message\":\"Hi\"}");
	assert_int_equal(http_status_of(m.resp), 404);
	assert_false(memio_has_header(&m, "RateLimit-Limit"));
	done();
}

static void
a_reader_that_left_stops_it(void **state)
{
	(void)state;
	m.fail_at = 400; /* somewhere in the session event or after it */
	post(api_stream, "{\"message\":\"Hi\"}");
	assert_true(fake.leaves_at > 0);
	done();
}

#define REPLAY                                                                 \
	"{\"session_key\":\"s_1\",\"turn_id\":\"" TURN                         \
	"\",\"message_id\":\"" REPLY "\",\"reply\":\"Hello\",\"agent\":{},"    \
	"\"usage\":{},\"tool_calls\":[],\"citations\":[],\"finish_reason\":"   \
	"\"stop\",\"latency_ms\":7}"

static void
an_answer_is_given_again(void **state)
{
	unsigned char first[32];

	(void)state;
	key_header = "HTTP_IDEMPOTENCY_KEY=abc-1";
	post(api_chat, "{\"message\":\"Hi\"}");
	assert_string_equal(fake.key, "abc-1");
	assert_false(memio_has_header(&m, "Idempotent-Replayed"));
	memcpy(first, fake.seen.request_hash, sizeof(first));
	done();
	post(api_chat, "{\"message\":\"Hi\" }");
	assert_memory_not_equal(fake.seen.request_hash, first, sizeof(first));
	done();

	fake.replay = REPLAY;
	post(api_chat, "{\"message\":\"Hi\"}");
	assert_memory_equal(fake.seen.request_hash, first, sizeof(first));
	assert_string_equal(memio_body(&m), REPLAY);
	assert_true(memio_has(&m, "Idempotent-Replayed: true"));
	done();
	post(api_stream, "{\"message\":\"Hi\"}");
	assert_true(memio_has(&m, "Idempotent-Replayed: true"));
	assert_true(memio_has(&m, "Content-Type: text/event-stream"));
	assert_non_null(strstr(memio_body(&m),
	    "event: delta\nid: " TURN ":6\ndata: {\"text\":\"Hello\"}\n\n"));
	assert_non_null(strstr(memio_body(&m), "event: done\nid: " TURN ":9"));
	done();
	key_header = NULL;
}

static void
a_stream_that_runs_is_attached_to(void **state)
{
	(void)state;
	key_header = "HTTP_IDEMPOTENCY_KEY=abc-1";
	for (int i = 0; i < 2; i++) {
		fake.attach = true;
		fake.refused = i > 0;
		post(api_stream, "{\"message\":\"Hi\"}");
		assert_int_equal(
		    memio_has(&m, "Idempotent-Replayed: true"), !i);
		assert_non_null(
		    strstr(memio_body(&m), "event: done\nid: " TURN));
		assert_int_equal(fake.calls > 0, i); /* it ran here */
		done();
	}
	key_header = NULL;
}

static void
a_key_has_its_form(void **state)
{
	static char longest[280] = "HTTP_IDEMPOTENCY_KEY=";
	static const char *const bad[] = { "HTTP_IDEMPOTENCY_KEY=",
		"HTTP_IDEMPOTENCY_KEY=a b", "HTTP_IDEMPOTENCY_KEY=\xc3\xa9",
		"HTTP_IDEMPOTENCY_KEY=\x7f" };
	size_t at = strlen(longest);

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		key_header = bad[i];
		post(api_chat, "{\"message\":\"Hi\"}");
		assert_int_equal(http_status_of(m.resp), 400);
		assert_int_equal(fake.calls, 0);
		done();
	}
	for (int more = 0; more < 2; more++) {
		memset(longest + at, '~', 255 + (size_t)more);
		key_header = longest;
		post(api_chat, "{\"message\":\"Hi\"}");
		assert_int_equal(http_status_of(m.resp), more > 0 ? 400 : 200);
		done();
	}
	key_header = NULL;
}

static void
expect_errors(handler *h, const char *body, const char *const *pointers)
{
	int n = 0;

	post(h, body);
	assert_int_equal(http_status_of(m.resp), 422);
	json_t *got = answer(), *errors = json_object_get(got, "errors");

	for (; pointers[n]; n++)
		assert_string_equal(
		    json_string_value(json_object_get(
			json_array_get(errors, (size_t)n), "pointer")),
		    pointers[n]);
	assert_int_equal(json_array_size(errors), n);
	json_decref(got);
	done();
	assert_int_equal(fake.calls, 0);
}

static void
each_field_is_checked(void **state)
{
#define POINTERS(...) ((const char *const[]){ __VA_ARGS__, NULL })
	(void)state;
	expect_errors(api_chat, "[]", POINTERS(""));
	expect_errors(api_chat, "{}", POINTERS("/message"));
	expect_errors(api_chat, "{\"message\":\"\"}", POINTERS("/message"));
	expect_errors(api_chat, "{\"message\":\" \\n\"}", POINTERS("/message"));
	expect_errors(api_chat, "{\"message\":null}", POINTERS("/message"));
	expect_errors(api_chat, "{\"message\":7}", POINTERS("/message"));
	expect_errors(api_chat,
	    "{\"message\":\"123456789012345678901234567890123\"}",
	    POINTERS("/message"));
	expect_errors(api_stream,
	    "{\"message\":\"x\",\"session_key\":\"a b\",\"email\":\"a\","
	    "\"metadata\":[],\"on_disconnect\":\"no\",\"stream\":1,"
	    "\"se/ss~ion\":1}",
	    POINTERS("/session_key", "/email", "/metadata", "/on_disconnect",
		"/stream", "/se~1ss~0ion"));
	expect_errors(api_chat, "{\"message\":\"x\",\"email\":\"a@b@c\"}",
	    POINTERS("/email"));
	expect_errors(api_chat, "{\"message\":\"x\",\"email\":\"a b@c\"}",
	    POINTERS("/email"));
	expect_errors(api_chat, "{\"message\":\"x\",\"session_key\":\"\"}",
	    POINTERS("/session_key"));

	/* null is absent, and a widget's key may look like anything */
	post(api_chat, "{\"message\":\"12345678901234567890123456789012\","
		       "\"session_key\":null,\"email\":null,\"metadata\":null,"
		       "\"on_disconnect\":null,\"stream\":null}");
	assert_int_equal(http_status_of(m.resp), 200);
	assert_null(fake.seen.session_key);
	done();
	who.key = &widget_key;
	post(api_chat, "{\"message\":\"x\",\"session_key\":\"a b\"}");
	assert_int_equal(http_status_of(m.resp), 200);
	assert_string_equal(fake.session, "a b");
	done();
}

static void
metadata_is_bounded(void **state)
{
	static char body[20000];

	(void)state;
	for (int over = 0; over < 2; over++) {
		/* {"a":"..."} is eight bytes and its text */
		int n = snprintf(body, sizeof(body),
		    "{\"message\":\"x\",\"metadata\":{\"a\":\"");

		memset(body + n, 'y', (size_t)(8184 + over));
		memcpy(body + n + 8184 + over, "\"}}", 4);
		if (over) {
			expect_errors(api_chat, body, POINTERS("/metadata"));
		} else {
			post(api_chat, body);
			assert_int_equal(http_status_of(m.resp), 200);
			done();
			fake.calls = 0;
		}
	}
}

static void
broken_json_is_malformed(void **state)
{
	static const char *const bodies[] = { "", "{\"message\":\"x\"",
		"{\"message\":\"x\"} x", "{\"message\":\"\\u0000\"}",
		"{\"message\":\"\xff\"}",
		"{\"message\":\"x\",\"message\":\"y\"}" };

	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
		post(api_chat, bodies[i]);
		assert_int_equal(http_status_of(m.resp), 400);
		done();
	}
}

static void
feedback_is_checked(void **state)
{
	static const struct {
		const char *body, *pointer;
	} cases[] = { { "{}", "/rating" }, { "{\"rating\":2}", "/rating" },
		{ "{\"rating\":\"1\"}", "/rating" },
		{ "{\"rating\":1,\"comment\":3}", "/comment" },
		{ "{\"rating\":1,\"stars\":5}", "/stars" } };
	const char *comment;
	json_t *body, *errors;
	int rating;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		body = json_loads(cases[i].body, 0, NULL);
		assert_int_equal(
		    feedback_body_read(body, &rating, &comment, &errors), -1);
		assert_string_equal(json_string_value(json_object_get(
					json_array_get(errors, 0), "pointer")),
		    cases[i].pointer);
		json_decref(errors);
		json_decref(body);
	}
	body = json_loads("{\"rating\":-1,\"comment\":null}", 0, NULL);
	assert_int_equal(
	    feedback_body_read(body, &rating, &comment, &errors), 0);
	assert_int_equal(rating, -1);
	assert_null(comment);
	json_decref(body);
}

static int
all_begin(void **state)
{
	struct err e = { 0 };

	(void)state;
	return log_open("/dev/null", LOG_ERROR, &e);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_whole_answer, begin),
		cmocka_unit_test_setup(an_answer_is_given_again, begin),
		cmocka_unit_test_setup(
		    a_stream_that_runs_is_attached_to, begin),
		cmocka_unit_test_setup(a_key_has_its_form, begin),
		cmocka_unit_test_setup(a_stream_to_the_letter, begin),
		cmocka_unit_test_setup(what_fails_late_is_an_event, begin),
		cmocka_unit_test_setup(what_fails_early_is_a_problem, begin),
		cmocka_unit_test_setup(a_reader_that_left_stops_it, begin),
		cmocka_unit_test_setup(each_field_is_checked, begin),
		cmocka_unit_test_setup(metadata_is_bounded, begin),
		cmocka_unit_test_setup(broken_json_is_malformed, begin),
		cmocka_unit_test_setup(feedback_is_checked, begin),
	};
	return cmocka_run_group_tests(tests, all_begin, NULL);
}
