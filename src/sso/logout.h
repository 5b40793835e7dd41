/* The ends of sign-ins: told by the provider (OpenID Connect Back-Channel
 * Logout 1.0), or asked of it (RP-Initiated Logout 1.0). */
#ifndef SSO_LOGOUT_H
#define SSO_LOGOUT_H

#include <stdint.h>

#include "sso/sso.h"
#include "util/err.h"
#include "util/id.h"

struct audit_entry;

/*
 * A provider of ${account} says by ${token} that somebody signed out: her
 * sign-ins that came from there end, and all her access tokens.  ERR_UNKNOWN:
 * the token is not good, or was used before.
 */
int sso_told(struct sso *, const struct uuid *account, const char *token,
    const struct audit_entry *who, int64_t deadline, struct err *e);

/*
 * Where the browser of ${sign_in} goes to sign out at its provider too, and
 * from there to ${back} (one of our addresses): below ctx; *ret is NULL when
 * the sign-in came from no provider, or the provider has no such place.
 */
int sso_leave(struct sso *, const struct uuid *sign_in, const char *back,
    int64_t deadline, const void *ctx, const char **ret, struct err *e);

#endif
