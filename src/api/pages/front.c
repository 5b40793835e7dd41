/*
 * Signing in whom the web server in front says (sso/front.h).  It says so in
 * FastCGI parameters that it sets itself, by these names and no others; what a
 * client sends comes as HTTP_*, and is not looked at.  Without the secret, or
 * with a name that is there twice, nothing is here.
 */
#include <string.h>

#include "api/app.h"
#include "api/browser.h"
#include "api/handlers.h"
#include "api/pages/page.h"
#include "api/pages/pages_priv.h"
#include "api/sso_priv.h"
#include "audit/audit.h"
#include "auth/token.h"
#include "http/request.h"
#include "sso/front.h"
#include "telemetry/log.h"

#include "util/banned.h"

/* The parameter, when it is there once and says something. */
static const char *
said(const struct http_req *req, const char *name, bool *twice)
{
	const char *value = NULL;

	for (int i = 0; i < req->nparams; i++) {
		if (strcmp(req->params[i].name, name) != 0)
			continue;
		if (value != NULL)
			*twice = true;
		else
			value = req->params[i].value;
	}
	return value != NULL && *value != '\0' ? value : NULL;
}

static int
read_front(
    struct app *app, struct http_req *req, struct sso_front *out, struct err *e)
{
	bool twice = false, trusted;
	const char *secret = said(req, "SB_FRONT_SECRET", &twice);

	*out =
	    (struct sso_front){ .issuer = said(req, "SB_FRONT_ISSUER", &twice),
		    .subject = said(req, "SB_FRONT_SUBJECT", &twice),
		    .email = said(req, "SB_FRONT_USER", &twice),
		    .name = said(req, "SB_FRONT_NAME", &twice),
		    .verified = said(req, "SB_FRONT_VERIFIED", &twice),
		    .groups = said(req, "SB_FRONT_GROUPS", &twice) };
	trusted = sso_front_trusted(app->sso, secret);
	if (trusted && !twice)
		return 0;
	if (trusted || secret != NULL)
		log_event(LOG_WARN, "sso_front_refused", "error",
		    trusted ? "a parameter SB_FRONT_* is there twice"
			    : "SB_FRONT_SECRET is not the one of "
			      "front_sso_secret_file",
		    NULL);
	return err_set(e, ERR_NOT_FOUND, "nothing is at this address");
}

static int
front(struct app *app, struct http_req *req, struct http_resp *resp,
    struct err *e)
{
	struct audit_entry who = { .address = req->client_address,
		.request_id = req->request_id };
	struct sso_front f;
	struct sso_arrival a;
	struct uuid account;
	struct token t;

	if (read_front(app, req, &f, e) != 0 ||
	    sso_account(app, req, &account, e) != 0 ||
	    sso_front_arrive(app->sso, &account, &f, &who, sso_deadline(req),
		req->ctx, &a, e) != 0)
		return -1;
	page_sso_forget(app, req, resp);
	a.then = page_return_to(app, req, PAGE_HOME);
	t = (struct token){ .user = a.user, .version = a.version };
	if (a.factor)
		return page_ask_code(app, req, resp, &t,
		    a.email != NULL ? a.email : "", a.then, e);
	if (browser_begin(app, req, resp, &t, e) != 0)
		return -1;
	page_sso_lead(resp, a.then);
	return 0;
}

void
page_sso_front(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who)
{
	struct err e = { 0 };

	(void)who;
	if (front(app, req, resp, &e) != 0)
		page_sso_refuse(app, req, resp, &e);
}
