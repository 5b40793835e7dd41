/* libsodium's guarded heap. */
#include "crypto/locked.h"

#include <sodium.h>
#include <string.h>

#include "crypto/hash.h"
#include "crypto/must_priv.h"

#include "util/banned.h"

void *
crypto_locked(size_t n)
{
	void *p;

	crypto_must(crypto_setup(NULL) == 0);
	p = sodium_malloc(n);
	crypto_must(p != NULL);
	memset(p, 0, n);
	return p;
}

void
crypto_locked_free(void *p)
{
	sodium_free(p);
}
