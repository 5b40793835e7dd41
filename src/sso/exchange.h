/* What is asked of a provider in the course of a sign-in: tokens for a code,
 * and what else it says of the person. */
#ifndef SSO_EXCHANGE_H
#define SSO_EXCHANGE_H

#include <jansson.h>

#include "sso/sso.h"
#include "util/err.h"

struct exchange {
	const char *id_token, *access_token; /* below ctx; access may be NULL */
};

/* ERR_UNKNOWN: the provider refused the code; ERR_UPSTREAM: what it answered is
 * nothing. */
int exchange_code(struct sso *, const struct sso_connection *,
    const struct discovery *, const char *code, const char *verifier,
    const char *redirect_uri, int64_t deadline, const void *ctx,
    struct exchange *out, struct err *e);
/* The claims of the userinfo endpoint, of the same ${subject}; a new reference.
 */
int exchange_userinfo(struct sso *, const struct discovery *,
    const char *access_token, const char *subject, int64_t deadline,
    const void *ctx, json_t **ret, struct err *e);

/* name=value, encoded, behind & where something is there already. */
struct buf;
void exchange_pair(struct buf *, const char *name, const char *value);

#endif
