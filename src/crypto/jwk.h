/*
 * Public keys of others, as they are published in a JSON Web Key Set (RFC 7517,
 * RFC 7518 section 6, RFC 8037).  A key that cannot check signatures here is
 * left out of its set: another use, another kind, symmetric or with its private
 * part in it, RSA below 2048 bits or with e below 65537, a point off its curve,
 * the moduli of CVE-2017-15361.  What a key may check is decided here, never by
 * a token.
 */
#ifndef CRYPTO_JWK_H
#define CRYPTO_JWK_H

#include <stdbool.h>
#include <stddef.h>

#include "util/err.h"

#define JWKS_KEYS_MAX 100
#define JWKS_KID_MAX 256

/* What signs; HS is not among them: whoever knows such a key can also sign. */
enum jws_alg {
	JWS_NONE,
	JWS_RS256,
	JWS_RS384,
	JWS_RS512,
	JWS_PS256,
	JWS_PS384,
	JWS_PS512,
	JWS_ES256,
	JWS_ES384,
	JWS_ES512,
	JWS_EDDSA, /* Ed25519 */
	JWS_ALGS
};
#define JWS_BIT(alg) (1U << (alg))
#define JWS_ALL ((1U << JWS_ALGS) - 2)

/* JWS_NONE for a name that is none of these, letter by letter. */
enum jws_alg jws_alg_parse(const char *name);
const char *jws_alg_name(enum jws_alg);

struct jwks;

/*
 * The usable keys of ${text}, maybe none.  ERR_UPSTREAM when it is no key set.
 * Never changed afterwards; any thread may use it.  jwks_free(NULL) does
 * nothing.
 */
int jwks_parse(const char *text, size_t n, struct jwks **ret, struct err *e);
void jwks_free(struct jwks *);
size_t jwks_count(const struct jwks *);

struct jwk;
/*
 * The key for a signature by ${alg}: the only one called ${kid}, or without a
 * kid (NULL) the only one there is for this algorithm.  NULL when there is none
 * or more than one; *known says whether any key of the set is called so.
 */
const struct jwk *jwks_find(
    const struct jwks *, const char *kid, enum jws_alg alg, bool *known);
/* Is ${sig} the key's signature by ${alg} over the ${n} bytes at ${p}? */
bool jwk_verify(const struct jwk *, enum jws_alg alg, const void *p, size_t n,
    const unsigned char *sig, size_t sig_len);

/* Is ${hash} the left half of the digest of ${of} by the algorithm's hash
 * function (at_hash, OpenID Connect Core 3.1.3.6)? */
bool jws_half_hash(enum jws_alg alg, const char *of, const char *hash);

#endif
