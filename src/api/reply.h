/* Whole answers from what handlers have made. */
#ifndef API_REPLY_H
#define API_REPLY_H

#include <jansson.h>

#define REPLY_MAX ((size_t)8 * 1024 * 1024) /* bytes of a whole answer */

struct buf;
struct http_req;
struct http_resp;

/* Answer ${status} with ${body} as JSON; the reference stays the caller's. */
void reply_json(
    struct http_req *, struct http_resp *, int status, const json_t *body);
/* The same as another media type made of JSON. */
void reply_typed(struct http_req *, struct http_resp *, int status,
    const char *type, const json_t *body);
/* 204: done, and nothing to show. */
void reply_done(struct http_resp *);
/* Answer ${status} with the text of ${b}; 500 when the buffer failed. */
void reply_buf(
    struct http_resp *, int status, const char *type, const struct buf *b);

#endif
