/* libsodium's signatures. */
#include "crypto/sign.h"

#include <sodium.h>

#include "crypto/hash.h"
#include "crypto/must_priv.h"

#include "util/banned.h"

void
sign_public(const unsigned char seed[SIGN_SEED], unsigned char out[SIGN_PUBLIC])
{
	unsigned char secret[crypto_sign_SECRETKEYBYTES];

	crypto_must(crypto_setup(NULL) == 0);
	crypto_must(crypto_sign_seed_keypair(out, secret, seed) == 0);
	crypto_wipe(secret, sizeof(secret));
}

void
sign_make(const unsigned char seed[SIGN_SEED], const void *p, size_t n,
    unsigned char out[SIGN_SIZE])
{
	unsigned char secret[crypto_sign_SECRETKEYBYTES], own[SIGN_PUBLIC];

	crypto_must(crypto_setup(NULL) == 0);
	crypto_must(crypto_sign_seed_keypair(own, secret, seed) == 0);
	crypto_must(crypto_sign_detached(out, NULL, p, n, secret) == 0);
	crypto_wipe(secret, sizeof(secret));
}

bool
sign_ok(const unsigned char key[SIGN_PUBLIC], const void *p, size_t n,
    const unsigned char signature[SIGN_SIZE])
{
	crypto_must(crypto_setup(NULL) == 0);
	return crypto_sign_verify_detached(signature, p, n, key) == 0;
}
