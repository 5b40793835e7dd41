/* What request.c, body.c, response.c and sse.c know of each other. */
#ifndef HTTP_HTTP_PRIV_H
#define HTTP_HTTP_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/exchange.h"
#include "util/err.h"

enum body_state { BODY_UNREAD, BODY_WHOLE, BODY_REFUSED, BODY_BROKEN };

struct http_body {
	const struct http_io *io;
	enum body_state state;
	int64_t deadline; /* clock_mono(), 0 none */
	size_t drain;
	char *data; /* BODY_WHOLE */
	size_t len;
	struct err err; /* why, when BODY_REFUSED or BODY_BROKEN */
};

void body_init(
    struct http_req *, const struct http_io *io, const struct http_bounds *);
/* Read an unread body to its end, keeping nothing. */
void body_discard(struct http_req *);
/* Has its end been read? */
bool body_ended(const struct http_req *);

/* Bytes of the body, kept until resp_flush(); none where the answer has no
 * body (HEAD, 204, 304). */
void resp_body(struct http_resp *, const void *p, size_t n);
/* 0, or -1 once the reader is gone. */
int resp_flush(struct http_resp *);

#endif
