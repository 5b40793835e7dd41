/*
 * Session keys made by the server: "s_" and base64url of the session's id and
 * a MAC over account, id and its owner (key_owner(): the widget key it was made
 * for, the visitor named under it, or nil: no such), so
 * that a key proves itself without a query.  ROBUSTNESS: capabilities.
 */
#ifndef AUTH_SESSION_KEY_H
#define AUTH_SESSION_KEY_H

#include <stdbool.h>

#include "util/err.h"
#include "util/id.h"

#define SESSION_KEY_TEXT 64

/* Derive the signing key from the master key file.  Before threads.  0 or -1
 * (file missing, readable by others, fewer than 32 bytes).  A master key that
 * is exchanged later is noticed: keys that the new one made are good as soon as
 * somebody shows one, those of the old one as long as it stands in the file. */
int session_key_setup(const char *master_key_file, struct err *e);
void session_key_make(const struct uuid *account, const struct uuid *session,
    const struct uuid *owner, char out[SESSION_KEY_TEXT]);
/* Is ${text} a key we made for exactly (account, owner)?  Its session. */
bool session_key_check(const char *text, const struct uuid *account,
    const struct uuid *owner, struct uuid *session);
/* The session id inside a text of that form, unproven. */
bool session_key_peek(const char *text, struct uuid *session);
/* May a caller name a session so?  1-128 of A-Za-z0-9._:- */
bool session_name_ok(const char *text);

#endif
