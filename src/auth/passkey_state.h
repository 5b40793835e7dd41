/*
 * Between asking an authenticator and its answer: the challenge, in a cookie of
 * the browser that asked.  It is signed, good for minutes, and for what it was
 * made only.
 */
#ifndef AUTH_PASSKEY_STATE_H
#define AUTH_PASSKEY_STATE_H

#include "auth/webauthn.h"
#include "util/id.h"

#define PASSKEY_SECONDS 300

enum passkey_kind { PASSKEY_ADD = 'a', PASSKEY_USE = 'u' };

/* A new challenge, for ${user} (NULL: nobody yet), as text for a cookie. */
char *passkey_state_make(const void *ctx, enum passkey_kind,
    const struct uuid *user, unsigned char challenge[WEBAUTHN_CHALLENGE]);
/* 0 with the challenge; -1: ${text} (NULL: none) is not ours, for something
 * else, for somebody else, or too old. */
int passkey_state_read(const char *text, enum passkey_kind,
    const struct uuid *user, unsigned char challenge[WEBAUTHN_CHALLENGE]);

#endif
