/*
 * Server-sent events as they come in (WHATWG HTML, 9.2.6): any split of the
 * bytes gives the same events; LF, CR and CRLF; BOM; comments; bounded lines.
 */
#ifndef LLM_SSE_H
#define LLM_SSE_H

#include <stddef.h>

#include "util/buf.h"

struct sse_parser {
	struct buf line, data;
	char event[64];
	int (*on_event)(
	    void *arg, const char *event, const char *data, size_t len);
	void *arg;
	unsigned char state; /* BOM progress, CR seen */
	int stopped;         /* what on_event returned, when not 0 */
};

/* ${max}: longest line and longest data of an event. */
void sse_init(struct sse_parser *, const void *ctx, size_t max,
    int (*on_event)(void *, const char *event, const char *data, size_t len),
    void *arg);
/* Feed bytes; 0, -1 when too long, else what on_event returned. */
int sse_feed(struct sse_parser *, const char *s, size_t n);

#endif
