/* Where an identity provider says that somebody signed out there. */
#include "api/sso_priv.h"

#include <string.h>

#include "account/account.h"
#include "api/app.h"
#include "api/handlers.h"
#include "api/problem.h"
#include "audit/audit.h"
#include "http/form.h"
#include "http/request.h"
#include "http/response.h"
#include "sso/logout.h"
#include "telemetry/log.h"
#include "util/clock.h"
#include "util/str.h"

#include "util/banned.h"

int
sso_account(
    struct app *app, struct http_req *req, struct uuid *out, struct err *e)
{
	static const char absent[] = "there is no single sign-on at this "
				     "address";
	const char *slug = http_var(req, "account");
	const struct account *a = NULL;
	bool active;

	if (slug == NULL || !str_is_slug(slug))
		return err_set(e, ERR_NOT_FOUND, absent);
	if (accounts_by_slug(app->accounts, slug, sso_deadline(req), &a, e) !=
	    0)
		return e->code == ERR_NOT_FOUND
		           ? err_set(e, ERR_NOT_FOUND, absent)
		           : -1;
	active = a->active;
	*out = a->id;
	account_unref(a);
	return active ? 0 : err_set(e, ERR_NOT_FOUND, absent);
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
	struct audit_entry who = { .address = req->client_address,
		.request_id = req->request_id };
	struct uuid account;
	char *token;

	if (sso_account(app, req, &account, e) != 0 ||
	    read_token(app, req, &token, e) != 0)
		return -1;
	if (sso_told(app->sso, &account, token, &who, sso_deadline(req), e) ==
	    0)
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
