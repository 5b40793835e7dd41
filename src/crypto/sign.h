/* Ed25519 (RFC 8032): a seed makes both keys. */
#ifndef CRYPTO_SIGN_H
#define CRYPTO_SIGN_H

#include <stdbool.h>
#include <stddef.h>

#define SIGN_SEED 32
#define SIGN_PUBLIC 32
#define SIGN_SIZE 64

void sign_public(
    const unsigned char seed[SIGN_SEED], unsigned char out[SIGN_PUBLIC]);
void sign_make(const unsigned char seed[SIGN_SEED], const void *p, size_t n,
    unsigned char out[SIGN_SIZE]);
bool sign_ok(const unsigned char key[SIGN_PUBLIC], const void *p, size_t n,
    const unsigned char signature[SIGN_SIZE]);

#endif
