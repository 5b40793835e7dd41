/*
 * Signing in with a password, staying signed in with refresh tokens that change
 * at each use (RFC 9700 section 4.14.2), and signing out.  One sign-in is one
 * device's.  For the admin workers: the pool is sb_admin's.
 */
#ifndef AUTH_SIGN_IN_H
#define AUTH_SIGN_IN_H

#include <jansson.h>
#include <stdint.h>

#include "auth/token.h"
#include "util/err.h"
#include "util/id.h"

struct challenge;
struct audit_entry;
struct db_pool;
struct vault;

/* What signs in: where from and with what program. */
struct sign_in_from {
	const char *address, *user_agent; /* user_agent may be NULL */
	const char *client; /* what of the address counts as one client */
	const char *request_id;
};

/* What is given for a password or a refresh token. */
struct sign_in {
	struct token token; /* for token_make() */
	char refresh[REFRESH_TEXT];
};

/*
 * 0 with *out; ERR_UNKNOWN with one text whether the person is unknown,
 * disabled, the password wrong or the attempt throttled, and in about the same
 * time but for the last; kind "second-factor" when the password is right and
 * ${code} (NULL: none) is needed and was not shown; "sso-required" when it is
 * right and she must come by her organisation's provider.  A wrong code is a
 * wrong password.  ERR_LIMIT when too many sign in at once.
 * ${refresh_s}: how long the sign-in lasts without being used.  Any thread.
 */
int sign_in_password(struct db_pool *, struct vault *, const char *email,
    const char *password, const char *code, const struct sign_in_from *,
    int64_t refresh_s, int64_t deadline, struct sign_in *out, struct err *e);
/*
 * The next refresh token and what a new access token says.  ERR_UNKNOWN when
 * ${text} is not good; one that had been used ends its sign-in, and all access
 * tokens of the person, at once.
 */
int sign_in_refresh(struct db_pool *, const char *text,
    const struct sign_in_from *, int64_t refresh_s, int64_t deadline,
    struct sign_in *out, struct err *e);
/*
 * The same in two steps, for pages that ask for the code on one of their own.
 * 0 with *t: the password is right; *factor: but the code is wanted, too, and
 * *t is worth nothing without it.  Errors as above.
 */
int sign_in_first(struct db_pool *, struct vault *, const char *email,
    const char *password, const struct sign_in_from *, int64_t deadline,
    struct token *t, bool *factor, struct err *e);
/* 0: it was the code, and the challenge's token says so.  ERR_UNKNOWN: it was
 * not; ${e}'s kind "second-factor" while another may be tried.  A challenge
 * takes CHALLENGE_TRIES. */
int sign_in_second(struct db_pool *, struct vault *, struct challenge *,
    const char *code, const struct sign_in_from *, int64_t deadline,
    struct err *e);
/* May she come in by what is her own, a password or a passkey?  ERR_UNKNOWN,
 * kind "sso-required": only by her organisation's provider. */
int sign_in_own(struct db_pool *, const struct uuid *user, int64_t deadline,
    const void *ctx, struct err *e);
/*
 * Begin a sign-in of ${t}'s person, who has proven to be her, with a secret of
 * which ${hash} is stored; fills in t->sign_in and writes it down in the audit
 * log.  ERR_UNKNOWN: she was disabled, or t->version is none any more.
 */
int sign_in_record(struct db_pool *, struct token *t, const unsigned char *hash,
    const struct sign_in_from *, int64_t refresh_s, int64_t deadline,
    const void *ctx, struct err *e);
/* End the sign-in of this refresh token; what is no good token ends nothing. */
int sign_in_end_refresh(struct db_pool *, const char *text,
    const struct sign_in_from *, int64_t deadline, struct err *e);
/*
 * End one sign-in of ${user}, or all (${id} NULL); how many were there in *n
 * (may be NULL).  Her access tokens end with it.  ${who} is for the record: who
 * does it, and from where; one sign-in that was over before leaves none.
 */
int sign_in_end(struct db_pool *, const struct uuid *user,
    const struct uuid *id, const char *reason, const struct audit_entry *who,
    int64_t deadline, int64_t *n, struct err *e);
/*
 * Is it ${user} who asks, and not somebody at her desk?  By ${password} (NULL:
 * none was shown); who has none, since she comes by her organisation's
 * provider, shows it by her sign-in ${sign_in} of the last ten minutes.
 * ERR_DENIED: no; ERR_INVALID: her password has to be shown, or cannot be one.
 */
int sign_in_prove(struct db_pool *, const struct uuid *user,
    const struct uuid *sign_in, const char *password, int64_t deadline,
    struct err *e);
/* A new password, after the old one; ends every sign-in.  ERR_DENIED when the
 * old one is wrong, ERR_INVALID when the new one may be none. */
int sign_in_change_password(struct db_pool *, const struct uuid *user,
    const char *old, const char *new, const struct sign_in_from *,
    int64_t deadline, struct err *e);

/* What a person may see of herself; new reference. */
int person_show(struct db_pool *, const struct uuid *user, int64_t deadline,
    json_t **ret, struct err *e);
/* Where she is signed in, the latest first, as a page. */
int person_sign_ins(struct db_pool *, const struct uuid *user,
    const struct uuid *current, const struct uuid *after, int limit,
    int64_t deadline, json_t **ret, struct err *e);

#endif
