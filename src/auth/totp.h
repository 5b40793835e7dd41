/*
 * The second factor on paper and on telephones: codes that follow from the time
 * (RFC 6238: SHA-1, 6 digits, 30 s, one step of tolerance on each side, as all
 * authenticator apps have it), and recovery codes for the day the telephone is
 * gone.
 */
#ifndef AUTH_TOTP_H
#define AUTH_TOTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/err.h"
#include "util/id.h"

#define TOTP_SECRET 20      /* bytes; to be kept encrypted */
#define TOTP_SECRET_TEXT 33 /* base32, with its NUL */
#define TOTP_STEP 30

/* Before threads: initialises liboath.  0 or -1. */
int totp_setup(struct err *e);

void totp_secret_new(unsigned char secret[TOTP_SECRET]);
/* As people type it into an app that cannot see. */
void totp_secret_text(
    const unsigned char secret[TOTP_SECRET], char out[TOTP_SECRET_TEXT]);

/*
 * Is ${code}, which may have spaces in it, the one of ${now_s} (seconds since
 * 1970), and of a step after ${last}?  Then true and the step in *step.
 *
 * A code counts once: the caller keeps *step with the secret, raising it only
 * where it is still below (one UPDATE that names both), and takes the code as
 * wrong when it was not.  0 is before the first.  Any thread.
 */
bool totp_check(const unsigned char *secret, size_t n, const char *code,
    int64_t now_s, uint64_t last, uint64_t *step);

/* "otpauth://totp/ISSUER:LABEL?secret=...", talloc'd below ctx; NULL: issuer
 * and label are more than 1 KiB. */
char *totp_uri(const void *ctx, const char *issuer, const char *label,
    const unsigned char secret[TOTP_SECRET]);

/*
 * ${text} as a QR code: an SVG document with one path, black on white, its
 * quiet zone included; talloc'd below ctx.  0, or -1: too long (2,000 bytes),
 * or empty.
 */
int totp_qr_svg(const void *ctx, const char *text, char **svg, struct err *e);

/* Recovery codes: 80 random bits, "abcd-efgh-ijkl-mnop". */
#define RECOVERY_CODES 10
#define RECOVERY_TEXT 20
#define RECOVERY_HASH 32

/* A new code of ${user}: to be shown once, and its hash to be kept. */
void recovery_new(const struct uuid *user, char text[RECOVERY_TEXT],
    unsigned char hash[RECOVERY_HASH]);
/*
 * The hash of what ${user} typed: case, spaces and dashes make no difference.
 * False: it cannot be a code.  Whoever removes the hash's row has used the
 * code: it is one DELETE, so that a code counts once.
 */
bool recovery_hash(const struct uuid *user, const char *typed,
    unsigned char hash[RECOVERY_HASH]);

#endif
