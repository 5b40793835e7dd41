/*
 * Under which of the server's addresses a browser is here.  public_urls lists
 * them; Host only chooses one of the list and never makes one.
 */
#ifndef API_PLACE_H
#define API_PLACE_H

#include <stdbool.h>

#include "util/err.h"

struct app;
struct http_req;

struct place {
	const char *origin; /* "https://chat.example.com"; NULL: not ours */
	bool secure;        /* https: its cookies are Secure, with __Host- */
	bool cookies;       /* https, or http that does not leave the machine */
};

/* Fills in *out; memory is the request's. */
void place_find(const struct app *, const struct http_req *, struct place *out);
/*
 * Was the request sent by a page of that place?  The browser says so, by
 * Sec-Fetch-Site and Origin; what says neither is refused, as is another site,
 * with ERR_DENIED.
 */
int place_check_source(
    const struct http_req *, const struct place *, struct err *e);

/* May a browser be led to ${path} after signing in?  Only an absolute path of
 * this site is one: no scheme, host, backslash, control, space or escape. */
bool place_path_ok(const char *path);

#endif
