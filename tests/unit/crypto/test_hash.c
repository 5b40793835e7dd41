/* crypto/hash: the vectors of the standards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "crypto/hash.h"
#include "util/mem.h"
#include "util/str.h"

static void
assert_hex(const unsigned char b[32], const char *want)
{
	char hex[65];

	str_hex(b, 32, hex);
	assert_string_equal(hex, want);
}

static void
test_sha256(void **state)
{
	unsigned char out[32], many[1000];

	(void)state;
	crypto_sha256("", 0, out); /* FIPS 180-4 */
	assert_hex(out, "e3b0c44298fc1c149afbf4c8996fb924"
			"27ae41e4649b934ca495991b7852b855");
	crypto_sha256("abc", 3, out);
	assert_hex(out, "ba7816bf8f01cfea414140de5dae2223"
			"b00361a396177a9cb410ff61f20015ad");
	memset(many, 'a', sizeof(many));
	crypto_sha256(many, sizeof(many), out);
	assert_hex(out, "41edece42d63e8d9bf515a9ba6932e1c"
			"20cbc9f5a5d134645adb5db1b9737ea3");
}

static void
test_hmac(void **state)
{
	unsigned char key[131], out[32];

	(void)state;
	memset(key, 0x0b, 20); /* RFC 4231, cases 1, 2, 6 */
	crypto_hmac_sha256(key, 20, "Hi There", 8, out);
	assert_hex(out, "b0344c61d8db38535ca8afceaf0bf12b"
			"881dc200c9833da726e9376c2e32cff7");
	crypto_hmac_sha256((const unsigned char *)"Jefe", 4,
	    "what do ya want for nothing?", 28, out);
	assert_hex(out, "5bdcc146bf60754e6a042426089575c7"
			"5a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, 131);
	crypto_hmac_sha256(key, 131,
	    "Test Using Larger Than Block-Size Key - Hash Key First", 54, out);
	assert_hex(out, "60e431591ee0b67f0d8a26aacbf5b77f"
			"8e0bc6213728c5140546040f0ee37f54");
	crypto_hmac_sha256(NULL, 0, "", 0, out);
	assert_hex(out, "b613679a0814d9ec772f95d778c35fc5"
			"ff1697c493715653c6c712144292c5ad");
}

static void
test_derive(void **state)
{
	unsigned char ikm[22], a[32], b[32];

	(void)state;
	memset(ikm, 0x0b, sizeof(ikm)); /* RFC 5869, case 3: its first 32 */
	crypto_derive(ikm, sizeof(ikm), "", a);
	assert_hex(a, "8da4e775a563c18f715f802a063c5a31"
		      "b8a11f5c5ee1879ec3454e5f3c738d2d");
	crypto_derive(ikm, sizeof(ikm), "session keys", a);
	crypto_derive(ikm, sizeof(ikm), "credentials", b);
	assert_memory_not_equal(a, b, 32);
	crypto_derive(ikm, sizeof(ikm), "session keys", b);
	assert_memory_equal(a, b, 32);
	ikm[0] ^= 1;
	crypto_derive(ikm, sizeof(ikm), "session keys", b);
	assert_memory_not_equal(a, b, 32);
}

static void
test_password(void **state)
{
	void *root = mem_root("test");
	char *hash = NULL, *other = NULL;
	struct err e;

	(void)state;
	assert_int_equal(
	    crypto_password_hash(root, "correct horse", &hash, &e), 0);
	assert_true(str_starts(hash, "$argon2id$v=19$m=19456,t=2,p=1$"));
	assert_true(crypto_password_ok(hash, "correct horse"));
	assert_false(crypto_password_ok(hash, "correct horsf"));
	assert_false(crypto_password_ok(hash, ""));
	assert_false(crypto_password_ok("", "correct horse"));
	assert_false(crypto_password_ok("$argon2id$junk", "correct horse"));
	assert_int_equal(
	    crypto_password_hash(root, "correct horse", &other, &e), 0);
	assert_string_not_equal(hash, other); /* a salt each */
	assert_true(crypto_password_known(hash));
	assert_false(crypto_password_stale(hash));
	/* INTERACTIVE of libsodium, and what is no hash */
	static const char older[] = "$argon2id$v=19$m=65536,t=2,p=1$"
				    "AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAA"
				    "AAAAAAAAAAAAAAAAAAAAAAAAA";
	assert_true(crypto_password_known(older));
	assert_true(crypto_password_stale(older));
	assert_false(crypto_password_known(""));
	assert_false(crypto_password_known("$argon2id$junk"));
	assert_false(crypto_password_known("$2b$12$abcdefghijklmnopqrstuu"));
	assert_true(crypto_password_stale("$argon2id$junk"));
	mem_free(root);
}

static void
test_wipe(void **state)
{
	static const unsigned char zero[16];
	unsigned char secret[16];

	(void)state;
	memset(secret, 7, sizeof(secret));
	crypto_wipe(secret, sizeof(secret));
	assert_memory_equal(secret, zero, 16);
	crypto_wipe(secret, 0);
}

static int64_t
cpu_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* Keys are hashed at each request: no look-up by name at each call. */
static void
test_cost(void **state)
{
	unsigned char out[32];
	int64_t best = INT64_MAX, mac = INT64_MAX, from;

	(void)state;
	for (int round = 0; round < 10; round++) {
		from = cpu_ns();
		for (int i = 0; i < 1000; i++)
			crypto_sha256(
			    "sb_live_0123456789012345678901234567", 36, out);
		if (cpu_ns() - from < best)
			best = cpu_ns() - from;
		from = cpu_ns();
		for (int i = 0; i < 1000; i++)
			crypto_hmac_sha256(
			    out, 32, "0123456789abcdef", 16, out);
		if (cpu_ns() - from < mac)
			mac = cpu_ns() - from;
	}
	print_message("SHA-256 %d ns, HMAC %d ns\n", (int)(best / 1000),
	    (int)(mac / 1000));
	assert_true(best / 1000 < 5000);
	assert_true(mac / 1000 < 20000);
}

static int
setup(void **state)
{
	(void)state;
	return crypto_setup(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sha256),
		cmocka_unit_test(test_hmac),
		cmocka_unit_test(test_derive),
		cmocka_unit_test(test_password),
		cmocka_unit_test(test_wipe),
		cmocka_unit_test(test_cost),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
