/*
 * Passwords: asking for a mail with a link, and choosing one by it.  The link's
 * token goes from the address into a cookie at once, so that it stands in no
 * address bar, history or Referer.
 */
#include <string.h>

#include "api/app.h"
#include "api/browser.h"
#include "api/handlers.h"
#include "api/mailing.h"
#include "api/pages/page.h"
#include "api/pages/pages_priv.h"
#include "api/problem.h"
#include "audit/audit.h"
#include "auth/link.h"
#include "http/request.h"
#include "http/response.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define LINK "link" /* the cookie of a link's token */
#define EMAIL_MOST 254
#define PASSWORD_MOST 1024

static void
show_forgotten(struct app *app, struct http_req *req, struct http_resp *resp,
    const struct err *e)
{
	page_send(app, req, resp, e != NULL ? problem_status(e) : 200,
	    "forgotten",
	    json_pack("{s:o?, s:s}", "error", page_sentence(req, e), "email",
		page_field(app, req, "email")),
	    NULL);
}

/* The form, for whoever the link in the cookie is for; a link that is none any
 * more is told before somebody thinks of a password. */
static void
show_choice(struct app *app, struct http_req *req, struct http_resp *resp,
    const char *token, const struct err *wrong)
{
	struct err e = { 0 };
	const char *email;

	if (link_whose(app->db, token, page_deadline(req), req->ctx, &email,
		&e) == 0) {
		page_send(app, req, resp,
		    wrong != NULL ? problem_status(wrong) : 200, "password",
		    json_pack("{s:o?, s:s}", "error", page_sentence(req, wrong),
			"email", email),
		    NULL);
		return;
	}
	if (e.code == ERR_NOT_FOUND)
		(void)browser_aside(app, req, resp, LINK, "", -1, NULL);
	show_forgotten(app, req, resp, &e);
}

/* The link of the mail: its token goes into a cookie. */
static void
take_link(struct app *app, struct http_req *req, struct http_resp *resp,
    const char *token)
{
	struct err e = { 0 };

	/* A text of another form is no link's, and goes into no cookie. */
	if (strlen(token) >= LINK_TEXT ||
	    strspn(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			  "0123456789_-") != strlen(token))
		token = "none";
	if (browser_aside(app, req, resp, LINK, token, LINK_SECONDS, &e) != 0)
		page_problem(app, req, resp, &e);
	else
		page_go(resp, "/password");
}

void
page_password(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who)
{
	const char *token = http_query(req, "token", NULL), *kept;

	(void)who;
	if (token != NULL) {
		take_link(app, req, resp, token);
		return;
	}
	kept = browser_aside_get(app, req, LINK);
	if (kept != NULL)
		show_choice(app, req, resp, kept, NULL);
	else
		show_forgotten(app, req, resp, NULL);
}

void
page_password_send(struct app *app, struct http_req *req,
    struct http_resp *resp, struct caller *who)
{
	const struct audit_entry from = { .address = req->client_address,
		.request_id = req->request_id };
	const char *token = browser_aside_get(app, req, LINK);
	const char *password = page_field(app, req, "new_password");
	struct err e = { 0 };

	(void)who;
	if (strlen(password) > PASSWORD_MOST)
		err_set(&e, ERR_INVALID, "This password is too long.");
	else if (strcmp(password, page_field(app, req, "again")) != 0)
		err_set(&e, ERR_INVALID, "The two passwords differ.");
	if (e.code == ERR_NONE &&
	    link_use(app->db, token != NULL ? token : "", password, &from,
		page_deadline(req), &e) == 0) {
		(void)browser_aside(app, req, resp, LINK, "", -1, NULL);
		browser_forget(app, req, resp);
		page_go(resp, "/login?done=password");
		return;
	}
	if (e.code != ERR_NOT_FOUND) {
		show_choice(app, req, resp, token != NULL ? token : "", &e);
		return;
	}
	(void)browser_aside(app, req, resp, LINK, "", -1, NULL);
	show_forgotten(app, req, resp, &e);
}

void
page_forgotten_send(struct app *app, struct http_req *req,
    struct http_resp *resp, struct caller *who)
{
	const char *email = page_field(app, req, "email");
	struct err e = { 0 };

	(void)who;
	if (mailing_ready(app, &e) != 0 ||
	    (strlen(email) <= EMAIL_MOST &&
		mailing_reset(app, req, email, &e) != 0)) {
		show_forgotten(app, req, resp, &e);
		return;
	}
	page_send(app, req, resp, 202, "sent",
	    json_pack("{s:s}", "email", email), NULL);
}
