/* Ending sign-ins, for routes and pages. */
#ifndef API_SIGN_OUT_H
#define API_SIGN_OUT_H

#include <stdint.h>

#include "util/err.h"

struct app;
struct http_req;
struct uuid;

/*
 * End the sign-in ${id} of ${user}, or (NULL) all of hers, by herself and from
 * where the request comes; how many were there in *n (may be NULL).  0 or -1
 * as sign_in_end().
 */
int sign_out(struct app *, const struct http_req *, const struct uuid *user,
    const struct uuid *id, const char *reason, int64_t *n, struct err *e);

#endif
