/*
 * Accounts that people open themselves, where the operator lets them.  The
 * answer to who asks is always the same, and all is looked up later.
 */
#include <string.h>

#include "api/app.h"
#include "api/handlers.h"
#include "api/json_body.h"
#include "api/later.h"
#include "api/mailing.h"
#include "api/problem.h"
#include "api/reply.h"
#include "api/validate.h"
#include "auth/sign_up.h"
#include "http/request.h"
#include "http/response.h"
#include "mail/message.h"
#include "telemetry/log.h"
#include "util/clock.h"

#include "util/banned.h"

#define WAIT (10 * CLOCK_S)

static int
open_here(const struct app *app, struct err *e)
{
	if (app->sign_up)
		return mailing_ready(app, e);
	return err_set(e, ERR_NOT_FOUND,
	    "nobody opens an account himself here: ask the operator");
}

static int
send_link(struct app *app, const json_t *body, int64_t deadline,
    const void *ctx, struct err *e)
{
	const char *email = json_body_text(body, "email"),
		   *name = json_body_text(body, "account_name");
	struct sign_up_asked asked;
	int rc = sign_up_ask(app->db, email, name, json_body_text(body, "slug"),
	    deadline, ctx, &asked, e);

	if (rc <= 0)
		return rc;
	const struct mail_value values[] = { { "account", name },
		{ "email", email }, { "until", asked.until },
		{ "link", mailing_link(app, ctx, "/sign-up", asked.token) },
		{ NULL, NULL } };

	return mailing_send(app, "sign_up", email, values, e);
}

static void
sign_up(struct app *app, const json_t *body, int64_t deadline, const void *ctx)
{
	struct err e = { 0 };

	if (send_link(app, body, deadline, ctx, &e) < 0)
		log_event(LOG_ERROR, "mail_not_sent", "mail", "sign_up",
		    "error", e.text, NULL);
}

void
api_auth_sign_up(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who)
{
	json_auto_t *body = NULL, *errors = NULL;
	struct err e = { 0 };
	const char *email;

	(void)who;
	if (json_body(app, req, "sign_up", &body, &errors, &e) < 0 ||
	    open_here(app, &e) < 0)
		goto refuse;
	email = json_body_text(body, "email");
	if (!mail_address_ok(email)) {
		err_set(&e, ERR_INVALID, "is no address to write to");
		errors = validate_one("/email", e.text);
		goto refuse;
	}
	if (mailing_may(req, "sign up", email) &&
	    later_put(app->later, sign_up, json_incref(body), &e) != 0)
		goto refuse;
	http_status(resp, 202);
	http_send_empty(resp);
	return;
refuse:
	problem_send(req, resp, &e, errors);
}

void
api_auth_sign_up_confirm(struct app *app, struct http_req *req,
    struct http_resp *resp, struct caller *who)
{
	json_auto_t *body = NULL, *errors = NULL, *shown = NULL;
	struct sign_up_made made;
	struct err e = { 0 };

	(void)who;
	if (json_body(app, req, "sign_up_confirm", &body, &errors, &e) < 0 ||
	    open_here(app, &e) < 0)
		goto refuse;
	const struct sign_up_how how = { .token = json_body_text(body, "token"),
		.password = json_body_text(body, "password"),
		.slug = json_body_text(body, "slug"),
		.address = req->client_address,
		.request_id = req->request_id };

	if (sign_up_confirm(
		app->db, &how, req->started + WAIT, req->ctx, &made, &e) < 0) {
		if (e.code == ERR_INVALID)
			errors = validate_one("/password", e.text);
		goto refuse;
	}
	shown = json_pack("{s:s, s:s, s:s}", "account", made.slug, "name",
	    made.name, "email", made.email);
	reply_json(req, resp, 201, shown);
	return;
refuse:
	problem_send(req, resp, &e, errors);
}
