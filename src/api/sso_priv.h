/* What the addresses of single sign-on share. */
#ifndef API_SSO_PRIV_H
#define API_SSO_PRIV_H

#include <stdint.h>

#include "http/request.h"
#include "util/clock.h"
#include "util/err.h"
#include "util/id.h"

struct app;

/* The path's {account}: ERR_NOT_FOUND with one text whether there is none or it
 * is suspended. */
int sso_account(
    struct app *, struct http_req *, struct uuid *out, struct err *);

/* Providers are asked meanwhile, two times or three. */
static inline int64_t
sso_deadline(const struct http_req *req)
{
	return req->started + 20 * CLOCK_S;
}

#endif
