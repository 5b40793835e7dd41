/*
 * Turns and sessions as their readers see them.
 */
#include <string.h>

#include "api/app.h"
#include "api/chat_body.h"
#include "api/guard.h"
#include "api/handlers.h"
#include "api/problem.h"
#include "api/reply.h"
#include "chat/session.h"
#include "http/request.h"
#include "http/response.h"
#include "util/clock.h"
#include "util/id.h"
#include "util/json.h"

#include "util/banned.h"

#define READ_WAIT (5 * CLOCK_S)

static int64_t
deadline_of(const struct http_req *req)
{
	return req->started + READ_WAIT;
}

/* An id in the path; one that is none names nothing. */
static int
path_id(const struct http_req *req, const char *name, struct uuid *out,
    struct err *e)
{
	const char *text = http_var(req, name);

	if (!text || id_parse(text, strlen(text), out) < 0)
		return err_set(e, ERR_NOT_FOUND, "nothing has this id");
	return 0;
}

void
api_turn_get(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who)
{
	json_auto_t *turn = NULL;
	struct err e = { 0 };
	struct uuid id;

	if (path_id(req, "turn_id", &id, &e) < 0 ||
	    chat_turn_get(&app->chat, who->account, who->key, &id,
		http_header(req, "x-session-key"), deadline_of(req), &turn,
		&e) < 0)
		problem_send(req, resp, &e, NULL);
	else
		reply_json(req, resp, 200, turn);
}

void
api_turn_stop(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who)
{
	json_auto_t *turn = NULL;
	struct err e = { 0 };
	struct uuid id;
	bool asked;

	if (path_id(req, "turn_id", &id, &e) < 0 ||
	    chat_turn_stop(&app->chat, who->account, who->key, &id,
		http_header(req, "x-session-key"), deadline_of(req), &turn,
		&asked, &e) < 0)
		problem_send(req, resp, &e, NULL);
	else
		reply_json(req, resp, asked ? 202 : 200, turn);
}

void
api_turn_why(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who)
{
	json_auto_t *why = NULL;
	struct err e = { 0 };
	struct uuid id;

	if (path_id(req, "turn_id", &id, &e) < 0 ||
	    chat_turn_why(app->chat.db, who->account, &id, deadline_of(req),
		&why, &e) < 0)
		problem_send(req, resp, &e, NULL);
	else
		reply_json(req, resp, 200, why);
}

void
api_messages(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who)
{
	json_auto_t *page = NULL;
	struct err e = { 0 };
	struct uuid after;
	const char *text;
	int limit;

	text = http_query(req, "after", &e);
	if (e.code == ERR_NONE && text &&
	    id_parse(text, strlen(text), &after) < 0)
		err_set(&e, ERR_INVALID, "after is not a message's id");
	if (e.code != ERR_NONE || http_query_limit(req, &limit, &e) < 0 ||
	    chat_messages_list(&app->chat, who->account, who->key,
		http_var(req, "session_key"), limit, text ? &after : NULL,
		deadline_of(req), &page, &e) < 0)
		problem_send(req, resp, &e, NULL);
	else
		reply_json(req, resp, 200, page);
}

void
api_feedback(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who)
{
	json_auto_t *body = NULL, *errors = NULL, *stored = NULL;
	const char *text, *comment = NULL;
	struct err e = { 0 };
	struct uuid id;
	int rating = 0;
	bool first;
	size_t len;

	if (path_id(req, "id", &id, &e) < 0 ||
	    http_body(req, app->body_max_chat, &text, &len, &e) < 0 ||
	    json_parse(text, len, &JSON_LIMITS_REQUEST, &body, &e) < 0)
		goto refuse;
	if (feedback_body_read(body, &rating, &comment, &errors) < 0) {
		err_set(&e, ERR_INVALID, "the body is not a valid feedback");
		goto refuse;
	}
	if (chat_feedback(&app->chat, who->account, who->key,
		http_var(req, "session_key"), &id, rating, comment,
		deadline_of(req), &first, &e) < 0)
		goto refuse;
	stored = json_pack("{s:s, s:i, s:s?}", "message_id",
	    http_var(req, "id"), "rating", rating, "comment", comment);
	reply_json(req, resp, first ? 201 : 200, stored);
	return;
refuse:
	problem_send(req, resp, &e, errors);
}

void
api_handoff(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who)
{
	json_auto_t *told = NULL;
	struct err e = { 0 };
	bool first;

	if (chat_handoff(&app->chat, who->account, who->key,
		http_var(req, "session_key"), deadline_of(req), &told, &first,
		&e) < 0)
		problem_send(req, resp, &e, NULL);
	else
		reply_json(req, resp, first ? 201 : 200, told);
}
