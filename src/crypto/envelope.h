/*
 * Sealed bytes: AES-256-GCM under a key of its own for each message, derived
 * from the caller's key and 128 random bits, with a random nonce of 96 bits
 * beside.  So a key may seal any number of messages: that two ever share key
 * and nonce would take some 2^112 of them.
 */
#ifndef CRYPTO_ENVELOPE_H
#define CRYPTO_ENVELOPE_H

#include <stddef.h>

#define ENVELOPE_KEY 32
/* Format, salt, nonce, tag: what a sealed text is longer by. */
#define ENVELOPE_MORE (1 + 16 + 12 + 16)

/* Seal ${n} bytes into out[n + ENVELOPE_MORE].  ${aad} is bound, not stored:
 * opening wants the same.  Any thread. */
void envelope_seal(const unsigned char key[ENVELOPE_KEY], const void *aad,
    size_t aad_len, const void *plain, size_t n, unsigned char *out);
/* Open what envelope_seal() made into out[len - ENVELOPE_MORE].  0, or -1 with
 * ${out} wiped: another key, other ${aad}, a changed or shortened text. */
int envelope_open(const unsigned char key[ENVELOPE_KEY], const void *aad,
    size_t aad_len, const unsigned char *sealed, size_t len,
    unsigned char *out);

#endif
