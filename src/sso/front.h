/*
 * Sign-on by the web server in front: a module of it (OpenID Connect, SAML, a
 * request to a service of its own) proves who somebody is, and it says so in
 * FastCGI parameters that it sets itself, with a secret that only it and we
 * know.  Which parameters: api/pages/front.c.
 */
#ifndef SSO_FRONT_H
#define SSO_FRONT_H

#include <stdbool.h>
#include <stdint.h>

#include "sso/flow.h"
#include "util/err.h"

struct audit_entry;

/* What the web server says; NULL: nothing. */
struct sso_front {
	const char *issuer, *subject; /* who it is, and who says so */
	const char *email, *name;
	const char *verified; /* "true", "1", "false", "0": is email proven? */
	const char *groups;   /* with commas between */
};

/* The hash of the secret in ${file}; *has is false where ${file} is "".  0, or
 * -1: ERR_INVALID, with the parameter's name. */
int front_read(
    const char *file, bool *has, unsigned char hash[32], struct err *e);
/* Is it one that front_read() takes? */
int front_check(const char *file, struct err *e);

/* May the web server say who somebody is at all? */
bool sso_has_front(const struct sso *);
/* Is ${secret} (NULL: none) the web server's?  In time that says nothing. */
bool sso_front_trusted(const struct sso *, const char *secret);
/*
 * Find, link or make the person whom a trusted web server means, by the
 * account's settings, and write that down.  out->then, sid and id_token stay
 * NULL.  0, or -1: ERR_NOT_FOUND (the account has no such sign-on, or it is
 * switched off), ERR_DENIED with why she does not come in.  Texts below ctx.
 */
int sso_front_arrive(struct sso *, const struct uuid *account,
    const struct sso_front *, const struct audit_entry *who, int64_t deadline,
    const void *ctx, struct sso_arrival *out, struct err *e);

#endif
