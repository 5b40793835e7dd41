/*
 * From a value or a buffer to an answer.  Bodies are bounded; one that does
 * not fit is our fault and becomes a 500 with a fixed text, since it may be
 * the problem object itself that failed.
 */
#include "api/reply.h"

#include "http/request.h"
#include "http/response.h"
#include "telemetry/log.h"
#include "util/buf.h"
#include "util/json.h"

#include "util/banned.h"

void
reply_buf(
    struct http_resp *resp, int status, const char *type, const struct buf *b)
{
	static const char failed[] =
	    "{\"type\":\"/problems/internal\",\"status\":500,"
	    "\"title\":\"Something is wrong here\","
	    "\"detail\":\"internal error\"}";

	if (http_sent(resp))
		return;
	if (buf_failed(b)) {
		log_event(LOG_ERROR, "reply_too_large", NULL);
		http_status(resp, 500);
		http_send(resp, "application/problem+json", failed,
		    sizeof(failed) - 1);
		return;
	}
	http_status(resp, status);
	http_send(resp, type, b->data, b->len);
}

void
reply_typed(struct http_req *req, struct http_resp *resp, int status,
    const char *type, const json_t *body)
{
	struct buf b;

	buf_init(&b, req->ctx, REPLY_MAX);
	if (body != NULL)
		json_write(&b, body);
	else
		b.failed = true; /* no memory to make it */
	reply_buf(resp, status, type, &b);
}

void
reply_json(struct http_req *req, struct http_resp *resp, int status,
    const json_t *body)
{
	reply_typed(req, resp, status, "application/json", body);
}

void
reply_done(struct http_resp *resp)
{
	http_status(resp, 204);
	http_send_empty(resp);
}
