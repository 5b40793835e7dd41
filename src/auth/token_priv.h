/* What our kinds of token have in common; inside auth. */
#ifndef AUTH_TOKEN_PRIV_H
#define AUTH_TOKEN_PRIV_H

#include <jansson.h>
#include <stdint.h>

#include "util/err.h"
#include "util/id.h"

struct tokens;

/* Sign ${claims}, to which iss, iat and exp are added: a token of ${typ} that
 * ends in ${seconds}, below ctx.  ERR_UNAVAILABLE without a signing key. */
int tokens_sign(struct tokens *, const char *typ, int64_t seconds,
    json_t *claims, const void *ctx, char **ret, struct err *e);
/* The claims of a token of exactly ${typ} that one of our keys has signed, a
 * new reference; ${aud} as in crypto/jwt.h.  ERR_UNKNOWN. */
int tokens_verify(struct tokens *, const char *typ, const char *aud,
    const char *text, int64_t deadline, json_t **claims, struct err *e);
/* 0 with the id that the claim is, or -1. */
int token_id_claim(const json_t *claims, const char *name, struct uuid *out);

#endif
