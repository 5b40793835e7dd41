/* sso/provider against a small server: what is fetched, how often, and for
 * whom it is kept (ROBUSTNESS B8, C6, D10, D12). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../crypto/jose_make.h"
#include "../net/server.h"
#include "crypto/hash.h"
#include "net/call.h"
#include "net/egress.h"
#include "shm/pace.h"
#include "sso/provider.h"
#include "util/clock.h"
#include "util/json.h"

/* What the server says, and how often it was asked. */
struct op {
	const char *document; /* NULL: 500 */
	const char *extra;    /* headers of all */
	_Atomic(const char *) keys;
	atomic_int documents, sets, unchanged;
	bool etag;
};

static struct net *net;
static struct egress *guard;
static struct fetcher fetcher;
static EVP_PKEY *first, *second;

static void
answer(int fd, const char *status, const char *extra, const char *body)
{
	char *out = mem_printf(NULL,
	    "HTTP/1.1 %s\r\nContent-Type: application/json\r\n%s"
	    "Content-Length: %zu\r\n\r\n%s",
	    status, extra, strlen(body), body);

	server_send(fd, out);
	mem_free(out);
}

static void
serve(struct server *s, int fd)
{
	struct op *op = server_arg(s);
	char head[8192];

	while (server_request(fd, head, sizeof(head)) == 0) {
		if (strstr(head, "/.well-known/") != NULL) {
			atomic_fetch_add(&op->documents, 1);
			if (op->document == NULL)
				answer(fd, "500 No", "", "");
			else
				answer(fd, "200 OK",
				    op->extra != NULL ? op->extra : "",
				    op->document);
		} else if (op->etag && strstr(head, "If-None-Match: \"1\"")) {
			atomic_fetch_add(&op->unchanged, 1);
			answer(fd, "304 Same", "", "");
		} else {
			atomic_fetch_add(&op->sets, 1);
			answer(fd, "200 OK", op->etag ? "ETag: \"1\"\r\n" : "",
			    atomic_load(&op->keys));
		}
	}
}

static char *
document_of(const void *ctx, const struct server *s)
{
	const char *base = server_url(s, "");

	return mem_printf(ctx,
	    "{\"issuer\":\"%s\",\"authorization_endpoint\":\"%s/a\","
	    "\"token_endpoint\":\"%s/t\",\"jwks_uri\":\"%s/jwks\"}",
	    base, base, base, base);
}

static char *
set_text(const void *ctx, EVP_PKEY *key, const char *kid)
{
	json_auto_t *doc = json_pack("{s:[o]}", "keys", jose_jwk(key, kid));
	char *text = json_dumps(doc, 0), *copy = mem_strdup(ctx, text);

	free(text);
	return copy;
}

static int
verify(
    struct providers *ps, struct provider *p, const char *token, struct err *e)
{
	json_t *claims = NULL;
	enum jws_alg alg;
	int rc = provider_verify(
	    ps, p, token, NULL, clock_mono() + 5 * CLOCK_S, &claims, &alg, e);

	json_decref(claims);
	return rc;
}

static struct provider *
get(struct providers *ps, const struct uuid *account, const char *issuer,
    struct err *e)
{
	struct provider *p = NULL;

	return providers_get(
		   ps, account, issuer, clock_mono() + 5 * CLOCK_S, &p, e) == 0
	           ? p
	           : NULL;
}

static char *
token(const void *ctx, EVP_PKEY *key, const char *kid)
{
	return jose_sign(ctx, key, JWS_ES256,
	    mem_printf(ctx, "{\"alg\":\"ES256\",\"kid\":\"%s\"}", kid), "{}");
}

/* Rotation, and a flood of names that nobody knows. */
static void
test_rotation(void **state)
{
	void *ctx = mem_root("test");
	struct op op = { 0 };
	struct server *s = server_start(serve, &op);
	struct providers *ps = providers_new(&fetcher, 4);
	struct uuid account;
	struct provider *p;
	struct err e = { 0 };

	(void)state;
	id_new(&account);
	op.document = document_of(ctx, s);
	op.keys = set_text(ctx, first, "k1");
	p = get(ps, &account, server_url(s, ""), &e);
	if (p == NULL)
		fail_msg("%s", e.text);
	for (int i = 0; i < 5; i++)
		assert_int_equal(verify(ps, p, token(ctx, first, "k1"), &e), 0);
	assert_int_equal(atomic_load(&op.documents), 1);
	assert_int_equal(atomic_load(&op.sets), 1);
	/* Signed by another key, though of a name that is known: no fetch. */
	assert_int_equal(verify(ps, p, token(ctx, second, "k1"), &e), -1);
	assert_int_equal(e.code, ERR_UNKNOWN);
	assert_int_equal(atomic_load(&op.sets), 1);
	/* The keys are a second old at least before they are asked for
	 * again. */
	sleep_ms(1050);
	atomic_store(&op.keys, set_text(ctx, second, "k2"));
	assert_int_equal(verify(ps, p, token(ctx, second, "k2"), &e), 0);
	assert_int_equal(atomic_load(&op.sets), 2);
	/* The old one is no longer good, and no flood has them fetched. */
	sleep_ms(1050);
	for (int i = 0; i < 50; i++)
		assert_int_equal(
		    verify(ps, p, token(ctx, first, mem_printf(ctx, "x%d", i)),
			&e),
		    -1);
	assert_int_equal(verify(ps, p, token(ctx, first, "k1"), &e), -1);
	assert_int_equal(atomic_load(&op.sets), 2);
	assert_int_equal(verify(ps, p, token(ctx, second, "k2"), &e), 0);
	provider_unref(ps, p);
	providers_free(ps);
	server_stop(s);
	mem_free(ctx);
}

/* Two accounts of one issuer: each asks for itself. */
static void
test_accounts(void **state)
{
	void *ctx = mem_root("test");
	struct op op = { .etag = true };
	struct server *s = server_start(serve, &op);
	struct providers *ps = providers_new(&fetcher, 4);
	struct uuid a, b;
	struct provider *pa, *pb;
	struct err e = { 0 };

	(void)state;
	id_new(&a);
	id_new(&b);
	op.document = document_of(ctx, s);
	op.keys = set_text(ctx, first, "k1");
	pa = get(ps, &a, server_url(s, ""), &e);
	assert_non_null(pa);
	assert_int_equal(verify(ps, pa, token(ctx, first, "k1"), &e), 0);
	/* What b is told later is not what a was told. */
	atomic_store(&op.keys, set_text(ctx, second, "k1"));
	pb = get(ps, &b, server_url(s, ""), &e);
	assert_non_null(pb);
	assert_int_equal(verify(ps, pb, token(ctx, second, "k1"), &e), 0);
	assert_int_equal(verify(ps, pb, token(ctx, first, "k1"), &e), -1);
	assert_int_equal(verify(ps, pa, token(ctx, second, "k1"), &e), -1);
	assert_int_equal(verify(ps, pa, token(ctx, first, "k1"), &e), 0);
	assert_int_equal(atomic_load(&op.documents), 2);
	assert_int_equal(atomic_load(&op.sets), 2);
	/* Asked again with the tag of what is at hand. */
	sleep_ms(1050);
	assert_int_equal(verify(ps, pa, token(ctx, first, "k9"), &e), -1);
	assert_int_equal(atomic_load(&op.unchanged), 1);
	assert_int_equal(verify(ps, pa, token(ctx, first, "k1"), &e), 0);
	provider_unref(ps, pa);
	provider_unref(ps, pb);
	providers_free(ps);
	server_stop(s);
	mem_free(ctx);
}

/* More providers than there are places. */
static void
test_places(void **state)
{
	void *ctx = mem_root("test");
	struct op op = { 0 };
	struct server *s = server_start(serve, &op);
	struct providers *ps = providers_new(&fetcher, 2);
	struct provider *p[2], *more;
	struct uuid account;
	struct err e = { 0 };

	(void)state;
	op.document = document_of(ctx, s);
	op.keys = set_text(ctx, first, "k1");
	for (int i = 0; i < 2; i++) {
		id_new(&account);
		p[i] = get(ps, &account, server_url(s, ""), &e);
		assert_non_null(p[i]);
	}
	id_new(&account);
	assert_null(get(ps, &account, server_url(s, ""), &e));
	assert_int_equal(e.code, ERR_UNAVAILABLE);
	provider_unref(ps, p[1]);
	more = get(ps, &account, server_url(s, ""), &e);
	assert_non_null(more);
	assert_int_equal(verify(ps, more, token(ctx, first, "k1"), &e), 0);
	assert_int_equal(verify(ps, p[0], token(ctx, first, "k1"), &e), 0);
	provider_unref(ps, more);
	provider_unref(ps, p[0]);
	providers_free(ps);
	server_stop(s);
	mem_free(ctx);
}

/* What a provider must not make us do, and failures that are remembered. */
static void
test_failures(void **state)
{
	void *ctx = mem_root("test");
	struct op op = { 0 };
	struct server *s = server_start(serve, &op);
	struct providers *ps = providers_new(&fetcher, 8);
	struct uuid account;
	struct err e = { 0 };
	char *doc;

	(void)state;
	id_new(&account);
	for (int i = 0; i < 10; i++)
		assert_null(get(ps, &account, server_url(s, ""), &e));
	assert_int_equal(e.code, ERR_UPSTREAM);
	assert_int_equal(atomic_load(&op.documents), 1);
	/* Another issuer than asked for. */
	op.document = document_of(ctx, s);
	assert_null(get(ps, &account, server_url(s, "/"), &e));
	assert_int_equal(e.code, ERR_UPSTREAM);
	/* More than 1 MiB. */
	doc = mem_zalloc(ctx, (size_t)1200 * 1024, "doc");
	memset(doc, ' ', (size_t)1200 * 1024 - 1);
	memcpy(doc, "{}", 2);
	op.document = doc;
	assert_null(get(ps, &account, server_url(s, "/big"), &e));
	assert_int_equal(e.code, ERR_UPSTREAM);
	/* Nothing but an address that is opened is connected to. */
	assert_null(get(ps, &account, "http://127.0.0.2:1", &e));
	assert_int_equal(e.code, ERR_INVALID);
	assert_null(get(ps, &account, "https://127.0.0.3", &e));
	providers_free(ps);
	server_stop(s);
	mem_free(ctx);
}

static void
redirect(struct server *s, int fd)
{
	char head[8192];

	while (server_request(fd, head, sizeof(head)) == 0) {
		char extra[200];

		snprintf(extra, sizeof(extra), "Location: %s\r\n",
		    server_url(s, "/elsewhere"));
		answer(fd, "302 There", extra, "{}");
	}
}

static void
test_redirect(void **state)
{
	struct server *s = server_start(redirect, NULL);
	struct discovery d;
	struct err e = { 0 };
	size_t keys;
	void *ctx = mem_root("test");

	(void)state;
	assert_int_equal(provider_probe(&fetcher, ctx, server_url(s, ""),
			     clock_mono() + 5 * CLOCK_S, &d, &keys, &e),
	    -1);
	assert_int_equal(e.code, ERR_UPSTREAM);
	assert_non_null(strstr(e.text, "302"));
	assert_int_equal(server_accepts(s), 1);
	server_stop(s);
	mem_free(ctx);
}

static void
test_probe(void **state)
{
	void *ctx = mem_root("test");
	struct op op = { 0 };
	struct server *s = server_start(serve, &op);
	struct discovery d;
	struct err e = { 0 };
	size_t keys = 0;

	(void)state;
	op.document = document_of(ctx, s);
	op.keys = set_text(ctx, first, "k1");
	assert_int_equal(provider_probe(&fetcher, ctx, server_url(s, ""),
			     clock_mono() + 5 * CLOCK_S, &d, &keys, &e),
	    0);
	assert_int_equal(keys, 1);
	assert_string_equal(d.token_endpoint, server_url(s, "/t"));
	atomic_store(&op.keys, "{\"keys\":[]}");
	assert_int_equal(provider_probe(&fetcher, ctx, server_url(s, ""),
			     clock_mono() + 5 * CLOCK_S, &d, &keys, &e),
	    -1);
	server_stop(s);
	mem_free(ctx);
}

static int
setup(void **state)
{
	static const char *const allow[] = { "127.0.0.1", NULL };

	(void)state;
	json_setup();
	pace_map();
	net = net_new(4);
	guard = egress_new(NULL, allow, NULL);
	fetcher = (struct fetcher){ net, guard };
	first = EVP_EC_gen("P-256");
	second = EVP_EC_gen("P-256");
	return crypto_setup(NULL);
}

static int
teardown(void **state)
{
	(void)state;
	net_free(net);
	mem_free(guard);
	EVP_PKEY_free(first);
	EVP_PKEY_free(second);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rotation),
		cmocka_unit_test(test_accounts),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_redirect),
		cmocka_unit_test(test_probe),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
