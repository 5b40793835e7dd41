/*
 * The second factor of whoever has signed in: begun, confirmed by a code of the
 * app, ended with the password.  Its secret and the recovery codes are shown
 * once.
 */
#include <string.h>

#include "api/app.h"
#include "api/guard.h"
#include "api/handlers.h"
#include "api/json_body.h"
#include "api/problem.h"
#include "api/reply.h"
#include "api/validate.h"
#include "audit/audit.h"
#include "auth/factor.h"
#include "auth/key.h"
#include "auth/sign_in.h"
#include "crypto/hash.h"
#include "http/request.h"
#include "http/response.h"
#include "util/clock.h"

#include "util/banned.h"

#define WAIT (10 * CLOCK_S)

static int64_t
deadline_of(const struct http_req *req)
{
	return req->started + WAIT;
}

/* Reads {password} and proves that it is her who asks. */
static int
proven(struct app *app, struct http_req *req, const struct caller *who,
    json_t **body, json_t **errors, struct err *e)
{
	if (guard_person(who, e) < 0 ||
	    json_body(app, req, "password_proof", body, errors, e) < 0)
		return -1;
	if (sign_in_prove(app->db, &who->key->id, &who->sign_in,
		json_body_text(*body, "password"), deadline_of(req), e) == 0)
		return 0;
	if (e->code == ERR_INVALID)
		*errors = validate_one("/password", e->text);
	return -1;
}

/* What an app calls it: the person's address. */
static int
label_of(struct app *app, struct http_req *req, const struct caller *who,
    json_t **me, struct err *e)
{
	return person_show(app->db, &who->key->id, deadline_of(req), me, e);
}

void
api_me_factor_begin(struct app *app, struct http_req *req,
    struct http_resp *resp, struct caller *who)
{
	json_auto_t *body = NULL, *errors = NULL, *me = NULL, *shown = NULL;
	struct factor_new made;
	struct err e = { 0 };

	if (proven(app, req, who, &body, &errors, &e) < 0 ||
	    label_of(app, req, who, &me, &e) < 0 ||
	    factor_begin(app->db, app->vault, &who->key->id,
		json_string_value(json_object_get(me, "email")),
		deadline_of(req), req->ctx, &made, &e) < 0) {
		problem_send(req, resp, &e, errors);
		return;
	}
	shown = json_pack("{s:s, s:s, s:s}", "secret", made.text, "uri",
	    made.uri, "qr_svg", made.qr_svg);
	reply_json(req, resp, 201, shown);
	crypto_wipe(&made.text, sizeof(made.text));
}

void
api_me_factor_confirm(struct app *app, struct http_req *req,
    struct http_resp *resp, struct caller *who)
{
	json_auto_t *body = NULL, *errors = NULL, *shown = NULL;
	const struct audit_entry from = { .address = req->client_address,
		.request_id = req->request_id };
	char codes[RECOVERY_CODES][RECOVERY_TEXT];
	struct err e = { 0 };
	json_t *list;

	if (guard_person(who, &e) < 0 ||
	    json_body(app, req, "second_factor_code", &body, &errors, &e) < 0)
		goto refuse;
	if (factor_confirm(app->db, app->vault, &who->key->id, &who->sign_in,
		json_body_text(body, "code"), &from, deadline_of(req), codes,
		&e) < 0) {
		if (e.code == ERR_INVALID)
			errors = validate_one("/code", e.text);
		goto refuse;
	}
	list = json_array();
	for (int i = 0; i < RECOVERY_CODES; i++)
		json_array_append_new(list, json_string(codes[i]));
	crypto_wipe(codes, sizeof(codes));
	shown = json_pack("{s:o}", "recovery_codes", list);
	reply_json(req, resp, 200, shown);
	return;
refuse:
	problem_send(req, resp, &e, errors);
}

void
api_me_factor_end(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who)
{
	json_auto_t *body = NULL, *errors = NULL;
	const struct audit_entry from = { .address = req->client_address,
		.request_id = req->request_id };
	struct err e = { 0 };

	if (proven(app, req, who, &body, &errors, &e) < 0 ||
	    factor_end(app->db, &who->key->id, &from, deadline_of(req), &e) <
		0) {
		problem_send(req, resp, &e, errors);
		return;
	}
	reply_done(resp);
}
