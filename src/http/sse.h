/* Writing server-sent events (WHATWG HTML, 9.2). */
#ifndef HTTP_SSE_H
#define HTTP_SSE_H

#include <stddef.h>
#include <stdint.h>

struct http_resp;

/* Headers (no-cache, X-Accel-Buffering: no) and "retry: 500". */
int sse_begin(struct http_resp *);
/* One event; ${json} is one line.  id: "<turn>:<n>", or none when NULL. */
int sse_event(struct http_resp *, const char *event, const char *turn,
    int64_t n, const char *json, size_t len);
int sse_ping(struct http_resp *); /* ": ping" */

#endif
