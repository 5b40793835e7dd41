/*
 * Tokens that others signed (RFC 7515, with the advice of RFC 8725): a key of
 * theirs that we fetched checks them, by an algorithm that the key may check.
 * Members of the header that name or hold a key (jwk, jku, x5u, x5c) are not
 * looked at; crit is refused.
 */
#ifndef CRYPTO_JWS_H
#define CRYPTO_JWS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/jwk.h"

#define JWS_TOKEN_MAX ((size_t)16 * 1024) /* characters */

enum jws_answer {
	JWS_GOOD,
	JWS_BAD,
	JWS_UNKNOWN_KEY, /* no key of the set has its kid: a newer one may */
};

/* The payload of a token. */
struct jws {
	unsigned char *payload; /* below ctx */
	size_t len;
	enum jws_alg alg;
};

/*
 * Check form, header and signature.  ${algs}: those that count here.  ${typ}:
 * what the header must say ("logout+jwt", in any letters, with or without
 * "application/"); NULL: JWT or nothing.  Any thread.
 */
enum jws_answer jws_verify(const void *ctx, const struct jwks *,
    const char *token, unsigned algs, const char *typ, struct jws *out);
/* The same with its payload as claims: *claims is a new reference when all is
 * well.  A name said twice is refused. */
enum jws_answer jws_verify_claims(const struct jwks *, const char *token,
    unsigned algs, const char *typ, json_t **claims, enum jws_alg *alg);

/* Claims, as jwt_verify() takes them: texts that are the same to the letter,
 * aud as text or list, exp (needed), nbf and iat with a leeway of 60 s. */
bool jws_says(const json_t *claims, const char *name, const char *value);
bool jws_audience(const json_t *claims, const char *aud);
bool jws_times(const json_t *claims, int64_t now);
#endif
