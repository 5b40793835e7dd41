/*
 * Published vectors: Wycheproof's signatures and keys, and the claims of
 * contracts/jose, read in place.  SB_CONTRACTS names their folder; default:
 * ../shared/contracts beside the source tree.  Without them all is skipped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "crypto/hash.h"
#include "crypto/jws.h"
#include "util/json.h"
#include "util/mem.h"

static char folder[512];

static json_t *
load(const char *name)
{
	char path[600];
	json_t *doc;
	json_error_t e;

	if (folder[0] == '\0')
		return NULL;
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	doc = json_load_file(path, 0, &e);
	if (doc == NULL)
		fail_msg("%s: %s", path, e.text);
	return doc;
}

static const char *
text(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s != NULL ? s : "";
}

static struct jwks *
set_of(const json_t *jwks)
{
	char *s = json_dumps(jwks, 0);
	struct jwks *set = NULL;

	if (jwks_parse(s, strlen(s), &set, NULL) != 0)
		set = NULL;
	free(s);
	return set;
}

/* The key or keys of a group, as a set; what is only private is symmetric. */
static json_t *
keys_of(const json_t *group)
{
	json_t *key = json_object_get(group, "public");

	if (key == NULL)
		key = json_object_get(group, "private");
	return json_object_get(key, "keys") != NULL
	           ? json_incref(key)
	           : json_pack("{s:[O]}", "keys", key);
}

/*
 * Valid by the file, and refused here on purpose: symmetric keys, and keys
 * whose alg names another algorithm than the token's ("ES521" is none at all).
 */
static bool
not_ours(const json_t *keys, const json_t *test)
{
	const json_t *k = json_array_get(json_object_get(keys, "keys"), 0);
	const char *alg = text(k, "alg"), *flag = text(test, "comment");

	return strcmp(text(k, "kty"), "oct") == 0 ||
	       strcmp(alg, "ES521") == 0 ||
	       (strcmp(alg, "PS256") == 0 && strcmp(flag, "Figure20") == 0);
}

struct counts {
	int accepted, refused, not_ours;
};

static void
run_group(const char *file, const json_t *group, struct counts *c)
{
	json_auto_t *keys = keys_of(group);
	struct jwks *set = set_of(keys);
	const json_t *test;
	void *ctx = mem_root("vectors");
	size_t i;

	assert_non_null(set);
	json_array_foreach(json_object_get(group, "tests"), i, test)
	{
		const json_t *jws = json_object_get(test, "jws");
		bool valid = strcmp(text(test, "result"), "valid") == 0;
		struct jws out;
		bool good;

		if (json_object_get(test, "jwe") != NULL)
			continue;
		good = json_is_string(jws) &&
		       jws_verify(ctx, set, json_string_value(jws), JWS_ALL,
			   NULL, &out) == JWS_GOOD;

		if (good && !valid)
			fail_msg("%s %lld: accepted wrongly", file,
			    (long long)json_integer_value(
				json_object_get(test, "tcId")));
		if (!good && valid && !not_ours(keys, test))
			fail_msg("%s %lld: refused wrongly", file,
			    (long long)json_integer_value(
				json_object_get(test, "tcId")));
		c->accepted += good;
		c->refused += !good && !valid;
		c->not_ours += !good && valid;
	}
	jwks_free(set);
	mem_free(ctx);
}

static void
run_file(const char *file, struct counts *c)
{
	json_auto_t *doc = load(file);
	const json_t *group;
	size_t i;

	if (doc == NULL)
		skip();
	json_array_foreach(json_object_get(doc, "testGroups"), i, group)
	{
		run_group(file, group, c);
	}
	print_message("%s: %d accepted, %d refused, %d valid ones not taken\n",
	    file, c->accepted, c->refused, c->not_ours);
}

static void
test_signatures(void **state)
{
	struct counts c = { 0 };

	(void)state;
	run_file("json_web_signature_test.json", &c);
	assert_true(c.accepted >= 30 && c.refused >= 300);
}

static void
test_keys(void **state)
{
	struct counts c = { 0 };

	(void)state;
	run_file("json_web_key_test.json", &c);
	assert_true(c.accepted >= 1 && c.refused >= 15);
}

/* JSON Web Encryption is not taken; what stands there of signatures is. */
static void
test_crypto(void **state)
{
	struct counts c = { 0 };

	(void)state;
	run_file("json_web_crypto_test.json", &c);
	assert_true(c.refused >= 20);
}

/* What a program does with a token, for the cases of jwt-claims.json. */
static bool
takes(const json_t *doc, const json_t *one)
{
	const json_t *conf = json_object_get(doc, "config");
	struct jwks *set = set_of(json_object_get(doc, text(one, "jwks")));
	json_auto_t *claims = NULL;
	enum jws_alg alg;
	bool good;

	assert_non_null(set);
	good = jws_verify_claims(set, text(one, "token"),
		   JWS_BIT(JWS_RS256) | JWS_BIT(JWS_ES256), NULL, &claims,
		   &alg) == JWS_GOOD &&
	       jws_says(claims, "iss", text(conf, "issuer")) &&
	       jws_audience(claims, text(conf, "audience")) &&
	       jws_times(
		   claims, json_integer_value(json_object_get(doc, "clock")));
	jwks_free(set);
	return good;
}

static void
test_claims(void **state)
{
	json_auto_t *doc = load("jwt-claims.json");
	const json_t *one;
	size_t i, n = 0;

	(void)state;
	if (doc == NULL)
		skip();
	json_array_foreach(json_object_get(doc, "cases"), i, one)
	{
		if (takes(doc, one) !=
		    json_is_true(json_object_get(one, "valid")))
			fail_msg("%s: %s", text(one, "name"), text(one, "why"));
		n++;
	}
	assert_true(n >= 40);
}

static void
test_sets(void **state)
{
	json_auto_t *doc = load("jwt-claims.json");
	const json_t *one;
	size_t i, n = 0;

	(void)state;
	if (doc == NULL)
		skip();
	json_array_foreach(json_object_get(doc, "jwks_robustness"), i, one)
	{
		struct jwks *set = set_of(json_object_get(one, "jwks"));
		const char *want = text(one, "expect");
		bool known;

		if (strncmp(want, "fetch counts", 12) == 0) {
			assert_null(set);
		} else {
			assert_non_null(set);
			if (strncmp(want, "skip the key", 12) == 0)
				assert_int_equal(jwks_count(set), 1);
			else if (strncmp(want, "no usable", 9) == 0)
				assert_int_equal(jwks_count(set), 0);
			else /* the same name twice */
				assert_null(
				    jwks_find(set, "r1", JWS_RS256, &known));
		}
		jwks_free(set);
		n++;
	}
	assert_true(n >= 6);
}

static int
setup(void **state)
{
	const char *given = getenv("SB_CONTRACTS"), *src = getenv("srcdir");

	(void)state;
	json_setup();
	if (given != NULL)
		snprintf(folder, sizeof(folder), "%s/jose", given);
	else
		snprintf(folder, sizeof(folder), "%s/../shared/contracts/jose",
		    src != NULL ? src : ".");
	if (access(folder, R_OK) != 0) {
		print_message(
		    "skip: no vectors in %s (set SB_CONTRACTS)\n", folder);
		folder[0] = '\0';
	}
	return crypto_setup(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signatures),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_crypto),
		cmocka_unit_test(test_claims),
		cmocka_unit_test(test_sets),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
