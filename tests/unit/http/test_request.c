/* Parameters, headers, queries and bodies of a request. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "memio.h"

#include "util/banned.h"

static void
test_params(void **state)
{
	const char *env[] = { "FCGI_ROLE=RESPONDER", "REQUEST_METHOD=GET",
		"REQUEST_URI=/a%20b?x=1&y", "REMOTE_ADDR=192.0.2.1",
		"HTTP_X_WIDGET_KEY=one", "HTTP_X_WIDGET_KEY=two",
		"CONTENT_TYPE=text/plain", "HTTP_CONTENT_TYPE=fake",
		"REMOTE_USER_=x", "REMOTE_USER=admin=", "NOEQUALS",
		"HTTP_HOST=h.example", "HTTPS=on", "EMPTY=", NULL };
	struct memio m = { 0 };
	struct http_req *r;

	(void)state;
	memio_open(&m, env);
	r = m.req;
	assert_int_equal(r->bad.code, ERR_NONE);
	assert_string_equal(r->method, "GET");
	assert_string_equal(r->path, "/a%20b");
	assert_string_equal(r->query, "x=1&y");
	assert_string_equal(r->client_address, "192.0.2.1");
	assert_string_equal(r->scheme, "https");
	assert_string_equal(r->host, "h.example");
	assert_int_equal(r->content_length, -1);
	assert_int_equal(r->gone_fd, -1);
	/* first wins; exact names; "=" belongs to the value */
	assert_string_equal(http_header(r, "x-widget-key"), "one");
	assert_string_equal(http_header(r, "content-type"), "text/plain");
	assert_string_equal(http_param(r, "REMOTE_USER"), "admin=");
	assert_string_equal(http_param(r, "EMPTY"), "");
	assert_null(http_param(r, "REMOTE"));
	assert_null(http_param(r, "NOEQUALS"));
	assert_null(http_header(r, "x-widget"));
	assert_null(http_header(r, ""));
	assert_int_equal(r->nparams, 13);
	memio_close(&m);
}

/* Nothing of libfcgi's memory is kept. */
static void
test_copied(void **state)
{
	char uri[] = "REQUEST_URI=/p?q", method[] = "REQUEST_METHOD=GET";
	const char *env[] = { uri, method, NULL };
	struct memio m = { 0 };

	(void)state;
	memio_open(&m, env);
	memset(uri, 'z', sizeof(uri) - 1);
	memset(method, 'z', sizeof(method) - 1);
	assert_string_equal(m.req->path, "/p");
	assert_string_equal(m.req->query, "q");
	assert_string_equal(m.req->method, "GET");
	memio_close(&m);
}

static void
test_bad(void **state)
{
	static const struct {
		const char *method, *uri, *length;
		bool ok;
	} rows[] = {
		{ "GET", "/", NULL, true },
		{ "GET", "/", "", true },
		{ "GET", "/", "0", true },
		{ "GET", "/", "007", true },
		{ "M-SEARCH", "/", NULL, true },
		{ "GET", "", NULL, false },
		{ "GET", NULL, NULL, false },
		{ NULL, "/", NULL, false },
		{ "", "/", NULL, false },
		{ "get", "/", NULL, false },
		{ "GET ", "/", NULL, false },
		{ "G\nET", "/", NULL, false },
		{ "AAAAAAAAAAAAAAAAA", "/", NULL, false },
		{ "GET", "/", "-1", false },
		{ "GET", "/", "+1", false },
		{ "GET", "/", "1, 1", false },
		{ "GET", "/", " 1", false },
		{ "GET", "/", "1e3", false },
		{ "GET", "/", "9223372036854775808", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char method[64], uri[64], length[64];
		const char *env[4];
		struct memio m = { 0 };
		int n = 0;

		snprintf(method, 64, "REQUEST_METHOD=%s",
		    rows[i].method ? rows[i].method : "");
		snprintf(
		    uri, 64, "REQUEST_URI=%s", rows[i].uri ? rows[i].uri : "");
		snprintf(length, 64, "CONTENT_LENGTH=%s",
		    rows[i].length ? rows[i].length : "");
		if (rows[i].method != NULL)
			env[n++] = method;
		if (rows[i].uri != NULL)
			env[n++] = uri;
		if (rows[i].length != NULL)
			env[n++] = length;
		env[n] = NULL;
		memio_open(&m, env);
		if (rows[i].ok != (m.req->bad.code == ERR_NONE))
			fail_msg("row %zu: %s", i, m.req->bad.text);
		memio_close(&m);
	}
}

static void
open_query(struct memio *m, const char *query)
{
	static char uri[300000];
	const char *env[] = { "REQUEST_METHOD=GET", uri, NULL };

	snprintf(uri, sizeof(uri), "REQUEST_URI=/p?%s", query);
	memio_open(m, env);
}

static void
test_query(void **state)
{
	struct memio m = { 0 };
	struct err e = { .code = ERR_INTERNAL };

	(void)state;
	open_query(&m,
	    "&&a=1&a=2&b=x%20y+z&c&d=&%65=p%3Dq&bad=%4&nul=%00&latin=%E9"
	    "&u=%C3%A9&=noname");
	assert_string_equal(http_query(m.req, "a", &e), "1");
	assert_int_equal(e.code, ERR_NONE);
	assert_string_equal(http_query(m.req, "b", &e), "x y z");
	assert_string_equal(http_query(m.req, "c", &e), "");
	assert_string_equal(http_query(m.req, "d", &e), "");
	assert_string_equal(http_query(m.req, "e", &e), "p=q");
	assert_string_equal(http_query(m.req, "u", &e), "\xc3\xa9");
	assert_null(http_query(m.req, "A", &e));
	assert_int_equal(e.code, ERR_NONE);
	assert_null(http_query(m.req, "bad", &e));
	assert_int_equal(e.code, ERR_MALFORMED);
	assert_null(http_query(m.req, "nul", &e));
	assert_int_equal(e.code, ERR_MALFORMED);
	assert_null(http_query(m.req, "latin", &e));
	assert_int_equal(e.code, ERR_MALFORMED);
	assert_null(http_query(m.req, "latin", NULL));
	memio_close(&m);
}

/* D17: ten thousand parameters cost a walk, and the first of a name wins. */
static void
test_query_many(void **state)
{
	static char query[60000];
	size_t n = 0;
	struct memio m = { 0 };
	struct err e;

	(void)state;
	for (int i = 0; i < 10000; i++)
		n += (size_t)snprintf(
		    query + n, sizeof(query) - n, "p=%d&", i % 10);
	open_query(&m, query);
	assert_int_equal(m.req->bad.code, ERR_NONE);
	assert_string_equal(http_query(m.req, "p", &e), "0");
	assert_null(http_query(m.req, "q", &e));
	memio_close(&m);
}

static void
test_limit(void **state)
{
	static const struct {
		const char *query;
		int want; /* 0: refused */
	} rows[] = { { "", 50 }, { "limit=1", 1 }, { "limit=200", 200 },
		{ "limit=0", 0 }, { "limit=201", 0 }, { "limit=-1", 0 },
		{ "limit=", 0 }, { "limit=5x", 0 }, { "limit=%zz", 0 },
		{ "limit=7&limit=9", 7 } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct memio m = { 0 };
		struct err e = { 0 };
		int limit = -7, rc;

		open_query(&m, rows[i].query);
		rc = http_query_limit(m.req, &limit, &e);
		assert_int_equal(rc, rows[i].want > 0 ? 0 : -1);
		assert_int_equal(limit, rows[i].want > 0 ? rows[i].want : -7);
		memio_close(&m);
	}
}

static const char *const post[] = { "REQUEST_METHOD=POST", "REQUEST_URI=/",
	NULL };

static void
test_body_pieces(void **state)
{
	(void)state;
	for (size_t step = 0; step < 13; step++) {
		struct memio m = { .body = "hello, world", .step = step };
		struct err e = { 0 };
		const char *p;
		size_t n;

		memio_open(&m, post);
		assert_int_equal(http_body(m.req, 12, &p, &n, &e), 0);
		assert_int_equal(n, 12);
		assert_string_equal(p, "hello, world");
		/* again, and with a smaller limit */
		assert_int_equal(http_body(m.req, 100, &p, &n, &e), 0);
		assert_int_equal(http_body(m.req, 11, &p, &n, &e), -1);
		assert_int_equal(e.code, ERR_TOO_LARGE);
		memio_close(&m);
	}
}

static void
test_body_empty(void **state)
{
	struct memio m = { 0 };
	const char *p = NULL;
	size_t n = 7;

	(void)state;
	memio_open(&m, post);
	assert_int_equal(http_body(m.req, 0, &p, &n, NULL), 0);
	assert_int_equal(n, 0);
	assert_string_equal(p, "");
	memio_close(&m);
}

static void
test_body_too_large(void **state)
{
	const char *env[] = { "REQUEST_METHOD=POST", "REQUEST_URI=/",
		"CONTENT_LENGTH=12", NULL };
	struct memio m = { .body = "hello, world" };
	struct err e = { 0 };
	const char *p = NULL;
	size_t n = 0;

	(void)state;
	/* by what it says and by what it brings; read to its end both times */
	memio_open(&m, env);
	assert_int_equal(http_body(m.req, 11, &p, &n, &e), -1);
	assert_int_equal(e.code, ERR_TOO_LARGE);
	assert_int_equal(m.at, 12);
	assert_null(p);
	http_send(m.resp, "text/plain", "", 0);
	assert_true(http_exchange_end(m.req, m.resp));
	memio_close(&m);

	m = (struct memio){ .body = "hello, world", .step = 5 };
	memio_open(&m, post);
	assert_int_equal(http_body(m.req, 11, &p, &n, &e), -1);
	assert_int_equal(e.code, ERR_TOO_LARGE);
	assert_int_equal(m.at, 12);
	memio_close(&m);

	/* beyond the drain: answered, but the connection is not kept */
	m = (struct memio){ .body = "hello, world", .step = 2 };
	memio_open_bound(&m, post, 5);
	assert_int_equal(http_body(m.req, 3, &p, &n, &e), -1);
	assert_int_equal(e.code, ERR_TOO_LARGE);
	assert_int_equal(m.at, 6);
	http_send(m.resp, "text/plain", "", 0);
	assert_false(http_exchange_end(m.req, m.resp));
	assert_int_equal(m.at, 6);
	memio_close(&m);
}

static void
test_body_broken(void **state)
{
	static const struct {
		int error;
		enum err_code code;
	} rows[] = { { EAGAIN, ERR_TIMEOUT }, { EPROTO, ERR_MALFORMED },
		{ ECONNRESET, ERR_MALFORMED } };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct memio m = { .body = "hel", .read_errno = rows[i].error };
		struct err e = { 0 };
		const char *p;
		size_t n;

		memio_open(&m, post);
		assert_int_equal(http_body(m.req, 99, &p, &n, &e), -1);
		assert_int_equal(e.code, rows[i].code);
		e.code = ERR_NONE;
		assert_int_equal(http_body(m.req, 99, &p, &n, &e), -1);
		assert_int_equal(e.code, rows[i].code);
		http_send(m.resp, "text/plain", "", 0);
		assert_false(http_exchange_end(m.req, m.resp));
		memio_close(&m);
	}
}

/* A body that nobody wanted is read before the answer goes out. */
static void
test_body_unread(void **state)
{
	struct memio m = { .body = "unwanted" };

	(void)state;
	memio_open(&m, post);
	http_send(m.resp, "text/plain", "ok", 2);
	assert_int_equal(m.at, 8);
	assert_true(http_exchange_end(m.req, m.resp));
	memio_close(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_params),
		cmocka_unit_test(test_copied),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_query),
		cmocka_unit_test(test_query_many),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_body_pieces),
		cmocka_unit_test(test_body_empty),
		cmocka_unit_test(test_body_too_large),
		cmocka_unit_test(test_body_broken),
		cmocka_unit_test(test_body_unread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
