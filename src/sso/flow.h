/*
 * Signing in by an account's provider: OpenID Connect's code flow with PKCE
 * (S256), state and nonce.
 *
 * A sign-in on its way is a cookie: random bytes, the account, the provider and
 * where to go afterwards, with a MAC.  state, nonce and the verifier derive
 * from it by keys of ours, so the cookie gives none of them away; that it was
 * used is written down, and it is good for ten minutes.
 */
#ifndef SSO_FLOW_H
#define SSO_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "sso/sso.h"
#include "util/err.h"
#include "util/id.h"

#define SSO_COOKIE_S 600
#define SSO_COOKIE_MAX 1024

struct audit_entry;

/* What a sign-in begins with. */
struct sso_way {
	const char *location; /* where the browser goes */
	const char *cookie;   /* what it keeps meanwhile */
	bool front;           /* neither: the web server in front knows */
};

/*
 * Begin a sign-in for ${account}.  ${redirect_uri}: our address that the
 * provider leads back to; ${then}: the path to go to afterwards.  0, or -1:
 * ERR_NOT_FOUND (the account has no single sign-on, or it is switched off),
 * else as providers_get().  Texts below ctx.
 */
int sso_begin(struct sso *, const struct uuid *account,
    const char *redirect_uri, const char *then, int64_t deadline,
    const void *ctx, struct sso_way *out, struct err *e);

/* What the browser brought back; NULL where there is none. */
struct sso_return {
	const char *cookie;
	const char *state, *code, *iss, *error;
	const char *redirect_uri; /* as it was in sso_begin() */
};

/* Who has come. */
struct sso_arrival {
	struct uuid account, user;
	uint64_t version; /* of her tokens */
	const char *then; /* the path to go to */
	const char *issuer, *subject;
	const char *sid, *id_token; /* NULL: none */
	bool proven;                /* the provider asked for a second factor */
	bool factor;                /* she has one here, to be asked for */
	const char *email;          /* of that person; NULL: she is new */
};

/*
 * End it: exchange the code, check what comes, find, link or make the person
 * and her membership, and write that down.  ${who}: address and request of the
 * record.  0, or -1: ERR_DENIED with why she does not come in, ERR_UNKNOWN when
 * something about the answer is not right, else as providers_get().
 */
int sso_end(struct sso *, const struct sso_return *,
    const struct audit_entry *who, int64_t deadline, const void *ctx,
    struct sso_arrival *out, struct err *e);

/*
 * While her second factor is asked for: what she arrived with, as a cookie, but
 * for the ID token; and back, 0 or -1 when it is none, too old, or of somebody
 * else than ${user}.
 */
char *sso_wait(struct sso *, const struct sso_arrival *, const void *ctx);
int sso_waited(struct sso *, const char *cookie, const struct uuid *user,
    const void *ctx, struct sso_arrival *out);

/* Keep for signing out that ${sign_in} came by it. */
int sso_keep(struct sso *, const struct sso_arrival *,
    const struct uuid *sign_in, int64_t deadline, struct err *e);

#endif
