/*
 * A request as handlers see it: everything copied out of libfcgi's memory
 * into the request's own tree, looked up by exact name, first match wins.
 */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "telemetry/trace.h"
#include "util/err.h"

struct http_param {
	const char *name, *value;
};

#define HTTP_PATH_PARAMS 8

struct http_req {
	void *ctx; /* the request's memory; freed by the server at its end */
	const char *method;
	const char *path;           /* as sent, but %3A is ":", and %2F in a
	                               model's name "/"; any other escape
	                               matches no route, see router.h */
	const char *query;          /* raw, "" when none */
	const char *client_address; /* after trusted_proxies */
	const char *scheme, *host;
	char request_id[65];
	struct trace trace;
	int gone_fd; /* the connection: readable at EOF when the client left */
	int64_t started;                 /* clock_mono() */
	int64_t content_length;          /* -1: none given */
	const struct http_param *params; /* FastCGI parameters */
	int nparams;
	const struct http_param *vars; /* path variables, set by the router */
	int nvars;
	struct http_body *body; /* private: the unread body */
	/* What is wrong with the request as a whole (parameters too many or
	 * too large: kind "headers-too-large"; a Content-Length that is no
	 * number; no path); ERR_NONE: nothing.  The face answers it. */
	struct err bad;
};

/* Value of a header by its lower-case name with dashes, or NULL.  First match
 * wins, here and below. */
const char *http_header(const struct http_req *, const char *name);
/* A FastCGI parameter by exact name, or NULL. */
const char *http_param(const struct http_req *, const char *name);
/* A path variable, or NULL. */
const char *http_var(const struct http_req *, const char *name);
/* A query parameter, decoded, first match, or NULL.  ERR_MALFORMED through e
 * for a bad escape, NUL or bad UTF-8 (then NULL is returned and e->code set).
 */
const char *http_query(struct http_req *, const char *name, struct err *e);
/* ?limit= (1-200, default 50); 0 or -1 */
int http_query_limit(struct http_req *, int *limit, struct err *e);

/*
 * Read the whole body, at most ${max} bytes; the text is in the request's
 * memory, has a NUL behind it and may be asked for again.  Must be called (or
 * the server does it) before gone_fd is polled.  ERR_TOO_LARGE, ERR_MALFORMED
 * (length and bytes differ, connection broken), ERR_TIMEOUT (kind
 * "request-timeout").
 */
int http_body(struct http_req *, size_t max, const char **ret, size_t *len,
    struct err *e);

/* Is ${address} in the list of addresses and networks ("10.0.0.0/8")? */
bool http_address_in(const char *address, const char *const *list);
/* The client: REMOTE_ADDR, or the last address of X-Forwarded-For that no
 * trusted proxy added.  Text in the request's memory. */
const char *http_client_address(
    struct http_req *, const char *const *trusted_proxies);

#endif
