/*
 * A request in the OpenAI format, from its body to the last byte: one turn, and
 * a form that words it.  The stream's head goes out with the first thing there
 * is to say, so that what fails before has a status of its own.
 *
 * To the turn it is no stream: nobody can come back for one in this format, so
 * no events are kept for him, and who repeats a request with its
 * Idempotency-Key waits for the first one's end.
 */
#include <stdio.h>
#include <string.h>

#include "account/account.h"
#include "api/app.h"
#include "api/ask.h"
#include "api/guard.h"
#include "api/openai/openai.h"
#include "api/problem.h"
#include "api/reply.h"
#include "auth/key.h"
#include "http/address.h"
#include "http/request.h"
#include "http/response.h"
#include "http/sse.h"
#include "telemetry/trace.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/mem.h"

#include "util/banned.h"

#define EVENT_MAX ((size_t)10 * 1024 * 1024)
/* A value costs hundreds of bytes, and many callers come at once. */
#define BODY_LIMITS ((struct json_limits){ 64, 20000 })

void
openai_limits(struct http_resp *resp, const struct quota_state *q)
{
	const char *what = strstr(q->name, "token") ? "tokens" : "requests";
	char name[48];

	telling_limits(resp, q);
	if (!q->any)
		return;
	snprintf(name, sizeof(name), "x-ratelimit-limit-%s", what);
	http_setf(resp, name, "%lld", (long long)q->limit);
	snprintf(name, sizeof(name), "x-ratelimit-remaining-%s", what);
	http_setf(resp, name, "%lld", (long long)q->remaining);
	snprintf(name, sizeof(name), "x-ratelimit-reset-%s", what);
	http_setf(resp, name, "%llds", (long long)q->reset_s);
}

/*
 * The sink
 */

static struct openai_talk *
talk_of(struct chat_sink *s)
{
	return (struct openai_talk *)s;
}

static void
name_answer(struct openai_talk *talk, const struct uuid *turn)
{
	char id[UUID_TEXT];

	talk->turn = *turn;
	id_format(turn, id);
	snprintf(talk->id, sizeof(talk->id), "%s%s", talk->form->prefix, id);
	talk->created = id_time_ms(turn) / 1000;
}

static int
on_opened(struct chat_sink *s, const struct chat_turn *t)
{
	struct openai_talk *talk = talk_of(s);
	char id[UUID_TEXT];

	name_answer(talk, &t->id);
	id_format(&t->id, id);
	http_set(talk->f.resp, "X-Turn-Id", id);
	http_set(talk->f.resp, "X-Session-Key", t->session_key);
	openai_limits(talk->f.resp, &t->quota);
	return 0;
}

static int
begin(struct openai_talk *talk)
{
	struct http_resp *resp = talk->f.resp;

	if (talk->begun)
		return 0;
	talk->begun = true;
	http_set(resp, "Cache-Control", "no-cache, no-store");
	http_set(resp, "X-Accel-Buffering", "no");
	if (http_stream_begin(resp, "text/event-stream") != 0)
		return -1;
	return talk->form->begin(talk);
}

static int
on_text(struct chat_sink *s, const char *piece, size_t len)
{
	struct openai_talk *talk = talk_of(s);

	if (telling_still(&talk->f) < 0)
		return -1;
	if (!talk->ask->stream)
		return 0;
	return begin(talk) < 0 ? -1 : talk->form->text(talk, piece, len);
}

static int
on_beat(struct chat_sink *s)
{
	struct openai_talk *talk = talk_of(s);
	int64_t now = clock_mono();

	if (telling_still(&talk->f) < 0)
		return -1;
	if (!talk->ask->stream ||
	    now - talk->f.pinged < talk->f.app->beat_ms * CLOCK_MS)
		return 0;
	talk->f.pinged = now;
	return begin(talk) < 0 ? -1 : sse_ping(talk->f.resp);
}

/* Tools that run here are nothing that this format tells of. */
static int
on_tool_call(struct chat_sink *s, const char *id, const char *name,
    const char *arguments)
{
	(void)id, (void)name, (void)arguments;
	return telling_still(&talk_of(s)->f);
}

static int
on_tool_result(struct chat_sink *s, const char *id, const char *name, bool ok,
    const char *summary)
{
	(void)id, (void)name, (void)ok, (void)summary;
	return telling_still(&talk_of(s)->f);
}

int
openai_send(struct openai_talk *talk, const char *event)
{
	static const char data[] = "data: ", end[] = "\n\n";
	struct buf b;
	int rc;

	if (buf_failed(&talk->out))
		return 0; /* left out rather than cut in the middle */
	buf_init(&b, talk->f.req->ctx, EVENT_MAX);
	if (event)
		buf_addf(&b, "event: %s\n", event);
	buf_add(&b, data, sizeof(data) - 1);
	buf_add(&b, talk->out.data, talk->out.len);
	buf_add(&b, end, sizeof(end) - 1);
	rc = http_stream(talk->f.resp, b.data, b.len);
	buf_free(&b);
	buf_clear(&talk->out);
	return rc;
}

static void
talk_init(struct openai_talk *talk, struct app *app, struct http_req *req,
    struct http_resp *resp, struct caller *who, const struct openai_form *form,
    const struct openai_ask *ask)
{
	struct chat_sink *sink = &talk->f.sink;

	memset(talk, 0, sizeof(*talk));
	telling_init(&talk->f, app, req, resp, who, false);
	talk->f.pinged = clock_mono();
	talk->form = form;
	talk->ask = ask;
	buf_init(&talk->head, req->ctx, EVENT_MAX);
	buf_init(&talk->out, req->ctx, EVENT_MAX);
	buf_init(&talk->said, req->ctx, EVENT_MAX);
	sink->opened = on_opened;
	sink->text = on_text;
	sink->beat = on_beat;
	sink->tool_call = on_tool_call;
	sink->tool_result = on_tool_result;
}

/*
 * Answering
 */

bool
openai_is_handed(const json_t *call)
{
	return json_is_true(json_object_get(call, "caller"));
}

size_t
openai_handed(const json_t *calls)
{
	const json_t *call;
	size_t i, n = 0;

	json_array_foreach((json_t *)(uintptr_t)calls, i, call)
	{
		n += openai_is_handed(call);
	}
	return n;
}

/* What the model wrote and was no JSON is kept as its text. */
void
openai_write_arguments(struct buf *b, const json_t *call)
{
	const json_t *v = json_object_get(call, "arguments");
	struct buf text;

	if (json_is_string(v)) {
		json_write(b, v);
		return;
	}
	buf_init(&text, b->ctx, EVENT_MAX);
	json_write(&text, v);
	buf_json_str(b, text.data, text.len);
	buf_free(&text);
}

static int64_t
count_of(const json_t *usage, const char *name)
{
	return json_integer_value(json_object_get(usage, name));
}

static void
done_of_replay(const json_t *replay, struct openai_done *done)
{
	const json_t *u = json_object_get(replay, "usage");
	const json_t *reply = json_object_get(replay, "reply");

	*done = (struct openai_done){ .text = json_string_value(reply),
		.len = json_string_length(reply),
		.calls = json_object_get(replay, "tool_calls"),
		.usage = { .input = count_of(u, "input_tokens"),
		    .output = count_of(u, "output_tokens"),
		    .cached = count_of(u, "cached_input_tokens"),
		    .reasoning = count_of(u, "reasoning_tokens") },
		.finish = json_string_value(
		    json_object_get(replay, "finish_reason")) };
}

static void
done_of_turn(const struct chat_turn *t, struct openai_done *done)
{
	const struct llm_reply *reply = &t->answer.reply;

	*done = (struct openai_done){ .text = reply->text.data,
		.len = reply->text.len,
		.calls = t->answer.tool_calls,
		.usage = reply->usage,
		.finish = t->finish_reason,
		.vectors = &t->vectors };
}

/* The names that an earlier request's answer has. */
static void
name_replay(struct openai_talk *talk, const json_t *replay)
{
	const char *id = json_string_value(json_object_get(replay, "turn_id"));
	struct uuid turn = { { 0 } };

	if (id && id_parse(id, strlen(id), &turn) == 0)
		http_set(talk->f.resp, "X-Turn-Id", id);
	name_answer(talk, &turn);
	http_set(talk->f.resp, "X-Session-Key",
	    json_string_value(json_object_get(replay, "session_key")));
	http_set(talk->f.resp, "Idempotent-Replayed", "true");
}

/* The end of what was told as it was said, or all of it. */
static void
answer(struct openai_talk *talk, const struct chat_turn *t)
{
	struct openai_done done;

	if (t->replay) {
		name_replay(talk, t->replay);
		done_of_replay(t->replay, &done);
	} else {
		done_of_turn(t, &done);
	}
	if (!talk->ask->stream) {
		buf_clear(&talk->out);
		talk->form->whole(talk, &done, &talk->out);
		reply_buf(talk->f.resp, 200, "application/json", &talk->out);
		return;
	}
	if (begin(talk) < 0 ||
	    (t->replay && done.len > 0 &&
		talk->form->text(talk, done.text, done.len) < 0))
		return;
	talk->form->end(talk, &done);
}

static void
refuse(struct openai_talk *talk, const struct chat_turn *t, const struct err *e)
{
	const struct err *why = talk->f.cut ? &talk->f.why : e;

	if (talk->begun) {
		if (why->code != ERR_GONE)
			talk->form->fail(talk, why);
		return;
	}
	if (why->code == ERR_LIMIT)
		openai_limits(talk->f.resp, &t->quota);
	if (why->code == ERR_NOT_FOUND && why == e)
		openai_error_send(
		    talk->f.req, talk->f.resp, why, "model_not_found", "model");
	else
		problem_send(talk->f.req, talk->f.resp, why, NULL);
}

static void
run(struct openai_talk *talk)
{
	struct chat_turn *t;
	struct err e = { 0 };

	if (chat_turn_run(&talk->f.app->chat, &talk->ask->chat, &talk->f.sink,
		talk->f.req->ctx, &t, &e) == 0) {
		answer(talk, t);
		return;
	}
	ask_log_failure(t, &e);
	refuse(talk, t, &e);
}

/* The body, as JSON; 0, or -1 with the answer given. */
static int
read_body(struct http_req *req, struct http_resp *resp, json_t **body)
{
	struct json_limits lim = BODY_LIMITS;
	struct err e = { 0 };
	const char *text;
	size_t len;

	if (http_body(req, OPENAI_BODY_MAX, &text, &len, &e) == 0 &&
	    json_parse(text, len, &lim, body, &e) == 0) {
		if (json_is_object(*body))
			return 0;
		err_set(&e, ERR_MALFORMED, "the body must be an object");
	}
	problem_send(req, resp, &e, NULL);
	return -1;
}

/* A visitor's message is as long here as anywhere. */
static int
check_message(const struct app *app, const struct caller *who,
    const struct openai_ask *ask, struct openai_fault *fault)
{
	if (who->key->kind != KEY_WIDGET ||
	    ask->chat.message_len <= app->message_max)
		return 0;
	return openai_wrong(fault, "string_above_max_length", "messages",
	    "the message is longer than %zu bytes", app->message_max);
}

static int
fill_ask(struct http_req *req, struct caller *who,
    const struct openai_form *form, struct openai_ask *ask, struct err *e)
{
	char *client = mem_zalloc(req->ctx, ADDRESS_CLIENT_TEXT, "address");
	char *parent = mem_zalloc(req->ctx, TRACE_PARENT_SIZE, "parent");

	address_client(req->client_address, client);
	trace_parent(&req->trace, parent);
	ask->chat.key = who->key;
	ask->chat.slug = http_var(req, "slug");
	ask->chat.client_address = client;
	ask->chat.traceparent = parent;
	ask->chat.request_id = req->request_id;
	ask->chat.trace_id = req->trace.trace_id;
	ask->chat.session_key = http_header(req, "x-session-key");
	return form->anew ? 0
	                  : ask_read_key(req, OPENAI_BODY_MAX, &ask->chat, e);
}

void
openai_serve(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who, const struct openai_form *form)
{
	struct openai_ask *ask = mem_new(req->ctx, struct openai_ask);
	struct openai_talk *talk = mem_new(req->ctx, struct openai_talk);
	json_auto_t *body = NULL;
	struct openai_fault fault;
	struct openai_read r;

	if (read_body(req, resp, &body) < 0)
		return;
	ask->body = body;
	openai_read_init(&r, req->ctx, ask, &fault);
	if (form->read(&r, body) < 0 ||
	    check_message(app, who, ask, &fault) < 0) {
		openai_error_send(
		    req, resp, &fault.err, fault.code, fault.param);
	} else if (fill_ask(req, who, form, ask, &fault.err) < 0) {
		problem_send(req, resp, &fault.err, NULL);
	} else {
		talk_init(talk, app, req, resp, who, form, ask);
		run(talk);
	}
	openai_read_done(&r);
}
