/* Base32 (RFC 4648, section 6), for secrets and recovery codes. */
#ifndef AUTH_TOTP_PRIV_H
#define AUTH_TOTP_PRIV_H

#include <stddef.h>

#define BASE32_UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
#define BASE32_LOWER "abcdefghijklmnopqrstuvwxyz234567"

/* ${n} bytes, a multiple of 5; out has n / 5 * 8 + 1 places. */
void base32(const unsigned char *p, size_t n, const char *alphabet, char *out);

#endif
