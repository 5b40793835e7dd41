/* What machines ask the server about itself. */
#include <stdlib.h>
#include <string.h>

#include "api/app.h"
#include "api/handlers.h"
#include "api/problem.h"
#include "api/reply.h"
#include "http/request.h"
#include "http/response.h"
#include "shm/change.h"
#include "shm/epoch.h"
#include "telemetry/metric.h"
#include "util/buf.h"

#include "util/banned.h"

#define METRICS_MAX ((size_t)4 * 1024 * 1024)
#define MISSING_MAX 400

static void
reply_status(struct http_resp *resp, const char *json)
{
	http_send(resp, "application/json", json, strlen(json));
}

void
api_healthz(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *caller)
{
	(void)app;
	(void)req;
	(void)caller;
	reply_status(resp, "{\"status\":\"ok\"}");
}

/* Lines become a sentence: "no database; schema 3 is missing". */
static void
join_lines(struct buf *out, const char *s)
{
	while (*s != '\0') {
		size_t n = strcspn(s, "\n");

		if (n > 0 && out->len > 0)
			buf_adds(out, "; ");
		buf_add(out, s, n);
		s += n + (s[n] == '\n');
	}
}

void
api_readyz(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *caller)
{
	char missing[MISSING_MAX] = "";
	struct err e = { 0 };
	struct buf text;

	(void)caller;
	if (app->ready == NULL ||
	    app->ready(app->ready_arg, missing, sizeof(missing)) == 0) {
		reply_status(resp, "{\"status\":\"ready\"}");
		return;
	}
	buf_init(&text, req->ctx, (size_t)MISSING_MAX * 2);
	join_lines(&text, missing);
	err_set_kind(
	    &e, ERR_UNAVAILABLE, "not-ready", 1, "missing: %s", text.data);
	problem_send(req, resp, &e, NULL);
}

static void
reply_metrics(struct http_req *req, struct http_resp *resp)
{
	struct buf b;

	buf_init(&b, req->ctx, METRICS_MAX);
	metric_write(&b);
	reply_buf(resp, 200, "text/plain; version=0.0.4; charset=utf-8", &b);
}

void
api_metrics(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *caller)
{
	struct err e = { 0 };

	(void)caller;
	if (!http_address_in(req->client_address, app->metrics_allow)) {
		err_set(&e, ERR_DENIED,
		    "metrics are for the addresses in metrics_allow");
		problem_send(req, resp, &e, NULL);
		return;
	}
	reply_metrics(req, resp);
}

void
api_own_metrics(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *caller)
{
	(void)app;
	(void)caller;
	reply_metrics(req, resp);
}

void
api_change(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *caller)
{
	uint32_t slot = (uint32_t)strtoul(http_var(req, "slot"), NULL, 10);
	struct change ch;

	(void)app;
	(void)caller;
	change_state(slot, &ch);

	json_auto_t *body = json_pack("{s:I, s:b, s:i, s:i, s:I}", "epoch",
	    (json_int_t)epoch_get(slot), "noted", (int)ch.noted, "workers",
	    (int)ch.workers, "live", (int)ch.live, "took_us",
	    (json_int_t)ch.took_us);

	reply_json(req, resp, 200, body);
}
