/*
 * Signing in by an account's identity provider: where a browser begins, and
 * where the provider leads it back to.  An account that is not there and one
 * without single sign-on look the same.
 */
#include "api/pages/sso.h"

#include <stdio.h>
#include <string.h>

#include "api/app.h"
#include "api/browser.h"
#include "api/guard.h"
#include "api/handlers.h"
#include "api/pages/page.h"
#include "api/pages/pages_priv.h"
#include "api/place.h"
#include "api/problem.h"
#include "api/sign_out.h"
#include "api/sso_priv.h"
#include "audit/audit.h"
#include "auth/sign_in.h"
#include "http/address.h"
#include "http/response.h"
#include "sso/exchange.h"
#include "sso/flow.h"
#include "sso/logout.h"
#include "sso/sso.h"
#include "telemetry/log.h"
#include "usage/quota.h"
#include "util/buf.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define COOKIE "sso" /* behind the name of the browser's own */
#define WAITING "sso-wait"
#define CALLBACK "/sso/callback"
#define LOCATION_MAX ((size_t)8 * 1024)
#define SIGNED_OUT "/login?done=signed-out"

void
page_sso_lead(struct http_resp *resp, const char *location)
{
	http_status(resp, 303);
	http_set(resp, "Location", location);
	http_set(resp, "Cache-Control", "no-store");
	http_set(resp, "Referrer-Policy", "no-referrer");
	http_send_empty(resp);
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

/* Anybody may come, and what follows asks providers: by address, of ${what}. */
static int
limit(struct app *app, const struct http_req *req, const char *what,
    struct err *e)
{
	char client[ADDRESS_CLIENT_TEXT], place[ADDRESS_CLIENT_TEXT + 16];
	struct quota_state state = { 0 };
	struct quota_ask ask = { .address = place,
		.per_address = { app->sso_per_minute, 60 } };

	address_client(req->client_address, client);
	snprintf(place, sizeof(place), "sso %s %s", what, client);
	if (quota_take(&ask, &state, e) == 0)
		return 0;
	return e->code != ERR_LIMIT
	           ? -1
	           : err_set_kind(e, ERR_LIMIT, "limit-exceeded",
			 (int)state.retry_after_s,
			 "too many sign-ins from this address; wait a little");
}

/* --- there ---------------------------------------------------------------- */

/* Where the web server in front asks who it is. */
static const char *
to_front(struct http_req *req, const char *then)
{
	struct buf b;

	buf_init(&b, req->ctx, LOCATION_MAX);
	buf_adds(&b, "/sso/front/");
	buf_adds(&b, http_var(req, "account"));
	buf_addc(&b, '?');
	exchange_pair(&b, "return_to", then);
	return b.data;
}

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
		then = PAGE_HOME;
	if (callback_uri(app, req, &back, e) != 0 ||
	    limit(app, req, "begin", e) != 0 ||
	    sso_account(app, req, &account, e) != 0 ||
	    sso_begin(app->sso, &account, back, then, sso_deadline(req),
		req->ctx, &way, e) != 0)
		return -1;
	if (way.front)
		way.location = to_front(req, then);
	else if (browser_aside(
		     app, req, resp, COOKIE, way.cookie, SSO_COOKIE_S, e) != 0)
		return -1;
	page_sso_lead(resp, way.location);
	return 0;
}

void
page_sso_refuse(struct app *app, struct http_req *req, struct http_resp *resp,
    const struct err *e)
{
	struct err shown = *e;

	if (!page_wanted(app, req)) {
		problem_send(req, resp, e, NULL);
		return;
	}
	/* As who is not known she would be led to the sign-in, and not read
	 * why she is there. */
	if (shown.code == ERR_UNKNOWN)
		shown.code = ERR_DENIED;
	page_problem(app, req, resp, &shown);
}

/* Which account?  What is chosen by a form is led to by a page. */
void
page_sso(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who)
{
	const char *account = http_query(req, "account", NULL);
	bool chosen = account != NULL && str_is_slug(account);

	(void)who;
	if (chosen)
		page_lead(app, req, resp,
		    mem_printf(req->ctx, "/sso/%s", account),
		    "To your organisation", "Go on");
	else
		page_send(app, req, resp, account != NULL ? 422 : 200, "sso",
		    json_pack("{s:s, s:s?}", "account",
			account != NULL ? account : "", "error",
			account != NULL ? "That is no account's name." : NULL),
		    NULL);
}

void
page_sso_begin(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who)
{
	struct err e = { 0 };

	(void)who;
	if (begin(app, req, resp, &e) != 0)
		page_sso_refuse(app, req, resp, &e);
}

/* --- and back ------------------------------------------------------------- */

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

/* A sign-in that its provider could not end is none. */
static int
keep(struct app *app, struct http_req *req, struct http_resp *resp,
    const struct sso_arrival *a, const struct uuid *sign_in, struct err *e)
{
	struct err ignored = { 0 };

	if (sso_keep(app->sso, a, sign_in, sso_deadline(req), e) == 0)
		return 0;
	(void)sign_out(app, req, &a->user, sign_in, "not kept", NULL, &ignored);
	browser_forget(app, req, resp);
	return -1;
}

/* A provider's word is the first factor; the second one is ours. */
static int
ask_code(struct app *app, struct http_req *req, struct http_resp *resp,
    const struct sso_arrival *a, struct err *e)
{
	const struct token t = { .user = a->user, .version = a->version };
	const char *waiting = sso_wait(app->sso, a, req->ctx);

	if (waiting == NULL)
		return err_set(e, ERR_UPSTREAM,
		    "the identity provider's names are too long");
	if (browser_aside(app, req, resp, WAITING, waiting, SSO_COOKIE_S, e) !=
	    0)
		return -1;
	return page_ask_code(
	    app, req, resp, &t, a->email != NULL ? a->email : "", a->then, e);
}

int
page_sso_kept(struct app *app, struct http_req *req, struct http_resp *resp,
    const struct uuid *user, const struct uuid *sign_in, struct err *e)
{
	const char *cookie = browser_aside_get(app, req, WAITING);
	struct sso_arrival a;

	if (cookie == NULL)
		return 0;
	(void)browser_aside(app, req, resp, WAITING, "", -1, NULL);
	if (sso_waited(app->sso, cookie, user, req->ctx, &a) != 0)
		return 0;
	return keep(app, req, resp, &a, sign_in, e);
}

void
page_sso_forget(
    struct app *app, const struct http_req *req, struct http_resp *resp)
{
	if (browser_aside_get(app, req, WAITING) != NULL)
		(void)browser_aside(app, req, resp, WAITING, "", -1, NULL);
}

static int
finish(struct app *app, struct http_req *req, struct http_resp *resp,
    struct err *e)
{
	struct audit_entry who = { .address = req->client_address,
		.request_id = req->request_id };
	struct sso_return in = { 0 };
	struct sso_arrival a;
	struct uuid sign_in;

	if (read_return(app, req, &in, e) != 0 ||
	    limit(app, req, "return", e) != 0 ||
	    sso_end(app->sso, &in, &who, sso_deadline(req), req->ctx, &a, e) !=
		0)
		return -1;
	(void)browser_aside(app, req, resp, COOKIE, "", -1, NULL);
	if (a.factor)
		return ask_code(app, req, resp, &a, e);
	if (browser_begin_as(app, req, resp,
		&(struct token){
		    .user = a.user, .version = a.version, .factor = a.proven },
		&sign_in, e) != 0 ||
	    keep(app, req, resp, &a, &sign_in, e) != 0)
		return -1;
	page_sso_lead(resp, a.then);
	return 0;
}

void
page_sso_callback(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who)
{
	struct err e = { 0 };

	(void)who;
	if (finish(app, req, resp, &e) != 0)
		page_sso_refuse(app, req, resp, &e);
}

/* --- and out ----------------------------------------------------------- */

const char *
page_sso_leaving(
    struct app *app, const struct http_req *req, const struct caller *who)
{
	const char *location = NULL;
	struct err e = { 0 };
	struct place place;

	place_find(app, req, &place);
	if (place.origin != NULL &&
	    sso_leave(app->sso, &who->sign_in,
		mem_printf(req->ctx, "%s" SIGNED_OUT, place.origin),
		page_deadline(req), req->ctx, &location, &e) != 0)
		log_event(LOG_WARN, "sso_not_left", "error", e.text, NULL);
	return location;
}

void
page_lead(struct app *app, struct http_req *req, struct http_resp *resp,
    const char *location, const char *heading, const char *words)
{
	http_set(resp, "Cache-Control", "no-store");
	page_send(app, req, resp, 200, "go",
	    json_pack("{s:s, s:s, s:s, s:s}", "location", location, "refresh",
		mem_printf(req->ctx, "0; url=%s", location), "heading", heading,
		"words", words),
	    NULL);
}
