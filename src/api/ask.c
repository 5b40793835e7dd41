/* A request's Idempotency-Key, and the log line of a turn that failed. */
#include "api/ask.h"

#include <string.h>

#include "chat/turn.h"
#include "crypto/hash.h"
#include "http/request.h"
#include "telemetry/log.h"
#include "util/buf.h"

#include "util/banned.h"

#define KEY_MAX 255 /* characters of an Idempotency-Key */

/* What was asked: method and address, and every byte of the body. */
static int
hash_request(
    struct http_req *req, size_t max, unsigned char out[32], struct err *e)
{
	const char *text;
	struct buf b;
	size_t len;

	if (http_body(req, max, &text, &len, e) < 0)
		return -1;
	buf_init(&b, req->ctx, len + strlen(req->path) + 16);
	buf_addf(&b, "%s %s\n", req->method, req->path);
	buf_add(&b, text, len);
	crypto_sha256(b.data, b.len, out);
	buf_free(&b);
	return 0;
}

/* Idempotency-Key; 0, or -1 with e. */
int
ask_read_key(
    struct http_req *req, size_t max, struct chat_ask *ask, struct err *e)
{
	const char *key = http_header(req, "idempotency-key");
	size_t n = key ? strlen(key) : 0;

	if (!key)
		return 0;
	for (size_t i = 0; i < n; i++)
		if (key[i] < '!' || key[i] > '~')
			n = 0;
	if (n == 0 || n > KEY_MAX)
		return err_set(e, ERR_MALFORMED,
		    "Idempotency-Key is 1 to %d visible characters", KEY_MAX);
	ask->idempotency_key = key;
	return hash_request(req, max, ask->request_hash, e);
}

void
ask_log_failure(const struct chat_turn *t, const struct err *e)
{
	bool ours = e->code == ERR_INTERNAL || e->code == ERR_UNAVAILABLE;

	if (e->code == ERR_GONE || e->code == ERR_NOT_FOUND ||
	    e->code == ERR_INVALID)
		return;
	log_event(ours ? LOG_ERROR : LOG_WARN, "turn_failed", "step", t->step,
	    "code", err_name(e->code), "kind", e->kind, "error", e->text,
	    "model", t->model, NULL);
}
