/*
 * Signing in and out, and what a person sees and changes of herself.  Tokens
 * stand in no log: answers here are never cached, and their bodies never
 * written down.
 */
#include <string.h>

#include "api/app.h"
#include "api/guard.h"
#include "api/handlers.h"
#include "api/json_body.h"
#include "api/problem.h"
#include "api/reply.h"
#include "api/sign_out.h"
#include "api/validate.h"
#include "auth/key.h"
#include "auth/sign_in.h"
#include "crypto/hash.h"
#include "http/address.h"
#include "http/request.h"
#include "http/response.h"
#include "shm/person.h"
#include "util/clock.h"
#include "util/id.h"

#include "util/banned.h"

#define WAIT (10 * CLOCK_S)

static int64_t
deadline_of(const struct http_req *req)
{
	return req->started + WAIT;
}

/* The answer to a sign-in or a refresh (INTERFACE: auth/login). */
static void
send_tokens(struct app *app, struct http_req *req, struct http_resp *resp,
    const struct sign_in *in)
{
	json_auto_t *answer = NULL;
	struct err e = { 0 };
	char *access;

	if (token_make(app->tokens, &in->token, app->access_s, req->ctx,
		&access, &e) < 0) {
		problem_send(req, resp, &e, NULL);
		return;
	}
	answer = json_pack("{s:s, s:s, s:s, s:I}", "access_token", access,
	    "refresh_token", in->refresh, "token_type", "Bearer", "expires_in",
	    (json_int_t)app->access_s);
	reply_json(req, resp, 200, answer);
}

void
api_auth_login(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who)
{
	json_auto_t *body = NULL, *errors = NULL;
	char client[ADDRESS_CLIENT_TEXT];
	const struct sign_in_from from = { req->client_address,
		http_header(req, "user-agent"), client, req->request_id };
	struct sign_in in;
	struct err e = { 0 };

	(void)who;
	address_client(req->client_address, client);
	if (json_body(app, req, "login", &body, &errors, &e) < 0 ||
	    sign_in_password(app->db, app->vault, json_body_text(body, "email"),
		json_body_text(body, "password"), json_body_text(body, "totp"),
		&from, app->refresh_s, deadline_of(req), &in, &e) < 0)
		problem_send(req, resp, &e, errors);
	else
		send_tokens(app, req, resp, &in);
	crypto_wipe(&in, sizeof(in));
}

void
api_auth_refresh(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who)
{
	json_auto_t *body = NULL, *errors = NULL;
	const struct sign_in_from from = { .address = req->client_address,
		.request_id = req->request_id };
	struct sign_in in;
	struct err e = { 0 };

	(void)who;
	if (json_body(app, req, "refresh", &body, &errors, &e) < 0 ||
	    sign_in_refresh(app->db, json_body_text(body, "refresh_token"),
		&from, app->refresh_s, deadline_of(req), &in, &e) < 0)
		problem_send(req, resp, &e, errors);
	else
		send_tokens(app, req, resp, &in);
	crypto_wipe(&in, sizeof(in));
}

/* Whoever holds either token may end what it stands for. */
void
api_auth_logout(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who)
{
	json_auto_t *body = NULL, *errors = NULL;
	const char *token, *bearer = guard_bearer(req), *text;
	const struct sign_in_from from = { .address = req->client_address,
		.request_id = req->request_id };
	struct err e = { 0 };
	struct token t = { 0 };
	int64_t n = 0;
	size_t len;

	(void)who;
	if (http_body(req, app->body_max_admin, &text, &len, &e) < 0 ||
	    (len > 0 && json_body(app, req, "refresh", &body, &errors, &e) < 0))
		goto refuse;
	token = json_body_text(body, "refresh_token");
	if (token == NULL && (bearer == NULL || !token_form(bearer))) {
		err_set(&e, ERR_UNKNOWN, "show the token that is to end");
		goto refuse;
	}
	if (token != NULL) {
		if (sign_in_end_refresh(
			app->db, token, &from, deadline_of(req), &e) < 0)
			goto refuse;
	} else if (token_check(app->tokens, bearer, deadline_of(req), &t, &e) <
		       0 ||
		   sign_out(app, req, &t.user, &t.sign_in, "signed out", &n,
		       &e) < 0) {
		goto refuse;
	}
	/* The next request is not to depend on the listener's ear. */
	if (n > 0)
		person_raise(t.slot, t.version + 1);
	reply_done(resp);
	return;
refuse:
	problem_send(req, resp, &e, errors);
}

void
api_me(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who)
{
	json_auto_t *me = NULL;
	struct err e = { 0 };

	if (guard_person(who, &e) < 0 ||
	    person_show(app->db, &who->key->id, deadline_of(req), &me, &e) < 0)
		problem_send(req, resp, &e, NULL);
	else
		reply_json(req, resp, 200, me);
}

void
api_me_sign_ins(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who)
{
	json_auto_t *page = NULL;
	struct err e = { 0 };
	struct uuid after;
	const char *text;
	int limit;

	text = http_query(req, "after", &e);
	if (e.code == ERR_NONE && text != NULL &&
	    id_parse(text, strlen(text), &after) < 0)
		err_set(&e, ERR_INVALID, "after is not a sign-in's id");
	if (e.code != ERR_NONE || guard_person(who, &e) < 0 ||
	    http_query_limit(req, &limit, &e) < 0 ||
	    person_sign_ins(app->db, &who->key->id, &who->sign_in,
		text != NULL ? &after : NULL, limit, deadline_of(req), &page,
		&e) < 0)
		problem_send(req, resp, &e, NULL);
	else
		reply_json(req, resp, 200, page);
}

static void
end_sign_ins(struct app *app, struct http_req *req, struct http_resp *resp,
    const struct caller *who, const struct uuid *id)
{
	struct err e = { 0 };
	int64_t n;

	if (guard_person(who, &e) < 0 || sign_out(app, req, &who->key->id, id,
					     "ended by the person", &n, &e) < 0)
		problem_send(req, resp, &e, NULL);
	else if (id != NULL && n == 0) {
		err_set(&e, ERR_NOT_FOUND, "nothing has this id");
		problem_send(req, resp, &e, NULL);
	} else {
		if (n > 0)
			person_raise(
			    who->key->user_slot, who->key->version + 1);
		reply_done(resp);
	}
}

void
api_me_sign_in_end(struct app *app, struct http_req *req,
    struct http_resp *resp, struct caller *who)
{
	const char *text = http_var(req, "id");
	struct err e = { 0 };
	struct uuid id;

	if (id_parse(text, strlen(text), &id) == 0) {
		end_sign_ins(app, req, resp, who, &id);
		return;
	}
	err_set(&e, ERR_NOT_FOUND, "nothing has this id");
	problem_send(req, resp, &e, NULL);
}

void
api_me_sign_ins_end(struct app *app, struct http_req *req,
    struct http_resp *resp, struct caller *who)
{
	end_sign_ins(app, req, resp, who, NULL);
}

void
api_me_password(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who)
{
	json_auto_t *body = NULL, *errors = NULL;
	const struct sign_in_from from = { .address = req->client_address,
		.request_id = req->request_id };
	struct err e = { 0 };

	if (guard_person(who, &e) < 0 ||
	    json_body(app, req, "password_change", &body, &errors, &e) < 0)
		goto refuse;
	if (sign_in_change_password(app->db, &who->key->id,
		json_body_text(body, "old_password"),
		json_body_text(body, "new_password"), &from, deadline_of(req),
		&e) < 0) {
		if (e.code == ERR_INVALID)
			errors = validate_one("/new_password", e.text);
		goto refuse;
	}
	reply_done(resp);
	return;
refuse:
	problem_send(req, resp, &e, errors);
}
