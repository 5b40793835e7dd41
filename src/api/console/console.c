/* One page of the console, from the guard's yes to its last byte. */
#include "api/console/console.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "account/account.h"
#include "api/app.h"
#include "api/browser.h"
#include "api/console/shell.h"
#include "api/guard.h"
#include "api/pages/page.h"
#include "api/pages/pages_priv.h"
#include "api/problem.h"
#include "api/reply.h"
#include "http/form.h"
#include "http/request.h"
#include "http/response.h"
#include "util/clock.h"
#include "util/id.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define PAGE_MAX ((size_t)4 * 1024 * 1024)
#define PATH_MOST 512

/* --- answering ------------------------------------------------------------ */

static double
in_ms(int64_t ns)
{
	return (double)ns / (double)CLOCK_MS;
}

/* What the page has cost, for whoever looks. */
static void
tell_cost(const struct console *c, struct buf *page)
{
	struct db_cost now = db_cost();
	unsigned long long queries = now.queries - c->before.queries,
			   rows = now.rows - c->before.rows;
	double db = in_ms(now.ns - c->before.ns),
	       all = in_ms(clock_mono() - c->req->started);

	http_setf(c->resp, "Server-Timing",
	    "db;dur=%.1f;desc=\"%llu queries, %llu rows\", total;dur=%.1f", db,
	    queries, rows, all);
	buf_addf(page,
	    "<!-- %llu queries, %llu rows, %.1f ms in the database, "
	    "%.1f ms in all -->\n",
	    queries, rows, db, all);
}

static void
answer(struct console *c, const char *template)
{
	struct err e = { 0 };
	struct buf b;

	buf_init(&b, c->ctx, PAGE_MAX);
	shell_complete(c);
	page_complete(c->app, c->req, c->resp, c->data, c->who);
	if (pages_render(c->app->pages, template, c->data, &b, &e) != 0) {
		problem_send(c->req, c->resp, &e, NULL);
		return;
	}
	page_headers_script(c->resp);
	http_set(c->resp, "Vary", "Cookie, Accept-Language");
	tell_cost(c, &b);
	reply_buf(c->resp, c->status, "text/html; charset=utf-8", &b);
}

static void
answer_problem(struct console *c)
{
	json_int_t status =
	    json_integer_value(json_object_get(c->refused, "status"));

	c->status = status >= 400 && status <= 599 ? (int)status : 500;
	if (c->status == 503 || c->status == 429)
		http_set(c->resp, "Retry-After", "1");
	console_set(c, "problem",
	    json_pack("{s:O?, s:o, s:i}", "title",
		json_object_get(c->refused, "title"), "detail",
		console_sentence(c, c->refused), "status", c->status));
	console_set(
	    c, "title", json_incref(json_object_get(c->refused, "title")));
	answer(c, "console_problem");
}

void
console_serve(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who, const struct console_page *page)
{
	struct console c = { .app = app,
		.req = req,
		.resp = resp,
		.who = who,
		.ctx = req->ctx,
		.page = page,
		.slug = who->account != NULL ? who->account->slug : "",
		.status = 200,
		.before = db_cost() };
	struct err e = { 0 };

	if (guard_person(who, &e) != 0) {
		page_problem(app, req, resp, &e);
		return;
	}
	if (app->pages == NULL) {
		err_set(&e, ERR_UNAVAILABLE,
		    "the templates of the pages could not be read");
		problem_send(req, resp, &e, NULL);
		return;
	}
	c.lang = shell_lang(app, req);
	c.data = json_object();
	c.kept = json_array();
	if (page->make(&c) != 0)
		answer_problem(&c);
	else if (!http_sent(resp))
		answer(&c, page->template);
	json_decref(c.data);
	json_decref(c.kept);
	json_decref(c.refused);
}

/* --- asking --------------------------------------------------------------- */

static const char *
api_path(const struct console *c, const char *path)
{
	return *path == '!'
	           ? path + 1
	           : mem_printf(c->ctx, "/api/v1/accounts/%s%s", c->slug, path);
}

static json_t *
keep(struct console *c, json_t *v)
{
	if (v != NULL)
		json_array_append_new(c->kept, v);
	return v;
}

int
console_refuse(struct console *c, json_t *problem)
{
	json_decref(c->refused);
	c->refused = json_incref(problem);
	return -1;
}

static json_t *
no_problem_said(struct console *c, int status)
{
	struct err e = { 0 };
	json_t *p;

	err_set(
	    &e, ERR_INTERNAL, "an answer of status %d says nothing", status);
	p = problem_json(c->req, &e);
	return keep(c, p);
}

int
console_absent(struct console *c)
{
	struct err e = { 0 };

	err_set(&e, ERR_NOT_FOUND, "nothing has this id");
	return console_refuse(c, keep(c, problem_json(c->req, &e)));
}

int
console_do(struct console *c, const char *method, const char *path,
    const json_t *body, const char *if_match, json_t **out, json_t **problem)
{
	const struct inner in = { method, api_path(c, path), body, if_match };
	struct inner_reply r;

	inner_ask(c->app, c->req, c->who, &in, &r);
	keep(c, r.json);
	if (r.status >= 200 && r.status <= 299) {
		if (out != NULL)
			*out = r.json;
		return 0;
	}
	*problem =
	    json_is_object(r.json) ? r.json : no_problem_said(c, r.status);
	return -1;
}

json_t *
console_get_tagged(struct console *c, const char *path, const char **etag)
{
	const struct inner in = { "GET", api_path(c, path), NULL, NULL };
	struct inner_reply r;

	inner_ask(c->app, c->req, c->who, &in, &r);
	keep(c, r.json);
	if (r.status == 200 && r.json != NULL) {
		if (etag != NULL)
			*etag = r.etag;
		return r.json;
	}
	(void)console_refuse(
	    c, json_is_object(r.json) ? r.json : no_problem_said(c, r.status));
	return NULL;
}

json_t *
console_get(struct console *c, const char *fmt, ...)
{
	char path[PATH_MOST];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(path)) {
		(void)console_absent(c);
		return NULL;
	}
	return console_get_tagged(c, path, NULL);
}

int
console_go(struct console *c, const char *path)
{
	page_go(c->resp, console_path(c, path));
	return 0;
}

const char *
console_list_query(struct console *c, int limit, const char *more)
{
	const char *after = console_field(c, "after");

	if (*after == '\0')
		return mem_printf(c->ctx, "?limit=%d%s", limit, more);
	return mem_printf(c->ctx, "?limit=%d%s&after=%s", limit, more,
	    console_escape(c, after));
}

void
console_more(
    struct console *c, const json_t *list, const char *path, const char *more)
{
	const char *next = json_string_value(json_object_get(list, "next"));

	if (next != NULL)
		console_set(c, "next",
		    json_sprintf("%s?after=%s%s", console_path(c, path),
			console_escape(c, next), more));
	if (*console_field(c, "after") != '\0')
		console_set(c, "first",
		    json_sprintf("%s%s%s", console_path(c, path),
			*more != '\0' ? "?" : "",
			*more != '\0' ? more + 1 : ""));
}

/* --- what was sent -------------------------------------------------------- */

bool
console_posts(const struct console *c)
{
	return strcmp(c->req->method, "POST") == 0;
}

const char *
console_field(struct console *c, const char *name)
{
	const char *value;

	if (console_posts(c))
		return page_field(c->app, c->req, name);
	value = http_query(c->req, name, NULL);
	return value != NULL ? value : "";
}

const char *
console_id(struct console *c, const char *var)
{
	const char *text = http_var(c->req, var);
	struct uuid id;
	char *out;

	if (text == NULL || id_parse(text, strlen(text), &id) != 0) {
		(void)console_absent(c);
		return NULL;
	}
	out = mem_array(c->ctx, char, UUID_TEXT);
	id_format(&id, out);
	return out;
}

void
console_wrong(struct console *c, const json_t *problem)
{
	json_int_t status =
	    json_integer_value(json_object_get(problem, "status"));
	json_t *fields = json_object(), *rest = json_array(), *v;
	size_t i;

	json_array_foreach(json_object_get(problem, "errors"), i, v)
	{
		const char *at =
		    json_string_value(json_object_get(v, "pointer"));
		char *name = mem_strdup(c->ctx, at != NULL ? at : "");

		for (char *p = name; *p != '\0'; p++)
			if (*p == '/' || *p == '.')
				*p = '_';
		if (*name == '_')
			json_object_set(
			    fields, name + 1, json_object_get(v, "detail"));
		json_array_append_new(rest,
		    json_pack("{s:s, s:O?}", "where", at != NULL ? at : "",
			"what", json_object_get(v, "detail")));
	}
	console_set(c, "errors", fields);
	console_set(c, "error_list", rest);
	console_set(c, "error", console_sentence(c, problem));
	c->status = status >= 400 && status <= 599 ? (int)status : 500;
}

const char *
console_escape(const struct console *c, const char *text)
{
	static const char hex[] = "0123456789ABCDEF";
	char *out = mem_array(c->ctx, char, 3 * strlen(text) + 1), *to = out;

	for (; *text != '\0'; text++) {
		unsigned char b = (unsigned char)*text;

		if ((b >= '0' && b <= '9') || (b >= 'A' && b <= 'Z') ||
		    (b >= 'a' && b <= 'z') || strchr("-_.~", b) != NULL) {
			*to++ = (char)b;
		} else {
			*to++ = '%';
			*to++ = hex[b >> 4];
			*to++ = hex[b & 15];
		}
	}
	*to = '\0';
	return out;
}

bool
console_may(const struct console *c, enum perm perm)
{
	return perm_in(c->who->key->perms, perm);
}

/* --- what is drawn -------------------------------------------------------- */

const char *
console_text(const struct console *c, const char *name)
{
	return pages_text(c->app->pages, c->lang, name);
}

void
console_set(struct console *c, const char *name, json_t *value)
{
	json_object_set_new(c->data, name, value);
}

const char *
console_path(const struct console *c, const char *path)
{
	return mem_printf(c->ctx, "/accounts/%s/admin%s%s", c->slug,
	    *path != '\0' && *path != '?' ? "/" : "", path);
}

json_t *
console_sentence(const struct console *c, const json_t *problem)
{
	const char *text =
	    json_string_value(json_object_get(problem, "detail"));
	struct err e = { 0 };

	if (text == NULL)
		return json_string("");
	err_set(&e, ERR_INVALID, "%s", text);
	return page_sentence(c->req, &e);
}

void
console_title(struct console *c, const char *title, ...)
{
	json_t *crumbs = json_array();
	const char *text;
	va_list ap;

	va_start(ap, title);
	while ((text = va_arg(ap, const char *)) != NULL)
		json_array_append_new(
		    crumbs, json_pack("{s:s, s:s}", "text", text, "href",
				console_path(c, va_arg(ap, const char *))));
	va_end(ap);
	console_set(c, "title", json_string(title));
	console_set(c, "crumbs", crumbs);
}
