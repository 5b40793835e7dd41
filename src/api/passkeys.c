/*
 * Passkeys: adding and removing one's own, and signing in with one.  The
 * challenge lies in a cookie of the browser, so that its answer is good from
 * there only.
 */
#include "api/passkeys.h"

#include <ctype.h>
#include <string.h>

#include "api/app.h"
#include "api/browser.h"
#include "api/guard.h"
#include "api/handlers.h"
#include "api/json_body.h"
#include "api/place.h"
#include "api/problem.h"
#include "api/reply.h"
#include "api/validate.h"
#include "audit/audit.h"
#include "auth/key.h"
#include "auth/passkey.h"
#include "auth/passkey_state.h"
#include "auth/sign_in.h"
#include "crypto/hash.h"
#include "http/address.h"
#include "http/request.h"
#include "http/response.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

#define WAIT (10 * CLOCK_S)
#define COOKIE "passkey"

static int64_t
deadline_of(const struct http_req *req)
{
	return req->started + WAIT;
}

int
passkeys_place(struct app *app, const struct http_req *req,
    struct webauthn_asked *out, struct err *e)
{
	char *rp_id = mem_array(req->ctx, char, WEBAUTHN_RP_TEXT), *origin;
	struct place place;

	place_find(app, req, &place);
	if (place.origin == NULL)
		return err_set(e, ERR_DENIED,
		    "this address is none of public_urls in the server's "
		    "configuration");
	/* As browsers write it. */
	origin = mem_strdup(req->ctx, place.origin);
	for (char *p = origin; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	memset(out, 0, sizeof(*out));
	out->origin = origin;
	out->rp_id = rp_id;
	return webauthn_rp_id(origin, rp_id, e);
}

static int
keep_state(struct app *app, const struct http_req *req, struct http_resp *resp,
    const char *state, struct err *e)
{
	return browser_aside(app, req, resp, COOKIE, state, PASSKEY_SECONDS, e);
}

/* The challenge that the cookie holds; it goes, whatever comes of it. */
static int
take_state(struct app *app, const struct http_req *req, struct http_resp *resp,
    enum passkey_kind kind, const struct uuid *user, struct webauthn_asked *out,
    struct err *e)
{
	const char *state = browser_aside_get(app, req, COOKIE);

	if (passkeys_place(app, req, out, e) != 0)
		return -1;
	if (passkey_state_read(state, kind, user, out->challenge) != 0)
		return err_set(e,
		    kind == PASSKEY_ADD ? ERR_DENIED : ERR_UNKNOWN,
		    "The cookie with the challenge is missing or too old; "
		    "begin again.");
	return browser_aside(app, req, resp, COOKIE, "", -1, e);
}

int
passkeys_add(struct app *app, struct http_req *req, struct http_resp *resp,
    const struct caller *who, const char *name, const json_t *response,
    json_t **ret, struct err *e)
{
	const struct audit_entry from = { .address = req->client_address,
		.request_id = req->request_id };
	struct webauthn_asked asked;

	if (take_state(app, req, resp, PASSKEY_ADD, &who->key->id, &asked, e) !=
	    0)
		return -1;
	return passkey_add(app->db, &who->key->id, &who->sign_in, &asked, name,
	    response, &from, deadline_of(req), ret, e);
}

int
passkeys_prove(struct app *app, struct http_req *req, struct http_resp *resp,
    const struct token *first, const json_t *response, struct token *t,
    struct err *e)
{
	char client[ADDRESS_CLIENT_TEXT];
	const struct sign_in_from from = { req->client_address,
		http_header(req, "user-agent"), client, req->request_id };
	struct webauthn_asked asked;

	address_client(req->client_address, client);
	if (take_state(app, req, resp, PASSKEY_USE, NULL, &asked, e) != 0)
		return -1;
	return passkey_prove(
	    app->db, &asked, first, response, &from, deadline_of(req), t, e);
}

/* --- one's own ----------------------------------------------------------- */

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

void
api_me_passkey_options(struct app *app, struct http_req *req,
    struct http_resp *resp, struct caller *who)
{
	json_auto_t *body = NULL, *errors = NULL, *options = NULL;
	struct webauthn_asked asked;
	struct err e = { 0 };
	char *state;

	if (passkeys_place(app, req, &asked, &e) < 0 ||
	    proven(app, req, who, &body, &errors, &e) < 0 ||
	    passkey_add_begin(app->db, &who->key->id, who->factor, &asked,
		deadline_of(req), req->ctx, &state, &options, &e) < 0 ||
	    keep_state(app, req, resp, state, &e) < 0)
		problem_send(req, resp, &e, errors);
	else
		reply_json(req, resp, 200, options);
}

void
api_me_passkey_add(struct app *app, struct http_req *req,
    struct http_resp *resp, struct caller *who)
{
	json_auto_t *body = NULL, *errors = NULL, *made = NULL;
	struct err e = { 0 };

	if (guard_person(who, &e) < 0 ||
	    json_body(app, req, "passkey_add", &body, &errors, &e) < 0)
		goto refuse;
	if (passkeys_add(app, req, resp, who, json_body_text(body, "name"),
		json_object_get(body, "response"), &made, &e) < 0) {
		if (e.code == ERR_INVALID)
			errors = validate_one("/response", e.text);
		goto refuse;
	}
	reply_json(req, resp, 201, made);
	return;
refuse:
	problem_send(req, resp, &e, errors);
}

void
api_me_passkeys(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who)
{
	json_auto_t *shown = NULL;
	struct err e = { 0 };
	json_t *list;

	if (guard_person(who, &e) < 0 || passkey_list(app->db, &who->key->id,
					     deadline_of(req), &list, &e) < 0) {
		problem_send(req, resp, &e, NULL);
		return;
	}
	shown = json_pack("{s:o}", "data", list);
	reply_json(req, resp, 200, shown);
}

void
api_me_passkey_end(struct app *app, struct http_req *req,
    struct http_resp *resp, struct caller *who)
{
	const struct audit_entry from = { .address = req->client_address,
		.request_id = req->request_id };
	json_auto_t *body = NULL, *errors = NULL;
	const char *text = http_var(req, "id");
	struct err e = { 0 };
	struct uuid id;

	if (proven(app, req, who, &body, &errors, &e) < 0)
		goto refuse;
	if (id_parse(text, strlen(text), &id) < 0) {
		err_set(&e, ERR_NOT_FOUND, "nothing has this id");
		goto refuse;
	}
	if (passkey_end(
		app->db, &who->key->id, &id, &from, deadline_of(req), &e) < 0)
		goto refuse;
	reply_done(resp);
	return;
refuse:
	problem_send(req, resp, &e, errors);
}

/* --- signing in ---------------------------------------------------------- */

void
api_auth_passkey_options(struct app *app, struct http_req *req,
    struct http_resp *resp, struct caller *who)
{
	json_auto_t *options = NULL;
	struct webauthn_asked asked;
	struct err e = { 0 };

	(void)who;
	if (passkeys_place(app, req, &asked, &e) < 0 ||
	    keep_state(app, req, resp,
		passkey_use_begin(req->ctx, &asked, &options), &e) < 0)
		problem_send(req, resp, &e, NULL);
	else
		reply_json(req, resp, 200, options);
}

/* Her tokens, of a sign-in that begins now. */
static int
begin(struct app *app, struct http_req *req, struct token *t,
    char refresh[REFRESH_TEXT], char **access, struct err *e)
{
	char client[ADDRESS_CLIENT_TEXT];
	const struct sign_in_from from = { req->client_address,
		http_header(req, "user-agent"), client, req->request_id };
	unsigned char hash[32];

	address_client(req->client_address, client);
	refresh_make(refresh, hash);
	if (sign_in_record(app->db, t, hash, &from, app->refresh_s,
		deadline_of(req), req->ctx, e) != 0)
		return -1;
	return token_make(app->tokens, t, app->access_s, req->ctx, access, e);
}

void
api_auth_passkey(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who)
{
	json_auto_t *body = NULL, *errors = NULL, *answer = NULL;
	char refresh[REFRESH_TEXT], *access;
	struct err e = { 0 };
	struct token t = { 0 };

	(void)who;
	if (json_body(app, req, "passkey_assertion", &body, &errors, &e) < 0 ||
	    passkeys_prove(app, req, resp, NULL, body, &t, &e) < 0 ||
	    begin(app, req, &t, refresh, &access, &e) < 0) {
		problem_send(req, resp, &e, errors);
		return;
	}
	answer = json_pack("{s:s, s:s, s:s, s:I}", "access_token", access,
	    "refresh_token", refresh, "token_type", "Bearer", "expires_in",
	    (json_int_t)app->access_s);
	reply_json(req, resp, 200, answer);
	crypto_wipe(refresh, sizeof(refresh));
}
