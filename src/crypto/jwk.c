/*
 * OpenSSL builds a key from nearly anything, so sizes, exponents and curves are
 * checked here, and EVP_PKEY_public_check() looks at the rest.  A key is built
 * once and kept: parsing costs ten times a verification.
 */
#include "crypto/jwk.h"

#include <jansson.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <stdint.h>
#include <string.h>

#include "crypto/hash.h"
#include "crypto/jose_priv.h"
#include "crypto/must_priv.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 8192
#define RSA_BYTES_MAX (RSA_BITS_MAX / 8 + 1)
#define E_MIN 65537
#define E_BYTES_MAX 8
#define POINT_MAX 66 /* bytes of a coordinate on P-521 */
#define ED25519_KEY 32
#define SET_LIMITS ((struct json_limits){ 8, 10000 })

struct jwk {
	char *kid;     /* NULL: it has none */
	unsigned algs; /* JWS_BIT of each it may check */
	EVP_PKEY *key;
	int coordinate; /* EC: bytes of each half of a signature */
};

struct jwks {
	size_t n;
	struct jwk key[JWKS_KEYS_MAX];
};

static const char *const names[JWS_ALGS] = { "", "RS256", "RS384", "RS512",
	"PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA" };

#define RSA_ALGS                                                               \
	(JWS_BIT(JWS_RS256) | JWS_BIT(JWS_RS384) | JWS_BIT(JWS_RS512) |        \
	    JWS_BIT(JWS_PS256) | JWS_BIT(JWS_PS384) | JWS_BIT(JWS_PS512))

enum jws_alg
jws_alg_parse(const char *name)
{
	for (int i = JWS_RS256; i < JWS_ALGS; i++)
		if (strcmp(names[i], name) == 0)
			return (enum jws_alg)i;
	/* RFC 9864's name of the one curve that we take. */
	return strcmp(name, "Ed25519") == 0 ? JWS_EDDSA : JWS_NONE;
}

const char *
jws_alg_name(enum jws_alg alg)
{
	return names[alg];
}

/* --- one key -------------------------------------------------------------- */

static const char *
text(const json_t *jwk, const char *name)
{
	const json_t *v = json_object_get(jwk, name);

	/* json_parse() lets no NUL through. */
	return json_is_string(v) ? json_string_value(v) : NULL;
}

/* The bytes of a member; their number, or -1. */
static int
bytes(const json_t *jwk, const char *name, unsigned char *out, size_t max)
{
	const char *v = text(jwk, name);

	return v != NULL ? str_b64url_decode(v, strlen(v), out, max) : -1;
}

/* The key of these parameters, or NULL. */
static EVP_PKEY *
from_data(const char *kind, OSSL_PARAM_BLD *bld)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, kind, NULL);
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
	EVP_PKEY *key = NULL;

	crypto_must(ctx != NULL && params != NULL);
	if (EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	OSSL_PARAM_free(params);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

/* Is ${r} a power of 65537 modulo ${p}? */
static bool
is_power(unsigned r, unsigned p)
{
	unsigned v = 1;

	do {
		if (v == r)
			return true;
		v = v * (E_MIN % p) % p;
	} while (v != 1);
	return false;
}

/*
 * A modulus as a faulty library made them (CVE-2017-15361, "ROCA"): both primes
 * are powers of 65537 modulo each small prime, and so is their product.  About
 * one good modulus in 2^27 looks so, too.
 */
static bool
is_roca(const BIGNUM *n)
{
	static const unsigned char primes[] = { 3, 5, 7, 11, 13, 17, 19, 23, 29,
		31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101,
		103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163,
		167 };

	for (size_t i = 0; i < sizeof(primes); i++)
		if (!is_power((unsigned)BN_mod_word(n, primes[i]), primes[i]))
			return false;
	return true;
}

static bool
rsa_good(const BIGNUM *n, const BIGNUM *e)
{
	int bits = BN_num_bits(n);

	return bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX && BN_is_odd(n) &&
	       BN_is_odd(e) && BN_num_bits(e) <= E_BYTES_MAX * 8 &&
	       BN_get_word(e) >= E_MIN && !is_roca(n);
}

static EVP_PKEY *
read_rsa(const json_t *jwk)
{
	unsigned char n_raw[RSA_BYTES_MAX], e_raw[E_BYTES_MAX];
	int n_len = bytes(jwk, "n", n_raw, sizeof(n_raw));
	int e_len = bytes(jwk, "e", e_raw, sizeof(e_raw));
	OSSL_PARAM_BLD *bld;
	EVP_PKEY *key = NULL;
	BIGNUM *n, *e;

	if (n_len <= 0 || e_len <= 0)
		return NULL;
	bld = OSSL_PARAM_BLD_new();
	n = BN_bin2bn(n_raw, n_len, NULL);
	e = BN_bin2bn(e_raw, e_len, NULL);
	crypto_must(bld != NULL && n != NULL && e != NULL);
	if (rsa_good(n, e)) {
		crypto_must(
		    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n) &&
		    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, e));
		key = from_data("RSA", bld);
	}
	BN_free(n);
	BN_free(e);
	OSSL_PARAM_BLD_free(bld);
	return key;
}

struct curve {
	const char *crv, *group;
	int size;
	enum jws_alg alg;
};

static const struct curve *
find_curve(const char *crv)
{
	static const struct curve curves[] = {
		{ "P-256", "P-256", 32, JWS_ES256 },
		{ "P-384", "P-384", 48, JWS_ES384 },
		{ "P-521", "P-521", 66, JWS_ES512 },
	};

	for (size_t i = 0; crv != NULL && i < 3; i++)
		if (strcmp(curves[i].crv, crv) == 0)
			return &curves[i];
	return NULL;
}

static EVP_PKEY *
read_ec(const json_t *jwk, const struct curve *c)
{
	unsigned char point[1 + 2 * POINT_MAX];
	size_t size = (size_t)c->size;
	OSSL_PARAM_BLD *bld;
	EVP_PKEY *key;

	point[0] = 4; /* uncompressed */
	if (bytes(jwk, "x", point + 1, size) != c->size ||
	    bytes(jwk, "y", point + 1 + size, size) != c->size)
		return NULL;
	bld = OSSL_PARAM_BLD_new();
	crypto_must(bld != NULL &&
		    OSSL_PARAM_BLD_push_utf8_string(
			bld, OSSL_PKEY_PARAM_GROUP_NAME, c->group, 0) &&
		    OSSL_PARAM_BLD_push_octet_string(
			bld, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * size));
	key = from_data("EC", bld);
	OSSL_PARAM_BLD_free(bld);
	return key;
}

static EVP_PKEY *
read_okp(const json_t *jwk)
{
	unsigned char raw[ED25519_KEY];
	const char *crv = text(jwk, "crv");

	if (crv == NULL || strcmp(crv, "Ed25519") != 0 ||
	    bytes(jwk, "x", raw, sizeof(raw)) != ED25519_KEY)
		return NULL;
	return EVP_PKEY_new_raw_public_key(
	    EVP_PKEY_ED25519, NULL, raw, sizeof(raw));
}

/* The key by its kind, with all that the kind can check. */
static EVP_PKEY *
read_kind(const json_t *jwk, struct jwk *out)
{
	const char *kty = text(jwk, "kty");
	const struct curve *c;

	if (kty == NULL)
		return NULL;
	if (strcmp(kty, "RSA") == 0) {
		out->algs = RSA_ALGS;
		return read_rsa(jwk);
	}
	if (strcmp(kty, "OKP") == 0) {
		out->algs = JWS_BIT(JWS_EDDSA);
		return read_okp(jwk);
	}
	c = find_curve(text(jwk, "crv"));
	if (strcmp(kty, "EC") != 0 || c == NULL)
		return NULL;
	out->algs = JWS_BIT(c->alg);
	out->coordinate = c->size;
	return read_ec(jwk, c);
}

/* Is the key there to check signatures, as far as it says (sections 4.2-3)? */
static bool
is_for_checking(const json_t *jwk)
{
	const json_t *ops = json_object_get(jwk, "key_ops"), *op;
	bool found = ops == NULL;
	size_t i;

	if (json_object_get(jwk, "use") != NULL &&
	    !jose_says(jwk, "use", "sig"))
		return false;
	json_array_foreach(ops, i, op)
	{
		found =
		    found || (json_is_string(op) &&
				 strcmp(json_string_value(op), "verify") == 0);
	}
	return found;
}

static bool
public_good(EVP_PKEY *key)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	bool good;

	crypto_must(ctx != NULL);
	good = EVP_PKEY_public_check(ctx) == 1;
	EVP_PKEY_CTX_free(ctx);
	return good;
}

/* May nothing more than its member alg says. */
static void
narrow(const json_t *jwk, struct jwk *k)
{
	const char *alg = text(jwk, "alg");

	if (json_object_get(jwk, "alg") != NULL)
		k->algs &= alg != NULL ? JWS_BIT(jws_alg_parse(alg)) : 0;
}

static bool
read_key(const json_t *jwk, struct jwk *out)
{
	const json_t *kid = json_object_get(jwk, "kid");

	if (!json_is_object(jwk) || !is_for_checking(jwk) ||
	    json_object_get(jwk, "d") != NULL ||
	    (kid != NULL && (!json_is_string(kid) ||
				json_string_length(kid) > JWKS_KID_MAX)))
		return false;
	out->key = read_kind(jwk, out);
	if (out->key == NULL)
		return false;
	narrow(jwk, out);
	if (out->algs != 0 && public_good(out->key))
		return true;
	EVP_PKEY_free(out->key);
	return false;
}

/* --- a set ---------------------------------------------------------------- */

static int
no_set(struct err *e, const char *why)
{
	return err_set(e, ERR_UPSTREAM, "the key set %s", why);
}

int
jwks_parse(const char *p, size_t n, struct jwks **ret, struct err *e)
{
	json_auto_t *doc = NULL;
	const json_t *keys, *one;
	struct jwks *set;
	size_t i;

	if (json_parse(p, n, &SET_LIMITS, &doc, e) != 0)
		return no_set(e, "is no JSON");
	keys = json_object_get(doc, "keys");
	if (!json_is_array(keys))
		return no_set(e, "has no list of keys");
	if (json_array_size(keys) > JWKS_KEYS_MAX)
		return no_set(e, "has more than 100 keys");
	set = mem_new(NULL, struct jwks);
	json_array_foreach(keys, i, one)
	{
		struct jwk *k = &set->key[set->n];

		memset(k, 0, sizeof(*k));
		if (!read_key(one, k))
			continue;
		k->kid = mem_strdup(set, text(one, "kid"));
		set->n++;
	}
	ERR_clear_error();
	*ret = set;
	return 0;
}

void
jwks_free(struct jwks *set)
{
	if (set == NULL)
		return;
	for (size_t i = 0; i < set->n; i++)
		EVP_PKEY_free(set->key[i].key);
	mem_free(set);
}

size_t
jwks_count(const struct jwks *set)
{
	return set->n;
}

const struct jwk *
jwks_find(
    const struct jwks *set, const char *kid, enum jws_alg alg, bool *known)
{
	const struct jwk *found = NULL;
	size_t n = 0;

	*known = false;
	for (size_t i = 0; i < set->n; i++) {
		const struct jwk *k = &set->key[i];

		if (kid != NULL && (k->kid == NULL || strcmp(k->kid, kid) != 0))
			continue;
		*known = true;
		if ((k->algs & JWS_BIT(alg)) == 0)
			continue;
		found = k;
		n++;
	}
	return n == 1 ? found : NULL;
}

/* --- signatures ----------------------------------------------------------- */

static const EVP_MD *
digest(enum jws_alg alg)
{
	switch (alg) {
	case JWS_RS256:
	case JWS_PS256:
	case JWS_ES256:
		return EVP_sha256();
	case JWS_RS384:
	case JWS_PS384:
	case JWS_ES384:
		return EVP_sha384();
	case JWS_EDDSA:
		return NULL;
	default:
		return EVP_sha512();
	}
}

static bool
is_pss(enum jws_alg alg)
{
	return alg == JWS_PS256 || alg == JWS_PS384 || alg == JWS_PS512;
}

/* The two halves of a signature of RFC 7518 section 3.4 as OpenSSL wants them;
 * the length, freed with OPENSSL_free(), or -1. */
static int
to_der(const struct jwk *k, const unsigned char *sig, size_t len,
    unsigned char **out)
{
	ECDSA_SIG *s;
	BIGNUM *r, *v;
	int n;

	*out = NULL;
	if (len != 2 * (size_t)k->coordinate)
		return -1;
	s = ECDSA_SIG_new();
	r = BN_bin2bn(sig, k->coordinate, NULL);
	v = BN_bin2bn(sig + k->coordinate, k->coordinate, NULL);
	crypto_must(s != NULL && r != NULL && v != NULL &&
		    ECDSA_SIG_set0(s, r, v) == 1);
	n = i2d_ECDSA_SIG(s, out);
	ECDSA_SIG_free(s);
	return n;
}

static bool
check(const struct jwk *k, enum jws_alg alg, const void *p, size_t n,
    const unsigned char *sig, size_t sig_len)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pc = NULL;
	bool good;

	crypto_must(ctx != NULL);
	good = EVP_DigestVerifyInit(ctx, &pc, digest(alg), NULL, k->key) == 1 &&
	       (!is_pss(alg) || (EVP_PKEY_CTX_set_rsa_padding(
				     pc, RSA_PKCS1_PSS_PADDING) == 1 &&
				    EVP_PKEY_CTX_set_rsa_pss_saltlen(
					pc, RSA_PSS_SALTLEN_DIGEST) == 1)) &&
	       EVP_DigestVerify(ctx, sig, sig_len, p, n) == 1;
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return good;
}

bool
jwk_verify(const struct jwk *k, enum jws_alg alg, const void *p, size_t n,
    const unsigned char *sig, size_t sig_len)
{
	unsigned char *der;
	int len;
	bool good;

	if ((k->algs & JWS_BIT(alg)) == 0)
		return false;
	if (k->coordinate == 0)
		return check(k, alg, p, n, sig, sig_len);
	len = to_der(k, sig, sig_len, &der);
	good = len > 0 && check(k, alg, p, n, der, (size_t)len);
	OPENSSL_free(der);
	return good;
}

bool
jws_half_hash(enum jws_alg alg, const char *of, const char *hash)
{
	unsigned char whole[EVP_MAX_MD_SIZE];
	char want[EVP_MAX_MD_SIZE];
	const EVP_MD *md = digest(alg);
	unsigned n = 0;

	/* Ed25519 hashes with SHA-512 inside. */
	if (md == NULL)
		md = EVP_sha512();
	crypto_must(EVP_Digest(of, strlen(of), whole, &n, md, NULL) == 1);
	str_b64url(whole, n / 2, want);
	return strlen(want) == strlen(hash) &&
	       str_eq_const(want, hash, strlen(want));
}
