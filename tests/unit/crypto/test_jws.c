/* crypto/jwk and crypto/jws: what is taken of foreign keys and tokens, and each
 * thing that must not be (ROBUSTNESS C1, C3, C6). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/hash.h"
#include "crypto/jws.h"
#include "crypto/jwt.h"
#include "jose_make.h"
#include "util/json.h"

#define BODY "{\"iss\":\"https://op.example\",\"sub\":\"s\"}"

static EVP_PKEY *rsa, *rsa_2, *ec;

static enum jws_answer
answer(const struct jwks *set, const char *token)
{
	json_t *claims = NULL;
	enum jws_alg alg = JWS_NONE;
	enum jws_answer a =
	    jws_verify_claims(set, token, JWS_ALL, NULL, &claims, &alg);

	assert_true((a == JWS_GOOD) == (claims != NULL));
	assert_true((a == JWS_GOOD) == (alg != JWS_NONE));
	json_decref(claims);
	return a;
}

static struct jwks *
set_of(json_t *one, json_t *two)
{
	json_auto_t *doc = json_pack("{s:[o]}", "keys", one);
	struct jwks *set;

	if (two != NULL)
		json_array_append_new(json_object_get(doc, "keys"), two);
	set = jose_set(doc);
	assert_non_null(set);
	return set;
}

/* Does the set of just this key have one that counts? */
static bool
taken(json_t *jwk)
{
	struct jwks *set = set_of(jwk, NULL);
	bool any = jwks_count(set) == 1;

	jwks_free(set);
	return any;
}

static void
test_algs(void **state)
{
	void *ctx = mem_root("test");

	(void)state;
	for (int a = JWS_RS256; a < JWS_ALGS; a++) {
		EVP_PKEY *key = jose_key(a);
		struct jwks *set = set_of(jose_jwk(key, "k"), NULL);
		char *head = mem_printf(
		    ctx, "{\"alg\":\"%s\",\"kid\":\"k\"}", jws_alg_name(a));
		char *token = jose_sign(ctx, key, a, head, BODY);
		size_t n = strlen(token);

		assert_int_equal(jwks_count(set), 1);
		assert_int_equal(answer(set, token), JWS_GOOD);
		/* One other character anywhere, and it is not. */
		for (size_t i = 0; i < n; i += 7) {
			char was = token[i];

			token[i] = was == 'A' ? 'B' : 'A';
			assert_int_not_equal(answer(set, token), JWS_GOOD);
			token[i] = was;
		}
		for (int other = JWS_RS256; other < JWS_ALGS; other++) {
			const struct jwk *k;
			bool known;

			/* Only its own algorithms are among a key's. */
			k = jwks_find(set, "k", other, &known);
			assert_true(known);
			assert_true((k != NULL) ==
				    ((a <= JWS_PS512 && other <= JWS_PS512) ||
					a == other));
		}
		jwks_free(set);
		EVP_PKEY_free(key);
	}
	mem_free(ctx);
}

static void
test_heads(void **state)
{
	static const struct {
		const char *head;
		enum jws_answer want;
	} rows[] = {
		{ "{\"alg\":\"RS256\",\"kid\":\"k\"}", JWS_GOOD },
		{ "{\"alg\":\"RS256\",\"kid\":\"k\",\"typ\":\"jwt\"}",
		    JWS_GOOD },
		{ "{\"alg\":\"RS256\",\"kid\":\"k\","
		  "\"typ\":\"application/JWT\"}",
		    JWS_GOOD },
		{ "{\"alg\":\"RS256\"}", JWS_GOOD },
		{ "{\"alg\":\"RS256\",\"kid\":\"k\",\"jku\":"
		  "\"http://127.0.0.1/\",\"x5u\":\"http://127.0.0.1/\"}",
		    JWS_GOOD },
		{ "{\"alg\":\"RS256\",\"kid\":\"l\"}", JWS_UNKNOWN_KEY },
		{ "{\"alg\":\"RS256\",\"kid\":\"../k\"}", JWS_UNKNOWN_KEY },
		{ "{\"alg\":\"RS256\",\"kid\":\"\"}", JWS_UNKNOWN_KEY },
		{ "{\"alg\":\"RS256\",\"kid\":7}", JWS_BAD },
		{ "{\"alg\":\"RS256\",\"kid\":\"k\",\"typ\":\"at+jwt\"}",
		    JWS_BAD },
		{ "{\"alg\":\"RS256\",\"kid\":\"k\",\"typ\":\"logout+jwt\"}",
		    JWS_BAD },
		{ "{\"alg\":\"RS256\",\"kid\":\"k\",\"typ\":null}", JWS_BAD },
		{ "{\"alg\":\"RS256\",\"kid\":\"k\",\"crit\":[\"exp\"]}",
		    JWS_BAD },
		{ "{\"alg\":\"RS256\",\"kid\":\"k\",\"crit\":[]}", JWS_BAD },
		{ "{\"alg\":\"RS384\",\"kid\":\"k\"}", JWS_BAD },
		{ "{\"alg\":\"PS256\",\"kid\":\"k\"}", JWS_BAD },
		{ "{\"alg\":\"ES256\",\"kid\":\"k\"}", JWS_BAD },
		{ "{\"alg\":\"HS256\",\"kid\":\"k\"}", JWS_BAD },
		{ "{\"alg\":\"rs256\",\"kid\":\"k\"}", JWS_BAD },
		{ "{\"alg\":\"none\",\"kid\":\"k\"}", JWS_BAD },
		{ "{\"alg\":\"None\"}", JWS_BAD },
		{ "{\"alg\":\"\"}", JWS_BAD },
		{ "{\"alg\":[\"RS256\"],\"kid\":\"k\"}", JWS_BAD },
		{ "{\"kid\":\"k\"}", JWS_BAD },
		{ "{\"alg\":\"RS256\",\"alg\":\"RS256\",\"kid\":\"k\"}",
		    JWS_BAD },
		{ "[\"RS256\"]", JWS_BAD },
		{ "null", JWS_BAD },
	};
	void *ctx = mem_root("test");
	struct jwks *set = set_of(jose_jwk(rsa, "k"), NULL);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *t = jose_sign(ctx, rsa, JWS_RS256, rows[i].head, BODY);

		if (answer(set, t) != rows[i].want)
			fail_msg("%s", rows[i].head);
	}
	jwks_free(set);
	mem_free(ctx);
}

/* The typ that is asked for, and the algorithms that count. */
static void
test_policy(void **state)
{
	static const char head[] =
	    "{\"alg\":\"RS256\",\"kid\":\"k\",\"typ\":\"Logout+JWT\"}";
	static const char plain[] = "{\"alg\":\"RS256\",\"kid\":\"k\"}";
	void *ctx = mem_root("test");
	struct jwks *set = set_of(jose_jwk(rsa, "k"), NULL);
	char *logout = jose_sign(ctx, rsa, JWS_RS256, head, BODY);
	char *none = jose_sign(ctx, rsa, JWS_RS256, plain, BODY);
	struct jws out;

	(void)state;
	assert_int_equal(
	    jws_verify(ctx, set, logout, JWS_ALL, "logout+jwt", &out),
	    JWS_GOOD);
	assert_memory_equal(out.payload, BODY, sizeof(BODY));
	assert_int_equal(
	    jws_verify(ctx, set, none, JWS_ALL, "logout+jwt", &out), JWS_BAD);
	assert_int_equal(
	    jws_verify(ctx, set, none, JWS_BIT(JWS_RS256), NULL, &out),
	    JWS_GOOD);
	assert_int_equal(
	    jws_verify(ctx, set, none, JWS_BIT(JWS_ES256), NULL, &out),
	    JWS_BAD);
	assert_int_equal(jws_verify(ctx, set, none, 0, NULL, &out), JWS_BAD);
	assert_int_equal(
	    jws_verify(ctx, set, none, JWS_BIT(JWS_NONE), NULL, &out), JWS_BAD);
	jwks_free(set);
	mem_free(ctx);
}

static void
test_forms(void **state)
{
	static const char head[] = "{\"alg\":\"RS256\",\"kid\":\"k\"}";
	void *ctx = mem_root("test");
	struct jwks *set = set_of(jose_jwk(rsa, "k"), NULL);
	char *token = jose_sign(ctx, rsa, JWS_RS256, head, BODY), *big;
	char *cut = mem_strndup(ctx, token, strlen(token) - 4);
	char *unsigned_ = mem_strdup(ctx, token);
	size_t n = JWS_TOKEN_MAX;

	(void)state;
	*(strrchr(unsigned_, '.') + 1) = '\0';
	assert_int_equal(answer(set, token), JWS_GOOD);
	const char *const bad[] = { "", ".", "..", "...", "a.b.c", cut,
		unsigned_, mem_printf(ctx, "%s=", token),
		mem_printf(ctx, "%s\n", token), mem_printf(ctx, " %s", token),
		mem_printf(ctx, "%s.", token), mem_printf(ctx, "%s.x", token),
		mem_printf(ctx, ".%s", token) };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(answer(set, bad[i]), JWS_BAD);
	/* As long as may be, and longer. */
	big = mem_zalloc(ctx, n, "big");
	memset(big, ' ', 8000);
	big[0] = '{';
	big[7999] = '}';
	assert_int_equal(
	    answer(set, jose_sign(ctx, rsa, JWS_RS256, head, big)), JWS_GOOD);
	memset(big, ' ', 13000);
	big[0] = '{';
	big[12999] = '}';
	assert_int_equal(
	    answer(set, jose_sign(ctx, rsa, JWS_RS256, head, big)), JWS_BAD);
	jwks_free(set);
	mem_free(ctx);
}

static void
test_payloads(void **state)
{
	static const char *const bad[] = { "", "[]", "null", "\"x\"", "{",
		"{}x", "{\"a\":1,\"a\":1}", "{\"a\":\"\\u0000\"}",
		"{\"a\":\"\xff\"}", "{\"a\":1e999}",
		"{\"a\":[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]}" };
	static const char head[] = "{\"alg\":\"RS256\",\"kid\":\"k\"}";
	void *ctx = mem_root("test");
	struct jwks *set = set_of(jose_jwk(rsa, "k"), NULL);

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (answer(set, jose_sign(ctx, rsa, JWS_RS256, head, bad[i])) !=
		    JWS_BAD)
			fail_msg("%s", bad[i]);
	jwks_free(set);
	mem_free(ctx);
}

static json_t *
with(json_t *jwk, const char *name, json_t *value)
{
	json_object_set_new(jwk, name, value);
	return jwk;
}

static json_t *
weak_rsa(int bits, unsigned e)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)bits);
	json_t *jwk = jose_jwk(key, "k");
	unsigned char byte = (unsigned char)e;

	if (e != 0)
		jose_member(jwk, "e", &byte, 1);
	EVP_PKEY_free(key);
	return jwk;
}

static void
test_keys(void **state)
{
	EVP_PKEY *x = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
	json_t *jwk;

	(void)state;
	assert_true(taken(jose_jwk(rsa, "k")));
	assert_true(taken(jose_jwk(rsa, NULL)));
	assert_true(taken(with(jose_jwk(rsa, "k"), "use", json_string("sig"))));
	assert_true(taken(
	    with(jose_jwk(rsa, "k"), "key_ops", json_pack("[s]", "verify"))));
	assert_true(
	    taken(with(jose_jwk(ec, "k"), "alg", json_string("ES256"))));

	assert_false(
	    taken(with(jose_jwk(rsa, "k"), "use", json_string("enc"))));
	assert_false(taken(with(jose_jwk(rsa, "k"), "use", json_null())));
	assert_false(taken(
	    with(jose_jwk(rsa, "k"), "key_ops", json_pack("[s]", "encrypt"))));
	assert_false(taken(with(jose_jwk(rsa, "k"), "key_ops", json_array())));
	assert_false(taken(with(jose_jwk(rsa, "k"), "kid", json_integer(1))));
	assert_false(taken(with(jose_jwk(rsa, "k"), "d", json_string("AQAB"))));
	assert_false(
	    taken(with(jose_jwk(rsa, "k"), "alg", json_string("HS256"))));
	assert_false(
	    taken(with(jose_jwk(rsa, "k"), "alg", json_string("RSA-OAEP"))));
	assert_false(
	    taken(with(jose_jwk(rsa, "k"), "alg", json_string("ES256"))));
	assert_false(taken(with(jose_jwk(rsa, "k"), "alg", json_null())));
	assert_false(taken(with(jose_jwk(rsa, "k"), "n", json_string(""))));
	assert_false(taken(with(jose_jwk(rsa, "k"), "n", json_string("AQAB"))));
	assert_false(taken(with(jose_jwk(rsa, "k"), "e", json_string("AQ=="))));
	assert_false(taken(with(jose_jwk(rsa, "k"), "kty", json_string("EC"))));
	assert_false(
	    taken(with(jose_jwk(ec, "k"), "crv", json_string("P-384"))));
	assert_false(
	    taken(with(jose_jwk(ec, "k"), "crv", json_string("secp256k1"))));
	assert_false(
	    taken(with(jose_jwk(ec, "k"), "alg", json_string("ES384"))));
	assert_false(taken(jose_jwk(x, "k")));
	assert_false(
	    taken(with(jose_jwk(x, "k"), "alg", json_string("EdDSA"))));
	assert_false(taken(json_pack("{s:s, s:s, s:s}", "kty", "oct", "kid",
	    "k", "k", "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0")));
	assert_false(taken(json_integer(1)));
	/* A point that is on no curve: x and y in each other's place. */
	jwk = jose_jwk(ec, "k");
	json_t *was = json_incref(json_object_get(jwk, "x"));
	json_object_set(jwk, "x", json_object_get(jwk, "y"));
	json_object_set_new(jwk, "y", was);
	assert_false(taken(jwk));
	/* An X25519 key that says it were Ed25519 is 32 bytes like others;
	 * what it never has is a signature. */
	EVP_PKEY_free(x);
	assert_false(taken(weak_rsa(1024, 0)));
	assert_false(taken(weak_rsa(2048, 1)));
	assert_false(taken(weak_rsa(2048, 3)));
}

/* Which key it is. */
static void
test_choice(void **state)
{
	static const char no_kid[] = "{\"alg\":\"RS256\"}";
	static const char kid_k[] = "{\"alg\":\"RS256\",\"kid\":\"k\"}";
	void *ctx = mem_root("test");
	char *t = jose_sign(ctx, rsa, JWS_RS256, no_kid, BODY);
	char *t_kid = jose_sign(ctx, rsa, JWS_RS256, kid_k, BODY);
	struct jwks *set = set_of(jose_jwk(rsa, "k"), jose_jwk(rsa_2, "l"));

	(void)state;
	/* Two that could be meant: neither is tried. */
	assert_int_equal(answer(set, t), JWS_BAD);
	assert_int_equal(answer(set, t_kid), JWS_GOOD);
	jwks_free(set);
	/* Only one of them signs so. */
	set = set_of(jose_jwk(rsa, "k"), jose_jwk(ec, "l"));
	assert_int_equal(answer(set, t), JWS_GOOD);
	jwks_free(set);
	/* One name, two keys of different kinds: told apart by the algorithm;
	 * of one kind: not. */
	set = set_of(jose_jwk(ec, "k"), jose_jwk(rsa, "k"));
	assert_int_equal(answer(set, t_kid), JWS_GOOD);
	jwks_free(set);
	set = set_of(jose_jwk(rsa, "k"), jose_jwk(rsa_2, "k"));
	assert_int_equal(answer(set, t_kid), JWS_BAD);
	jwks_free(set);
	/* Signed by another key than it names. */
	set = set_of(jose_jwk(rsa_2, "k"), jose_jwk(rsa, "l"));
	assert_int_equal(answer(set, t_kid), JWS_BAD);
	jwks_free(set);
	mem_free(ctx);
}

static void
test_sets(void **state)
{
	static const char *const bad[] = { "", "[]", "{}", "{\"keys\":{}}",
		"{\"keys\":[],\"keys\":[]}", "{\"keys\":[]", "<html>" };
	json_auto_t *many = json_pack("{s:[]}", "keys");
	struct jwks *set = NULL;
	struct err e = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(
		    jwks_parse(bad[i], strlen(bad[i]), &set, &e), -1);
		assert_int_equal(e.code, ERR_UPSTREAM);
		assert_null(set);
	}
	for (int i = 0; i < JWKS_KEYS_MAX; i++)
		json_array_append_new(
		    json_object_get(many, "keys"), jose_jwk(ec, NULL));
	set = jose_set(many);
	assert_non_null(set);
	assert_int_equal(jwks_count(set), JWKS_KEYS_MAX);
	jwks_free(set);
	json_array_append_new(json_object_get(many, "keys"), json_object());
	assert_null(jose_set(many));
	jwks_free(NULL);
}

/* The example of OpenID Connect Core, A.3 to A.4. */
static void
test_half_hash(void **state)
{
	static const char code[] =
	    "Qcb0Orv1zh30vL1MPRsbm-diHiMwcLyZvn1arpZv-Jxf_11jnpEX3Tgfvk";
	static const char access[] = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5"
				     "KF0Y";

	(void)state;
	assert_true(jws_half_hash(JWS_RS256, code, "LDktKdoQak3Pk0cnXxCltA"));
	assert_true(jws_half_hash(JWS_RS256, access, "77QmUPtjPfzWtF2AnpK9RQ"));
	assert_false(
	    jws_half_hash(JWS_RS256, access, "77QmUPtjPfzWtF2AnpK9RR"));
	assert_false(
	    jws_half_hash(JWS_RS384, access, "77QmUPtjPfzWtF2AnpK9RQ"));
	assert_false(jws_half_hash(JWS_RS256, access, ""));
}

static void
test_times(void **state)
{
	static const struct {
		const char *claims;
		bool good;
	} rows[] = {
		{ "{\"exp\":1000}", true },
		{ "{\"exp\":941}", true },
		{ "{\"exp\":940}", false },
		{ "{\"exp\":940.5}", true },
		{ "{\"exp\":\"2000\"}", false },
		{ "{\"exp\":true}", false },
		{ "{\"exp\":null}", false },
		{ "{\"exp\":-1}", false },
		{ "{\"exp\":9223372036854775807}", false },
		{ "{\"exp\":1e300}", false },
		{ "{}", false },
		{ "{\"exp\":2000,\"nbf\":1060}", true },
		{ "{\"exp\":2000,\"nbf\":1061}", false },
		{ "{\"exp\":2000,\"nbf\":\"1\"}", false },
		{ "{\"exp\":2000,\"iat\":1060}", true },
		{ "{\"exp\":2000,\"iat\":1061}", false },
		{ "{\"exp\":2000,\"iat\":-1}", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_auto_t *c = json_loads(rows[i].claims, 0, NULL);

		if (jws_times(c, 1000) != rows[i].good)
			fail_msg("%s", rows[i].claims);
	}
}

static int
setup(void **state)
{
	(void)state;
	json_setup();
	rsa = EVP_RSA_gen(2048);
	rsa_2 = EVP_RSA_gen(2048);
	ec = EVP_EC_gen("P-256");
	return crypto_setup(NULL);
}

static int
teardown(void **state)
{
	(void)state;
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(rsa_2);
	EVP_PKEY_free(ec);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_algs),
		cmocka_unit_test(test_heads),
		cmocka_unit_test(test_policy),
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_payloads),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_choice),
		cmocka_unit_test(test_sets),
		cmocka_unit_test(test_half_hash),
		cmocka_unit_test(test_times),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
