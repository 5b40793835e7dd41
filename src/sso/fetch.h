/*
 * Asking an identity provider: an address that an account set, so every call
 * passes the guard (net/egress.h): pinned, no redirects, no proxy, at most 1
 * MiB and ten seconds.
 */
#ifndef SSO_FETCH_H
#define SSO_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/err.h"

struct net;
struct egress;

struct fetcher {
	struct net *net;
	const struct egress *egress;
};

/* An answer; body and its NUL below the caller's ctx. */
struct fetched {
	int status;
	const char *body;
	size_t len;
	char content_type[96], etag[128];
	int max_age; /* seconds, -1: not said */
};

/*
 * May ${url} be an address of a provider: https, or http where the host is an
 * address of egress_allow; no fragment, no user, no "." or ".." or empty part
 * in its path?  ${query}: may it have one?  Nothing is looked up.  0, or -1
 * with ERR_INVALID and what is wrong.
 */
int fetch_url_ok(
    const struct fetcher *, const char *url, bool query, struct err *e);

/*
 * GET ${url}; with ${form} (already encoded) POST it.  ${headers} as in
 * net_call.  0 with any status, or -1: ERR_UPSTREAM, ERR_TIMEOUT, naming the
 * host.  Any thread.
 */
int fetch(const struct fetcher *, const void *ctx, const char *url,
    const char *const *headers, const char *form, int64_t deadline,
    struct fetched *out, struct err *e);

#endif
