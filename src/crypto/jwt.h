/*
 * JSON Web Tokens signed with keys of our own, HS256 only (RFC 7515, RFC 7519,
 * with the advice of RFC 8725).  The algorithm, the type, the issuer and the
 * audience are what the policy says, never what the token says; a header member
 * that is not one of alg, typ and kid is refused.
 */
#ifndef CRYPTO_JWT_H
#define CRYPTO_JWT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "util/err.h"

/* A key, with zeros behind a shorter one: so HMAC fills it up (RFC 2104). */
#define JWT_KEY 64
#define JWT_KID_MAX 64
#define JWT_MAX 4096  /* characters of a token that is looked at */
#define JWT_LEEWAY 60 /* seconds that clocks may differ by */

struct jwt_policy {
	/* Made by a stranger's library with a key of ours: typ may be JWT or
	 * absent, so may kid (then ""), and typ and iss here are not used. */
	bool foreign;
	const char *typ, *iss;
	const char *aud; /* NULL: the caller looks at the claim itself */
	int64_t now;     /* seconds since 1970 */
	/* The key of ${kid}, out of our own table; false: there is none. */
	bool (*key)(void *arg, const char *kid, unsigned char out[JWT_KEY]);
	void *arg;
};

/* A token of ${claims}, signed; talloc'd below ${ctx}. */
char *jwt_sign(const void *ctx, const char *typ, const char *kid,
    const unsigned char key[JWT_KEY], const json_t *claims);

/*
 * Its claims, a new reference, when all of it holds: form, header, signature
 * (compared in constant time, before anything in the payload is looked at),
 * iss, aud, and exp (needed), nbf and iat with a leeway of 60 s, as numbers.
 * 0, or -1 with ERR_UNKNOWN; the text says the same for every reason.  Any
 * thread.
 */
int jwt_verify(const struct jwt_policy *, const char *token, json_t **claims,
    struct err *e);

/* Its form and header alone, before there is a key: 0 with the kid it names, or
 * -1 as above. */
int jwt_head(const struct jwt_policy *, const char *token,
    char kid[JWT_KID_MAX + 1], struct err *e);
/* Does the token call itself a ${typ}?  Says nothing of whether it is one: for
 * choosing the policy it has to pass. */
bool jwt_typ(const char *token, const char *typ);

#endif
