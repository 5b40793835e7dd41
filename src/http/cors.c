/*
 * CORS.  Whether an origin is allowed is the account's to say; here are only
 * the headers.  The origin is repeated, never "*", and credentials are never
 * allowed: callers show a key of their own in a header.
 */
#include "http/cors.h"

#include "http/response.h"

#include "util/banned.h"

void
cors_allow(struct http_resp *r, const char *origin)
{
	http_set(r, "Vary", "Origin");
	http_set(r, "Access-Control-Allow-Origin", origin);
	http_set(r, "Access-Control-Expose-Headers",
	    "X-Request-Id, X-Config-Epoch, Retry-After, RateLimit-Limit, "
	    "RateLimit-Remaining, RateLimit-Reset, Idempotent-Replayed");
}

void
cors_preflight(struct http_resp *r, const char *origin)
{
	http_status(r, 204);
	http_set(r, "Vary", "Origin");
	if (origin != NULL) {
		http_set(r, "Access-Control-Allow-Origin", origin);
		http_set(
		    r, "Access-Control-Allow-Methods", "GET, POST, DELETE");
		http_set(r, "Access-Control-Allow-Headers",
		    "Authorization, Content-Type, X-Widget-Key, "
		    "X-Session-Key, X-Request-Id, traceparent, "
		    "Idempotency-Key, Last-Event-ID");
		http_set(r, "Access-Control-Max-Age", "600");
	}
	http_send_empty(r);
}
