/* The master keys lie in memory no longer than a derivation. */
#include "auth/master.h"

#include "crypto/hash.h"
#include "secret/keyring.h"

#include "util/banned.h"

_Static_assert(MASTER_MOST == KEYRING_MOST, "as many as a file may hold");

int
master_derive_all(const char *file, const char *purpose,
    unsigned char out[MASTER_MOST][32], struct err *e)
{
	struct keyring *k;
	int n;

	if (keyring_read(file, &k, e) != 0)
		return -1;
	n = keyring_count(k);
	for (int i = 0; i < n; i++)
		keyring_derive(k, i, purpose, out[i]);
	keyring_free(k);
	return n;
}

int
master_derive(
    const char *file, const char *purpose, unsigned char out[32], struct err *e)
{
	struct keyring *k;

	if (keyring_read(file, &k, e) != 0)
		return -1;
	keyring_derive(k, 0, purpose, out);
	keyring_free(k);
	return 0;
}
