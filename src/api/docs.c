/*
 * The documentation for people: one page from the route table, the schemas and
 * the problem kinds, and a page for each kind.  No script, no inline style;
 * everything that is not ours to write is escaped all the same.
 */
#include "api/app.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "api/handlers.h"
#include "api/openapi.h"
#include "api/problem.h"
#include "api/reply.h"
#include "api/schema.h"
#include "http/request.h"
#include "http/response.h"
#include "util/buf.h"

#include "util/banned.h"

#define PAGE_MAX ((size_t)1024 * 1024)

static const char style[] =
    "body{margin:0 auto;max-width:56rem;padding:2rem 1rem;"
    "font:1rem/1.5 system-ui,sans-serif;color:#1b2130;background:#fff}\n"
    "h1,h2,h3{line-height:1.25}\n"
    "h2{margin-top:2.5rem;border-bottom:1px solid #d5dae1}\n"
    "h3{margin:2rem 0 .25rem;overflow-wrap:anywhere}\n"
    "code,pre{font-family:ui-monospace,monospace;font-size:.9em}\n"
    "pre{padding:.75rem;overflow-x:auto;background:#f3f5f8;"
    "border-radius:.25rem}\n"
    "table{border-collapse:collapse;width:100%}\n"
    "th,td{padding:.25rem .75rem .25rem 0;text-align:left;"
    "vertical-align:top;border-bottom:1px solid #e4e8ed;"
    "overflow-wrap:anywhere}\n"
    "td:first-child{overflow-wrap:normal}\n"
    "a{color:#3f51d9}\n"
    ".method{display:inline-block;min-width:4.5rem;color:#3f51d9}\n"
    "@media (prefers-color-scheme:dark){body{color:#e7eaf1;"
    "background:#0f131b}pre{background:#1e242d}"
    "a,.method{color:#98a6ff}h2,th,td{border-color:#39414d}}\n";

static void
text(struct buf *b, const char *s)
{
	for (; *s != '\0'; s++) {
		switch (*s) {
		case '&':
			buf_adds(b, "&amp;");
			break;
		case '<':
			buf_adds(b, "&lt;");
			break;
		case '>':
			buf_adds(b, "&gt;");
			break;
		case '"':
			buf_adds(b, "&quot;");
			break;
		case '\'':
			buf_adds(b, "&#39;");
			break;
		default:
			buf_addc(b, *s);
		}
	}
}

static void
page_begin(struct buf *b, const void *ctx, const char *title)
{
	buf_init(b, ctx, PAGE_MAX);
	buf_adds(b,
	    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
	    "<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
	    "content=\"width=device-width, initial-scale=1\">\n<title>");
	text(b, title);
	buf_adds(b,
	    "</title>\n<link rel=\"stylesheet\" "
	    "href=\"/api/docs/style.css\">\n</head>\n<body>\n<main>\n<h1>");
	text(b, title);
	buf_adds(b, "</h1>\n");
}

static void
page_send(struct http_resp *resp, struct buf *b, int status)
{
	buf_adds(b, "</main>\n</body>\n</html>\n");
	http_set(resp, "Content-Security-Policy",
	    "default-src 'none'; style-src 'self'; base-uri 'none'; "
	    "form-action 'none'; frame-ancestors 'none'");
	http_set(resp, "Referrer-Policy", "no-referrer");
	http_set(resp, "Cache-Control", "no-cache");
	reply_buf(resp, status, "text/html; charset=utf-8", b);
}

static void
schema_block(struct buf *b, const char *title, const char *name)
{
	const char *json = name != NULL ? schema_json(name) : NULL;
	json_t *v = json != NULL ? json_loads(json, 0, NULL) : NULL;
	char *pretty = v != NULL ? json_dumps(v, JSON_INDENT(2)) : NULL;

	if (pretty != NULL) {
		buf_addf(b, "<details><summary>%s: <code>", title);
		text(b, name);
		buf_adds(b, "</code></summary>\n<pre>");
		text(b, pretty);
		buf_adds(b, "</pre></details>\n");
	}
	free(pretty);
	json_decref(v);
}

static void
parameter_rows(struct buf *b, const char *s, const char *stops)
{
	while (*s != '\0') {
		char name[64];
		size_t n = strcspn(s, stops);
		const char *means;

		snprintf(name, sizeof(name), "%.*s", (int)n, s);
		means = openapi_parameter_text(name);
		if (means != NULL) {
			name[strcspn(name, "#")] = '\0';
			buf_adds(b, "<tr><td><code>");
			text(b, name + (*name == '?'));
			buf_adds(b, "</code></td><td>");
			text(b, means);
			buf_adds(b, "</td></tr>\n");
		}
		s += n + strspn(s + n, stops);
	}
}

static void
route_section(struct buf *b, const struct route *r)
{
	buf_addf(b, "<h3 id=\"%s\"><code><span class=\"method\">%s</span> ",
	    r->name + sizeof("api_") - 1, r->method);
	text(b, r->pattern);
	buf_adds(b, "</code></h3>\n<p>");
	text(b, r->summary);
	if (r->perm != PERM_PUBLIC)
		buf_addf(
		    b, " Permission: <code>%s</code>.", perm_name(r->perm));
	buf_adds(b, "</p>\n");
	if (strchr(r->pattern, '{') != NULL || r->params != NULL) {
		buf_adds(b, "<table>\n");
		parameter_rows(b, r->pattern, "/{}");
		if (r->params != NULL)
			parameter_rows(b, r->params, " ");
		buf_adds(b, "</table>\n");
	}
	schema_block(b, "Body", route_schema(r));
	schema_block(b, "Answer", r->response_schema);
}

static void
faces_sections(struct buf *b, int face, bool managed, const char *title)
{
	buf_addf(b, "<h2>%s</h2>\n", title);
	for (size_t i = 0; i < routes_count; i++)
		if ((routes[i].faces & face) != 0 &&
		    openapi_is_managed(&routes[i]) == managed)
			route_section(b, &routes[i]);
}

static void
permission_table(struct buf *b)
{
	buf_adds(b, "<h2>Permissions</h2>\n<table>\n<tr><th>Permission</th>"
		    "<th>Roles</th></tr>\n");
	for (int p = PERM_PUBLIC + 1; p < PERM_COUNT; p++) {
		const char *comma = "";

		buf_addf(b, "<tr><td><code>%s</code></td><td>",
		    perm_name((enum perm)p));
		for (int r = ROLE_NONE + 1; r < ROLE_COUNT; r++) {
			if (!perm_allowed((enum role)r, (enum perm)p))
				continue;
			buf_addf(b, "%s<code>%s</code>", comma,
			    role_name((enum role)r));
			comma = ", ";
		}
		buf_adds(b, "</td></tr>\n");
	}
	buf_adds(b, "</table>\n");
}

static void
problem_table(struct buf *b)
{
	const char *name;
	int status;

	buf_adds(b, "<h2>Problems</h2>\n<table>\n"
		    "<tr><th>Status</th><th>Type</th><th>Title</th></tr>\n");
	for (size_t i = 0; (name = problem_name(i, &status)) != NULL; i++) {
		buf_addf(b,
		    "<tr><td>%d</td><td><a href=\"/problems/%s\">"
		    "<code>/problems/%s</code></a></td><td>",
		    status, name, name);
		text(b, problem_title(name));
		buf_adds(b, "</td></tr>\n");
	}
	buf_adds(b, "</table>\n");
}

void
api_docs(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *caller)
{
	struct buf b;

	(void)caller;
	page_begin(&b, req->ctx, "Switchboard API");
	buf_adds(&b, "<p>Version ");
	text(&b, app->version);
	buf_adds(&b,
	    ". The same as a file for programs: <a href=\"/api/v1/openapi.json"
	    "\">openapi.json</a>.</p>\n<p>Bodies are JSON in UTF-8 with "
	    "<code>snake_case</code> names, times RFC 3339 in UTC, ids UUIDs. "
	    "Callers show an API key or user token as <code>Authorization: "
	    "Bearer</code>, or a widget key as <code>X-Widget-Key</code> from "
	    "an <code>Origin</code> it allows. A page of this address may use "
	    "the cookie that the browser is signed in by; what changes "
	    "something then carries the token of the page's forms as "
	    "<code>X-Form-Token</code>. Every answer carries "
	    "<code>X-Request-Id</code>; the caller's own is kept when it is 8 "
	    "to 64 of <code>A-Za-z0-9._-</code>. Errors are <code>application/"
	    "problem+json</code>.</p>\n");
	faces_sections(&b, FACE_CHAT, false, "Chat");
	faces_sections(&b, FACE_ADMIN, true, "Management");
	faces_sections(&b, FACE_ADMIN, false, "Documentation");
	faces_sections(&b, FACE_HEALTH, false, "Operations");
	permission_table(&b);
	problem_table(&b);
	page_send(resp, &b, 200);
}

void
api_docs_style(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *caller)
{
	(void)app;
	(void)req;
	(void)caller;
	http_set(resp, "Cache-Control", "public, max-age=3600");
	http_send(resp, "text/css; charset=utf-8", style, sizeof(style) - 1);
}

void
api_problem_page(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *caller)
{
	const char *name = http_var(req, "kind"), *means = problem_text(name);
	struct err e = { 0 };
	struct buf b;

	(void)app;
	(void)caller;
	if (means == NULL) {
		err_set(&e, ERR_NOT_FOUND, "no problem has this name");
		problem_send(req, resp, &e, NULL);
		return;
	}
	page_begin(&b, req->ctx, problem_title(name));
	buf_adds(&b, "<p><code>/problems/");
	text(&b, name);
	buf_adds(&b, "</code></p>\n<p>");
	text(&b, means);
	buf_adds(
	    &b, "</p>\n<p><a href=\"/api/docs\">API documentation</a></p>\n");
	page_send(resp, &b, 200);
}
