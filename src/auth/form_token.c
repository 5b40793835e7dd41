/* 16 random bytes and the MAC of them and of what the token is bound to. */
#include "auth/form_token.h"

#include <stdint.h>
#include <string.h>

#include "auth/master.h"
#include "crypto/hash.h"
#include "secret/purpose.h"
#include "util/id.h"
#include "util/str.h"

#include "util/banned.h"

#define RANDOM_SIZE 16
#define MAC_SIZE 32
#define RAW (RANDOM_SIZE + MAC_SIZE)
#define ENCODED 64 /* base64url of RAW */

_Static_assert(ENCODED + 1 == FORM_TOKEN_TEXT, "the text and its NUL");

static unsigned char keys[MASTER_MOST][32];
static int nkeys;

int
form_token_setup(const char *master_key_file, struct err *e)
{
	int n = master_derive_all(master_key_file, PURPOSE_FORM, keys, e);

	nkeys = n > 0 ? n : 0;
	return n > 0 ? 0 : -1;
}

static void
mac(const unsigned char key[32], const unsigned char *random, const void *bound,
    size_t n, unsigned char out[MAC_SIZE])
{
	unsigned char msg[RANDOM_SIZE + FORM_TOKEN_BOUND];

	if (n > FORM_TOKEN_BOUND)
		n = FORM_TOKEN_BOUND;
	memcpy(msg, random, RANDOM_SIZE);
	memcpy(msg + RANDOM_SIZE, bound, n);
	crypto_hmac_sha256(key, 32, msg, RANDOM_SIZE + n, out);
}

void
form_token_make(const void *bound, size_t n, char out[FORM_TOKEN_TEXT])
{
	unsigned char raw[RAW];

	id_random(raw, RANDOM_SIZE);
	mac(keys[0], raw, bound, n, raw + RANDOM_SIZE);
	str_b64url(raw, sizeof(raw), out);
}

bool
form_token_check(const char *text, const void *bound, size_t n)
{
	unsigned char raw[RAW], want[MAC_SIZE];
	bool good = false;

	if (text == NULL || n > FORM_TOKEN_BOUND ||
	    strnlen(text, FORM_TOKEN_TEXT) != ENCODED ||
	    str_b64url_decode(text, ENCODED, raw, RAW) != RAW)
		return false;
	for (int i = 0; i < nkeys; i++) {
		mac(keys[i], raw, bound, n, want);
		good |= str_eq_const(raw + RANDOM_SIZE, want, MAC_SIZE);
	}
	return good;
}
