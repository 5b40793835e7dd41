/* Which address a browser is at, who sent a form, and where it may be led. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "api/app.h"
#include "api/place.h"
#include "unit/http/memio.h"

#include "util/banned.h"

static struct memio m;
static struct app app;
static struct place place;

/* ${site} and ${origin}: headers, NULL for none. */
static void
at(const char *const *urls, const char *scheme, const char *host,
    const char *site, const char *origin)
{
	static char lines[3][300];
	const char *env[7] = { "REQUEST_METHOD=POST", "REQUEST_URI=/login" };
	int n = 2;

	if (m.ctx != NULL)
		memio_close(&m);
	if (strcmp(scheme, "https") == 0)
		env[n++] = "HTTPS=on";
	snprintf(lines[0], sizeof(lines[0]), "HTTP_HOST=%s", host);
	env[n++] = lines[0];
	if (site != NULL) {
		snprintf(
		    lines[1], sizeof(lines[1]), "HTTP_SEC_FETCH_SITE=%s", site);
		env[n++] = lines[1];
	}
	if (origin != NULL) {
		snprintf(lines[2], sizeof(lines[2]), "HTTP_ORIGIN=%s", origin);
		env[n++] = lines[2];
	}
	env[n] = NULL;
	memio_open(&m, env);
	app.public_urls = urls;
	place_find(&app, m.req, &place);
}

static const char *const two[] = { "https://chat.example.com",
	"http://127.0.0.1:8080", NULL };
static const char *const plain[] = { "http://intranet:8080", NULL };
static const char *const none[] = { NULL };

static void
is(const char *origin, bool secure, bool cookies)
{
	if (origin == NULL)
		assert_null(place.origin);
	else
		assert_string_equal(place.origin, origin);
	assert_int_equal(place.secure, secure);
	assert_int_equal(place.cookies, cookies);
}

static void
test_where(void **state)
{
	(void)state;
	at(two, "https", "chat.example.com", NULL, NULL);
	is("https://chat.example.com", true, true);
	/* TLS ended somewhere in front */
	at(two, "http", "chat.example.com", NULL, NULL);
	is("https://chat.example.com", true, true);
	at(two, "https", "evil.example.com", NULL, NULL);
	is(NULL, false, false);
	at(two, "http", "evil.example.com", NULL, NULL);
	is(NULL, false, false);
	at(two, "http", "127.0.0.1:8080", NULL, NULL);
	is("http://127.0.0.1:8080", false, true);
	at(two, "http", "localhost:8080", NULL, NULL);
	is("http://localhost:8080", false, true);
	at(two, "http", "[::1]:8080", NULL, NULL);
	is("http://[::1]:8080", false, true);
	at(two, "http", "127.0.0.1:8081", NULL, NULL);
	is(NULL, false, false);
	at(two, "http", "127.0.0.1.evil.example:8080", NULL, NULL);
	is(NULL, false, false);
	at(two, "http", "localhost:8080@evil.example", NULL, NULL);
	is(NULL, false, false);
	/* a plain address elsewhere is known and keeps no cookie */
	at(plain, "http", "intranet:8080", NULL, NULL);
	is("http://intranet:8080", false, false);
	at(plain, "http", "localhost:8080", NULL, NULL);
	is(NULL, false, false);
	at(none, "http", "localhost:1234", NULL, NULL);
	is("http://localhost:1234", false, true);
	at(none, "http", "example.com", NULL, NULL);
	is(NULL, false, false);
	at(none, "http", "", NULL, NULL);
	is(NULL, false, false);
}

static void
test_who_sent_it(void **state)
{
	static const struct {
		const char *site, *origin;
		bool good;
	} rows[] = {
		{ "same-origin", "https://chat.example.com", true },
		{ "same-origin", "null", true },
		{ "same-origin", NULL, true },
		{ NULL, "https://chat.example.com", true },
		{ NULL, NULL, false },
		{ NULL, "null", false },
		{ NULL, "https://evil.example", false },
		{ NULL, "http://chat.example.com", false },
		{ NULL, "https://chat.example.com.evil.example", false },
		{ NULL, "https://chat.example.com:444", false },
		{ NULL, "", false },
		{ "cross-site", "https://chat.example.com", false },
		{ "cross-site", NULL, false },
		{ "cross-site", "null", false },
		{ "same-site", "https://www.example.com", false },
		{ "same-site", "https://chat.example.com", false },
		{ "none", NULL, false },
		{ "same-origin", "https://evil.example", false },
		{ "", "https://chat.example.com", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err e = { 0 };
		int rc;

		at(two, "https", "chat.example.com", rows[i].site,
		    rows[i].origin);
		rc = place_check_source(m.req, &place, &e);
		if ((rc == 0) != rows[i].good)
			fail_msg("row %zu gives %d", i, rc);
		if (rc != 0)
			assert_int_equal(e.code, ERR_DENIED);
	}
	/* and at an address that is none of ours nothing is good */
	at(two, "https", "evil.example", "same-origin", "https://evil.example");
	assert_int_equal(place_check_source(m.req, &place, NULL), -1);
}

/* ROBUSTNESS C7 */
static void
test_where_to(void **state)
{
	static const char *const good[] = { "/", "/me", "/me?tab=2",
		"/accounts/acme/admin/agents", "/a-b_c.d~e?x=1&y=2" };
	static const char *const bad[] = { "", "me", "//evil.example",
		"///evil.example", "/\\evil.example", "\\\\evil.example",
		"\\/evil.example", "/\t/evil.example", "/\n/evil.example",
		"/\r\nLocation: //evil.example", "/%09/evil.example",
		"/%2f/evil.example", "/%2F%2Fevil.example", "/%5cevil.example",
		"/%0d%0aX: 1", "/%00", "http://evil.example",
		"https://evil.example", "HTTPS://evil.example",
		"https:evil.example", "https:/evil.example",
		"javascript:alert(1)", "JavaScript:alert(1)",
		"data:text/html,x", "vbscript:x", "file:///etc/passwd",
		"/@evil.example", "@evil.example", "user@evil.example",
		"/..//evil.example", "/../evil", "/./evil", "/.evil",
		"/a//evil.example", "/?u=//evil.example", " /me", "/me ",
		"/me#x", "/me;x", "/me\"onclick=", "/<script>", "/\xc2\xa0",
		"/\xe3\x80\x82"
		"evil",
		"?x", "#x", "/:evil", "/'x" };
	char path[1200];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (!place_path_ok(good[i]))
			fail_msg("refused: %s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (place_path_ok(bad[i]))
			fail_msg("taken: %s", bad[i]);
	assert_true(sizeof(bad) / sizeof(bad[0]) >= 40);
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[512] = '\0';
	assert_true(place_path_ok(path));
	path[512] = 'a';
	path[513] = '\0';
	assert_false(place_path_ok(path));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_where),
		cmocka_unit_test(test_who_sent_it),
		cmocka_unit_test(test_where_to),
	};
	int rc = cmocka_run_group_tests(tests, NULL, NULL);

	if (m.ctx != NULL)
		memio_close(&m);
	return rc;
}
