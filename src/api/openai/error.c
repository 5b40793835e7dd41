/*
 * Errors as OpenAI words them: {"error": {message, type, param, code}}.  Its
 * libraries choose the class of their exception by the status and show type and
 * code, so a status here is the one that the vendor uses: 400 for a value that
 * breaks a rule, where the rest of our API says 422.
 */
#include <string.h>

#include "api/openai/openai.h"
#include "api/problem.h"
#include "api/reply.h"
#include "http/request.h"
#include "http/response.h"
#include "util/str.h"

#include "util/banned.h"

/* Where a kind of ours has a name of theirs. */
static const struct named {
	const char *kind, *code, *param;
} named[] = {
	{ "limit-exceeded", "rate_limit_exceeded", NULL },
	{ "idempotency-key-reused", "idempotency_key_reused", NULL },
	{ "idempotency-key-in-use", "idempotency_key_in_use", NULL },
	{ "tool-name-taken", "invalid_function_name", "tools" },
	{ "format-unsupported", "unsupported_parameter", "response_format" },
	{ "embeddings-unsupported", "unsupported", "model" },
	{ "upstream-context", "context_length_exceeded", "messages" },
	{ "method-not-allowed", "method_not_allowed", NULL },
	{ "overloaded", "server_is_overloaded", NULL },
};

bool
openai_is(const struct http_req *req)
{
	const char *path = req->path;

	if (!path || !str_starts(path, "/accounts/"))
		return false;
	path += sizeof("/accounts/") - 1;
	path += strcspn(path, "/");
	return str_starts(path, "/v1/") || strcmp(path, "/v1") == 0;
}

/* The vendor knows a long conversation as the caller's fault. */
static int
status_of(const struct err *e)
{
	int status = problem_status(e);

	if (e->kind && strcmp(e->kind, "upstream-context") == 0)
		return 400;
	if (status == 422 &&
	    !(e->kind && strcmp(e->kind, "idempotency-key-reused") == 0))
		return 400;
	return status;
}

static bool
is_budget(const struct err *e)
{
	return e->kind && str_starts(e->kind, "budget");
}

static const char *
type_of(const struct err *e, int status)
{
	switch (status) {
	case 403:
		return "request_forbidden";
	case 429:
		return is_budget(e) ? "insufficient_quota" : "requests";
	case 503:
		return "service_unavailable_error";
	default:
		return status >= 500 ? "server_error" : "invalid_request_error";
	}
}

static const char *
code_of(const struct err *e, int status)
{
	switch (status) {
	case 401:
		return "invalid_api_key";
	case 404:
		return "not_found";
	case 413:
		return "request_too_large";
	case 415:
		return "unsupported_media_type";
	case 429:
		return is_budget(e) ? "insufficient_quota"
		                    : "rate_limit_exceeded";
	default:
		return NULL;
	}
}

json_t *
openai_error_json(const struct err *e, const char *code, const char *param)
{
	const char *text = problem_detail(e);
	int status = status_of(e);

	for (size_t i = 0; e->kind && i < sizeof(named) / sizeof(*named); i++) {
		if (strcmp(named[i].kind, e->kind) != 0)
			continue;
		code = code ? code : named[i].code;
		param = param ? param : named[i].param;
	}
	if (!code)
		code = code_of(e, status);
	return json_pack("{s:{s:o, s:s, s:s?, s:s?}}", "error", "message",
	    json_stringn(text, str_utf8_prefix(text, strlen(text))), "type",
	    type_of(e, status), "param", param, "code", code);
}

void
openai_error_send(struct http_req *req, struct http_resp *resp,
    const struct err *e, const char *code, const char *param)
{
	int status = status_of(e);
	json_t *body;

	if (e->code == ERR_GONE) {
		http_abandon(resp);
		return;
	}
	if (http_sent(resp))
		return; /* too late to say anything */
	body = openai_error_json(e, code, param);
	problem_headers(resp, e, status);
	reply_json(req, resp, status, body);
	json_decref(body);
}
