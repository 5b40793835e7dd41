/* The record of who changed what, as the account's own people read it. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "account/account.h"
#include "api/app.h"
#include "api/guard.h"
#include "api/handlers.h"
#include "api/problem.h"
#include "api/reply.h"
#include "audit/audit.h"
#include "http/request.h"
#include "http/response.h"
#include "util/clock.h"

#include "util/banned.h"

#define READ_WAIT (5 * CLOCK_S)

/* ?${name}=, in *out when it is given. */
static int
text_given(
    struct http_req *req, const char *name, const char **out, struct err *e)
{
	*out = http_query(req, name, e);
	return e->code == ERR_NONE ? 0 : -1;
}

/* A date and time in UTC, RFC 3339 with whole seconds or parts of them. */
static int
time_given(struct http_req *req, const char *name, int64_t *us, struct err *e)
{
	const char *text, *end;
	struct tm tm = { 0 };
	int64_t part = 0;
	int digits = 0;

	if (text_given(req, name, &text, e) < 0)
		return -1;
	if (text == NULL)
		return 0;
	end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	if (end != NULL && *end == '.')
		for (end++; *end >= '0' && *end <= '9' && digits < 6; end++) {
			part = part * 10 + (*end - '0');
			digits++;
		}
	if (end == NULL || strcmp(end, "Z") != 0)
		return err_set(e, ERR_INVALID,
		    "%s is no date and time such as 2026-01-31T12:00:00Z",
		    name);
	for (; digits < 6; digits++)
		part *= 10;
	*us = (int64_t)timegm(&tm) * 1000000 + part;
	return 0;
}

static int
filter_given(struct http_req *req, struct audit_filter *f, const char **after,
    int *limit, struct err *e)
{
	if (text_given(req, "action", &f->action, e) < 0 ||
	    text_given(req, "actor_kind", &f->actor_kind, e) < 0 ||
	    text_given(req, "actor_id", &f->actor_id, e) < 0 ||
	    text_given(req, "object_kind", &f->object_kind, e) < 0 ||
	    text_given(req, "object_id", &f->object_id, e) < 0 ||
	    time_given(req, "since", &f->since_us, e) < 0 ||
	    time_given(req, "until", &f->until_us, e) < 0 ||
	    text_given(req, "after", after, e) < 0 ||
	    http_query_limit(req, limit, e) < 0)
		return -1;
	return 0;
}

void
api_audit(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who)
{
	struct audit_filter filter = { 0 };
	json_auto_t *page = NULL;
	struct err e = { 0 };
	const char *after;
	int limit;

	if (filter_given(req, &filter, &after, &limit, &e) < 0 ||
	    audit_list(app->db, &who->account->id, &filter, after, limit,
		req->started + READ_WAIT, &page, &e) < 0)
		problem_send(req, resp, &e, NULL);
	else
		reply_json(req, resp, 200, page);
}
