/*
 * Passkeys: a person's public keys, by which she signs in without a password.
 * An authenticator that has verified who it is counts as password and second
 * factor.  For the admin workers: the pool is sb_admin's.  Any thread.
 */
#ifndef AUTH_PASSKEY_H
#define AUTH_PASSKEY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "auth/token.h"
#include "auth/webauthn.h"
#include "util/err.h"
#include "util/id.h"

struct audit_entry;
struct db_pool;
struct sign_in_from;

#define PASSKEYS_MOST 20 /* of a person */

/*
 * Begin to add one: ${asked} has origin and rp_id and gets its challenge;
 * *state is for a cookie (auth/passkey_state.h), *options, a new reference, for
 * the browser.  The caller has checked who it is.  ${factor}: her sign-in has
 * shown a second factor; ERR_DENIED where she has one and it has not.
 */
int passkey_add_begin(struct db_pool *, const struct uuid *user, bool factor,
    struct webauthn_asked *asked, int64_t deadline, const void *ctx,
    char **state, json_t **options, struct err *e);
/*
 * Keep the one that was made, of the name ${name}, and show it: a new
 * reference.  ${sign_in}, which it came with, counts as one with a second
 * factor from its next access token on.  ERR_INVALID: what is wrong with
 * ${response} (schema passkey_attestation); ERR_CONFLICT: it is somebody's
 * already, one too many, or the challenge was answered before.
 */
int passkey_add(struct db_pool *, const struct uuid *user,
    const struct uuid *sign_in, const struct webauthn_asked *, const char *name,
    const json_t *response, const struct audit_entry *who, int64_t deadline,
    json_t **ret, struct err *e);
/* Hers, the oldest first, as an array: a new reference. */
int passkey_list(struct db_pool *, const struct uuid *user, int64_t deadline,
    json_t **ret, struct err *e);
/* Remove one.  With the last of her second factors no sign-in of hers has shown
 * one, and her access tokens end.  ERR_NOT_FOUND. */
int passkey_end(struct db_pool *, const struct uuid *user,
    const struct uuid *id, const struct audit_entry *who, int64_t deadline,
    struct err *e);

/* Begin to sign in; says nothing about anybody. */
char *passkey_use_begin(
    const void *ctx, struct webauthn_asked *asked, json_t **options);
/*
 * Who it is, by ${response} (schema passkey_assertion): 0 with *t, which says
 * that a second factor was shown.  ERR_UNKNOWN with one text for whatever is
 * wrong with it, also for a throttled attempt; kind "sso-required" when she
 * must come by her organisation's provider.  ${first}: whose password, or whose
 * provider's word, was shown before (else NULL): then only she is let in, and
 * it is her second factor, however she came.
 */
int passkey_prove(struct db_pool *, const struct webauthn_asked *,
    const struct token *first, const json_t *response,
    const struct sign_in_from *, int64_t deadline, struct token *t,
    struct err *e);

#endif
