/* Keys, key sets and tokens as an identity provider makes them, for tests. */
#ifndef TESTS_UNIT_CRYPTO_JOSE_MAKE_H
#define TESTS_UNIT_CRYPTO_JOSE_MAKE_H

#include <jansson.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/jwk.h"
#include "util/mem.h"
#include "util/str.h"

#define MUST(x)                                                                \
	do {                                                                   \
		if (!(x))                                                      \
			abort();                                               \
	} while (0)

static inline void
jose_member(json_t *jwk, const char *name, const unsigned char *p, size_t n)
{
	char text[2048];

	str_b64url(p, n, text);
	MUST(json_object_set_new(jwk, name, json_string(text)) == 0);
}

static inline void
jose_number(
    json_t *jwk, const char *name, EVP_PKEY *key, const char *param, int size)
{
	unsigned char raw[1100];
	BIGNUM *v = NULL;

	MUST(EVP_PKEY_get_bn_param(key, param, &v) == 1);
	if (size == 0)
		size = BN_num_bytes(v);
	MUST(BN_bn2binpad(v, raw, size) == size);
	BN_free(v);
	jose_member(jwk, name, raw, (size_t)size);
}

/* The public half of ${key} as a JWK without alg. */
static inline json_t *
jose_jwk(EVP_PKEY *key, const char *kid)
{
	json_t *jwk = json_object();
	unsigned char raw[64];
	size_t n = sizeof(raw);

	if (kid != NULL)
		json_object_set_new(jwk, "kid", json_string(kid));
	if (EVP_PKEY_is_a(key, "RSA")) {
		json_object_set_new(jwk, "kty", json_string("RSA"));
		jose_number(jwk, "n", key, OSSL_PKEY_PARAM_RSA_N, 0);
		jose_number(jwk, "e", key, OSSL_PKEY_PARAM_RSA_E, 0);
	} else if (EVP_PKEY_is_a(key, "EC")) {
		int size = (EVP_PKEY_get_bits(key) + 7) / 8;

		json_object_set_new(jwk, "kty", json_string("EC"));
		json_object_set_new(jwk, "crv",
		    json_string(size == 32   ? "P-256"
				: size == 48 ? "P-384"
					     : "P-521"));
		jose_number(jwk, "x", key, OSSL_PKEY_PARAM_EC_PUB_X, size);
		jose_number(jwk, "y", key, OSSL_PKEY_PARAM_EC_PUB_Y, size);
	} else {
		MUST(EVP_PKEY_get_raw_public_key(key, raw, &n) == 1);
		json_object_set_new(jwk, "kty", json_string("OKP"));
		json_object_set_new(jwk, "crv",
		    json_string(
			EVP_PKEY_is_a(key, "X25519") ? "X25519" : "Ed25519"));
		jose_member(jwk, "x", raw, n);
	}
	return jwk;
}

static inline struct jwks *
jose_set(const json_t *doc)
{
	char *text = json_dumps(doc, JSON_COMPACT);
	struct jwks *set = NULL;
	struct err e = { 0 };

	MUST(text != NULL);
	if (jwks_parse(text, strlen(text), &set, &e) != 0)
		set = NULL;
	free(text);
	return set;
}

static inline EVP_PKEY *
jose_key(enum jws_alg alg)
{
	switch (alg) {
	case JWS_ES256:
		return EVP_EC_gen("P-256");
	case JWS_ES384:
		return EVP_EC_gen("P-384");
	case JWS_ES512:
		return EVP_EC_gen("P-521");
	case JWS_EDDSA:
		return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	default:
		return EVP_RSA_gen(2048);
	}
}

static inline const EVP_MD *
jose_md(enum jws_alg alg)
{
	return alg == JWS_EDDSA                           ? NULL
	       : strstr(jws_alg_name(alg), "256") != NULL ? EVP_sha256()
	       : strstr(jws_alg_name(alg), "384") != NULL ? EVP_sha384()
	                                                  : EVP_sha512();
}

/* R and S from DER, each ${size} bytes. */
static inline size_t
jose_halves(unsigned char *sig, size_t n, int size)
{
	const unsigned char *p = sig;
	ECDSA_SIG *s = d2i_ECDSA_SIG(NULL, &p, (long)n);

	MUST(s != NULL);
	MUST(BN_bn2binpad(ECDSA_SIG_get0_r(s), sig, size) == size);
	MUST(BN_bn2binpad(ECDSA_SIG_get0_s(s), sig + size, size) == size);
	ECDSA_SIG_free(s);
	return 2 * (size_t)size;
}

/* ${head}.${body}, signed by ${key} as ${alg} wants it. */
static inline char *
jose_sign(const void *ctx, EVP_PKEY *key, enum jws_alg alg, const char *head,
    const char *body)
{
	char *h = mem_zalloc(ctx, strlen(head) * 2 + 4, "head");
	char *b = mem_zalloc(ctx, strlen(body) * 2 + 4, "body"), *in;
	EVP_MD_CTX *mc = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pc = NULL;
	unsigned char sig[1024];
	char text[1400];
	size_t n = sizeof(sig);

	str_b64url(head, strlen(head), h);
	str_b64url(body, strlen(body), b);
	in = mem_printf(ctx, "%s.%s", h, b);
	MUST(EVP_DigestSignInit(mc, &pc, jose_md(alg), NULL, key) == 1);
	if (jws_alg_name(alg)[0] == 'P')
		MUST(EVP_PKEY_CTX_set_rsa_padding(pc, RSA_PKCS1_PSS_PADDING) ==
			 1 &&
		     EVP_PKEY_CTX_set_rsa_pss_saltlen(
			 pc, RSA_PSS_SALTLEN_DIGEST) == 1);
	MUST(EVP_DigestSign(
		 mc, sig, &n, (const unsigned char *)in, strlen(in)) == 1);
	if (EVP_PKEY_is_a(key, "EC"))
		n = jose_halves(sig, n, (EVP_PKEY_get_bits(key) + 7) / 8);
	EVP_MD_CTX_free(mc);
	str_b64url(sig, n, text);
	return mem_printf(ctx, "%s.%s", in, text);
}

#endif
