/* What ID tokens and logout tokens must say (OpenID Connect Core 3.1.3.7,
 * Back-Channel Logout 2.6).  Their signatures have been checked before. */
#ifndef SSO_CLAIMS_H
#define SSO_CLAIMS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "crypto/jwk.h"
#include "util/err.h"

#define SUBJECT_MAX 255

struct claims_wanted {
	const char *issuer, *client_id;
	const char *nonce;        /* of an ID token */
	const char *access_token; /* for at_hash; NULL: none was given */
	enum jws_alg alg;         /* of the signature */
	int64_t now;              /* seconds since 1970 */
};

/* 0, or -1 with ERR_UNKNOWN naming the claim that is wrong. */
int claims_id_token(
    const struct claims_wanted *, const json_t *claims, struct err *e);
int claims_logout_token(
    const struct claims_wanted *, const json_t *claims, struct err *e);

/* sub, which either holds where there is one: 1 to 255 visible ASCII
 * characters; NULL without a good one. */
const char *claims_subject(const json_t *claims);
/*
 * The member that ${path} names: one of just that name, else member of member
 * ("realm_access.roles"); borrowed, NULL when there is none.
 */
const json_t *claims_at(const json_t *claims, const char *path);
/* Does the claim say ${value}: as text, number, true, or in a list? */
bool claims_say(const json_t *claim, const char *value);

#endif
