/*
 * The second factor, by forms: begun with the password, confirmed with a code
 * of the app, removed with the password.  The secret and the recovery codes
 * stand in one answer each, and nowhere else.
 */
#include <string.h>

#include "api/app.h"
#include "api/browser.h"
#include "api/guard.h"
#include "api/handlers.h"
#include "api/pages/me_priv.h"
#include "api/pages/page.h"
#include "api/pages/pages_priv.h"
#include "api/problem.h"
#include "audit/audit.h"
#include "auth/factor.h"
#include "auth/key.h"
#include "auth/sign_in.h"
#include "crypto/hash.h"
#include "http/request.h"
#include "util/buf.h"
#include "util/str.h"

#include "util/banned.h"

#define PASSWORD_MOST 1024
#define IMAGE_MAX ((size_t)512 * 1024)
#define WHERE "factor_error"

/* Is it her, and not somebody at her desk? */
static int
proven(struct app *app, struct http_req *req, const struct caller *who,
    struct err *e)
{
	const char *password = page_field(app, req, "password");

	if (guard_person(who, e) != 0)
		return -1;
	if (strlen(password) > PASSWORD_MOST)
		return err_set(e, ERR_DENIED, "the password is wrong");
	return sign_in_prove(app->db, &who->key->id, &who->sign_in, password,
	    page_deadline(req), e);
}

/* As an image's address, which needs no file and no markup of ours. */
static const char *
as_image(const void *ctx, const char *svg)
{
	struct buf b;

	buf_init(&b, ctx, IMAGE_MAX);
	buf_adds(&b, "data:image/svg+xml,");
	for (; *svg != '\0'; svg++) {
		if (strchr("<>\"#%&'", *svg) != NULL)
			buf_addf(&b, "%%%02X", (unsigned char)*svg);
		else
			buf_addc(&b, *svg);
	}
	return buf_failed(&b) ? "" : b.data;
}

/* In groups of four, as one types it. */
static json_t *
grouped(const char *secret)
{
	json_t *list = json_array();
	size_t n = strlen(secret);

	for (size_t i = 0; i < n; i += 4)
		json_array_append_new(
		    list, json_stringn(secret + i, n - i < 4 ? n - i : 4));
	return list;
}

static void
show_setup(struct app *app, struct http_req *req, struct http_resp *resp,
    const struct caller *who, const struct err *wrong)
{

	page_send(app, req, resp, wrong != NULL ? problem_status(wrong) : 200,
	    "factor", json_pack("{s:o?}", "error", page_sentence(req, wrong)),
	    who);
}

void
page_factor_begin(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who)
{
	json_auto_t *me = NULL;
	struct factor_new made;
	struct err e = { 0 };

	if (proven(app, req, who, &e) != 0 ||
	    person_show(app->db, &who->key->id, page_deadline(req), &me, &e) !=
		0 ||
	    factor_begin(app->db, app->vault, &who->key->id,
		json_string_value(json_object_get(me, "email")),
		page_deadline(req), req->ctx, &made, &e) != 0) {
		page_me_show(app, req, resp, who, WHERE, &e);
		return;
	}
	page_send(app, req, resp, 200, "factor",
	    json_pack("{s:s, s:o}", "qr", as_image(req->ctx, made.qr_svg),
		"secret", grouped(made.text)),
	    who);
	crypto_wipe(&made.text, sizeof(made.text));
}

void
page_factor_confirm(struct app *app, struct http_req *req,
    struct http_resp *resp, struct caller *who)
{
	const struct audit_entry from = { .address = req->client_address,
		.request_id = req->request_id };
	char codes[RECOVERY_CODES][RECOVERY_TEXT];
	struct err e = { 0 };
	json_t *list;

	if (guard_person(who, &e) != 0 ||
	    factor_confirm(app->db, app->vault, &who->key->id, &who->sign_in,
		page_field(app, req, "code"), &from, page_deadline(req), codes,
		&e) != 0) {
		if (e.code == ERR_INVALID)
			err_set(&e, ERR_INVALID,
			    "This is not the code of this moment. Wait for "
			    "the next one.");
		show_setup(app, req, resp, who, &e);
		return;
	}
	/* She is more than she was: the cookie of before is good no longer. */
	(void)browser_renew_cookie(app, req, resp, NULL);
	list = json_array();
	for (int i = 0; i < RECOVERY_CODES; i++)
		json_array_append_new(list, json_string(codes[i]));
	crypto_wipe(codes, sizeof(codes));
	page_send(app, req, resp, 200, "recovery",
	    json_pack("{s:o}", "codes", list), who);
}

void
page_factor_end(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who)
{
	const struct audit_entry from = { .address = req->client_address,
		.request_id = req->request_id };
	struct err e = { 0 };

	if (proven(app, req, who, &e) != 0 ||
	    factor_end(app->db, &who->key->id, &from, page_deadline(req), &e) !=
		0) {
		page_me_show(app, req, resp, who, WHERE, &e);
		return;
	}
	(void)browser_renew_cookie(app, req, resp, NULL);
	page_go(resp, "/me?done=factor-removed");
}
