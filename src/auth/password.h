/*
 * What may be a password (NIST SP 800-63B-4, section 3.1.1): long enough, kept
 * as it is typed, and not what anybody would guess.  No rules of composition,
 * no expiry, nothing cut off.
 *
 * Guesses are recognised by their making, not by a list of leaked passwords: a
 * password is cut into as few pieces as possible, where a common word in any
 * decoration, a row of neighbouring characters or keys, a repetition and a year
 * count as one piece each.  Words of the person, the account and the product
 * may not stand in it at all.
 */
#ifndef AUTH_PASSWORD_H
#define AUTH_PASSWORD_H

#include <stdbool.h>
#include <stddef.h>

#include "util/err.h"

#define PASSWORD_MIN 15         /* characters, where it is all there is */
#define PASSWORD_MIN_SECOND 8   /* with a second factor */
#define PASSWORD_BYTES_MAX 1024 /* of the normal form */
/* Pieces a password has at the least (see above). */
#define PASSWORD_PIECES_MIN 6

/* What the one who chooses is known by; each may be NULL. */
struct password_owner {
	const char *email;
	const char *name;    /* of the person, as they spelt it */
	const char *account; /* its slug */
	bool second_factor;  /* one is in use */
};

/*
 * What is hashed and compared: ${p} in Unicode's normalisation form C, talloc'd
 * below ctx, to be wiped by its owner.  0, or -1 with ERR_INVALID: empty, a NUL
 * in it, not UTF-8, more than PASSWORD_BYTES_MAX.  Any thread.
 */
int password_prepare(
    const void *ctx, const char *p, size_t n, char **ret, struct err *e);

/*
 * May ${p} become somebody's password?  As password_prepare, and the rules; the
 * text of e says which one is broken and never a part of the password.
 */
int password_choose(const void *ctx, const char *p, size_t n,
    const struct password_owner *, char **ret, struct err *e);

#endif
