/* Pages have no style of their own and but two of them a script, are kept by
 * nobody, and tell no other site where the reader came from. */
#include "api/pages/page.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "api/app.h"
#include "api/browser.h"
#include "api/guard.h"
#include "api/pages/pages_priv.h"
#include "api/place.h"
#include "api/problem.h"
#include "api/reply.h"
#include "auth/sign_in.h"
#include "http/address.h"
#include "http/form.h"
#include "http/request.h"
#include "http/response.h"
#include "page/pages.h"
#include "telemetry/log.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define PAGE_MAX ((size_t)1024 * 1024)
#define POLICY                                                                 \
	"default-src 'none'; style-src 'self'; img-src 'self' data:; "         \
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
/* Of the pages with passkeys, which browsers have no form for. */
#define POLICY_SCRIPT POLICY "; script-src 'self'; connect-src 'self'"
#define FORM_TYPE "application/x-www-form-urlencoded"

void
page_headers(struct http_resp *resp)
{
	http_set(resp, "Content-Security-Policy", POLICY);
	http_set(resp, "Referrer-Policy", "same-origin");
	http_set(resp, "X-Frame-Options", "DENY");
	http_set(resp, "Cross-Origin-Opener-Policy", "same-origin");
	http_set(resp, "Cross-Origin-Resource-Policy", "same-origin");
	http_set(resp, "Vary", "Cookie");
}

void
page_headers_script(struct http_resp *resp)
{
	page_headers(resp);
	http_set(resp, "Content-Security-Policy", POLICY_SCRIPT);
}

void
page_complete(struct app *app, struct http_req *req, struct http_resp *resp,
    json_t *data, const struct caller *who)
{
	char token[FORM_TOKEN_TEXT] = "";

	/* Where no cookie can be kept the page says so, and has no form. */
	if (browser_form_token(app, req, resp, who, token, NULL) != 0)
		token[0] = '\0';
	json_object_set_new(data, "form_token", json_string(token));
	json_object_set(data, "asset", pages_assets(app->pages));
	json_object_set_new(
	    data, "signed_in", json_boolean(who != NULL && who->key != NULL));
	json_object_set_new(data, "request_id", json_string(req->request_id));
}

static void
send(struct app *app, struct http_req *req, struct http_resp *resp, int status,
    const char *name, json_t *data, const struct caller *who, bool script)
{
	json_auto_t *all = NULL;
	struct err e = { 0 };
	struct buf b;

	if (app->pages == NULL) {
		json_decref(data);
		err_set(&e, ERR_UNAVAILABLE,
		    "the templates of the pages could not be read");
		problem_send(req, resp, &e, NULL);
		return;
	}
	buf_init(&b, req->ctx, PAGE_MAX);
	all = data != NULL ? data : json_object();
	page_complete(app, req, resp, all, who);
	if (pages_render(app->pages, name, all, &b, &e) != 0) {
		problem_send(req, resp, &e, NULL);
		return;
	}
	page_headers(resp);
	if (script)
		page_headers_script(resp);
	reply_buf(resp, status, "text/html; charset=utf-8", &b);
}

void
page_send(struct app *app, struct http_req *req, struct http_resp *resp,
    int status, const char *name, json_t *data, const struct caller *who)
{
	send(app, req, resp, status, name, data, who, false);
}

void
page_send_script(struct app *app, struct http_req *req, struct http_resp *resp,
    int status, const char *name, json_t *data, const struct caller *who)
{
	send(app, req, resp, status, name, data, who, true);
}

void
page_go(struct http_resp *resp, const char *path)
{
	page_headers(resp);
	http_set(resp, "Referrer-Policy", "no-referrer");
	http_status(resp, 303);
	http_set(resp, "Location", path);
	http_send_empty(resp);
}

bool
page_wanted(const struct app *app, const struct http_req *req)
{
	const char *accept = http_header(req, "accept");

	return (app->face & FACE_PAGE) != 0 && app->pages != NULL &&
	       !str_starts(req->path, "/api/") && accept != NULL &&
	       strstr(accept, "text/html") != NULL;
}

/* "/login?return_to=..." for a page that was asked for. */
static const char *
sign_in_path(const struct http_req *req)
{
	const char *to = *req->query != '\0' ? mem_printf(req->ctx, "%s?%s",
						   req->path, req->query)
	                                     : req->path;

	/* Of the characters of such a path only these mean something here. */
	if (!place_path_ok(to) || strpbrk(to, "&?=") != NULL ||
	    strcmp(to, "/me") == 0)
		return "/login";
	return mem_printf(req->ctx, "/login?return_to=%s", to);
}

json_t *
page_sentence(const struct http_req *req, const struct err *e)
{
	json_auto_t *problem = NULL;
	const char *text;
	size_t n;

	if (e == NULL)
		return NULL;
	problem = problem_json(req, e);
	text = json_string_value(json_object_get(problem, "detail"));
	n = text != NULL ? strlen(text) : 0;
	if (n == 0)
		return NULL;
	return json_sprintf("%c%s%s", toupper((unsigned char)text[0]), text + 1,
	    strchr(".!?", text[n - 1]) != NULL ? "" : ".");
}

void
page_problem(struct app *app, struct http_req *req, struct http_resp *resp,
    const struct err *e)
{
	json_auto_t *problem = NULL;
	int status = problem_status(e);

	if (e->code == ERR_GONE || http_sent(resp)) {
		problem_send(req, resp, e, NULL);
		return;
	}
	if (e->code == ERR_UNKNOWN && (strcmp(req->method, "GET") == 0 ||
					  strcmp(req->method, "HEAD") == 0)) {
		page_go(resp, sign_in_path(req));
		return;
	}
	if (status == 503 || status == 429)
		http_setf(resp, "Retry-After", "%d",
		    e->retry_after > 0 ? e->retry_after : 1);
	problem = problem_json(req, e);
	page_send(app, req, resp, status, "problem",
	    json_pack("{s:O, s:o, s:i, s:b}", "title",
		json_object_get(problem, "title"), "detail",
		page_sentence(req, e), "status", status, "again",
		e->code == ERR_UNKNOWN),
	    NULL);
}

const char *
page_field(const struct app *app, struct http_req *req, const char *name)
{
	const char *body, *at;
	struct form_pair pair;
	char *value;
	size_t n;

	if (http_body(req, app->body_max_admin, &body, &n, NULL) != 0)
		return "";
	for (at = body; form_next(&at, body + n, &pair);)
		if (form_is(pair.name, pair.name_len, name))
			return form_decode(req->ctx, pair.value, pair.value_len,
				   &value, NULL) == 0
			           ? value
			           : "";
	return "";
}

const char *
page_return_to(const struct app *app, struct http_req *req, const char *home)
{
	const char *to = strcmp(req->method, "POST") == 0
	                     ? page_field(app, req, "return_to")
	                     : http_query(req, "return_to", NULL);

	return to != NULL && place_path_ok(to) ? to : home;
}

int
page_check_form(struct app *app, struct http_req *req, const struct caller *who,
    struct err *e)
{
	const char *type = http_header(req, "content-type");
	const char *token = NULL;

	/* No other site can send anything else without asking first. */
	if (type != NULL &&
	    strncasecmp(type, FORM_TYPE, sizeof(FORM_TYPE) - 1) == 0)
		token = page_field(app, req, "form_token");
	return browser_form_check(app, req, who, token, e);
}

struct sign_in_from
page_from(struct http_req *req, char *client)
{
	address_client(req->client_address, client);
	return (struct sign_in_from){ req->client_address,
		http_header(req, "user-agent"), client, req->request_id };
}
