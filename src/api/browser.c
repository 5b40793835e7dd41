/* Names of cookies, and when which is set. */
#include "api/browser.h"

#include <stdio.h>
#include <string.h>

#include "api/app.h"
#include "api/guard.h"
#include "api/place.h"
#include "api/sign_out.h"
#include "auth/browser.h"
#include "auth/key.h"
#include "auth/sign_in.h"
#include "http/address.h"
#include "http/cookie.h"
#include "http/request.h"
#include "http/response.h"
#include "shm/person.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define WAIT (10 * CLOCK_S)
#define NAME_TEXT 64
#define FORM "form"
#define FORM_RANDOM 16
#define FORM_LIFE 86400
/* What a token is bound to begins with what that is. */
#define BOUND_SIGN_IN 's'
#define BOUND_COOKIE 'c'

static int64_t
deadline_of(const struct http_req *req)
{
	return req->started + WAIT;
}

/* "__Host-sb-0123abcd", and behind it "-what".  False: none can be kept here.
 */
static bool
cookie_name(struct app *app, const struct place *place, const char *what,
    char out[NAME_TEXT], struct err *e)
{
	char id[INSTALLATION_TEXT];

	if (tokens_installation(app->tokens, id, e) != 0)
		return false;
	snprintf(out, NAME_TEXT, "%ssb-%s%s%s", place->secure ? "__Host-" : "",
	    id, what != NULL ? "-" : "", what != NULL ? what : "");
	return true;
}

static int
set_cookie(struct app *app, const struct http_req *req, struct http_resp *resp,
    const char *what, const char *value, int64_t age, struct err *e)
{
	struct place place;
	char name[NAME_TEXT];

	place_find(app, req, &place);
	if (!place.cookies)
		return err_set(e, ERR_DENIED,
		    "signing in needs HTTPS, at one of the addresses in "
		    "public_urls");
	if (!cookie_name(app, &place, what, name, e))
		return -1;
	http_cookie_set(resp, name, value, age, place.secure);
	return 0;
}

int
browser_aside(struct app *app, const struct http_req *req,
    struct http_resp *resp, const char *what, const char *value, int64_t age,
    struct err *e)
{
	return set_cookie(app, req, resp, what, value, age, e);
}

const char *
browser_aside_get(struct app *app, const struct http_req *req, const char *what)
{
	struct place place;
	char name[NAME_TEXT];

	place_find(app, req, &place);
	if (!place.cookies || !cookie_name(app, &place, what, name, NULL))
		return NULL;
	return http_cookie(req, name);
}

static int
set_session(struct app *app, const struct http_req *req, struct http_resp *resp,
    const struct browser *b, struct err *e)
{
	char *value;

	if (browser_cookie(app->tokens, b, b->secret, app->access_s, req->ctx,
		&value, e) != 0)
		return -1;
	return set_cookie(app, req, resp, NULL, value, app->refresh_s, e);
}

int
browser_begin(struct app *app, struct http_req *req, struct http_resp *resp,
    const struct token *who, struct err *e)
{
	struct uuid sign_in;

	return browser_begin_as(app, req, resp, who, &sign_in, e);
}

int
browser_begin_as(struct app *app, struct http_req *req, struct http_resp *resp,
    const struct token *who, struct uuid *sign_in, struct err *e)
{
	char client[ADDRESS_CLIENT_TEXT];
	const struct sign_in_from from = { req->client_address,
		http_header(req, "user-agent"), client, req->request_id };
	struct browser b = { 0 };
	struct place place;

	place_find(app, req, &place);
	if (!place.cookies) /* before there is a sign-in that nobody holds */
		return set_cookie(app, req, resp, NULL, "", 0, e);
	address_client(req->client_address, client);
	if (browser_new(app->db, who, &from, app->refresh_s, deadline_of(req),
		&b, e) != 0)
		return -1;
	*sign_in = b.token.sign_in;
	return set_session(app, req, resp, &b, e);
}

static int
find(struct app *app, const struct http_req *req, bool anew, struct token *out,
    const char **cookie, struct err *e)
{
	const char *value = browser_aside_get(app, req, NULL);
	char *token, *secret, *kept;
	struct browser b = { 0 };

	*cookie = NULL;
	if (value == NULL ||
	    browser_parts(req->ctx, value, &token, &secret) != 0)
		return err_set(e, ERR_UNKNOWN, "nobody is signed in here");
	if (!anew && token_check_browser(
			 app->tokens, token, deadline_of(req), out, NULL) == 0)
		return 0;
	if (browser_renew(app->db, secret, false, app->refresh_s,
		deadline_of(req), &b, e) != 0)
		return -1;
	/* Who reads it first tells the others. */
	person_raise(b.token.slot, b.token.version);
	*out = b.token;
	if (b.late)
		return 0;
	if (browser_cookie(app->tokens, &b, secret, app->access_s, req->ctx,
		&kept, e) != 0)
		return -1;
	*cookie = kept;
	return 0;
}

int
browser_find(struct app *app, const struct http_req *req, struct token *out,
    const char **cookie, struct err *e)
{
	return find(app, req, false, out, cookie, e);
}

int
browser_find_anew(struct app *app, const struct http_req *req,
    struct token *out, const char **cookie, struct err *e)
{
	return find(app, req, true, out, cookie, e);
}

void
browser_keep(struct app *app, const struct http_req *req,
    struct http_resp *resp, const char *cookie)
{
	(void)set_cookie(app, req, resp, NULL, cookie, app->refresh_s, NULL);
}

int
browser_renew_cookie(struct app *app, struct http_req *req,
    struct http_resp *resp, struct err *e)
{
	const char *value = browser_aside_get(app, req, NULL);
	char *token, *secret;
	struct browser b = { 0 };

	if (value == NULL ||
	    browser_parts(req->ctx, value, &token, &secret) != 0)
		return err_set(e, ERR_UNKNOWN, "nobody is signed in here");
	if (browser_renew(app->db, secret, true, app->refresh_s,
		deadline_of(req), &b, e) != 0)
		return -1;
	return b.late ? 0 : set_session(app, req, resp, &b, e);
}

void
browser_forget(
    struct app *app, const struct http_req *req, struct http_resp *resp)
{
	(void)set_cookie(app, req, resp, NULL, "", -1, NULL);
	(void)set_cookie(app, req, resp, FORM, "", -1, NULL);
}

int
browser_end(struct app *app, struct http_req *req, struct http_resp *resp,
    const struct caller *who, struct err *e)
{
	int64_t n;

	if (sign_out(app, req, &who->key->id, &who->sign_in, "signed out", &n,
		e) != 0)
		return -1;
	/* The listener hears of it in a moment; the next request is not to
	 * depend on that. */
	if (n > 0)
		person_raise(who->key->user_slot, who->key->version + 1);
	browser_forget(app, req, resp);
	return 0;
}

/* --- forms --------------------------------------------------------------- */

/* What a token is bound to, as bytes; how many, or 0. */
static size_t
bind_to(
    const struct uuid *sign_in, const char *cookie, char out[FORM_TOKEN_BOUND])
{
	size_t n;

	if (sign_in != NULL) {
		out[0] = BOUND_SIGN_IN;
		memcpy(out + 1, sign_in->b, sizeof(sign_in->b));
		return 1 + sizeof(sign_in->b);
	}
	if (cookie == NULL)
		return 0;
	n = strlen(cookie);
	if (n == 0 || n > FORM_TOKEN_BOUND - 1)
		return 0;
	out[0] = BOUND_COOKIE;
	memcpy(out + 1, cookie, n);
	return 1 + n;
}

static const struct uuid *
sign_in_of(const struct caller *who)
{
	return who != NULL && who->key != NULL && who->key->kind == KEY_USER
	           ? &who->sign_in
	           : NULL;
}

int
browser_form_token(struct app *app, const struct http_req *req,
    struct http_resp *resp, const struct caller *who, char out[FORM_TOKEN_TEXT],
    struct err *e)
{
	const struct uuid *sign_in = sign_in_of(who);
	const char *cookie = browser_aside_get(app, req, FORM);
	char bound[FORM_TOKEN_BOUND], made[2 * FORM_RANDOM];
	unsigned char raw[FORM_RANDOM];

	if (sign_in == NULL && (cookie == NULL || *cookie == '\0' ||
				   strlen(cookie) >= FORM_TOKEN_BOUND)) {
		id_random(raw, sizeof(raw));
		str_b64url(raw, sizeof(raw), made);
		if (browser_aside(app, req, resp, FORM, made, FORM_LIFE, e) !=
		    0)
			return -1;
		cookie = made;
	}
	form_token_make(bound, bind_to(sign_in, cookie, bound), out);
	return 0;
}

int
browser_form_check_for(struct app *app, const struct http_req *req,
    const struct uuid *sign_in, const char *token, struct err *e)
{
	const char *cookie = browser_aside_get(app, req, FORM);
	char bound[FORM_TOKEN_BOUND];
	struct place place;
	size_t n;

	place_find(app, req, &place);
	if (place_check_source(req, &place, e) != 0)
		return -1;
	n = bind_to(sign_in, cookie, bound);
	if (n > 0 && form_token_check(token, bound, n))
		return 0;
	return err_set(e, ERR_DENIED,
	    "the form is not of this sign-in, or too old; load the page again");
}

int
browser_form_check(struct app *app, const struct http_req *req,
    const struct caller *who, const char *token, struct err *e)
{
	return browser_form_check_for(app, req, sign_in_of(who), token, e);
}
