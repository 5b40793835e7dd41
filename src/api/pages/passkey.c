/*
 * Passkeys with a browser.  The script of the page asks the authenticator and
 * sends what it says as a field of a form, so that it is answered like any
 * other form.
 */
#include <string.h>

#include "api/app.h"
#include "api/browser.h"
#include "api/guard.h"
#include "api/handlers.h"
#include "api/pages/me_priv.h"
#include "api/pages/page.h"
#include "api/pages/pages_priv.h"
#include "api/passkeys.h"
#include "api/validate.h"
#include "audit/audit.h"
#include "auth/key.h"
#include "auth/passkey.h"
#include "auth/sign_in.h"
#include "http/request.h"
#include "util/json.h"
#include "util/str.h"

#include "util/banned.h"

#define PASSWORD_MOST 1024
#define NAME_MOST 100
#define WHERE "passkey_error"

/* The field that the script has filled in, as ${schema} wants it. */
static int
read_response(struct app *app, struct http_req *req, const char *schema,
    json_t **ret, struct err *e)
{
	const char *text = page_field(app, req, "response");
	json_auto_t *errors = NULL;

	if (*text == '\0')
		return err_set(e, ERR_INVALID,
		    "a passkey needs JavaScript, and a browser that knows "
		    "them");
	if (json_parse(text, strlen(text), &JSON_LIMITS_REQUEST, ret, e) != 0)
		return -1;
	return validate(schema, *ret, &errors, e);
}

int
page_passkey_prove(struct app *app, struct http_req *req,
    struct http_resp *resp, const struct token *first, struct token *t,
    struct err *e)
{
	json_auto_t *response = NULL;

	if (read_response(app, req, "passkey_assertion", &response, e) != 0)
		return -1;
	return passkeys_prove(app, req, resp, first, response, t, e);
}

void
page_login_passkey(struct app *app, struct http_req *req,
    struct http_resp *resp, struct caller *who)
{
	struct err e = { 0 };
	struct token t = { 0 };

	(void)who;
	if (page_passkey_prove(app, req, resp, NULL, &t, &e) != 0 ||
	    browser_begin(app, req, resp, &t, &e) != 0)
		page_login_show(app, req, resp, &e, NULL);
	else
		page_go(resp, page_return_to(app, req, PAGE_HOME));
}

/* One to a hundred characters. */
static int
check_name(const char *name, struct err *e)
{
	size_t n = 0;

	for (const char *p = name; *p != '\0'; p++)
		n += ((unsigned char)*p & 0xc0) != 0x80;
	if (n == 0 || n > NAME_MOST || !str_utf8_valid(name, strlen(name)))
		return err_set(e, ERR_INVALID,
		    "a passkey's name has 1 to %d characters", NAME_MOST);
	return 0;
}

void
page_passkey_add(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who)
{
	const char *name = page_field(app, req, "name");
	json_auto_t *response = NULL, *made = NULL;
	struct err e = { 0 };

	if (guard_person(who, &e) != 0 || check_name(name, &e) != 0 ||
	    read_response(app, req, "passkey_attestation", &response, &e) !=
		0 ||
	    passkeys_add(app, req, resp, who, name, response, &made, &e) != 0) {
		page_me_show(app, req, resp, who, WHERE, &e);
		return;
	}
	/* She is more than she was: the cookie of before is good no longer. */
	(void)browser_renew_cookie(app, req, resp, NULL);
	page_go(resp, "/me?done=passkey");
}

void
page_passkey_end(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who)
{
	const struct audit_entry from = { .address = req->client_address,
		.request_id = req->request_id };
	const char *password = page_field(app, req, "password");
	const char *text = page_field(app, req, "id");
	struct err e = { 0 };
	struct uuid id;

	if (guard_person(who, &e) != 0)
		goto refuse;
	if (strlen(password) > PASSWORD_MOST) {
		err_set(&e, ERR_DENIED, "the password is wrong");
		goto refuse;
	}
	if (sign_in_prove(app->db, &who->key->id, &who->sign_in, password,
		page_deadline(req), &e) != 0)
		goto refuse;
	if (id_parse(text, strlen(text), &id) != 0) {
		err_set(&e, ERR_NOT_FOUND, "there is no such passkey");
		goto refuse;
	}
	if (passkey_end(app->db, &who->key->id, &id, &from, page_deadline(req),
		&e) != 0)
		goto refuse;
	(void)browser_renew_cookie(app, req, resp, NULL);
	page_go(resp, "/me?done=passkey-removed");
	return;
refuse:
	page_me_show(app, req, resp, who, WHERE, &e);
}
