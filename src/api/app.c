/*
 * One request, top to bottom: what it is, where it goes, whether it may, and
 * the record of it.  Handlers see only requests that passed every step here.
 */
#include "api/app.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "account/account.h"
#include "api/browser.h"
#include "api/guard.h"
#include "api/pages/page.h"
#include "api/problem.h"
#include "http/cors.h"
#include "http/request.h"
#include "http/response.h"
#include "http/router.h"
#include "telemetry/log.h"
#include "telemetry/metric.h"
#include "util/clock.h"
#include "util/id.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define REQUEST_ID_LEAST 8
#define REQUEST_ID_MOST 64
#define PREFLIGHT_WAIT (2 * CLOCK_S)

struct serving {
	struct app *app;
	struct http_req *req;
	struct http_resp *resp;
	struct route_match match;
	const struct route *route; /* NULL: none */
	struct caller caller;
	bool guarded;  /* guard_done() is owed */
	bool answered; /* a step has answered; the rest is passed over */
	char account[UUID_TEXT];
};

static bool
request_id_ok(const char *s)
{
	size_t n = s != NULL ? strlen(s) : 0;

	return n >= REQUEST_ID_LEAST && n <= REQUEST_ID_MOST &&
	       strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			 "0123456789._-") == n;
}

/* Names, addresses and the headers that every answer has. */
static void
begin(const struct app *app, struct http_req *req, struct http_resp *resp)
{
	const char *given = http_header(req, "x-request-id");
	struct uuid id;

	if (request_id_ok(given)) {
		snprintf(req->request_id, sizeof(req->request_id), "%s", given);
	} else {
		id_new(&id);
		id_format(&id, req->request_id);
	}
	trace_start(&req->trace, http_header(req, "traceparent"));
	req->client_address = http_client_address(req, app->trusted_proxies);
	log_context(req->request_id, req->trace.trace_id, NULL);
	http_set(resp, "X-Request-Id", req->request_id);
	http_set(resp, "Cache-Control", "no-store");
	http_set(resp, "Content-Security-Policy",
	    "default-src 'none'; frame-ancestors 'none'");
	if ((app->face & FACE_CHAT) != 0)
		http_set(resp, "Vary", "Origin");
}

static int
step_sound(struct serving *s, struct err *e)
{
	if (s->req->bad.code == ERR_NONE)
		return 0;
	*e = s->req->bad;
	return -1;
}

/* The table as this pool sees it: rows of others have no path. */
static bool
row(const void *table, int i, const char **method, const char **pattern)
{
	const struct app *app = table;

	if ((size_t)i >= routes_count)
		return false;
	*method = routes[i].method;
	*pattern = (routes[i].faces & app->face) != 0 ? routes[i].pattern : "";
	return true;
}

/* An answer made from an account's configuration says how new that was. */
static void
tell_epoch(struct http_resp *resp, const struct account *a)
{
	http_setf(resp, "X-Config-Epoch", "%llu", (unsigned long long)a->epoch);
}

/* Is ${origin} one of the account's of the path? */
static int
origin_of_account(struct serving *s, const char *origin,
    const struct account **account, bool *allowed, struct err *e)
{
	const char *slug = http_var(s->req, "slug");

	*allowed = false;
	*account = NULL;
	if (origin == NULL || slug == NULL || !str_is_slug(slug))
		return 0;
	if (accounts_by_slug(s->app->accounts, slug,
		s->req->started + PREFLIGHT_WAIT, account, e) != 0)
		return e->code == ERR_NOT_FOUND ? 0 : -1;
	*allowed =
	    (*account)->active &&
	    origin_allowed(origin, (*account)->origins, (*account)->norigins);
	return 0;
}

/*
 * A preflight shows no key, so the origins of all the account's widget keys
 * answer it.  An unknown account gets what an unknown origin gets.
 */
static int
preflight(struct serving *s, struct err *e)
{
	const char *origin = http_header(s->req, "origin");
	const struct account *account;
	bool allowed;

	s->answered = true;
	if (origin_of_account(s, origin, &account, &allowed, e) != 0)
		return -1;
	if (account != NULL) {
		tell_epoch(s->resp, account);
		account_unref(account);
	}
	cors_preflight(s->resp, allowed ? origin : NULL);
	return 0;
}

static int
step_route(struct serving *s, struct err *e)
{
	router_find(s->req, row, s->app, &s->match);
	if (s->match.row >= 0) {
		s->route = &routes[s->match.row];
		return 0;
	}
	if (!s->match.other_method)
		return err_set(e, ERR_NOT_FOUND, "nothing is at this address");
	if ((s->app->face & FACE_CHAT) != 0 &&
	    strcmp(s->req->method, "OPTIONS") == 0)
		return preflight(s, e);
	http_set(s->resp, "Allow", s->match.allow);
	return err_set_kind(e, ERR_MALFORMED, "method-not-allowed", 0,
	    "this address has %s", s->match.allow);
}

/* Read to its end here, so that whoever waits may watch the connection. */
static int
step_body(struct serving *s, struct err *e)
{
	size_t max = s->route->body == BODY_ADMIN    ? s->app->body_max_admin
	             : s->route->body == BODY_OPENAI ? OPENAI_BODY_MAX
	                                             : s->app->body_max_chat;
	const char *body;
	size_t len;

	return http_body(s->req, max, &body, &len, e);
}

/*
 * Who is refused must be able to read why: a page whose widget token has ended
 * asks for another one.  Who is not known has no origins of his own; he has
 * those that a preflight gets.
 */
static void
refused(struct serving *s, enum err_code why)
{
	const char *origin = http_header(s->req, "origin");
	const struct account *account = NULL;
	struct err e = { 0 };
	bool allowed = s->caller.origin != NULL;

	if (!allowed && why == ERR_UNKNOWN && (s->app->face & FACE_CHAT) != 0 &&
	    origin_of_account(s, origin, &account, &allowed, &e) == 0 &&
	    account != NULL)
		account_unref(account);
	if (allowed)
		cors_allow(s->resp, origin);
}

static int
step_guard(struct serving *s, struct err *e)
{
	int rc = guard_check(s->app, s->req, s->route, &s->caller, e);

	if (s->caller.cookie != NULL)
		browser_keep(s->app, s->req, s->resp, s->caller.cookie);
	if (rc != 0) {
		refused(s, e->code);
		return -1;
	}
	s->guarded = true;
	if (s->caller.origin != NULL)
		cors_allow(s->resp, s->caller.origin);
	if (s->caller.account != NULL) {
		id_format(&s->caller.account->id, s->account);
		log_context(
		    s->req->request_id, s->req->trace.trace_id, s->account);
		tell_epoch(s->resp, s->caller.account);
	}
	return 0;
}

/* ${wanted}, perhaps with parameters. */
static bool
is_type(const char *type, const char *wanted)
{
	size_t n;

	if (type == NULL)
		return false;
	n = strcspn(type, "; \t");
	return n == strlen(wanted) && strncasecmp(type, wanted, n) == 0;
}

static int
step_type(struct serving *s, struct err *e)
{
	const char *type = http_header(s->req, "content-type");
	const char *schema = s->route->request_schema, *body;
	size_t len;

	if (schema == NULL || is_type(type, "application/json") ||
	    (problem_is_scim(s->req) && is_type(type, "application/scim+json")))
		return 0;
	if (*schema == '?' &&
	    http_body(s->req, s->app->body_max_chat, &body, &len, e) == 0 &&
	    len == 0)
		return 0;
	return err_set(e, ERR_TYPE, "the body must be application/json");
}

/* A page's form carries a token; no other site's does. */
static int
step_form(struct serving *s, struct err *e)
{
	if (s->route->faces != FACE_PAGE ||
	    strcmp(s->route->method, "GET") == 0)
		return 0;
	return page_check_form(s->app, s->req, &s->caller, e);
}

static int
step_handle(struct serving *s, struct err *e)
{
	s->route->handler(s->app, s->req, s->resp, &s->caller);
	if (http_sent(s->resp) || http_abandoned(s->resp))
		return 0;
	return err_set(e, ERR_INTERNAL, "%s answered nothing", s->route->name);
}

static int (*const steps[])(struct serving *, struct err *) = { step_sound,
	step_route, step_body, step_guard, step_type, step_form, step_handle };

/* A page's address with a slash behind it leads to the page. */
static bool
without_slash(struct serving *s)
{
	size_t n = strlen(s->req->path);

	if (s->route != NULL || n < 2 || s->req->path[n - 1] != '/' ||
	    strcmp(s->req->method, "GET") != 0 ||
	    !str_starts(s->req->path, "/accounts/"))
		return false;
	page_go(s->resp, mem_strndup(s->req->ctx, s->req->path, n - 1));
	return true;
}

/* To a browser in a page, to all others as a problem. */
static void
refuse(struct serving *s, const struct err *e)
{
	if ((s->app->face & FACE_PAGE) != 0 && without_slash(s))
		return;
	bool page = s->route != NULL ? s->route->faces == FACE_PAGE
	                             : page_wanted(s->app, s->req);

	if (page && s->app->pages != NULL)
		page_problem(s->app, s->req, s->resp, e);
	else
		problem_send(s->req, s->resp, e, NULL);
}

/* One line and one count for each request; never its query or body. */
static void
record(const struct app *app, const struct http_req *req,
    const struct http_resp *resp, int matched)
{
	int64_t took = clock_mono() - req->started;
	bool gone = http_abandoned(resp);
	/* 499: nobody was there to be told */
	int status = gone && !http_sent(resp) ? 499 : http_status_of(resp);
	bool quiet = (app->face & FACE_HEALTH) != 0 && status < 400;
	char ms[32];

	snprintf(ms, sizeof(ms), "%lld.%03lld", (long long)(took / CLOCK_MS),
	    (long long)(took % CLOCK_MS / 1000));
	metric_request(
	    matched >= 0 ? (unsigned)matched : (unsigned)routes_count, status,
	    took);
	log_event(quiet ? LOG_DEBUG : LOG_INFO, "request", "method",
	    req->method, "route", matched >= 0 ? routes[matched].pattern : NULL,
	    "status", log_int(status), "ms", ms, "bytes",
	    log_int((long long)http_bytes(resp)), "gone", gone ? "yes" : NULL,
	    NULL);
	log_context(NULL, NULL, NULL);
}

void
app_serve(struct app *app, struct http_req *req, struct http_resp *resp)
{
	struct serving s = { .app = app, .req = req, .resp = resp };
	struct err e = { 0 };

	s.match.row = -1;
	begin(app, req, resp);
	for (size_t i = 0; !s.answered && i < sizeof(steps) / sizeof(steps[0]);
	     i++) {
		if (steps[i](&s, &e) != 0) {
			refuse(&s, &e);
			break;
		}
	}
	record(app, req, resp, s.match.row);
	if (s.guarded)
		guard_done(&s.caller);
}

void
app_shed(struct app *app, struct http_req *req, struct http_resp *resp)
{
	struct err e = { 0 };

	begin(app, req, resp);
	metric_add(M_SHED, 1);
	err_set_kind(&e, ERR_UNAVAILABLE, "overloaded", 1,
	    "all places are taken; try again in a moment");
	problem_send(req, resp, &e, NULL);
	record(app, req, resp, -1);
}

void
app_setup_metrics(void)
{
	for (size_t i = 0; i < routes_count; i++)
		metric_route_name((unsigned)i, routes[i].label);
	metric_route_name((unsigned)routes_count, "other");
}
