/*
 * Signing in and out by forms: the password, and on a page of its own the code
 * of the second factor.  What is wrong is said in the API's words, which are
 * the same for everybody.
 */
#include <string.h>

#include "api/app.h"
#include "api/browser.h"
#include "api/guard.h"
#include "api/handlers.h"
#include "api/pages/page.h"
#include "api/pages/pages_priv.h"
#include "api/pages/sso.h"
#include "api/place.h"
#include "api/problem.h"
#include "auth/challenge.h"
#include "auth/passkey.h"
#include "auth/sign_in.h"
#include "http/address.h"
#include "http/response.h"
#include "page/pages.h"
#include "util/mem.h"

#include "util/banned.h"

#define EMAIL_MOST 254
#define PASSWORD_MOST 1024
#define CODE_MOST 64
#define STEP "step" /* the cookie of a challenge */

static bool
signed_in(struct app *app, const struct http_req *req, struct http_resp *resp)
{
	const char *cookie;
	struct token t;

	if (browser_find(app, req, &t, &cookie, NULL) != 0)
		return false;
	if (cookie != NULL)
		browser_keep(app, req, resp, cookie);
	return true;
}

void
page_home(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who)
{
	(void)who;
	page_go(resp, signed_in(app, req, resp) ? PAGE_HOME : "/login");
}

/* The page as it is at first, or again after ${e}, whose words it shows. */
void
page_login_show(struct app *app, struct http_req *req, struct http_resp *resp,
    const struct err *e, const char *note)
{
	const char *done = http_query(req, "done", NULL);
	int status = e != NULL ? problem_status(e) : 200;

	if (status == 429 || status == 503)
		http_set(resp, "Retry-After", "1");
	page_send_script(app, req, resp, status, "login",
	    json_pack("{s:s, s:s, s:o?, s:s?, s:b, s:b}", "return_to",
		page_return_to(app, req, ""), "email",
		page_field(app, req, "email"), "error", page_sentence(req, e),
		"note", note, "signed_out",
		done != NULL && strcmp(done, "signed-out") == 0, "password_set",
		done != NULL && strcmp(done, "password") == 0),
	    NULL);
}

/* Where a cookie cannot be kept there is no use in asking for a password. */
static bool
place_refused(struct app *app, struct http_req *req, struct http_resp *resp)
{
	const char *first =
	    app->public_urls != NULL ? app->public_urls[0] : NULL;
	struct place place;

	place_find(app, req, &place);
	if (place.cookies)
		return false;
	page_send(app, req, resp, 403, "insecure",
	    json_pack("{s:b, s:s?}", "plain", strcmp(req->scheme, "http") == 0,
		"instead",
		first != NULL && strncmp(first, "https://", 8) == 0 ? first
								    : NULL),
	    NULL);
	return true;
}

void
page_login(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who)
{
	(void)who;
	if (place_refused(app, req, resp))
		return;
	if (signed_in(app, req, resp))
		page_go(resp, page_return_to(app, req, PAGE_HOME));
	else
		page_login_show(app, req, resp, NULL, NULL);
}

int
page_ask_code(struct app *app, struct http_req *req, struct http_resp *resp,
    const struct token *t, const char *email, const char *to, struct err *e)
{
	if (browser_aside(app, req, resp, STEP,
		challenge_make(req->ctx, t, email), CHALLENGE_SECONDS, e) != 0)
		return -1;
	page_go(resp, *to != '\0' && strpbrk(to, "&?=") == NULL
			  ? mem_printf(req->ctx, "/login/code?return_to=%s", to)
			  : "/login/code");
	return 0;
}

static int
try_login(struct app *app, struct http_req *req, struct http_resp *resp,
    struct err *e)
{
	const char *email = page_field(app, req, "email");
	const char *password = page_field(app, req, "password");
	char client[ADDRESS_CLIENT_TEXT];
	const struct sign_in_from from = page_from(req, client);
	struct token t;
	bool factor;

	if (strlen(email) > EMAIL_MOST || strlen(password) > PASSWORD_MOST)
		return err_set(
		    e, ERR_UNKNOWN, "E-mail address or password is wrong.");
	if (sign_in_first(app->db, app->vault, email, password, &from,
		page_deadline(req), &t, &factor, e) != 0)
		return -1;
	if (factor)
		return page_ask_code(
		    app, req, resp, &t, email, page_return_to(app, req, ""), e);
	if (browser_begin(app, req, resp, &t, e) != 0)
		return -1;
	page_go(resp, page_return_to(app, req, PAGE_HOME));
	return 0;
}

void
page_login_send(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who)
{
	struct err e = { 0 };

	(void)who;
	if (try_login(app, req, resp, &e) != 0)
		page_login_show(app, req, resp, &e, NULL);
}

/* Has she a passkey to show instead?  Not to be known is no. */
static bool
has_passkey(
    struct app *app, const struct http_req *req, const struct uuid *user)
{
	json_auto_t *list = NULL;

	return passkey_list(app->db, user, page_deadline(req), &list, NULL) ==
	           0 &&
	       json_array_size(list) > 0;
}

static void
show_code(struct app *app, struct http_req *req, struct http_resp *resp,
    const struct challenge *c, const struct err *e)
{
	page_send_script(app, req, resp, e != NULL ? problem_status(e) : 200,
	    "code",
	    json_pack("{s:s, s:o?, s:b}", "return_to",
		page_return_to(app, req, ""), "error", page_sentence(req, e),
		"passkeys", (int)has_passkey(app, req, &c->token.user)),
	    NULL);
}

static bool
challenge_of(struct app *app, const struct http_req *req, struct challenge *out)
{
	const char *text = browser_aside_get(app, req, STEP);

	return text != NULL && challenge_read(text, out) == 0;
}

void
page_code(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who)
{
	struct challenge c;

	(void)who;
	if (place_refused(app, req, resp))
		return;
	if (challenge_of(app, req, &c))
		show_code(app, req, resp, &c, NULL);
	else
		page_go(resp, "/login");
}

static void
forget_step(struct app *app, const struct http_req *req, struct http_resp *resp)
{
	(void)browser_aside(app, req, resp, STEP, "", -1, NULL);
}

/* The code, or a passkey of hers. */
static int
second(struct app *app, struct http_req *req, struct http_resp *resp,
    struct challenge *c, struct err *e)
{
	const char *code = page_field(app, req, "code");
	char client[ADDRESS_CLIENT_TEXT];
	const struct sign_in_from from = page_from(req, client);
	struct token t;

	if (*page_field(app, req, "response") == '\0')
		return sign_in_second(app->db, app->vault, c,
		    strlen(code) > CODE_MOST ? "" : code, &from,
		    page_deadline(req), e);
	if (page_passkey_prove(app, req, resp, &c->token, &t, e) != 0) {
		if (e->code == ERR_UNKNOWN)
			e->kind = "second-factor"; /* another may be tried */
		return -1;
	}
	c->token.factor = true;
	return 0;
}

void
page_code_send(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who)
{
	struct err e = { 0 };
	struct challenge c;
	struct uuid sign_in;

	(void)who;
	if (!challenge_of(app, req, &c)) {
		page_login_show(app, req, resp, NULL,
		    "That took too long. Please sign in again.");
		return;
	}
	if (second(app, req, resp, &c, &e) == 0 &&
	    browser_begin_as(app, req, resp, &c.token, &sign_in, &e) == 0 &&
	    page_sso_kept(app, req, resp, &c.token.user, &sign_in, &e) == 0) {
		forget_step(app, req, resp);
		page_go(resp, page_return_to(app, req, PAGE_HOME));
		return;
	}
	if (e.code != ERR_UNKNOWN || e.kind != NULL) {
		show_code(app, req, resp, &c, &e);
		return;
	}
	/* too many tries, or a new password meanwhile: from the beginning */
	forget_step(app, req, resp);
	e.kind = NULL;
	err_set(&e, ERR_UNKNOWN, "Please sign in again.");
	page_login_show(app, req, resp, &e, NULL);
}

void
page_logout(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who)
{
	page_send(app, req, resp, 200, "logout", NULL, who);
}

void
page_logout_send(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who)
{
	const char *provider = page_sso_leaving(app, req, who);
	struct err e = { 0 };

	if (guard_person(who, &e) != 0 ||
	    browser_end(app, req, resp, who, &e) != 0)
		page_problem(app, req, resp, &e);
	else if (provider != NULL)
		page_lead(app, req, resp, provider, "You are signed out here",
		    "Sign out at your organisation, too");
	else
		page_go(resp, "/login?done=signed-out");
}
