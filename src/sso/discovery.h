/* What an identity provider says of itself (OpenID Connect Discovery 1.0). */
#ifndef SSO_DISCOVERY_H
#define SSO_DISCOVERY_H

#include <stdbool.h>
#include <stddef.h>

#include "sso/fetch.h"
#include "util/err.h"

#define ISSUER_MAX 500

/* Texts belong to the struct's context; NULL: not there. */
struct discovery {
	const char *issuer, *authorization_endpoint, *token_endpoint, *jwks_uri;
	const char *userinfo_endpoint, *end_session_endpoint;
	unsigned algs;        /* of ID tokens, as crypto/jwk.h has them */
	bool says_iss;        /* each answer names its issuer (RFC 9207) */
	bool basic, post;     /* how a client may show its secret */
	bool s256;            /* PKCE by SHA-256, as far as it says */
	bool backchannel;     /* tells us of sign-outs */
	bool backchannel_sid; /* naming the session */
};

/* May ${issuer} be one?  ERR_INVALID with what is wrong. */
int discovery_issuer_ok(
    const struct fetcher *, const char *issuer, struct err *e);
/* Where its document is, below ctx. */
char *discovery_url(const void *ctx, const char *issuer);
/*
 * Read the document of ${issuer}: it must name that issuer, letter by letter.
 * Texts below ctx.  0, or -1 with ERR_UPSTREAM and what is wrong.
 */
int discovery_parse(const struct fetcher *, const void *ctx, const char *issuer,
    const char *text, size_t n, struct discovery *out, struct err *e);

#endif
