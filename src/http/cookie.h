/*
 * Cookies (RFC 6265bis).  What the web server made of several Cookie fields is
 * one parameter here, its parts separated by "; ".
 */
#ifndef HTTP_COOKIE_H
#define HTTP_COOKIE_H

#include <stdbool.h>
#include <stdint.h>

struct http_req;
struct http_resp;

/* The value of the cookie ${name}, by exact name, in the request's memory; NULL
 * when there is none, or there are two that differ: then somebody has put one
 * beside ours, and none is ours for sure. */
const char *http_cookie(const struct http_req *, const char *name);

/* Set-Cookie: HttpOnly, Path=/, SameSite=Lax, and Secure when wanted.  ${age}:
 * seconds, 0 until the browser ends, below 0 gone at once.  Name and value must
 * be of the characters of a cookie; what is not is refused and logged. */
void http_cookie_set(struct http_resp *, const char *name, const char *value,
    int64_t age, bool secure);

#endif
