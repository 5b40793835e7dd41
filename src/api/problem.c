/*
 * Errors as answers: the one table that makes an HTTP status from an error
 * code, and the one place where our own faults lose their text.
 */
#include "api/problem.h"

#include <string.h>

#include "api/openai/openai.h"
#include "api/reply.h"
#include "http/request.h"
#include "http/response.h"
#include "telemetry/log.h"
#include "util/str.h"

#include "util/banned.h"

static const struct problem {
	const char *name;
	int status;
	const char *title, *text;
} problems[] = {
#define PROBLEM(name, status, title, text) { name, status, title, text },
#include "api/problem.def"
#undef PROBLEM
};

#define PROBLEMS (sizeof(problems) / sizeof(problems[0]))

static const struct problem *
find(const char *name)
{
	for (size_t i = 0; name != NULL && i < PROBLEMS; i++)
		if (strcmp(problems[i].name, name) == 0)
			return &problems[i];
	return NULL;
}

static const char *
usual_name(enum err_code code)
{
	switch (code) {
	case ERR_MALFORMED:
		return "malformed";
	case ERR_UNKNOWN:
		return "unauthorized";
	case ERR_DENIED:
		return "forbidden";
	case ERR_NOT_FOUND:
		return "not-found";
	case ERR_CONFLICT:
		return "conflict";
	case ERR_TOO_LARGE:
		return "too-large";
	case ERR_TYPE:
		return "unsupported-media-type";
	case ERR_INVALID:
		return "invalid";
	case ERR_LIMIT:
		return "limit-exceeded";
	case ERR_UPSTREAM:
		return "upstream-failed";
	case ERR_TIMEOUT:
		return "upstream-timeout";
	case ERR_UNAVAILABLE:
		return "unavailable";
	case ERR_CANCELLED:
		return "cancelled";
	case ERR_NONE:
	case ERR_GONE:
	case ERR_INTERNAL:
		break;
	}
	return "internal";
}

/* Our own faults have one name, whatever the kind says. */
static const char *
name_of(const struct err *e)
{
	const char *usual = usual_name(e->code);

	return e->kind != NULL && strcmp(usual, "internal") != 0 ? e->kind
	                                                         : usual;
}

int
problem_status(const struct err *e)
{
	const struct problem *p = find(name_of(e));

	return p != NULL ? p->status : find(usual_name(e->code))->status;
}

/* The text of our own faults, and of a part that is away, names hosts and
 * paths: it goes to the log. */
const char *
problem_detail(const struct err *e)
{
	if (strcmp(usual_name(e->code), "internal") == 0) {
		log_event(LOG_ERROR, "internal_error", "error", e->text, NULL);
		return "internal error";
	}
	if (e->code == ERR_UNAVAILABLE && e->kind == NULL) {
		log_event(LOG_WARN, "unavailable", "error", e->text, NULL);
		return "a part that this request needs is down or full";
	}
	return e->text;
}

json_t *
problem_json(const struct http_req *req, const struct err *e)
{
	const char *name = name_of(e), *usual = usual_name(e->code);
	const struct problem *p = find(name);
	const char *detail = problem_detail(e);

	if (p == NULL)
		p = find(usual);
	/* a text cut at its end may be cut inside a character */
	return json_pack("{s:o, s:s, s:i, s:o, s:s}", "type",
	    json_sprintf("/problems/%s", name), "title", p->title, "status",
	    problem_status(e), "detail",
	    json_stringn(detail, str_utf8_prefix(detail, strlen(detail))),
	    "request_id", req->request_id);
}

json_t *
problem_stored(const struct http_req *req, const char *name)
{
	const struct problem *p = find(name);

	/* A row of the table, or the name of a code. */
	for (int code = ERR_MALFORMED; !p && code < ERR_INTERNAL; code++)
		if (strcmp(err_name((enum err_code)code), name) == 0)
			p = find(usual_name((enum err_code)code));
	if (!p)
		p = find("internal");
	return json_pack("{s:o, s:s, s:i, s:s, s:s}", "type",
	    json_sprintf("/problems/%s", p->name), "title", p->title, "status",
	    p->status, "detail", p->text, "request_id", req->request_id);
}

void
problem_headers(struct http_resp *resp, const struct err *e, int status)
{
	int retry = e->retry_after;

	if (retry <= 0 && (status == 503 || status == 429))
		retry = 1;
	if (retry > 0)
		http_setf(resp, "Retry-After", "%d", retry);
	if (status == 401)
		http_set(
		    resp, "WWW-Authenticate", "Bearer realm=\"switchboard\"");
}

bool
problem_is_scim(const struct http_req *req)
{
	return str_starts(req->path, "/scim/");
}

/* The words of RFC 7644, table 9, for what was wrong; NULL: there is none. */
static const char *
scim_type(const struct err *e, int status)
{
	static const char *const types[] = { "invalidFilter", "invalidPath",
		"invalidValue", "invalidSyntax", "noTarget", "uniqueness" };

	for (size_t i = 0;
	     e->kind != NULL && i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(e->kind, types[i]) == 0)
			return types[i];
	return status == 400 && e->code == ERR_INVALID ? "invalidValue" : NULL;
}

static void
scim_send(struct http_req *req, struct http_resp *resp, const struct err *e)
{
	const char *detail = problem_detail(e), *type;
	int status = problem_status(e);
	json_t *body;

	if (status == 422)
		status = 400;
	type = scim_type(e, status);
	body = json_pack("{s:[s], s:o, s:s*, s:o}", "schemas",
	    "urn:ietf:params:scim:api:messages:2.0:Error", "status",
	    json_sprintf("%d", status), "scimType", type, "detail",
	    json_stringn(detail, str_utf8_prefix(detail, strlen(detail))));
	problem_headers(resp, e, status);
	reply_typed(req, resp, status, "application/scim+json", body);
	json_decref(body);
}

void
problem_send(struct http_req *req, struct http_resp *resp, const struct err *e,
    json_t *errors)
{
	int status = problem_status(e);
	json_t *body;

	if (e->code == ERR_GONE) {
		http_abandon(resp);
		return;
	}
	if (http_sent(resp))
		return; /* too late to say anything */
	if (problem_is_scim(req)) {
		scim_send(req, resp, e);
		return;
	}
	if (openai_is(req)) {
		openai_error_send(req, resp, e, NULL, NULL);
		return;
	}
	body = problem_json(req, e);
	if (body != NULL && errors != NULL)
		json_object_set(body, "errors", errors);
	problem_headers(resp, e, status);
	reply_typed(req, resp, status, "application/problem+json", body);
	json_decref(body);
}

const char *
problem_text(const char *name)
{
	const struct problem *p = find(name);

	return p != NULL ? p->text : NULL;
}

const char *
problem_title(const char *name)
{
	const struct problem *p = find(name);

	return p != NULL ? p->title : NULL;
}

const char *
problem_name(size_t i, int *status)
{
	if (i >= PROBLEMS)
		return NULL;
	*status = problems[i].status;
	return problems[i].name;
}
