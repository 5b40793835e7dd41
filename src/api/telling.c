/*
 * The two faces of a turn: an answer in one piece, and a stream of events.
 *
 * An event's id is {turn}:{n}, n the bytes of reply text sent with it and
 * before it, plus the number of other events: a reader's position follows from
 * the stored reply alone.
 */
#include "api/telling.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "api/app.h"
#include "api/guard.h"
#include "api/problem.h"
#include "chat/event_log.h"
#include "http/request.h"
#include "http/response.h"
#include "http/sse.h"
#include "net/call.h"
#include "util/clock.h"
#include "util/json.h"

#include "util/banned.h"

#define EVENT_MAX (10 * 1024 * 1024)
/* How often it is asked whether the caller still may. */
#define LOOK_MS 500

void
telling_limits(struct http_resp *resp, const struct quota_state *q)
{
	if (!q->any)
		return;
	http_setf(resp, "RateLimit-Limit", "%lld", (long long)q->limit);
	http_setf(resp, "RateLimit-Remaining", "%lld", (long long)q->remaining);
	http_setf(resp, "RateLimit-Reset", "%lld", (long long)q->reset_s);
}

/* To this reader alone: the turn, and whoever else follows it, may go on. */
static void
tell_why(struct telling *f)
{
	json_auto_t *problem = problem_json(f->req, &f->why);

	buf_clear(&f->json);
	json_write(&f->json, problem);
	if (!buf_failed(&f->json))
		sse_event(
		    f->resp, "error", f->turn, f->n, f->json.data, f->json.len);
}

int
telling_still(struct telling *f)
{
	int64_t now = clock_mono();

	if (f->cut)
		return -1;
	if (f->who == NULL || now - f->looked < LOOK_MS * CLOCK_MS)
		return 0;
	f->looked = now;
	if (guard_still(f->app, f->req, f->who, &f->why) == 0)
		return 0;
	f->cut = true;
	if (f->begun)
		tell_why(f);
	return -1;
}

/*
 * The face of a whole answer
 */

static int
whole_opened(struct chat_sink *s, const struct chat_turn *t)
{
	telling_limits(((struct telling *)s)->resp, &t->quota);
	return 0;
}

static int
whole_text(struct chat_sink *s, const char *piece, size_t len)
{
	(void)piece, (void)len;
	return telling_still((struct telling *)s);
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
	return telling_still((struct telling *)s);
}

/*
 * The face of a stream
 */

int
telling_begin(struct telling *f)
{
	if (f->begun)
		return 0;
	f->begun = true;
	return sse_begin(f->resp);
}

/* What is told is kept for others, whoever listens here. */
static void
keep(struct telling *f, const char *event, const char *data, size_t len)
{
	struct event ev = { .n = f->n, .data = data, .len = len };

	if (!f->log)
		return;
	snprintf(ev.name, sizeof(ev.name), "%s", event);
	event_log_add(f->log, &ev);
}

static int
send_event(struct telling *f, const char *event)
{
	if (f->cut)
		return -1;
	if (f->n <= f->from)
		return 0; /* the reader has it */
	if (telling_begin(f) < 0)
		return -1;
	if (buf_failed(&f->json))
		return 0; /* left out rather than cut in the middle */
	return sse_event(
	    f->resp, event, f->turn, f->n, f->json.data, f->json.len);
}

/* What stands in f->json, as an event that is no text. */
static int
send_written(struct telling *f, const char *event)
{
	f->n++;
	if (!buf_failed(&f->json))
		keep(f, event, f->json.data, f->json.len);
	return send_event(f, event);
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
	return send_written(f, event);
}

static int
stream_opened(struct chat_sink *s, const struct chat_turn *t)
{
	struct telling *f = (struct telling *)s;

	telling_limits(f->resp, &t->quota);
	id_format(&t->id, f->turn);
	f->log = t->log;
	buf_clear(&f->json);
	buf_adds(&f->json, "{\"session_key\":");
	buf_json_str(&f->json, t->session_key, strlen(t->session_key));
	buf_addf(&f->json, ",\"turn_id\":\"%s\",\"agent\":", f->turn);
	chat_agent_write(&f->json, t);
	buf_addc(&f->json, '}');
	return send_written(f, "session");
}

/* How much of ${len} bytes the reader has: whole characters. */
static size_t
had_already(const struct telling *f, const char *piece, size_t len)
{
	size_t had;

	if (f->from <= f->n)
		return 0;
	had = (uint64_t)(f->from - f->n) < len ? (size_t)(f->from - f->n) : len;
	while (
	    had > 0 && had < len && ((unsigned char)piece[had] & 0xc0) == 0x80)
		had--;
	return had;
}

static int
stream_text(struct chat_sink *s, const char *piece, size_t len)
{
	struct telling *f = (struct telling *)s;
	size_t had = had_already(f, piece, len);

	if (len == 0)
		return 0;
	(void)telling_still(f);
	f->n += (int64_t)len;
	keep(f, "delta", piece, len);
	buf_clear(&f->json);
	buf_adds(&f->json, "{\"text\":");
	buf_json_str(&f->json, piece + had, len - had);
	buf_addc(&f->json, '}');
	return send_event(f, "delta");
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
	struct telling *f = (struct telling *)s;
	int64_t now = clock_mono();

	if (telling_still(f) < 0)
		return -1;
	if (now - f->pinged < f->app->beat_ms * CLOCK_MS)
		return 0;
	f->pinged = now;
	return sse_ping(f->resp);
}

void
telling_error(struct telling *f, const struct err *e)
{
	send_json(f, "error", problem_json(f->req, e));
}

/* Whoever has left hears nothing; who comes back reads it from the log. */
static void
stream_ended(
    struct chat_sink *s, const struct chat_turn *t, int rc, const struct err *e)
{
	struct telling *f = (struct telling *)s;
	char message[UUID_TEXT];

	if (rc < 0) {
		if (e->code != ERR_GONE)
			telling_error(f, e);
		return;
	}
	id_format(&t->reply_id, message);
	buf_clear(&f->json);
	buf_addf(&f->json, "{\"message_id\":\"%s\",\"reply\":", message);
	buf_json_str(
	    &f->json, t->answer.reply.text.data, t->answer.reply.text.len);
	buf_addf(&f->json,
	    ",\"finish_reason\":\"%s\",\"citations\":", t->finish_reason);
	json_write(&f->json, t->answer.citations);
	buf_addc(&f->json, '}');
	send_written(f, "message");
	buf_clear(&f->json);
	chat_usage_write(&f->json, t);
	send_written(f, "usage");
	buf_clear(&f->json);
	buf_adds(&f->json, "{}");
	send_written(f, "done");
}

/*
 * A stream of what is stored
 */

static const char *
text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

/* A tool's call and result, as they came one after the other. */
static int
tell_tool(struct telling *f, const json_t *call)
{
	json_t *id = json_object_get(call, "id");
	json_t *name = json_object_get(call, "name");

	if (send_json(f, "tool_call",
		json_pack("{s:O, s:O, s:O}", "id", id, "name", name,
		    "arguments", json_object_get(call, "arguments"))) < 0)
		return -1;
	return send_json(f, "tool_result",
	    json_pack("{s:O, s:O, s:O, s:O}", "id", id, "name", name, "ok",
		json_object_get(call, "ok"), "summary",
		json_object_get(call, "summary")));
}

/* The text, and the tools where they were called. */
static int
tell_said(struct telling *f, const json_t *turn, const json_t *offsets)
{
	const json_t *reply = json_object_get(turn, "reply");
	const json_t *calls = json_object_get(turn, "tool_calls");
	const char *text = text_of(turn, "reply");
	size_t len = json_string_length(reply), at = 0, to;

	for (size_t i = 0; i < json_array_size(calls); i++) {
		to = (size_t)json_integer_value(json_array_get(offsets, i));
		to = to < at ? at : to > len ? len : to;
		if (stream_text(&f->sink, text + at, to - at) < 0 ||
		    tell_tool(f, json_array_get(calls, i)) < 0)
			return -1;
		at = to;
	}
	return stream_text(&f->sink, text + at, len - at);
}

static void
tell_ending(struct telling *f, const json_t *turn)
{
	if (send_json(f, "message",
		json_pack("{s:O, s:O, s:O, s:O}", "message_id",
		    json_object_get(turn, "message_id"), "reply",
		    json_object_get(turn, "reply"), "finish_reason",
		    json_object_get(turn, "finish_reason"), "citations",
		    json_object_get(turn, "citations"))) == 0 &&
	    send_json(
		f, "usage", json_incref(json_object_get(turn, "usage"))) == 0)
		send_json(f, "done", json_object());
}

void
telling_stored(
    struct telling *f, const json_t *turn, const json_t *offsets, int64_t told)
{
	const char *error = json_string_value(json_object_get(turn, "error"));

	f->n = 0;
	snprintf(f->turn, sizeof(f->turn), "%s", text_of(turn, "turn_id"));
	if (send_json(f, "session",
		json_pack("{s:O, s:O, s:O}", "session_key",
		    json_object_get(turn, "session_key"), "turn_id",
		    json_object_get(turn, "turn_id"), "agent",
		    json_object_get(turn, "agent"))) < 0 ||
	    tell_said(f, turn, offsets) < 0)
		return;
	if (error) {
		f->n = told > f->n ? told : f->n;
		send_json(f, "error", problem_stored(f->req, error));
	} else {
		tell_ending(f, turn);
	}
}

int
telling_event(struct telling *f, const struct event *ev)
{
	if (strcmp(ev->name, "delta") == 0) {
		f->n = ev->n - (int64_t)ev->len;
		return stream_text(&f->sink, ev->data, ev->len);
	}
	f->n = ev->n;
	buf_clear(&f->json);
	buf_add(&f->json, ev->data, ev->len);
	return send_event(f, ev->name);
}

/*
 * Both
 */

static int
wait_for(struct chat_sink *s, int ms)
{
	struct pollfd pf = { .fd = s->gone_fd, .events = POLLIN };
	int gone;

	if (poll(&pf, s->gone_fd >= 0 ? 1 : 0, ms) <= 0)
		return 0;
	gone = net_peer_gone(s->gone_fd);
	if (gone < 0) /* its next request is there already: that is no sleep */
		poll(NULL, 0, ms);
	return gone > 0 ? -1 : 0;
}

void
telling_init(struct telling *f, struct app *app, struct http_req *req,
    struct http_resp *resp, struct caller *who, bool stream)
{
	memset(f, 0, sizeof(*f));
	f->app = app;
	f->who = who;
	f->looked = clock_mono();
	f->req = req;
	f->resp = resp;
	buf_init(&f->json, req->ctx, EVENT_MAX);
	f->sink = stream ? (struct chat_sink){ .opened = stream_opened,
		.text = stream_text,
		.tool_call = stream_tool_call,
		.tool_result = stream_tool_result,
		.beat = stream_beat,
		.ended = stream_ended }
	                 : (struct chat_sink){ .opened = whole_opened,
				   .text = whole_text,
				   .tool_call = whole_tool_call,
				   .tool_result = whole_tool_result,
				   .beat = whole_beat };
	f->sink.wait = wait_for;
	f->sink.gone_fd = req->gone_fd;
	f->sink.beat_ms = app->beat_ms < LOOK_MS ? app->beat_ms : LOOK_MS;
}
