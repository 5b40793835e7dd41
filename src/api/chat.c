/*
 * The chat endpoints: a body to a question, a turn to an answer, whole or as
 * it is said.
 */
#include <string.h>

#include "account/account.h"
#include "agent/spec.h"
#include "api/app.h"
#include "api/ask.h"
#include "api/chat_body.h"
#include "api/follow.h"
#include "api/guard.h"
#include "api/handlers.h"
#include "api/problem.h"
#include "api/reply.h"
#include "api/telling.h"
#include "auth/key.h"
#include "chat/turn.h"
#include "http/address.h"
#include "http/request.h"
#include "http/response.h"
#include "telemetry/trace.h"
#include "util/buf.h"
#include "util/json.h"

#include "util/banned.h"

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

/* The answer of a turn, or of an earlier request with its key. */
static void
answer_whole(struct http_req *req, struct http_resp *resp,
    const struct chat_turn *t, int rc, struct err *e)
{
	struct buf b;

	if (t->replay) {
		reply_json(req, resp, 200, t->replay);
		return;
	}
	if (rc == 0) {
		buf_init(&b, req->ctx, REPLY_MAX);
		chat_turn_write(&b, t, true);
		reply_buf(resp, 200, "application/json", &b);
		return;
	}
	if (e->code == ERR_LIMIT)
		telling_limits(resp, &t->quota);
	problem_send(req, resp, e, NULL);
}

/* The stream that an earlier request with the same key has begun; -1: it was
 * refused before there was one, and the key is free. */
static int
answer_again(struct app *app, struct telling *f, const struct caller *who,
    const struct chat_turn *t)
{
	struct err e = { 0 };

	http_set(f->resp, "Idempotent-Replayed", "true");
	if (t->replay) {
		telling_stored(f, t->replay, t->tool_offsets, 0);
		return 0;
	}
	if (follow_turn(app, f, who, &t->id, &e) == 0)
		return 0;
	if (e.code == ERR_NOT_FOUND) {
		http_set(f->resp, "Idempotent-Replayed", NULL);
		return -1;
	}
	problem_send(f->req, f->resp, &e, NULL);
	return 0;
}

static void
answer(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who, struct chat_ask *ask)
{
	struct chat_turn *t;
	struct err e;
	struct telling f;
	int rc;

	do {
		memset(&e, 0, sizeof(e));
		telling_init(&f, app, req, resp, who, ask->stream);
		rc = chat_turn_run(&app->chat, ask, &f.sink, req->ctx, &t, &e);
		if (rc < 0)
			ask_log_failure(t, &e);
		if (f.begun)
			return;
	} while (rc == 0 && ask->stream && (t->replay || t->attach) &&
		 answer_again(app, &f, who, t) < 0);
	if (f.begun || http_sent(resp))
		return;
	if (f.cut) { /* nobody is answered any more who may not ask */
		problem_send(req, resp, &f.why, NULL);
		return;
	}
	if (t->replay)
		http_set(resp, "Idempotent-Replayed", "true");
	answer_whole(req, resp, t, rc, &e);
}

static void
serve(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who, bool stream)
{
	char traceparent[TRACE_PARENT_SIZE], client[ADDRESS_CLIENT_TEXT];
	json_auto_t *body = NULL;
	bool wanted = false;
	struct err e = { 0 };
	struct chat_ask ask = { .key = who->key,
		.slug = http_var(req, "slug"),
		.agent_type = http_var(req, "agent_type"),
		.agent_name = http_var(req, "instance_name"),
		.client_address = client,
		.request_id = req->request_id,
		.trace_id = req->trace.trace_id };

	if (read_ask(app, req, resp, who, &body, &ask, &wanted) < 0)
		return;
	if (ask_read_key(req, app->body_max_chat, &ask, &e) < 0) {
		problem_send(req, resp, &e, NULL);
		return;
	}
	address_client(req->client_address, client);
	trace_parent(&req->trace, traceparent);
	ask.traceparent = traceparent;
	ask.stream = stream || wanted;
	answer(app, req, resp, who, &ask);
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
