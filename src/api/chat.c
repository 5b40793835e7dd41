/*
 * The chat endpoints: a body to a question, a turn to an answer, whole or as
 * it is said.
 *
 * An event's id is {turn}:{n}, n the bytes of reply text sent with it and
 * before it, plus the number of other events: a reader's position follows from
 * the stored reply alone.
 */
#include <string.h>

#include "account/account.h"
#include "agent/spec.h"
#include "api/app.h"
#include "api/chat_body.h"
#include "api/guard.h"
#include "api/handlers.h"
#include "api/problem.h"
#include "api/reply.h"
#include "auth/key.h"
#include "chat/turn.h"
#include "http/address.h"
#include "http/request.h"
#include "http/response.h"
#include "http/sse.h"
#include "telemetry/log.h"
#include "telemetry/trace.h"
#include "util/buf.h"
#include "util/json.h"

#include "util/banned.h"

#define EVENT_MAX (10 * 1024 * 1024)

struct telling {
	struct chat_sink sink; /* first */
	struct http_req *req;
	struct http_resp *resp;
	struct buf json; /* the event being written */
	char turn[UUID_TEXT];
	int64_t n; /* position in the stream */
	bool begun;
};

/* RateLimit-*: of every counted answer, and of every refusal by a limit. */
static void
limit_headers(struct http_resp *resp, const struct quota_state *q)
{
	if (!q->any)
		return;
	http_setf(resp, "RateLimit-Limit", "%lld", (long long)q->limit);
	http_setf(resp, "RateLimit-Remaining", "%lld", (long long)q->remaining);
	http_setf(resp, "RateLimit-Reset", "%lld", (long long)q->reset_s);
}

/*
 * The face of a whole answer
 */

static int
whole_opened(struct chat_sink *s, const struct chat_turn *t)
{
	limit_headers(((struct telling *)s)->resp, &t->quota);
	return 0;
}

static int
whole_text(struct chat_sink *s, const char *piece, size_t len)
{
	(void)s, (void)piece, (void)len;
	return 0;
}

static int
whole_tool_call(struct chat_sink *s, const char *id, const char *name,
    const char *arguments)
{
	(void)s, (void)id, (void)name, (void)arguments;
	return 0;
}

static int
whole_tool_result(struct chat_sink *s, const char *id, const char *name,
    bool ok, const char *summary)
{
	(void)s, (void)id, (void)name, (void)ok, (void)summary;
	return 0;
}

static int
whole_beat(struct chat_sink *s)
{
	(void)s;
	return 0;
}

/*
 * The face of a stream
 */

static int
send_event(struct telling *f, const char *event, int64_t advance)
{
	f->n += advance;
	if (buf_failed(&f->json))
		return 0; /* left out rather than cut in the middle */
	return sse_event(
	    f->resp, event, f->turn, f->n, f->json.data, f->json.len);
}

static int
send_json(struct telling *f, const char *event, json_t *value)
{
	buf_clear(&f->json);
	if (value)
		json_write(&f->json, value);
	else
		buf_adds(&f->json, "{}"); /* text that is no UTF-8 */
	json_decref(value);
	return send_event(f, event, 1);
}

static int
stream_opened(struct chat_sink *s, const struct chat_turn *t)
{
	struct telling *f = (struct telling *)s;

	limit_headers(f->resp, &t->quota);
	id_format(&t->id, f->turn);
	f->begun = true;
	if (sse_begin(f->resp) < 0)
		return -1;
	return send_json(f, "session",
	    json_pack("{s:s, s:s, s:o}", "session_key", t->session_key,
		"turn_id", f->turn, "agent", chat_agent_json(t)));
}

static int
stream_text(struct chat_sink *s, const char *piece, size_t len)
{
	struct telling *f = (struct telling *)s;

	buf_clear(&f->json);
	buf_adds(&f->json, "{\"text\":");
	buf_json_str(&f->json, piece, len);
	buf_addc(&f->json, '}');
	return send_event(f, "delta", (int64_t)len);
}

/* Arguments as the JSON they are, or the text that a model wrote instead. */
static json_t *
arguments_json(const char *text)
{
	json_t *v;

	if (json_parse(text, strlen(text), &(struct json_limits){ 16, 1000 },
		&v, NULL) == 0)
		return v;
	v = json_string(text);
	return v ? v : json_null();
}

static int
stream_tool_call(struct chat_sink *s, const char *id, const char *name,
    const char *arguments)
{
	return send_json((struct telling *)s, "tool_call",
	    json_pack("{s:s, s:s, s:o}", "id", id, "name", name, "arguments",
		arguments_json(arguments)));
}

static int
stream_tool_result(struct chat_sink *s, const char *id, const char *name,
    bool ok, const char *summary)
{
	return send_json((struct telling *)s, "tool_result",
	    json_pack("{s:s, s:s, s:b, s:s}", "id", id, "name", name, "ok",
		(int)ok, "summary", summary));
}

static int
stream_beat(struct chat_sink *s)
{
	return sse_ping(((struct telling *)s)->resp);
}

/* The end of a stream that was begun; whoever has left hears nothing. */
static void
stream_end(
    struct telling *f, const struct chat_turn *t, int rc, const struct err *e)
{
	char message[UUID_TEXT];

	if (rc < 0) {
		if (e->code != ERR_GONE)
			send_json(f, "error", problem_json(f->req, e));
		return;
	}
	id_format(&t->reply_id, message);
	send_json(f, "message",
	    json_pack("{s:s, s:o, s:s, s:O}", "message_id", message, "reply",
		json_stringn(
		    t->answer.reply.text.data ? t->answer.reply.text.data : "",
		    t->answer.reply.text.len),
		"finish_reason", t->finish_reason, "citations",
		t->answer.citations));
	send_json(f, "usage", chat_usage_json(t));
	send_json(f, "done", json_object());
}

/*
 * Both
 */

static void
telling_init(struct telling *f, const struct app *app, struct http_req *req,
    struct http_resp *resp, bool stream)
{
	memset(f, 0, sizeof(*f));
	f->req = req;
	f->resp = resp;
	buf_init(&f->json, req->ctx, EVENT_MAX);
	f->sink = stream ? (struct chat_sink){ .opened = stream_opened,
		.text = stream_text,
		.tool_call = stream_tool_call,
		.tool_result = stream_tool_result,
		.beat = stream_beat }
	                 : (struct chat_sink){ .opened = whole_opened,
				   .text = whole_text,
				   .tool_call = whole_tool_call,
				   .tool_result = whole_tool_result,
				   .beat = whole_beat };
	f->sink.gone_fd = req->gone_fd;
	f->sink.beat_ms = app->beat_ms;
}

/* 0, or -1 with the answer given. */
static int
read_ask(struct app *app, struct http_req *req, struct http_resp *resp,
    const struct caller *who, json_t **body, struct chat_ask *ask, bool *stream)
{
	json_t *errors = NULL;
	struct err e = { 0 };
	const char *text;
	size_t len;

	if (http_body(req, app->body_max_chat, &text, &len, &e) < 0 ||
	    json_parse(text, len, &JSON_LIMITS_REQUEST, body, &e) < 0) {
		problem_send(req, resp, &e, NULL);
		return -1;
	}
	if (chat_body_read(*body, app->message_max,
		who->key->kind == KEY_WIDGET, ask, stream, &errors) < 0) {
		err_set(&e, ERR_INVALID, "the body is not a valid question");
		problem_send(req, resp, &e, errors);
		json_decref(errors);
		return -1;
	}
	return 0;
}

static void
log_failure(const struct chat_turn *t, const struct err *e)
{
	bool ours = e->code == ERR_INTERNAL || e->code == ERR_UNAVAILABLE;

	if (e->code == ERR_GONE || e->code == ERR_NOT_FOUND ||
	    e->code == ERR_INVALID)
		return;
	log_event(ours ? LOG_ERROR : LOG_WARN, "turn_failed", "step", t->step,
	    "code", err_name(e->code), "kind", e->kind, "error", e->text,
	    "model", t->model, NULL);
}

static void
answer(struct app *app, struct http_req *req, struct http_resp *resp,
    struct chat_ask *ask)
{
	struct chat_turn *t;
	struct err e = { 0 };
	struct telling f;
	int rc;

	telling_init(&f, app, req, resp, ask->stream);
	rc = chat_turn_run(&app->chat, ask, &f.sink, req->ctx, &t, &e);
	if (rc < 0)
		log_failure(t, &e);
	if (f.begun) {
		stream_end(&f, t, rc, &e);
		return;
	}

	json_auto_t *reply = rc == 0 ? chat_turn_json(t) : NULL;

	if (reply) {
		reply_json(req, resp, 200, reply);
		return;
	}
	if (rc == 0)
		err_set(&e, ERR_INTERNAL, "the reply is no JSON");
	if (e.code == ERR_LIMIT)
		limit_headers(resp, &t->quota);
	problem_send(req, resp, &e, NULL);
}

static void
serve(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who, bool stream)
{
	char traceparent[TRACE_PARENT_SIZE], client[ADDRESS_CLIENT_TEXT];
	json_auto_t *body = NULL;
	bool wanted = false;
	struct chat_ask ask = { .key = who->key,
		.slug = http_var(req, "slug"),
		.agent_type = http_var(req, "agent_type"),
		.agent_name = http_var(req, "instance_name"),
		.client_address = client,
		.request_id = req->request_id,
		.trace_id = req->trace.trace_id };

	if (read_ask(app, req, resp, who, &body, &ask, &wanted) < 0)
		return;
	address_client(req->client_address, client);
	trace_parent(&req->trace, traceparent);
	ask.traceparent = traceparent;
	ask.stream = stream || wanted;
	answer(app, req, resp, &ask);
}

void
api_chat(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who)
{
	serve(app, req, resp, who, false);
}

void
api_stream(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who)
{
	serve(app, req, resp, who, true);
}
