/*
 * An answer: headers are set until the first body byte; header values with
 * control characters are refused (the header is dropped and logged), so
 * nothing a caller sends can add one.
 */
#ifndef HTTP_RESPONSE_H
#define HTTP_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>

struct http_req;
struct http_resp;

void http_status(struct http_resp *, int status);
int http_status_of(const struct http_resp *);
void http_set(struct http_resp *, const char *name, const char *value);
void http_setf(struct http_resp *, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
bool http_sent(const struct http_resp *); /* headers have gone out */

/* A whole body with its length; ends the answer. */
void http_send(struct http_resp *, const char *content_type, const void *p,
    size_t n);
/* Headers and no body. */
void http_send_empty(struct http_resp *);

/* A stream: headers now, then pieces, each flushed; -1 once the reader is
 * gone. */
int http_stream_begin(struct http_resp *, const char *content_type);
int http_stream(struct http_resp *, const void *p, size_t n);

#endif
