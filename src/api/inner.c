/* A request made of memory, and its answer read back from there. */
#include "api/inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "account/account.h"
#include "api/app.h"
#include "api/guard.h"
#include "api/problem.h"
#include "api/reply.h"
#include "http/exchange.h"
#include "http/request.h"
#include "http/response.h"
#include "http/router.h"
#include "util/buf.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define ANSWER_LIMITS ((struct json_limits){ 64, 500000 })

/* What goes in and what comes out. */
struct wire {
	const char *in;
	size_t len, at;
	struct buf out;
};

static ssize_t
wire_read(void *arg, void *p, size_t n)
{
	struct wire *w = arg;
	size_t left = w->len - w->at;

	if (n > left)
		n = left;
	if (n > 0)
		memcpy(p, w->in + w->at, n);
	w->at += n;
	return (ssize_t)n;
}

static int
wire_write(void *arg, const void *p, size_t n)
{
	struct wire *w = arg;

	buf_add(&w->out, p, n);
	return 0;
}

static int
wire_flush(void *arg)
{
	(void)arg;
	return 0;
}

/* The API's rows alone. */
static bool
row(const void *table, int i, const char **method, const char **pattern)
{
	(void)table;
	if ((size_t)i >= routes_count)
		return false;
	*method = routes[i].method;
	*pattern = (routes[i].faces & FACE_ADMIN) != 0 ? routes[i].pattern : "";
	return true;
}

/* What stands before the body: lines of "Name: value". */
static const char *
header(const void *ctx, const char *head, const char *name)
{
	size_t n = strlen(name);

	for (; *head != '\r' && *head != '\0'; head += strcspn(head, "\n")) {
		head += *head == '\n';
		if (strncasecmp(head, name, n) == 0 && head[n] == ':') {
			head += n + 1;
			head += strspn(head, " ");
			return mem_strndup(ctx, head, strcspn(head, "\r\n"));
		}
	}
	return NULL;
}

static void
read_answer(struct http_req *sub, const struct http_resp *resp, struct wire *w,
    struct inner_reply *out)
{
	const char *body =
	    w->out.data != NULL ? strstr(w->out.data, "\r\n\r\n") : NULL;
	struct err e = { 0 };

	out->status = http_status_of(resp);
	if (body == NULL || buf_failed(&w->out)) {
		out->status = 500;
		return;
	}
	out->etag = header(sub->ctx, w->out.data, "ETag");
	body += 4;
	if (*body == '\0')
		return;
	if (json_parse(body, w->out.len - (size_t)(body - w->out.data),
		&ANSWER_LIMITS, &out->json, &e) != 0)
		out->status = 500;
}

static struct http_req *
make(struct http_req *req, const struct inner *in, struct wire *w,
    const struct http_io *io)
{
	static const struct http_bounds bounds = { 0, 0 };
	struct buf text;
	char *env[8];
	int n = 0;

	buf_init(&text, req->ctx, REPLY_MAX);
	if (in->body != NULL)
		json_write(&text, in->body);
	w->in = text.data != NULL ? text.data : "";
	w->len = text.len;
	env[n++] = mem_printf(req->ctx, "REQUEST_METHOD=%s", in->method);
	env[n++] = mem_printf(req->ctx, "REQUEST_URI=%s", in->path);
	env[n++] = mem_printf(req->ctx, "CONTENT_LENGTH=%zu", w->len);
	if (in->body != NULL)
		env[n++] =
		    mem_strdup(req->ctx, "CONTENT_TYPE=application/json");
	if (in->if_match != NULL)
		env[n++] =
		    mem_printf(req->ctx, "HTTP_IF_MATCH=%s", in->if_match);
	env[n] = NULL;

	struct http_req *sub = http_req_new(req->ctx, env, io, &bounds);

	sub->client_address = req->client_address;
	memcpy(sub->request_id, req->request_id, sizeof(sub->request_id));
	sub->trace = req->trace;
	sub->started = req->started;
	sub->gone_fd = -1;
	return sub;
}

static int
serve(struct app *app, struct http_req *sub, struct http_resp *resp,
    struct caller *who, struct err *e)
{
	struct route_match match;
	const struct route *r;
	const char *slug;

	router_find(sub, row, NULL, &match);
	if (match.row < 0)
		return err_set(e, ERR_NOT_FOUND, "nothing is at this address");
	r = &routes[match.row];
	slug = http_var(sub, "slug");
	if (slug != NULL &&
	    (who->account == NULL || strcmp(slug, who->account->slug) != 0))
		return err_set(
		    e, ERR_NOT_FOUND, "there is nothing here for this caller");
	if (!perm_in(who->key->perms, r->perm))
		return err_set(e, ERR_DENIED,
		    "the role %s may not do this: it needs %s",
		    who->key->role_name, perm_name(r->perm));
	r->handler(app, sub, resp, who);
	return http_sent(resp)
	           ? 0
	           : err_set(e, ERR_INTERNAL, "%s answered nothing", r->name);
}

void
inner_ask(struct app *app, struct http_req *req, struct caller *who,
    const struct inner *in, struct inner_reply *out)
{
	struct wire w = { .at = 0 };
	const struct http_io io = { &w, wire_read, wire_write, wire_flush };
	struct http_req *sub;
	struct http_resp *resp;
	struct err e = { 0 };

	*out = (struct inner_reply){ .status = 500 };
	buf_init(&w.out, req->ctx, REPLY_MAX + 4096);
	sub = make(req, in, &w, &io);
	resp = http_resp_new(sub, &io);
	if (serve(app, sub, resp, who, &e) != 0)
		problem_send(sub, resp, &e, NULL);
	read_answer(sub, resp, &w, out);
}
