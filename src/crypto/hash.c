/*
 * Hashes and derived keys from OpenSSL; password hashes, and the short hashes
 * and HMACs on the way of every request, from libsodium.  What OpenSSL would
 * look up by name at each call is looked up once.
 */
#include "crypto/hash.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crypto/must_priv.h"
#include "util/mem.h"

#include "util/banned.h"

/* OWASP's second choice of parameters for Argon2id. */
#define PASSWORD_PASSES 2
#define PASSWORD_MEMORY ((size_t)19 * 1024 * 1024)

/*
 * Up to here libsodium's plain code is done before OpenSSL, whose is faster a
 * byte, has set up its context: 18,000 instructions for an HMAC of 60 bytes
 * against 5,000.
 */
#define SHORT 256

static pthread_once_t once = PTHREAD_ONCE_INIT;
static EVP_MD *sha256;
static EVP_KDF *hkdf;
static bool ready;

static void
fetch(void)
{
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	hkdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	ready = sha256 != NULL && hkdf != NULL && sodium_init() >= 0;
}

int
crypto_setup(struct err *e)
{
	(void)pthread_once(&once, fetch);
	if (!ready)
		return err_set(e, ERR_INTERNAL,
		    "OpenSSL or libsodium could not be initialised");
	return 0;
}

/* The functions below cannot fail but for lack of memory or of libraries:
 * going on without the right bytes is no choice. */
void(crypto_must)(bool ok)
{
	static const char msg[] =
	    "switchboard: no memory for OpenSSL, stopping\n";

	if (ok)
		return;
	if (write(STDERR_FILENO, msg, sizeof(msg) - 1) < 0)
		abort();
	abort();
}

void
crypto_sha256(const void *p, size_t n, unsigned char out[32])
{
	crypto_must(crypto_setup(NULL) == 0);
	if (n <= SHORT) {
		crypto_must(crypto_hash_sha256(out, p, n) == 0);
		return;
	}
	crypto_must(EVP_Digest(p, n, out, NULL, sha256, NULL) == 1);
}

struct hash_run *
crypto_sha256_begin(void)
{
	EVP_MD_CTX *ctx;

	crypto_must(crypto_setup(NULL) == 0);
	ctx = EVP_MD_CTX_new();
	crypto_must(ctx != NULL && EVP_DigestInit_ex2(ctx, sha256, NULL) == 1);
	return (struct hash_run *)ctx;
}

void
crypto_sha256_add(struct hash_run *h, const void *p, size_t n)
{
	if (n > 0)
		crypto_must(EVP_DigestUpdate((EVP_MD_CTX *)h, p, n) == 1);
}

void
crypto_sha256_end(struct hash_run *h, unsigned char out[32])
{
	EVP_MD_CTX *ctx = (EVP_MD_CTX *)h;

	crypto_must(EVP_DigestFinal_ex(ctx, out, NULL) == 1);
	EVP_MD_CTX_free(ctx);
}

void
crypto_hmac_sha256(const unsigned char *key, size_t key_len, const void *p,
    size_t n, unsigned char out[32])
{
	crypto_auth_hmacsha256_state state;

	crypto_must(crypto_setup(NULL) == 0);
	if (key_len == 0)
		key = (const unsigned char *)""; /* it takes no NULL */
	crypto_must(crypto_auth_hmacsha256_init(&state, key, key_len) == 0 &&
		    crypto_auth_hmacsha256_update(&state, p, n) == 0 &&
		    crypto_auth_hmacsha256_final(&state, out) == 0);
	sodium_memzero(&state, sizeof(state));
}

void
crypto_derive(const unsigned char *master, size_t len, const char *purpose,
    unsigned char out[32])
{
	char digest[] = "SHA256";
	/* The parameters want pointers without const; they are only read. */
	union {
		const void *in;
		void *param;
	} key = { .in = master }, info = { .in = purpose };
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(
		    OSSL_KDF_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_octet_string(
		    OSSL_KDF_PARAM_KEY, key.param, len),
		OSSL_PARAM_construct_octet_string(
		    OSSL_KDF_PARAM_INFO, info.param, strlen(purpose)),
		OSSL_PARAM_construct_end(),
	};
	EVP_KDF_CTX *ctx;

	crypto_must(crypto_setup(NULL) == 0);
	ctx = EVP_KDF_CTX_new(hkdf);
	crypto_must(ctx != NULL);
	crypto_must(EVP_KDF_derive(ctx, out, 32, params) == 1);
	EVP_KDF_CTX_free(ctx);
}

int
crypto_password_hash(
    const void *ctx, const char *password, char **ret, struct err *e)
{
	char hash[crypto_pwhash_STRBYTES];

	if (crypto_setup(e) != 0)
		return -1;
	if (crypto_pwhash_str_alg(hash, password, strlen(password),
		PASSWORD_PASSES, PASSWORD_MEMORY,
		crypto_pwhash_ALG_ARGON2ID13) != 0)
		return err_set(
		    e, ERR_UNAVAILABLE, "no memory to hash a password");
	*ret = mem_strdup(ctx, hash);
	return 0;
}

bool
crypto_password_ok(const char *hash, const char *password)
{
	if (crypto_setup(NULL) != 0)
		return false;
	return crypto_pwhash_str_verify(hash, password, strlen(password)) == 0;
}

/* 0 today's parameters, 1 others, -1 no hash at all */
static int
password_age(const char *hash)
{
	if (strncmp(hash, crypto_pwhash_argon2id_STRPREFIX,
		sizeof(crypto_pwhash_argon2id_STRPREFIX) - 1) != 0)
		return -1;
	return crypto_pwhash_str_needs_rehash(
	    hash, PASSWORD_PASSES, PASSWORD_MEMORY);
}

bool
crypto_password_known(const char *hash)
{
	return password_age(hash) >= 0;
}

bool
crypto_password_stale(const char *hash)
{
	return password_age(hash) != 0;
}

void
crypto_wipe(void *p, size_t n)
{
	OPENSSL_cleanse(p, n);
}
