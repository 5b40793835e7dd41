/* What our own tokens and foreign ones have in common: the three parts of a
 * compact JWS (RFC 7515 section 7.1) and the claims of RFC 7519. */
#ifndef CRYPTO_JOSE_PRIV_H
#define CRYPTO_JOSE_PRIV_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where the parts of a token are, as base64url. */
struct jose_parts {
	const char *head, *body, *sig;
	size_t head_len, body_len, sig_len;
	size_t signed_len; /* from head on: what the signature is over */
};

/* Three parts with nothing but base64url in them; the first and the last are
 * not empty.  0 or -1. */
int jose_split(const char *token, size_t max, struct jose_parts *out);
/* The JSON object that ${text} encodes, a new reference; NULL when it is none,
 * or says a name twice. */
json_t *jose_object(const char *text, size_t len, unsigned nodes);
/* Is the member a text, and just ${value}? */
bool jose_says(const json_t *object, const char *name, const char *value);
/* aud: a text, or a list of texts that holds ${aud}. */
bool jose_audience(const json_t *claims, const char *aud);
/* A NumericDate in a range in which doubles have whole seconds.  True without
 * one unless it is ${needed}; *out is left alone then. */
bool jose_time(
    const json_t *claims, const char *name, bool needed, double *out);
/* exp (needed), nbf and iat with JWT_LEEWAY. */
bool jose_times(const json_t *claims, int64_t now);

#endif
