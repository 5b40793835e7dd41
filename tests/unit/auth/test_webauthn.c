/* What authenticators say, made here with OpenSSL: what is right is taken, and
 * everything that is wrong in one place is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <unistd.h>

#include "auth/form_token.h"
#include "auth/passkey_state.h"
#include "auth/webauthn.h"
#include "crypto/hash.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define ORIGIN "https://chat.example.com"
#define RP "chat.example.com"

static void *ctx;

/* An authenticator with one key. */
struct device {
	int algorithm;
	EVP_PKEY *key;
	const char *rp_id;
	unsigned flags;
	uint32_t counter;
	size_t id_len;
};

/* --- what it says -------------------------------------------------------- */

static void
put_head(struct buf *b, unsigned kind, size_t n)
{
	if (n < 24) {
		buf_addc(b, (char)(kind << 5 | n));
	} else if (n < 256) {
		buf_addc(b, (char)(kind << 5 | 24));
		buf_addc(b, (char)n);
	} else {
		buf_addc(b, (char)(kind << 5 | 25));
		buf_addc(b, (char)(n >> 8));
		buf_addc(b, (char)(n & 255));
	}
}

static void
put_int(struct buf *b, int n)
{
	put_head(b, n < 0, (size_t)(n < 0 ? -1 - n : n));
}

static void
put_number(
    struct buf *b, int key, const EVP_PKEY *pkey, const char *name, size_t size)
{
	unsigned char raw[512];
	BIGNUM *n = NULL;

	assert_true(EVP_PKEY_get_bn_param(pkey, name, &n) == 1);
	assert_true(BN_bn2binpad(n, raw, (int)size) == (int)size);
	BN_free(n);
	put_int(b, key);
	put_head(b, 2, size);
	buf_add(b, raw, size);
}

/* The public key, as COSE has it (RFC 9053). */
static void
put_key(struct buf *b, const struct device *d)
{
	unsigned char raw[32];
	size_t n = sizeof(raw);

	put_head(b, 5, d->algorithm == WEBAUTHN_ES256 ? 5 : 4);
	put_int(b, 1);
	if (d->algorithm == WEBAUTHN_RS256) {
		put_int(b, 3);
		put_int(b, 3);
		put_int(b, d->algorithm);
		put_number(b, -1, d->key, OSSL_PKEY_PARAM_RSA_N,
		    (size_t)EVP_PKEY_get_bits(d->key) / 8);
		put_number(b, -2, d->key, OSSL_PKEY_PARAM_RSA_E, 3);
		return;
	}
	put_int(b, d->algorithm == WEBAUTHN_ES256 ? 2 : 1);
	put_int(b, 3);
	put_int(b, d->algorithm);
	put_int(b, -1);
	if (d->algorithm == WEBAUTHN_ES256) {
		put_int(b, 1);
		put_number(b, -2, d->key, OSSL_PKEY_PARAM_EC_PUB_X, 32);
		put_number(b, -3, d->key, OSSL_PKEY_PARAM_EC_PUB_Y, 32);
		return;
	}
	put_int(b, 6);
	assert_true(EVP_PKEY_get_raw_public_key(d->key, raw, &n) == 1);
	put_int(b, -2);
	put_head(b, 2, n);
	buf_add(b, raw, n);
}

static struct webauthn_bytes
bytes_of(const struct buf *b)
{
	assert_false(buf_failed(b));
	return (
	    struct webauthn_bytes){ (const unsigned char *)b->data, b->len };
}

static struct webauthn_bytes
authdata(struct device *d, bool credential)
{
	unsigned char hash[32];
	struct buf b;

	buf_init(&b, ctx, 8192);
	crypto_sha256(d->rp_id, strlen(d->rp_id), hash);
	buf_add(&b, hash, sizeof(hash));
	buf_addc(&b, (char)(d->flags | (credential ? 0x40 : 0)));
	for (int i = 24; i >= 0; i -= 8)
		buf_addc(&b, (char)(d->counter >> i & 255));
	if (credential) {
		for (int i = 0; i < 16; i++)
			buf_addc(&b, 0);
		buf_addc(&b, (char)(d->id_len >> 8));
		buf_addc(&b, (char)(d->id_len & 255));
		for (size_t i = 0; i < d->id_len; i++)
			buf_addc(&b, 'i');
		put_key(&b, d);
	}
	return bytes_of(&b);
}

static struct webauthn_bytes
client(const struct webauthn_asked *asked, const char *type, const char *more)
{
	char challenge[2 * WEBAUTHN_CHALLENGE];
	char *text;

	str_b64url(asked->challenge, WEBAUTHN_CHALLENGE, challenge);
	text = mem_printf(ctx,
	    "{\"type\":\"%s\",\"challenge\":\"%s\",\"origin\":\"%s\"%s}", type,
	    challenge, asked->origin, more);
	return (
	    struct webauthn_bytes){ (const unsigned char *)text, strlen(text) };
}

static struct webauthn_bytes
sign(const struct device *d, struct webauthn_bytes data,
    struct webauthn_bytes said)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	unsigned char *out = mem_array(ctx, unsigned char, 512);
	unsigned char hash[32];
	size_t n = 512;
	struct buf b;

	crypto_sha256(said.p, said.n, hash);
	buf_init(&b, ctx, 8192);
	buf_add(&b, data.p, data.n);
	buf_add(&b, hash, sizeof(hash));
	assert_true(EVP_DigestSignInit(md, NULL,
			d->algorithm == WEBAUTHN_EDDSA ? NULL : EVP_sha256(),
			NULL, d->key) == 1);
	assert_true(EVP_DigestSign(md, out, &n, (const unsigned char *)b.data,
			b.len) == 1);
	EVP_MD_CTX_free(md);
	return (struct webauthn_bytes){ out, n };
}

static struct device
device(int algorithm)
{
	struct device d = { .algorithm = algorithm,
		.rp_id = RP,
		.flags = 0x05,
		.counter = 7,
		.id_len = 32 };

	d.key = algorithm == WEBAUTHN_ES256 ? EVP_EC_gen("P-256")
	        : algorithm == WEBAUTHN_EDDSA
	            ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")
	            : EVP_RSA_gen(2048);
	assert_non_null(d.key);
	return d;
}

static struct webauthn_asked
asked_now(void)
{
	struct webauthn_asked asked = { .origin = ORIGIN, .rp_id = RP };

	memset(asked.challenge, 'c', sizeof(asked.challenge));
	return asked;
}

/* --- tests --------------------------------------------------------------- */

static int
make(struct device *d, struct webauthn_key *out, struct err *e)
{
	struct webauthn_asked asked = asked_now();

	return webauthn_made(&asked, client(&asked, "webauthn.create", ""),
	    authdata(d, true), out, e);
}

static int
show(struct device *d, const struct webauthn_key *key, uint32_t *counter,
    struct err *e)
{
	struct webauthn_asked asked = asked_now();
	struct webauthn_bytes said = client(&asked, "webauthn.get", "");
	struct webauthn_bytes data = authdata(d, false);

	return webauthn_signed(
	    &asked, key, said, data, sign(d, data, said), counter, e);
}

static void
one_algorithm(int algorithm)
{
	struct webauthn_asked asked = asked_now();
	struct device d = device(algorithm), other = device(algorithm);
	struct webauthn_bytes said, data, signature;
	struct webauthn_key key;
	unsigned char *bent;
	struct err e = { 0 };
	uint32_t counter;

	if (make(&d, &key, &e) != 0)
		fail_msg("%d: %s", algorithm, e.text);
	assert_int_equal(key.algorithm, algorithm);
	assert_int_equal(key.id_len, 32);
	assert_int_equal(key.counter, 7);
	d.counter = 8;
	if (show(&d, &key, &counter, &e) != 0)
		fail_msg("%d: %s", algorithm, e.text);
	assert_int_equal(counter, 8);
	other.counter = 8;
	assert_int_equal(show(&other, &key, &counter, &e), -1);
	assert_string_equal(e.text, "the signature is not the passkey's");
	/* one bit of anything that is signed, or of the signature */
	said = client(&asked, "webauthn.get", ",\"x\":\"1\"");
	data = authdata(&d, false);
	signature = sign(&d, data, said);
	assert_int_equal(
	    webauthn_signed(&asked, &key, said, data, signature, &counter, &e),
	    0);
	for (size_t i = 0; i < data.n; i++) {
		bent = mem_array(ctx, unsigned char, data.n);
		memcpy(bent, data.p, data.n);
		bent[i] ^= 1;
		assert_int_equal(webauthn_signed(&asked, &key, said,
				     (struct webauthn_bytes){ bent, data.n },
				     signature, &counter, &e),
		    -1);
		assert_int_equal(e.code, ERR_INVALID);
	}
	for (size_t i = 0; i < signature.n; i += 7) {
		bent = mem_array(ctx, unsigned char, signature.n);
		memcpy(bent, signature.p, signature.n);
		bent[i] ^= 1;
		assert_int_equal(
		    webauthn_signed(&asked, &key, said, data,
			(struct webauthn_bytes){ bent, signature.n }, &counter,
			&e),
		    -1);
	}
	bent = mem_array(ctx, unsigned char, said.n);
	memcpy(bent, said.p, said.n);
	bent[said.n - 3] ^= 1; /* the member that nobody knows */
	assert_int_equal(webauthn_signed(&asked, &key,
			     (struct webauthn_bytes){ bent, said.n }, data,
			     signature, &counter, &e),
	    -1);
	assert_string_equal(e.text, "the signature is not the passkey's");
	EVP_PKEY_free(d.key);
	EVP_PKEY_free(other.key);
}

static void
algorithms(void **state)
{
	(void)state;
	one_algorithm(WEBAUTHN_ES256);
	one_algorithm(WEBAUTHN_EDDSA);
	one_algorithm(WEBAUTHN_RS256);
}

static void
client_data(void **state)
{
	struct webauthn_asked asked = asked_now(), wrong = asked;
	struct err e = { 0 };
	static const char *const no[] = { "", "{}", "[]", "null", "{\"type\":",
		"{\"type\":\"webauthn.get\",\"type\":\"webauthn.get\"}",
		"{\"type\":\"webauthn.get\",\"challenge\":7}" };

	(void)state;
	assert_int_equal(webauthn_client(&asked, "webauthn.get",
			     client(&asked, "webauthn.get",
				 ",\"crossOrigin\":false,\"new\":[1]"),
			     &e),
	    0);
	assert_int_equal(webauthn_client(&asked, "webauthn.get",
			     client(&asked, "webauthn.create", ""), &e),
	    -1);
	assert_non_null(strstr(e.text, "type is not webauthn.get"));
	wrong.challenge[31] ^= 1;
	assert_int_equal(webauthn_client(&asked, "webauthn.get",
			     client(&wrong, "webauthn.get", ""), &e),
	    -1);
	assert_non_null(strstr(e.text, "challenge"));
	wrong = asked;
	for (int i = 0; i < 3; i++) {
		static const char *const origins[] = {
			"https://chat.example.com.evil", "http://" RP,
			"https://chat.example.com:8443"
		};

		wrong.origin = origins[i];
		assert_int_equal(webauthn_client(&asked, "webauthn.get",
				     client(&wrong, "webauthn.get", ""), &e),
		    -1);
		assert_non_null(strstr(e.text, "origin is not"));
	}
	assert_int_equal(
	    webauthn_client(&asked, "webauthn.get",
		client(&asked, "webauthn.get", ",\"crossOrigin\":true"), &e),
	    -1);
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
		assert_int_equal(
		    webauthn_client(&asked, "webauthn.get",
			(struct webauthn_bytes){
			    (const unsigned char *)no[i], strlen(no[i]) },
			&e),
		    -1);
		assert_int_equal(e.code, ERR_INVALID);
	}
}

static void
who_was_there(void **state)
{
	static const unsigned flags[] = { 0x00, 0x01, 0x04, 0x15 };
	struct device d = device(WEBAUTHN_ES256);
	struct webauthn_key key;
	struct err e = { 0 };
	uint32_t counter;

	(void)state;
	assert_int_equal(make(&d, &key, &e), 0);
	d.counter++;
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		struct webauthn_key other;

		d.flags = flags[i];
		assert_int_equal(show(&d, &key, &counter, &e), -1);
		assert_int_equal(make(&d, &other, &e), -1);
	}
	d.flags = 0x1d; /* also kept elsewhere, as synced ones are */
	assert_int_equal(show(&d, &key, &counter, &e), 0);
	d.rp_id = "evil.example.com";
	assert_int_equal(show(&d, &key, &counter, &e), -1);
	assert_string_equal(e.text, "authenticatorData is not for " RP);
	assert_int_equal(make(&d, &key, &e), -1);
	EVP_PKEY_free(d.key);
}

static void
counters(void **state)
{
	static const struct {
		uint32_t was, is;
		int rc;
	} cases[] = { { 0, 0, 0 }, { 0, 1, 0 }, { 7, 8, 0 }, { 7, 7, -1 },
		{ 7, 6, -1 }, { 7, 0, -1 }, { 0x7fffffff, 0x80000000, 0 },
		{ 0xffffffff, 0xffffffff, -1 } };
	struct device d = device(WEBAUTHN_ES256);
	struct webauthn_key key;
	struct err e = { 0 };
	uint32_t counter;

	(void)state;
	assert_int_equal(make(&d, &key, &e), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		key.counter = cases[i].was;
		d.counter = cases[i].is;
		assert_int_equal(show(&d, &key, &counter, &e), cases[i].rc);
	}
	EVP_PKEY_free(d.key);
}

static void
no_credentials(void **state)
{
	struct webauthn_asked asked = asked_now();
	struct device d = device(WEBAUTHN_ES256);
	struct webauthn_bytes said = client(&asked, "webauthn.create", ""), all;
	struct webauthn_key key;
	struct err e = { 0 };
	EVP_PKEY *p256;

	(void)state;
	/* cut anywhere */
	all = authdata(&d, true);
	for (size_t n = 0; n < all.n; n++)
		assert_int_equal(
		    webauthn_made(&asked, said,
			(struct webauthn_bytes){ all.p, n }, &key, &e),
		    -1);
	/* without one */
	assert_int_equal(
	    webauthn_made(&asked, said, authdata(&d, false), &key, &e), -1);
	/* an id that is too long, or none */
	d.id_len = WEBAUTHN_ID_MAX;
	assert_int_equal(make(&d, &key, &e), 0);
	assert_int_equal(key.id_len, WEBAUTHN_ID_MAX);
	d.id_len = WEBAUTHN_ID_MAX + 1;
	assert_int_equal(make(&d, &key, &e), -1);
	d.id_len = 0;
	assert_int_equal(make(&d, &key, &e), -1);
	d.id_len = 32;
	/* a point that is not on the curve: the last byte of y */
	all = authdata(&d, true);
	((unsigned char *)(uintptr_t)all.p)[all.n - 1] ^= 1;
	assert_int_equal(webauthn_made(&asked, said, all, &key, &e), -1);
	/* a map of more than there is room for, a length without an end */
	all = authdata(&d, true);
	memcpy((unsigned char *)(uintptr_t)all.p + 37 + 18 + 32,
	    "\xbb\x00\x00\x00\x08\x00\x00\x00\x00", 9);
	assert_int_equal(webauthn_made(&asked, said, all, &key, &e), -1);
	assert_string_equal(
	    e.text, "authenticatorData is cut off, or not CBOR");
	memset((unsigned char *)(uintptr_t)all.p + 37 + 18 + 32, 0x81, 40);
	assert_int_equal(webauthn_made(&asked, said, all, &key, &e), -1);
	((unsigned char *)(uintptr_t)all.p)[37 + 18 + 32] = 0xbf;
	assert_int_equal(webauthn_made(&asked, said, all, &key, &e), -1);
	/* an RSA key of 1024 bits; an algorithm that we do not ask for */
	p256 = d.key;
	d.key = EVP_RSA_gen(1024);
	d.algorithm = WEBAUTHN_RS256;
	assert_int_equal(make(&d, &key, &e), -1);
	EVP_PKEY_free(d.key);
	d.key = EVP_RSA_gen(2048);
	d.algorithm = WEBAUTHN_RS256;
	assert_int_equal(make(&d, &key, &e), 0);
	all = authdata(&d, true);
	for (size_t i = 0; i + 5 < all.n; i++) /* 3: -257 becomes 3: -258 */
		if (memcmp(all.p + i, "\x03\x39\x01\x00\x20", 5) == 0)
			((unsigned char *)(uintptr_t)all.p)[i + 3] = 1;
	assert_int_equal(webauthn_made(&asked, said, all, &key, &e), -1);
	EVP_PKEY_free(d.key);
	EVP_PKEY_free(p256);
}

static void
places(void **state)
{
	static const struct {
		const char *origin, *rp_id;
	} cases[] = { { "https://chat.example.com", RP },
		{ "https://CHAT.example.com:8443", RP },
		{ "http://localhost:8080", "localhost" },
		{ "https://localhost", "localhost" }, { "http://" RP, NULL },
		{ "https://127.0.0.1", NULL }, { "http://127.0.0.1:80", NULL },
		{ "https://[::1]:8080", NULL }, { "https://0x7f000001", NULL },
		{ "https://2130706433", NULL }, { "https://", NULL } };
	char rp_id[WEBAUTHN_RP_TEXT];
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int rc = webauthn_rp_id(cases[i].origin, rp_id, &e);

		assert_int_equal(rc, cases[i].rp_id != NULL ? 0 : -1);
		if (rc == 0)
			assert_string_equal(rp_id, cases[i].rp_id);
		else
			assert_int_equal(e.code, ERR_DENIED);
	}
}

static void
states(void **state)
{
	unsigned char made[WEBAUTHN_CHALLENGE], read[WEBAUTHN_CHALLENGE];
	struct uuid ann, bob;
	char *text, *bad;

	(void)state;
	id_new(&ann);
	id_new(&bob);
	text = passkey_state_make(ctx, PASSKEY_ADD, &ann, made);
	assert_int_equal(passkey_state_read(text, PASSKEY_ADD, &ann, read), 0);
	assert_memory_equal(made, read, sizeof(made));
	assert_int_equal(passkey_state_read(text, PASSKEY_ADD, &bob, read), -1);
	assert_int_equal(passkey_state_read(text, PASSKEY_ADD, NULL, read), -1);
	assert_int_equal(passkey_state_read(text, PASSKEY_USE, &ann, read), -1);
	assert_int_equal(passkey_state_read(NULL, PASSKEY_USE, NULL, read), -1);
	assert_int_equal(passkey_state_read("", PASSKEY_USE, NULL, read), -1);
	for (size_t i = 0; i < strlen(text); i++) {
		bad = mem_strdup(ctx, text);
		bad[i] = bad[i] == 'A' ? 'B' : 'A';
		assert_int_equal(
		    passkey_state_read(bad, PASSKEY_ADD, &ann, read), -1);
	}
	text = passkey_state_make(ctx, PASSKEY_USE, NULL, read);
	assert_memory_not_equal(made, read, sizeof(made));
	assert_int_equal(passkey_state_read(text, PASSKEY_USE, NULL, made), 0);
}

static char dir[] = "/tmp/sb-webauthn-XXXXXX";
static char file[64];

static int
setup(void **state)
{
	struct err e = { 0 };
	static const char key[] =
	    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
	int fd;

	(void)state;
	json_setup();
	ctx = mem_root("test");
	if (crypto_setup(&e) != 0 || mkdtemp(dir) == NULL)
		return -1;
	snprintf(file, sizeof(file), "%s/key", dir);
	fd = open(file, O_WRONLY | O_CREAT, 0600);
	if (fd < 0 || write(fd, key, sizeof(key) - 1) != sizeof(key) - 1 ||
	    close(fd) != 0)
		return -1;
	return form_token_setup(file, &e);
}

static int
teardown(void **state)
{
	(void)state;
	mem_free(ctx);
	unlink(file);
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(algorithms),
		cmocka_unit_test(client_data),
		cmocka_unit_test(who_was_there),
		cmocka_unit_test(counters),
		cmocka_unit_test(no_credentials),
		cmocka_unit_test(places),
		cmocka_unit_test(states),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
