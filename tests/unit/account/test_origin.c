/* Which Origin an entry lets in: a table of pairs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "account/account.h"
#include "util/mem.h"

#include "util/banned.h"

static const struct {
	const char *origin, *entry;
	bool allowed;
} pairs[] = {
	{ "https://shop.example.com", "https://shop.example.com", true },
	{ "https://shop.example.com:8443", "https://shop.example.com:8443",
	    true },
	{ "http://127.0.0.1:3000", "http://127.0.0.1:*", true },
	{ "http://127.0.0.1", "http://127.0.0.1:*", true },
	{ "http://127.0.0.1:65535", "http://127.0.0.1:*", true },
	{ "http://[::1]:3000", "http://[::1]:*", true },
	{ "http://[::1]", "http://[::1]", true },
	{ "capacitor://localhost", "capacitor://localhost", true },

	{ "https://shop.example.com:8443", "https://shop.example.com", false },
	{ "https://shop.example.com", "https://shop.example.com:8443", false },
	{ "http://shop.example.com", "https://shop.example.com", false },
	{ "http://127.0.0.1:3000", "https://127.0.0.1:*", false },
	{ "https://shop.example.com.evil.test", "https://shop.example.com:*",
	    false },
	{ "https://shop.example.comevil", "https://shop.example.com", false },
	{ "https://evil.test", "https://shop.example.com:*", false },
	{ "https://xshop.example.com", "https://shop.example.com:*", false },
	{ "https://a.shop.example.com", "https://shop.example.com:*", false },
	{ "http://127.0.0.1:3000@evil.test", "http://127.0.0.1:*", false },
	{ "http://127.0.0.1:3000.evil.test", "http://127.0.0.1:*", false },
	{ "http://127.0.0.1:3000/x", "http://127.0.0.1:*", false },
	{ "http://127.0.0.1:", "http://127.0.0.1:*", false },
	{ "http://127.0.0.1:0", "http://127.0.0.1:*", false },
	{ "http://127.0.0.1:065", "http://127.0.0.1:*", false },
	{ "http://127.0.0.1:65536", "http://127.0.0.1:*", false },
	{ "http://127.0.0.1:999999", "http://127.0.0.1:*", false },
	{ "http://127.0.0.1:*", "http://127.0.0.1:*", false },
	{ "http://127.0.0.1: 80", "http://127.0.0.1:*", false },
	{ "HTTPS://shop.example.com", "https://shop.example.com", false },
	{ "https://Shop.example.com", "https://Shop.example.com", false },
	{ "null", "null", false },
	{ "null", "*", false },
	{ "https://shop.example.com", "*", false },
	{ "https://shop.example.com", "https://*", false },
	{ "https://shop.example.com", "https://*.example.com", false },
	{ "https://", "https://", false },
	{ "https://:*", "https://:*", false },
	{ "", "", false },
	{ "://x", "://x", false },
	{ "https:/shop", "https:/shop", false },
	{ "https://shop.example.com\n", "https://shop.example.com", false },
	{ "https://[]", "https://[]", false },
};

static void
pairs_of_origins(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		char entry[100];
		char *list[] = { entry };

		snprintf(entry, sizeof(entry), "%s", pairs[i].entry);
		if (origin_allowed(pairs[i].origin, list, 1) !=
		    pairs[i].allowed)
			fail_msg("\"%s\" against \"%s\" should be %s",
			    pairs[i].origin, pairs[i].entry,
			    pairs[i].allowed ? "allowed" : "refused");
	}
}

static void
lists(void **state)
{
	char a[] = "https://a.test", b[] = "http://localhost:*";
	char *list[] = { a, b };
	char longest[400];

	(void)state;
	assert_true(origin_allowed("https://a.test", list, 2));
	assert_true(origin_allowed("http://localhost:5173", list, 2));
	assert_false(origin_allowed("https://b.test", list, 2));
	assert_false(origin_allowed("https://a.test", list, 0));
	assert_false(origin_allowed("https://a.test", NULL, 0));
	assert_false(origin_allowed(NULL, list, 2));
	memset(longest, 'a', sizeof(longest));
	memcpy(longest, "http://", 7);
	longest[399] = '\0';
	list[0] = longest;
	assert_false(origin_allowed(longest, list, 1));
}

static void
entries(void **state)
{
	static const char *const good[] = { "https://a.test", "http://a:1",
		"http://localhost:*", "http://[2001:db8::1]:*",
		"app.one://x_y-z.w" };
	static const char *const bad[] = { "", "*", "null", "a.test",
		"https://", "https://a/", "https://a.test/path", "https://*",
		"https://*.a.test", "https://a:*:1", "https://a:0",
		"https://a b", "HTTPS://a", "https://A", "https://a?x",
		"https://u@a", "https://a:", "1https://a", "https://[::1" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (!origin_entry_ok(good[i]))
			fail_msg("%s should be good", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (origin_entry_ok(bad[i]))
			fail_msg("%s should be bad", bad[i]);
}

static void
list_from_json(void **state)
{
	char **list;
	int n;

	(void)state;
	list = origin_list(NULL, "[\"http://a\", 5, \"http://b:*\"]", &n);
	assert_int_equal(n, 2);
	assert_string_equal(list[1], "http://b:*");
	mem_free(list);
	list = origin_list(NULL, "", &n);
	assert_int_equal(n, 0);
	mem_free(list);
	list = origin_list(NULL, "{}", &n);
	assert_int_equal(n, 0);
	mem_free(list);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pairs_of_origins),
		cmocka_unit_test(lists),
		cmocka_unit_test(entries),
		cmocka_unit_test(list_from_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
