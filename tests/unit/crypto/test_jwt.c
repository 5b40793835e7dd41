/* crypto/jwt: what is good, and each thing that must not be (ROBUSTNESS C1,
 * C3). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/hash.h"
#include "crypto/jwt.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

#define NOW 1800000000
#define TYP "at+jwt"

static const unsigned char key[JWT_KEY] = "0123456789abcdef0123456789abcde";
static int asked;

static bool
find(void *arg, const char *kid, unsigned char out[JWT_KEY])
{
	(void)arg;
	asked++;
	memcpy(out, key, JWT_KEY);
	return strcmp(kid, "k1") == 0;
}

static bool
any_key(void *arg, const char *kid, unsigned char out[JWT_KEY])
{
	(void)arg, (void)kid;
	memcpy(out, key, JWT_KEY);
	return true;
}

static struct jwt_policy
policy(void)
{
	return (struct jwt_policy){
		.typ = TYP, .iss = "us", .aud = "them", .now = NOW, .key = find
	};
}

static char *
part(const void *ctx, const char *text)
{
	size_t n = strlen(text);
	char *out = mem_zalloc(ctx, n * 2 + 4, "part");

	str_b64url(text, n, out);
	return out;
}

/* A token of any header and body, rightly signed. */
static char *
signed_as(const void *ctx, const char *head, const char *body)
{
	char *in = mem_printf(ctx, "%s.%s", part(ctx, head), part(ctx, body));
	unsigned char mac[32];
	char text[64];

	crypto_hmac_sha256(key, sizeof(key), in, strlen(in), mac);
	str_b64url(mac, sizeof(mac), text);
	return mem_printf(ctx, "%s.%s", in, text);
}

static bool
good(const char *token)
{
	struct jwt_policy p = policy();
	json_t *claims = NULL;
	struct err e = { 0 };
	int rc = jwt_verify(&p, token, &claims, &e);

	if (rc == 0) {
		json_decref(claims);
		return true;
	}
	assert_int_equal(e.code, ERR_UNKNOWN);
	assert_string_equal(e.text, "The token is not valid.");
	assert_null(claims);
	return false;
}

#define HEAD "{\"alg\":\"HS256\",\"typ\":\"at+jwt\",\"kid\":\"k1\"}"
#define BODY "{\"iss\":\"us\",\"aud\":\"them\",\"exp\":1800000100}"

static void
test_round(void **state)
{
	void *ctx = mem_root("test");
	json_auto_t *claims = json_pack("{s:s, s:s, s:i, s:s}", "iss", "us",
	    "aud", "them", "exp", NOW + 900, "sub", "somebody");
	struct jwt_policy p = policy();
	char *token = jwt_sign(ctx, TYP, "k1", key, claims);
	json_t *back = NULL;

	(void)state;
	assert_int_equal(jwt_verify(&p, token, &back, NULL), 0);
	assert_true(json_equal(claims, back));
	json_decref(back);
	assert_true(good(signed_as(ctx, HEAD, BODY)));
	/* Each single changed character makes it no token of ours. */
	for (size_t i = 0; token[i] != '\0'; i++) {
		char was = token[i];

		token[i] = was == 'A' ? 'B' : 'A';
		assert_false(good(token));
		token[i] = was;
	}
	mem_free(ctx);
}

static void
test_heads(void **state)
{
	static const char *const bad[] = {
		"{\"alg\":\"none\",\"typ\":\"at+jwt\",\"kid\":\"k1\"}",
		"{\"alg\":\"hs256\",\"typ\":\"at+jwt\",\"kid\":\"k1\"}",
		"{\"alg\":\"HS512\",\"typ\":\"at+jwt\",\"kid\":\"k1\"}",
		"{\"alg\":\"RS256\",\"typ\":\"at+jwt\",\"kid\":\"k1\"}",
		"{\"alg\":[\"HS256\"],\"typ\":\"at+jwt\",\"kid\":\"k1\"}",
		"{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"k1\"}",
		"{\"alg\":\"HS256\",\"kid\":\"k1\"}",
		"{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}",
		"{\"alg\":\"HS256\",\"typ\":\"at+jwt\",\"kid\":\"k2\"}",
		"{\"alg\":\"HS256\",\"typ\":\"at+jwt\",\"kid\":\"k1\\u0000\"}",
		"{\"alg\":\"HS256\",\"typ\":\"at+jwt\",\"kid\":\"k1\","
		"\"crit\":[\"exp\"]}",
		"{\"alg\":\"HS256\",\"typ\":\"at+jwt\",\"kid\":\"k1\","
		"\"jku\":\"http://127.0.0.1/\"}",
		"{\"alg\":\"HS256\",\"alg\":\"HS256\",\"typ\":\"at+jwt\","
		"\"kid\":\"k1\"}",
		"[\"HS256\",\"at+jwt\",\"k1\"]",
		"null",
		"",
	};
	void *ctx = mem_root("test");

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(good(signed_as(ctx, bad[i], BODY)));
	/* What is wrong by its header is turned away before a key is sought. */
	asked = 0;
	(void)good(signed_as(ctx, bad[0], BODY));
	assert_int_equal(asked, 0);
	mem_free(ctx);
}

static void
test_claims(void **state)
{
	static const struct {
		const char *body;
		bool good;
	} rows[] = {
		{ "{\"iss\":\"us\",\"aud\":[\"x\",\"them\"],"
		  "\"exp\":1800000100}",
		    true },
		{ "{\"iss\":\"us\",\"aud\":[],\"exp\":1800000100}", false },
		{ "{\"iss\":\"us\",\"aud\":\"they\",\"exp\":1800000100}",
		    false },
		{ "{\"iss\":\"us\",\"exp\":1800000100}", false },
		{ "{\"iss\":\"us2\",\"aud\":\"them\",\"exp\":1800000100}",
		    false },
		{ "{\"iss\":[\"us\"],\"aud\":\"them\",\"exp\":1800000100}",
		    false },
		{ "{\"aud\":\"them\",\"exp\":1800000100}", false },
		{ "{\"iss\":\"us\",\"aud\":\"them\"}", false },
		{ "{\"iss\":\"us\",\"aud\":\"them\",\"exp\":1,"
		  "\"exp\":1800000100}",
		    false },
		{ "[1]", false },
	};
	void *ctx = mem_root("test");

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(
		    good(signed_as(ctx, HEAD, rows[i].body)), rows[i].good);
	mem_free(ctx);
}

/* ROBUSTNESS C3: the edges of exp, nbf and iat, and what is no time. */
static void
test_times(void **state)
{
	static const struct {
		const char *name, *value;
		bool good;
	} rows[] = {
		{ "exp", "1799999941", true },  /* 59 s ago */
		{ "exp", "1799999940", false }, /* 60 s ago */
		{ "exp", "1799999939", false },
		{ "exp", "1799999940.5", true },
		{ "exp", "1.8e9", true },
		{ "exp", "\"1800000100\"", false },
		{ "exp", "9223372036854775807", false },
		{ "exp", "-1", false },
		{ "exp", "true", false },
		{ "exp", "null", false },
		{ "nbf", "1800000060", true },
		{ "nbf", "1800000061", false },
		{ "nbf", "1800000060.5", false },
		{ "nbf", "\"1\"", false },
		{ "nbf", "-5", false },
		{ "iat", "1800000060", true },
		{ "iat", "1800000061", false },
		{ "iat", "{}", false },
	};
	void *ctx = mem_root("test");
	char *body;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		body = mem_printf(ctx,
		    "{\"iss\":\"us\",\"aud\":\"them\",%s\"%s\":%s}",
		    strcmp(rows[i].name, "exp") == 0 ? ""
						     : "\"exp\":1800000100,",
		    rows[i].name, rows[i].value);
		if (good(signed_as(ctx, HEAD, body)) != rows[i].good)
			fail_msg("%s", body);
	}
	mem_free(ctx);
}

static void
test_forms(void **state)
{
	void *ctx = mem_root("test");
	char *token = signed_as(ctx, HEAD, BODY), *longer;
	static const char *const bad[] = { "", ".", "..", "a.b.c", "a.b",
		"\xff.\xff.\xff" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(good(bad[i]));
	assert_false(good(mem_printf(ctx, "%s=", token)));
	assert_false(good(mem_printf(ctx, "%s.", token)));
	assert_false(good(mem_printf(ctx, " %s", token)));
	assert_false(
	    good(mem_printf(ctx, "%.*s", (int)strlen(token) - 1, token)));
	longer = mem_zalloc(ctx, 3 * JWT_MAX, "long");
	memset(longer, 'A', 2 * JWT_MAX);
	longer[JWT_MAX / 2] = '.';
	longer[JWT_MAX] = '.';
	assert_false(good(longer));
	mem_free(ctx);
}

/* A stranger's library has made it: typ and kid may be missing, nobody asks for
 * iss; what else there is to forge is no better. */
static void
test_foreign(void **state)
{
	static const char *const heads[] = { "{\"alg\":\"HS256\"}",
		"{\"alg\":\"HS256\",\"typ\":\"JWT\"}",
		"{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"k1\"}",
		"{\"kid\":\"k1\",\"alg\":\"HS256\"}" };
	static const char *const bad[] = { "{}", "{\"typ\":\"JWT\"}",
		"{\"alg\":\"none\",\"typ\":\"JWT\"}",
		"{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}",
		"{\"alg\":\"HS256\",\"typ\":\"widget+jwt\"}",
		"{\"alg\":\"HS256\",\"typ\":null}",
		"{\"alg\":\"HS256\",\"kid\":7}",
		"{\"alg\":\"HS256\",\"jku\":\"http://127.0.0.1/\"}",
		"{\"alg\":\"HS256\",\"crit\":[]}",
		"{\"alg\":\"HS256\",\"kid\":\"k1\",\"x\":1}" };
	static const char body[] = "{\"aud\":\"them\",\"exp\":1800000100}";
	struct jwt_policy p = policy();
	void *ctx = mem_root("test");
	char kid[JWT_KID_MAX + 1];
	json_t *claims;

	(void)state;
	p.foreign = true;
	p.typ = p.iss = NULL;
	p.key = any_key;
	for (size_t i = 0; i < sizeof(heads) / sizeof(*heads); i++) {
		char *token = signed_as(ctx, heads[i], body);

		assert_int_equal(jwt_verify(&p, token, &claims, NULL), 0);
		json_decref(claims);
		assert_int_equal(jwt_head(&p, token, kid, NULL), 0);
		assert_string_equal(kid, i < 2 ? "" : "k1");
		/* and it is none of ours */
		assert_false(good(token));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		char *token = signed_as(ctx, bad[i], body);

		assert_int_equal(jwt_verify(&p, token, &claims, NULL), -1);
		assert_int_equal(jwt_head(&p, token, kid, NULL), -1);
	}
	p.aud = "others";
	assert_int_equal(
	    jwt_verify(&p, signed_as(ctx, heads[0], body), &claims, NULL), -1);
	mem_free(ctx);
}

/* What a token calls itself, whoever has made it. */
static void
test_typ(void **state)
{
	void *ctx = mem_root("test");
	char *token = signed_as(ctx, HEAD, BODY);
	struct jwt_policy p = policy();
	json_t *claims;

	(void)state;
	assert_true(jwt_typ(token, "at+jwt"));
	assert_false(jwt_typ(token, "widget+jwt"));
	assert_false(jwt_typ("sb_live_x", "at+jwt"));
	assert_false(jwt_typ("..", "at+jwt"));
	/* the audience that the caller looks at himself */
	p.aud = NULL;
	assert_int_equal(jwt_verify(&p, token, &claims, NULL), 0);
	json_decref(claims);
	mem_free(ctx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round),
		cmocka_unit_test(test_heads),
		cmocka_unit_test(test_claims),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_foreign),
		cmocka_unit_test(test_typ),
	};
	struct err e;

	json_setup();
	if (crypto_setup(&e) != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
