/*
 * The three addresses of single sign-on: where a browser begins, where the
 * provider leads it back to, and where the provider says that somebody signed
 * out.  An account that is not there and one without single sign-on look the
 * same.
 */
#include <string.h>

#include "account/account.h"
#include "api/app.h"
#include "api/browser.h"
#include "api/handlers.h"
#include "api/pages/page.h"
#include "api/place.h"
#include "api/problem.h"
#include "audit/audit.h"
#include "auth/sign_in.h"
#include "http/form.h"
#include "http/request.h"
#include "http/response.h"
#include "sso/flow.h"
#include "sso/logout.h"
#include "sso/sso.h"
#include "telemetry/log.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define WAIT (20 * CLOCK_S)
#define COOKIE "sso" /* behind the name of the browser's own */
#define CALLBACK "/sso/callback"
#define HOME "/"

static int64_t
deadline_of(const struct http_req *req)
{
	return req->started + WAIT;
}

/* An answer that no cache and no next page is to learn anything from. */
static void
lead(struct http_resp *resp, const char *location)
{
	http_status(resp, 303);
	http_set(resp, "Location", location);
	http_set(resp, "Cache-Control", "no-store");
	http_set(resp, "Referrer-Policy", "no-referrer");
	http_send_empty(resp);
}

static int
find_account(
    struct app *app, struct http_req *req, struct uuid *out, struct err *e)
{
	static const char absent[] = "there is no single sign-on at this "
				     "address";
	const char *slug = http_var(req, "account");
	const struct account *a = NULL;
	bool active;

	if (slug == NULL || !str_is_slug(slug))
		return err_set(e, ERR_NOT_FOUND, absent);
	if (accounts_by_slug(app->accounts, slug, deadline_of(req), &a, e) != 0)
		return e->code == ERR_NOT_FOUND
		           ? err_set(e, ERR_NOT_FOUND, absent)
		           : -1;
	active = a->active;
	*out = a->id;
	account_unref(a);
	return active ? 0 : err_set(e, ERR_NOT_FOUND, absent);
}

/* Our address that the provider leads back to. */
static int
callback_uri(
    struct app *app, struct http_req *req, const char **ret, struct err *e)
{
	struct place place;

	place_find(app, req, &place);
	if (place.origin == NULL || !place.cookies)
		return err_set(e, ERR_DENIED,
		    "signing in needs HTTPS, at one of the addresses in "
		    "public_urls");
	*ret = mem_printf(req->ctx, "%s" CALLBACK, place.origin);
	return 0;
}

/* --- there ---------------------------------------------------------------- */

static int
begin(struct app *app, struct http_req *req, struct http_resp *resp,
    struct err *e)
{
	const char *then = http_query(req, "return_to", e), *back;
	struct sso_way way;
	struct uuid account;

	if (then == NULL && e->code != ERR_NONE)
		return -1;
	if (then == NULL || !place_path_ok(then))
		then = HOME;
	if (callback_uri(app, req, &back, e) != 0 ||
	    find_account(app, req, &account, e) != 0 ||
	    sso_begin(app->sso, &account, back, then, deadline_of(req),
		req->ctx, &way, e) != 0 ||
	    browser_aside(
		app, req, resp, COOKIE, way.cookie, SSO_COOKIE_S, e) != 0)
		return -1;
	lead(resp, way.location);
	return 0;
}

/* To a browser as a page, to a program as a problem. */
static void
refuse(struct app *app, struct http_req *req, struct http_resp *resp,
    const struct err *e)
{
	if (page_wanted(app, req))
		page_problem(app, req, resp, e);
	else
		problem_send(req, resp, e, NULL);
}

void
page_sso_begin(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who)
{
	struct err e = { 0 };

	(void)who;
	if (begin(app, req, resp, &e) != 0)
		refuse(app, req, resp, &e);
}

/* --- and back ------------------------------------------------------------- */

static struct audit_entry
record_of(const struct http_req *req)
{
	return (struct audit_entry){ .address = req->client_address,
		.request_id = req->request_id };
}

static int
read_return(
    struct app *app, struct http_req *req, struct sso_return *in, struct err *e)
{
	static const char *const names[] = { "state", "code", "iss", "error" };
	const char **to[] = { &in->state, &in->code, &in->iss, &in->error };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		*to[i] = http_query(req, names[i], e);
		if (*to[i] == NULL && e->code != ERR_NONE)
			return -1;
	}
	in->cookie = browser_aside_get(app, req, COOKIE);
	return callback_uri(app, req, &in->redirect_uri, e);
}

static int
finish(struct app *app, struct http_req *req, struct http_resp *resp,
    struct err *e)
{
	struct audit_entry who = record_of(req);
	struct sso_return in = { 0 };
	struct sso_arrival a;
	struct uuid sign_in;

	if (read_return(app, req, &in, e) != 0 ||
	    sso_end(app->sso, &in, &who, deadline_of(req), req->ctx, &a, e) !=
		0)
		return -1;
	(void)browser_aside(app, req, resp, COOKIE, "", -1, NULL);
	if (browser_begin_as(app, req, resp, &a.user, a.version, &sign_in, e) !=
		0 ||
	    sso_keep(app->sso, &a, &sign_in, deadline_of(req), e) != 0)
		return -1;
	lead(resp, a.then);
	return 0;
}

void
page_sso_callback(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who)
{
	struct err e = { 0 };

	(void)who;
	if (finish(app, req, resp, &e) != 0)
		refuse(app, req, resp, &e);
}

/* --- signed out there ----------------------------------------------------- */

/* The form's logout_token, decoded. */
static int
read_token(struct app *app, struct http_req *req, char **ret, struct err *e)
{
	const char *body, *at, *end;
	struct form_pair pair;
	size_t n;

	if (http_body(req, app->body_max_admin, &body, &n, e) != 0)
		return -1;
	at = body;
	end = body + n;
	while (form_next(&at, end, &pair))
		if (form_is(pair.name, pair.name_len, "logout_token"))
			return form_decode(
			    req->ctx, pair.value, pair.value_len, ret, e);
	return err_set(
	    e, ERR_MALFORMED, "the body is no form with a logout_token");
}

/* What is not good is 400 here (Back-Channel Logout 1.0, 2.8). */
static int
told(struct app *app, struct http_req *req, struct err *e)
{
	struct audit_entry who = record_of(req);
	struct uuid account;
	char *token;

	if (find_account(app, req, &account, e) != 0 ||
	    read_token(app, req, &token, e) != 0)
		return -1;
	if (sso_told(app->sso, &account, token, &who, deadline_of(req), e) == 0)
		return 0;
	log_event(LOG_WARN, "sso_logout_refused", "error", e->text, NULL);
	if (e->code == ERR_UNKNOWN)
		e->code = ERR_MALFORMED;
	return -1;
}

void
api_sso_backchannel(struct app *app, struct http_req *req,
    struct http_resp *resp, struct caller *who)
{
	struct err e = { 0 };

	(void)who;
	http_set(resp, "Cache-Control", "no-store");
	if (told(app, req, &e) != 0) {
		problem_send(req, resp, &e, NULL);
		return;
	}
	http_status(resp, 200);
	http_send_empty(resp);
}
