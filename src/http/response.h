/*
 * An answer: headers are set until the first body byte; header values with
 * control characters are refused (the header is dropped and logged), so
 * nothing a caller sends can add one.  Each answer says X-Content-Type-Options:
 * nosniff and, with a body, its type; the answer to HEAD has headers only.
 * One thread, the request's; memory is the request's.
 */
#ifndef HTTP_RESPONSE_H
#define HTTP_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_req;
struct http_resp;

void http_status(struct http_resp *, int status);
int http_status_of(const struct http_resp *);
/* Set a header, instead of an earlier one of that name.  NULL: take it away.
 */
void http_set(struct http_resp *, const char *name, const char *value);
void http_setf(struct http_resp *, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* One more header of that name, as Set-Cookie has. */
void http_addf(struct http_resp *, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
bool http_sent(const struct http_resp *); /* headers have gone out */
/* Bytes of body so far. */
uint64_t http_bytes(const struct http_resp *);
/* The reader has left: nothing more is sent, the connection is given up. */
void http_abandon(struct http_resp *);
bool http_abandoned(const struct http_resp *);

/* A whole body with its length; ends the answer. */
void http_send(
    struct http_resp *, const char *content_type, const void *p, size_t n);
/* Headers and no body. */
void http_send_empty(struct http_resp *);

/* A stream: headers now, then pieces, each flushed; -1 once the reader is
 * gone. */
int http_stream_begin(struct http_resp *, const char *content_type);
int http_stream(struct http_resp *, const void *p, size_t n);

#endif
