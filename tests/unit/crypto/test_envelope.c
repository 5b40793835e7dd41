/* Sealed bytes: what opens, what does not; signatures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/envelope.h"
#include "crypto/hash.h"
#include "crypto/locked.h"
#include "crypto/sign.h"
#include "util/id.h"

#include "util/banned.h"

#define MANY 1000000
#define RANDOM 28 /* salt and nonce */

static const unsigned char key[ENVELOPE_KEY] =
    "0123456789abcdef0123456789abcde";
static const char aad[] = "whose, which, what for";

static void
test_round(void **state)
{
	unsigned char plain[300], sealed[300 + ENVELOPE_MORE], out[300];

	(void)state;
	id_random(plain, sizeof(plain));
	for (size_t n = 0; n <= sizeof(plain); n += n < 40 ? 1 : 37) {
		envelope_seal(key, aad, sizeof(aad), plain, n, sealed);
		memset(out, 0, sizeof(out));
		assert_int_equal(envelope_open(key, aad, sizeof(aad), sealed,
				     n + ENVELOPE_MORE, out),
		    0);
		assert_memory_equal(out, plain, n);
		/* no run of the text shows */
		for (size_t i = 0; n >= 16 && i + 16 <= n + ENVELOPE_MORE; i++)
			assert_true(memcmp(sealed + i, plain, 16) != 0);
	}
}

/* Each bit of what was sealed, of the key and of what is bound counts; so does
 * the length. */
static void
test_refused(void **state)
{
	static const char plain[] = "a secret of some length";
	unsigned char sealed[sizeof(plain) + ENVELOPE_MORE + 1],
	    out[sizeof(plain) + 1], bent_key[ENVELOPE_KEY], zero[8] = { 0 };
	size_t len = sizeof(plain) + ENVELOPE_MORE;
	char bent_aad[sizeof(aad)];

	(void)state;
	envelope_seal(key, aad, sizeof(aad), plain, sizeof(plain), sealed);
	for (size_t i = 0; i < 8 * len; i++) {
		sealed[i / 8] ^= (unsigned char)(1 << i % 8);
		assert_int_equal(
		    envelope_open(key, aad, sizeof(aad), sealed, len, out), -1);
		if (i / 8 > 0)
			assert_memory_equal(out, zero, sizeof(zero));
		sealed[i / 8] ^= (unsigned char)(1 << i % 8);
	}
	for (size_t i = 0; i < 8 * sizeof(aad); i++) {
		memcpy(bent_aad, aad, sizeof(aad));
		bent_aad[i / 8] ^= (char)(1 << i % 8);
		assert_int_equal(
		    envelope_open(key, bent_aad, sizeof(aad), sealed, len, out),
		    -1);
	}
	for (size_t i = 0; i < 8 * sizeof(key); i++) {
		memcpy(bent_key, key, sizeof(key));
		bent_key[i / 8] ^= (unsigned char)(1 << i % 8);
		assert_int_equal(
		    envelope_open(bent_key, aad, sizeof(aad), sealed, len, out),
		    -1);
	}
	for (size_t n = 0; n < len; n++)
		assert_int_equal(
		    envelope_open(key, aad, sizeof(aad), sealed, n, out), -1);
	sealed[len] = 0;
	assert_int_equal(
	    envelope_open(key, aad, sizeof(aad), sealed, len + 1, out), -1);
	assert_int_equal(
	    envelope_open(key, aad, sizeof(aad) - 1, sealed, len, out), -1);
	assert_int_equal(envelope_open(key, NULL, 0, sealed, len, out), -1);
	assert_int_equal(
	    envelope_open(key, aad, sizeof(aad), sealed, len, out), 0);
}

static int
compare(const void *a, const void *b)
{
	return memcmp(a, b, RANDOM);
}

/* F4: of a million messages no two share salt and nonce; nor, though only both
 * together must not, any nonce. */
static void
test_unique(void **state)
{
	unsigned char *seen = malloc((size_t)MANY * RANDOM),
		      sealed[ENVELOPE_MORE];

	(void)state;
	assert_non_null(seen);
	for (size_t i = 0; i < MANY; i++) {
		envelope_seal(key, NULL, 0, "", 0, sealed);
		memcpy(seen + i * RANDOM, sealed + 1, RANDOM);
	}
	qsort(seen, MANY, RANDOM, compare);
	for (size_t i = 1; i < MANY; i++)
		assert_true(memcmp(seen + (i - 1) * RANDOM, seen + i * RANDOM,
				RANDOM) != 0);
	/* by nonce first */
	for (size_t i = 0; i < MANY; i++) {
		unsigned char salt[16], *p = seen + i * RANDOM;

		memcpy(salt, p, 16);
		memmove(p, p + 16, 12);
		memcpy(p + 12, salt, 16);
	}
	qsort(seen, MANY, RANDOM, compare);
	for (size_t i = 1; i < MANY; i++)
		assert_true(memcmp(seen + (i - 1) * RANDOM, seen + i * RANDOM,
				12) != 0);
	free(seen);
}

/* RFC 8032, section 7.1, test 2. */
static void
test_signature(void **state)
{
	static const unsigned char seed[SIGN_SEED] = { 0x4c, 0xcd, 0x08, 0x9b,
		0x28, 0xff, 0x96, 0xda, 0x9d, 0xb6, 0xc3, 0x46, 0xec, 0x11,
		0x4e, 0x0f, 0x5b, 0x8a, 0x31, 0x9f, 0x35, 0xab, 0xa6, 0x24,
		0xda, 0x8c, 0xf6, 0xed, 0x4f, 0xb8, 0xa6, 0xfb };
	static const unsigned char public[SIGN_PUBLIC] = { 0x3d, 0x40, 0x17,
		0xc3, 0xe8, 0x43, 0x89, 0x5a, 0x92, 0xb7, 0x0a, 0xa7, 0x4d,
		0x1b, 0x7e, 0xbc, 0x9c, 0x98, 0x2c, 0xcf, 0x2e, 0xc4, 0x96,
		0x8c, 0xc0, 0xcd, 0x55, 0xf1, 0x2a, 0xf4, 0x66, 0x0c };
	static const unsigned char begins[] = { 0x92, 0xa0, 0x09, 0xa9, 0xf0,
		0xd4, 0xca, 0xb8 };
	unsigned char got[SIGN_PUBLIC], signature[SIGN_SIZE];

	(void)state;
	sign_public(seed, got);
	assert_memory_equal(got, public, sizeof(public));
	sign_make(seed, "\x72", 1, signature);
	assert_memory_equal(signature, begins, sizeof(begins));
	assert_true(sign_ok(public, "\x72", 1, signature));
	assert_false(sign_ok(public, "\x73", 1, signature));
	assert_false(sign_ok(public, "\x72", 0, signature));
	for (size_t i = 0; i < sizeof(signature); i++) {
		signature[i] ^= 1;
		assert_false(sign_ok(public, "\x72", 1, signature));
		signature[i] ^= 1;
	}
}

static void
test_locked(void **state)
{
	unsigned char *p = crypto_locked(100), zero[100] = { 0 };

	(void)state;
	assert_memory_equal(p, zero, sizeof(zero));
	memset(p, 1, 100);
	crypto_locked_free(p);
	crypto_locked_free(NULL);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_unique),
		cmocka_unit_test(test_signature),
		cmocka_unit_test(test_locked),
	};

	if (crypto_setup(NULL) != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
