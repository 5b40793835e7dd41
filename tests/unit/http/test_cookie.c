/* Cookies that come, with whatever stands beside them, and cookies that go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "http/cookie.h"
#include "memio.h"

#include "util/banned.h"

static struct memio m;

static const char *
cookie(const char *field)
{
	char line[600];
	const char *env[] = { "REQUEST_METHOD=GET", "REQUEST_URI=/", line,
		NULL };

	if (m.ctx != NULL)
		memio_close(&m);
	snprintf(line, sizeof(line), "HTTP_COOKIE=%s", field);
	memio_open(&m, env);
	return http_cookie(m.req, "sb-1");
}

static void
test_parse(void **state)
{
	static const struct {
		const char *field, *value;
	} rows[] = {
		{ "", NULL },
		{ "sb-1=abc", "abc" },
		{ "  sb-1=abc ", "abc" },
		{ "a=b; sb-1=abc; c=d", "abc" },
		{ "a=b;sb-1=abc;c=d", "abc" },
		{ ";;; sb-1=abc ;;", "abc" },
		{ "sb-1=", "" },
		{ "sb-1=a=b==", "a=b==" },
		{ "sb-1", NULL },
		{ "=sb-1=x", NULL },
		{ "xsb-1=a", NULL },
		{ "sb-10=a", NULL },
		{ "SB-1=a", NULL },
		{ "__Host-sb-1=a", NULL },
		{ "sb-1 =a", NULL },
		/* twice the same is one; two that differ are none */
		{ "sb-1=a; sb-1=a", "a" },
		{ "sb-1=a; sb-1=b", NULL },
		{ "sb-1=a; x=1; sb-1=ab", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *v = cookie(rows[i].field);

		if (rows[i].value == NULL)
			assert_null(v);
		else
			assert_string_equal(v, rows[i].value);
	}
}

static void
test_set(void **state)
{
	(void)state;
	cookie("");
	http_cookie_set(m.resp, "__Host-sb-1", "v.a~l_u-e", 60, true);
	http_cookie_set(m.resp, "sb-2", "", -1, false);
	http_cookie_set(m.resp, "sb-3", "x", 0, false);
	http_cookie_set(m.resp, "sb-4", "a;b", 0, false);
	http_cookie_set(m.resp, "sb-5", "a\r\nX-Evil: 1", 0, false);
	http_cookie_set(m.resp, "sb=6", "x", 0, false);
	http_send_empty(m.resp);
	assert_true(memio_has(&m, "Set-Cookie: __Host-sb-1=v.a~l_u-e; "
				  "Max-Age=60; Path=/; HttpOnly; SameSite=Lax; "
				  "Secure"));
	assert_true(memio_has(&m, "Set-Cookie: sb-2=; Max-Age=0; Path=/; "
				  "HttpOnly; SameSite=Lax"));
	assert_true(memio_has(
	    &m, "Set-Cookie: sb-3=x; Path=/; HttpOnly; SameSite=Lax"));
	assert_null(strstr(m.out, "sb-4"));
	assert_null(strstr(m.out, "Evil"));
	assert_null(strstr(m.out, "sb=6"));
	memio_close(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
