/*
 * A person's second factor: an authenticator app's codes (auth/totp.h) and ten
 * recovery codes.  Each counts once.  For the admin workers: the pool is
 * sb_admin's.  Any thread.
 */
#ifndef AUTH_FACTOR_H
#define AUTH_FACTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "auth/totp.h"
#include "util/err.h"
#include "util/id.h"

struct audit_entry;
struct db_pool;
struct vault;

/* What an app is shown once. */
struct factor_new {
	char text[TOTP_SECRET_TEXT];
	char *uri, *qr_svg; /* below ctx */
};

/* Begin: a new secret for ${user}, known as ${label} in her app.  It counts
 * from factor_confirm() on.  ERR_CONFLICT: there is a confirmed one. */
int factor_begin(struct db_pool *, struct vault *, const struct uuid *user,
    const char *label, int64_t deadline, const void *ctx,
    struct factor_new *out, struct err *e);
/* The app has shown ${code}: from now on signing in needs one.  Fills in
 * ${recovery}, to be shown once.  ${sign_in}, which it came with, counts as
 * one with a second factor from its next access token on.  ERR_INVALID: the
 * code is wrong; ERR_NOT_FOUND: nothing was begun. */
int factor_confirm(struct db_pool *, struct vault *, const struct uuid *user,
    const struct uuid *sign_in, const char *code, const struct audit_entry *who,
    int64_t deadline, char recovery[RECOVERY_CODES][RECOVERY_TEXT],
    struct err *e);
/* Signing in needs one no longer, and no sign-in has shown one.  The caller has
 * checked who it is. */
int factor_end(struct db_pool *, const struct uuid *user,
    const struct audit_entry *who, int64_t deadline, struct err *e);

enum factor_answer {
	FACTOR_NONE, /* the person has none */
	FACTOR_RIGHT,
	FACTOR_WRONG,   /* wrong, or used before */
	FACTOR_MISSING, /* there is one, and ${code} is NULL */
};
/* Is ${code}, of the app or a recovery code, good?  Then it is used up. */
int factor_check(struct db_pool *, struct vault *, const struct uuid *user,
    const char *code, int64_t deadline, enum factor_answer *out, struct err *e);

#endif
