/*
 * Forgotten passwords: a mail with a link, and the link's use.  Whether there
 * is somebody of an address shows neither in the answer nor in the time it
 * takes, for it is looked up later.
 */
#include <string.h>

#include "api/app.h"
#include "api/handlers.h"
#include "api/json_body.h"
#include "api/mailing.h"
#include "api/problem.h"
#include "api/reply.h"
#include "api/validate.h"
#include "audit/audit.h"
#include "auth/link.h"
#include "http/request.h"
#include "http/response.h"
#include "util/clock.h"

#include "util/banned.h"

#define WAIT (10 * CLOCK_S)

void
api_auth_reset(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who)
{
	json_auto_t *body = NULL, *errors = NULL;
	struct err e = { 0 };

	(void)who;
	if (json_body(app, req, "reset", &body, &errors, &e) < 0 ||
	    mailing_ready(app, &e) < 0 ||
	    mailing_reset(app, req, json_body_text(body, "email"), &e) < 0) {
		problem_send(req, resp, &e, errors);
		return;
	}
	http_status(resp, 202);
	http_send_empty(resp);
}

void
api_auth_password(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who)
{
	json_auto_t *body = NULL, *errors = NULL;
	const struct audit_entry from = { .address = req->client_address,
		.request_id = req->request_id };
	struct err e = { 0 };

	(void)who;
	if (json_body(app, req, "password_choice", &body, &errors, &e) < 0)
		goto refuse;
	if (link_use(app->db, json_body_text(body, "token"),
		json_body_text(body, "new_password"), &from,
		req->started + WAIT, &e) < 0) {
		if (e.code == ERR_INVALID)
			errors = validate_one("/new_password", e.text);
		goto refuse;
	}
	reply_done(resp);
	return;
refuse:
	problem_send(req, resp, &e, errors);
}
