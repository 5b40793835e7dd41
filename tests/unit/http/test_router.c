/* Which row a path finds, and which spellings find none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "http/router.h"
#include "memio.h"

#include "util/banned.h"

static const char *const table[][2] = {
	{ "GET", "/" },
	{ "POST", "/accounts/{slug}/chat/{type}/{name}" },
	{ "GET", "/accounts/{slug}/turns/{id}" },
	{ "DELETE", "/accounts/{slug}/turns/{id}" },
	{ "GET", "/admin" },
	{
	    "GET",
	    "/never",
	},
	{ "POST", "/admin/{x}" },
	{ "GET", "/admin/me" },
};

/* Row 5 has no path: as rows of another pool. */
static bool
row(const void *t, int i, const char **method, const char **pattern)
{
	assert_ptr_equal(t, table);
	if (i >= (int)(sizeof(table) / sizeof(*table)))
		return false;
	*method = table[i][0];
	*pattern = i == 5 ? "" : table[i][1];
	return true;
}

static struct memio m;
static struct route_match match;

static void
find(const char *method, const char *path)
{
	static char a[64], b[4096];
	const char *env[] = { a, b, NULL };

	if (m.ctx != NULL)
		memio_close(&m);
	snprintf(a, sizeof(a), "REQUEST_METHOD=%s", method);
	snprintf(b, sizeof(b), "REQUEST_URI=%s", path);
	memio_open(&m, env);
	router_find(m.req, row, table, &match);
}

static int
teardown(void **state)
{
	(void)state;
	if (m.ctx != NULL)
		memio_close(&m);
	return 0;
}

static void
test_found(void **state)
{
	(void)state;
	find("GET", "/");
	assert_int_equal(match.row, 0);
	find("POST", "/accounts/acme/chat/sales/shop?x=/y%2e");
	assert_int_equal(match.row, 1);
	assert_int_equal(m.req->nvars, 3);
	assert_string_equal(http_var(m.req, "slug"), "acme");
	assert_string_equal(http_var(m.req, "type"), "sales");
	assert_string_equal(http_var(m.req, "name"), "shop");
	assert_null(http_var(m.req, "id"));
	find("DELETE", "/accounts/acme/turns/A-._~:@!$&'()*+,;=z");
	assert_int_equal(match.row, 3);
	assert_string_equal(http_var(m.req, "id"), "A-._~:@!$&'()*+,;=z");
	find("HEAD", "/admin");
	assert_int_equal(match.row, 4);
	/* rows in their order: POST /admin/me is a variable, GET is not */
	find("GET", "/admin/me");
	assert_int_equal(match.row, 7);
	find("POST", "/admin/me");
	assert_int_equal(match.row, 6);
}

static void
test_other_method(void **state)
{
	(void)state;
	find("PUT", "/accounts/acme/turns/1");
	assert_int_equal(match.row, -1);
	assert_true(match.other_method);
	assert_string_equal(match.allow, "GET, HEAD, DELETE");
	assert_string_equal(http_var(m.req, "slug"), "acme");
	find("HEAD", "/accounts/a/chat/b/c");
	assert_int_equal(match.row, -1);
	assert_string_equal(match.allow, "POST");
	find("OPTIONS", "/accounts/acme/chat/sales/shop");
	assert_true(match.other_method);
	assert_string_equal(http_var(m.req, "slug"), "acme");
}

/* D7: what another layer could read differently is nowhere. */
static void
test_nowhere(void **state)
{
	static const char *const paths[] = { "/ADMIN", "/Admin", "/admin/",
		"//admin", "/./admin", "/admin/.", "/admin/..", "/x/../admin",
		"/%61dmin", "/admin%2f", "/admin%5cx", "/admin%00",
		"/admin%2e%2e", "/%2e%2e/admin", "/%252e/admin", "/admin\\",
		"\\admin", "/admin;x", "/..;/admin", "/admin\x01", "/admin\x7f",
		"/admin\xc3\xa9", "/admin x", "admin", "*", "http://h/admin",
		"/accounts//chat/a/b", "/accounts/./turns/1",
		"/accounts/../turns/1", "/accounts/a/turns/..",
		"/accounts/a%2fb/turns/1", "/accounts/a/turns/1/",
		"/accounts/a/turns/1/2", "/accounts/a/turns", "/never",
		"/accounts/a/chat/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r", "?",
		"/admin#x", "/admin/me%09", "/admin/\t" };

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		find("GET", paths[i]);
		if (match.row != -1 || match.other_method)
			fail_msg("%s is row %d", paths[i], match.row);
		assert_int_equal(m.req->nvars, 0);
		assert_string_equal(match.allow, "");
	}
}

static void
test_long(void **state)
{
	char path[3000] = "/admin/";

	(void)state;
	memset(path + 7, 'a', 900);
	find("POST", path);
	assert_int_equal(match.row, 6);
	memset(path + 7, 'a', 2000);
	find("POST", path);
	assert_int_equal(match.row, -1);
	assert_false(match.other_method);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found),
		cmocka_unit_test(test_other_method),
		cmocka_unit_test(test_nowhere),
		cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
