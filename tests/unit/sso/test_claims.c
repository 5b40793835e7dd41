/* sso/claims, sso/discovery and the addresses of sso/fetch: what providers may
 * say (ROBUSTNESS C3, C6). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/hash.h"
#include "net/egress.h"
#include "sso/claims.h"
#include "sso/discovery.h"
#include "util/json.h"
#include "util/mem.h"

#define NOW 1800000000
#define ISS "https://op.example"

static const struct claims_wanted wanted = { .issuer = ISS,
	.client_id = "us",
	.nonce = "n-1",
	.access_token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y",
	.alg = JWS_RS256,
	.now = NOW };

/* The good claims, with ${name} in the place of what stood there; a NULL value
 * takes it away. */
static json_t *
with(json_t *claims, const char *name, const char *value)
{
	if (value == NULL)
		json_object_del(claims, name);
	else
		json_object_set_new(
		    claims, name, json_loads(value, JSON_DECODE_ANY, NULL));
	return claims;
}

static json_t *
id_token(void)
{
	return json_pack("{s:s, s:s, s:s, s:i, s:i, s:s}", "iss", ISS, "aud",
	    "us", "sub", "s-1", "exp", NOW + 300, "iat", NOW, "nonce", "n-1");
}

static json_t *
logout_token(void)
{
	return json_loads(
	    "{\"iss\":\"https://op.example\",\"aud\":[\"us\"],\"iat\":"
	    "1800000000,\"exp\":1800000100,\"jti\":\"j\",\"sid\":\"x\","
	    "\"events\":{\"http://schemas.openid.net/event/"
	    "backchannel-logout\":{}}}",
	    0, NULL);
}

struct row {
	const char *name, *value;
	bool good;
};

static void
check_rows(json_t *(*make)(void),
    int (*check)(const struct claims_wanted *, const json_t *, struct err *),
    const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		json_auto_t *c = with(make(), rows[i].name, rows[i].value);
		struct err e = { 0 };
		int rc = check(&wanted, c, &e);

		if ((rc == 0) != rows[i].good)
			fail_msg(
			    "%s = %s: %s", rows[i].name, rows[i].value, e.text);
		if (rc != 0)
			assert_int_equal(e.code, ERR_UNKNOWN);
	}
}

static void
test_id_token(void **state)
{
	static const struct row rows[] = {
		{ "x", "1", true },
		{ "iss", NULL, false },
		{ "iss", "\"https://op.example/\"", false },
		{ "iss", "\"https://op.example.evil\"", false },
		{ "iss", "[\"https://op.example\"]", false },
		{ "aud", NULL, false },
		{ "aud", "\"them\"", false },
		{ "aud", "[]", false },
		{ "aud", "[\"us\"]", true },
		{ "aud", "[\"us\",\"them\"]", false }, /* no azp */
		{ "aud", "[\"us\",1]", false },
		{ "azp", "\"us\"", true },
		{ "azp", "\"them\"", false },
		{ "azp", "1", false },
		{ "sub", NULL, false },
		{ "sub", "\"\"", false },
		{ "sub", "1", false },
		{ "sub", "\"a\\nb\"", false },
		{ "nonce", NULL, false },
		{ "nonce", "\"n-2\"", false },
		{ "nonce", "\"n-\"", false },
		{ "iat", NULL, false },
		{ "iat", "\"1800000000\"", false },
		{ "iat", "1800000061", false },
		{ "iat", "1800000060", true },
		{ "exp", NULL, false },
		{ "exp", "1799999941", true },
		{ "exp", "1799999940", false },
		{ "exp", "1799999940.5", true },
		{ "exp", "\"1800000300\"", false },
		{ "exp", "9223372036854775807", false },
		{ "exp", "-1", false },
		{ "nbf", "1800000060", true },
		{ "nbf", "1800000061", false },
		{ "nbf", "null", false },
		{ "at_hash", "\"77QmUPtjPfzWtF2AnpK9RQ\"", true },
		{ "at_hash", "\"77QmUPtjPfzWtF2AnpK9RR\"", false },
		{ "at_hash", "7", false },
	};
	json_auto_t *two = id_token();

	(void)state;
	check_rows(
	    id_token, claims_id_token, rows, sizeof(rows) / sizeof(rows[0]));
	with(with(two, "aud", "[\"us\",\"them\"]"), "azp", "\"us\"");
	assert_int_equal(claims_id_token(&wanted, two, NULL), 0);
	with(two, "azp", "\"them\"");
	assert_int_equal(claims_id_token(&wanted, two, NULL), -1);
}

static void
test_logout_token(void **state)
{
	static const struct row rows[] = {
		{ "x", "1", true },
		{ "sub", "\"s\"", true },
		{ "sub", "\"\"", false },
		{ "sid", "7", false },
		{ "sid", NULL, false },
		{ "iss", "\"https://other.example\"", false },
		{ "aud", "\"them\"", false },
		{ "iat", NULL, false },
		{ "exp", NULL, false },
		{ "exp", "1799999000", false },
		{ "jti", NULL, false },
		{ "jti", "\"\"", false },
		{ "nonce", "\"n-1\"", false },
		{ "events", NULL, false },
		{ "events", "{}", false },
		{ "events", "[]", false },
		{ "events",
		    "{\"http://schemas.openid.net/event/backchannel-logout\":"
		    "true}",
		    false },
	};

	(void)state;
	check_rows(logout_token, claims_logout_token, rows,
	    sizeof(rows) / sizeof(rows[0]));
}

static void
test_paths(void **state)
{
	json_auto_t *c = json_loads(
	    "{\"groups\":[\"a\",\"b\",7],\"a.b\":\"flat\",\"a\":{\"b\":\"deep\""
	    ",\"c\":{\"d\":true}},\"https://x.example/roles\":\"r\"}",
	    0, NULL);

	(void)state;
	assert_true(claims_say(claims_at(c, "groups"), "a"));
	assert_true(claims_say(claims_at(c, "groups"), "7"));
	assert_false(claims_say(claims_at(c, "groups"), "c"));
	assert_false(claims_say(claims_at(c, "groups"), ""));
	assert_true(claims_say(claims_at(c, "a.b"), "flat"));
	assert_true(claims_say(claims_at(c, "a.c.d"), "true"));
	assert_true(claims_say(claims_at(c, "https://x.example/roles"), "r"));
	assert_null(claims_at(c, "a.c.d.e"));
	assert_null(claims_at(c, "."));
	assert_null(claims_at(c, ""));
	assert_false(claims_say(NULL, ""));
}

static struct egress *guard;
static struct fetcher fetcher;

static void
test_addresses(void **state)
{
	static const struct {
		const char *url;
		bool good;
	} rows[] = {
		{ "https://op.example", true },
		{ "https://op.example/", true },
		{ "https://op.example:8443/realms/a", true },
		{ "http://127.0.0.1:8080", true },
		{ "http://[fd00::7]:8080", true },
		{ "http://127.0.0.2", false }, /* not opened */
		{ "http://op.example", false },
		{ "http://localhost:8080", false },
		{ "https://op.example/a/../b", false },
		{ "https://op.example/..", false },
		{ "https://op.example/./a", false },
		{ "https://op.example//a", false },
		{ "https://op.example/%2e%2e/a", false },
		{ "https://op.example/a;b", false },
		{ "https://op.example/a\\b", false },
		{ "https://op.example?x", false },
		{ "https://op.example/#x", false },
		{ "https://us@op.example", false },
		{ "ftp://op.example", false },
		{ "file:///etc/passwd", false },
		{ "op.example", false },
		{ "", false },
	};
	void *ctx = mem_root("test");

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err e = { 0 };
		int rc = discovery_issuer_ok(&fetcher, rows[i].url, &e);

		if ((rc == 0) != rows[i].good)
			fail_msg("%s: %s", rows[i].url, e.text);
		if (rc != 0)
			assert_int_equal(e.code, ERR_INVALID);
	}
	assert_string_equal(discovery_url(ctx, "https://op.example/"),
	    "https://op.example/.well-known/openid-configuration");
	assert_string_equal(discovery_url(ctx, "https://op.example/r"),
	    "https://op.example/r/.well-known/openid-configuration");
	mem_free(ctx);
}

static json_t *
document(void)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:[s,s], s:b}", "issuer", ISS,
	    "authorization_endpoint", ISS "/auth?tenant=1", "token_endpoint",
	    ISS "/token", "jwks_uri", ISS "/jwks",
	    "id_token_signing_alg_values_supported", "RS256", "HS256",
	    "authorization_response_iss_parameter_supported", 1);
}

static int
parse(const void *ctx, json_t *doc, struct discovery *out, struct err *e)
{
	char *text = json_dumps(doc, 0);
	int rc =
	    discovery_parse(&fetcher, ctx, ISS, text, strlen(text), out, e);

	free(text);
	json_decref(doc);
	return rc;
}

static void
test_documents(void **state)
{
	static const struct row rows[] = {
		{ "x", "1", true },
		{ "issuer", NULL, false },
		{ "issuer", "\"https://op.example/\"", false },
		{ "issuer", "\"https://OP.example\"", false },
		{ "issuer", "7", false },
		{ "authorization_endpoint", NULL, false },
		{ "token_endpoint", NULL, false },
		{ "token_endpoint", "\"http://op.example/token\"", false },
		{ "token_endpoint", "\"https://op.example/../token\"", false },
		{ "jwks_uri", "\"file:///etc/passwd\"", false },
		{ "jwks_uri", "[]", false },
		{ "userinfo_endpoint", "null", true },
		{ "userinfo_endpoint", "\"javascript:alert(1)\"", false },
		{ "end_session_endpoint", "\"http://op.example/\"", false },
		{ "response_types_supported", "[\"id_token\"]", false },
		{ "response_types_supported", "[\"code\"]", true },
		{ "code_challenge_methods_supported", "[\"plain\"]", false },
		{ "code_challenge_methods_supported", "[\"plain\",\"S256\"]",
		    true },
		{ "id_token_signing_alg_values_supported", "[\"HS256\"]",
		    false },
		{ "id_token_signing_alg_values_supported", "[\"none\"]",
		    false },
		{ "id_token_signing_alg_values_supported", NULL, true },
	};
	void *ctx = mem_root("test");
	struct discovery d;
	struct err e = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		e = (struct err){ 0 };
		int rc = parse(
		    ctx, with(document(), rows[i].name, rows[i].value), &d, &e);

		if ((rc == 0) != rows[i].good)
			fail_msg(
			    "%s = %s: %s", rows[i].name, rows[i].value, e.text);
		if (rc != 0)
			assert_int_equal(e.code, ERR_UPSTREAM);
	}
	assert_int_equal(parse(ctx, document(), &d, &e), 0);
	assert_string_equal(d.authorization_endpoint, ISS "/auth?tenant=1");
	assert_int_equal(d.algs, JWS_BIT(JWS_RS256));
	assert_true(d.says_iss && d.basic && !d.post);
	assert_null(d.userinfo_endpoint);
	assert_int_equal(
	    discovery_parse(&fetcher, ctx, ISS, "[]", 2, &d, &e), -1);
	assert_int_equal(
	    discovery_parse(&fetcher, ctx, ISS, "<html>", 6, &d, &e), -1);
	mem_free(ctx);
}

static int
setup(void **state)
{
	static const char *const allow[] = { "127.0.0.1", "fd00::/16", NULL };

	(void)state;
	json_setup();
	guard = egress_new(NULL, allow, NULL);
	fetcher.egress = guard;
	return crypto_setup(NULL);
}

static int
teardown(void **state)
{
	(void)state;
	mem_free(guard);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_id_token),
		cmocka_unit_test(test_logout_token),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_documents),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
