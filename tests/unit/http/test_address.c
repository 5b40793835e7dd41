/* Addresses, networks, and who the client is behind proxies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "http/address.h"
#include "memio.h"

#include "util/banned.h"

static void
test_parse(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = { { "192.0.2.1", "192.0.2.1" },
		{ "::ffff:192.0.2.1", "192.0.2.1" }, { "::1", "::1" },
		{ "2001:DB8:0::1", "2001:db8::1" },
		{ "192.0.2.1:8080", "192.0.2.1" },
		{ "[2001:db8::1]", "2001:db8::1" },
		{ "[2001:db8::1]:443", "2001:db8::1" }, { "", NULL },
		{ "localhost", NULL }, { "192.0.2", NULL },
		{ "192.0.2.256", NULL }, { "192.0.2.1:", NULL },
		{ "192.0.2.1:123456", NULL }, { "192.0.2.1:8x", NULL },
		{ "[192.0.2.1]", NULL }, { "[::1", NULL }, { "[::1]x", NULL },
		{ "[::1]:", NULL }, { "::1%lo", NULL }, { "unknown", NULL },
		{ "_hidden", NULL }, { "1.2.3.4 ", NULL },
		{ "00000000000000000000000000000000000000000000001.2.3.4",
		    NULL } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char text[ADDRESS_TEXT];
		struct address a;
		bool ok = address_parse(rows[i].in, strlen(rows[i].in), &a);

		if (ok != (rows[i].out != NULL))
			fail_msg("\"%s\"", rows[i].in);
		if (ok) {
			address_format(&a, text);
			assert_string_equal(text, rows[i].out);
		}
	}
}

static void
test_as_one_client(void **state)
{
	static const char *const rows[][2] = { { "192.0.2.1", "192.0.2.1" },
		{ "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64" },
		{ "2001:db8:1:2::9", "2001:db8:1:2::/64" },
		{ "2001:db8:1:3::9", "2001:db8:1:3::/64" },
		{ "::ffff:192.0.2.1", "::ffff:192.0.2.1" }, { "", "" } };
	char text[ADDRESS_CLIENT_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		address_client(rows[i][0], text);
		assert_string_equal(text, rows[i][1]);
	}
}

static void
test_networks(void **state)
{
	static const struct {
		const char *a, *net;
		bool in;
	} rows[] = { { "10.1.2.3", "10.0.0.0/8", true },
		{ "11.1.2.3", "10.0.0.0/8", false },
		{ "10.1.2.3", "10.1.2.3", true },
		{ "10.1.2.3", "10.1.2.3/32", true },
		{ "10.1.2.4", "10.1.2.3/32", false },
		{ "10.1.2.2", "10.1.2.3/31", true },
		{ "10.1.2.4", "10.1.2.3/31", false },
		{ "1.2.3.4", "0.0.0.0/0", true }, { "::1", "0.0.0.0/0", false },
		{ "::ffff:10.1.2.3", "10.0.0.0/8", true },
		{ "2001:db8:1::", "2001:db8::/32", true },
		{ "2001:db9::", "2001:db8::/32", false },
		{ "2001:db8:8000::", "2001:db8::/33", false },
		{ "::1", "::/0", true }, { "10.1.2.3", "10.0.0.0/33", false },
		{ "10.1.2.3", "10.0.0.0/", false },
		{ "10.1.2.3", "10.0.0.0/-1", false },
		{ "10.1.2.3", "ten/8", false }, { "10.1.2.3", "", false } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const char *list[] = { "192.0.2.99", rows[i].net, NULL };

		if (http_address_in(rows[i].a, list) != rows[i].in)
			fail_msg("%s in %s", rows[i].a, rows[i].net);
	}
	assert_false(http_address_in("1.2.3.4", NULL));
	assert_false(http_address_in("", (const char *[]){ "::/0", NULL }));
	assert_false(http_address_in(NULL, (const char *[]){ "::/0", NULL }));
}

static const char *const trusted[] = { "127.0.0.1", "::1", "10.0.0.0/8", NULL };

static void
check_client(
    const char *remote, const char *xff1, const char *xff2, const char *want)
{
	char a[128], b[2048], c[256];
	const char *env[] = { "REQUEST_METHOD=GET", "REQUEST_URI=/", a, NULL,
		NULL, NULL };
	struct memio m = { 0 };
	int n = 3;

	snprintf(a, sizeof(a), "REMOTE_ADDR=%s", remote);
	if (xff1 != NULL) {
		snprintf(b, sizeof(b), "HTTP_X_FORWARDED_FOR=%s", xff1);
		env[n++] = b;
	}
	if (xff2 != NULL) {
		snprintf(c, sizeof(c), "HTTP_X_FORWARDED_FOR=%s", xff2);
		env[n++] = c;
	}
	memio_open(&m, env);
	assert_string_equal(http_client_address(m.req, trusted), want);
	memio_close(&m);
}

static void
test_client(void **state)
{
	char chain[1024] = "198.51.100.1";

	(void)state;
	check_client("192.0.2.1", NULL, NULL, "192.0.2.1");
	/* a stranger's header says nothing */
	check_client("192.0.2.1", "6.6.6.6", NULL, "192.0.2.1");
	/* a proxy's last word does; what stood before it is the client's */
	check_client("127.0.0.1", "6.6.6.6, 192.0.2.7", NULL, "192.0.2.7");
	check_client("::ffff:127.0.0.1", "192.0.2.7", NULL, "192.0.2.7");
	check_client(
	    "127.0.0.1", "6.6.6.6, 192.0.2.7,10.9.9.9", NULL, "192.0.2.7");
	check_client("127.0.0.1", " 2001:db8::7\t", NULL, "2001:db8::7");
	check_client("127.0.0.1", "[2001:db8::7]:99", NULL, "2001:db8::7");
	/* header lines are one list, the last line nearest to us */
	check_client("127.0.0.1", "6.6.6.6", "192.0.2.7", "192.0.2.7");
	check_client("127.0.0.1", "192.0.2.7", "10.1.1.1", "192.0.2.7");
	check_client(
	    "127.0.0.1", "6.6.6.6, 192.0.2.7", "10.1.1.1", "192.0.2.7");
	/* only proxies: the farthest; no addresses: the last one known */
	check_client("127.0.0.1", "10.2.2.2, 10.1.1.1", NULL, "10.2.2.2");
	check_client("127.0.0.1", "", NULL, "127.0.0.1");
	check_client("127.0.0.1", "unknown", NULL, "127.0.0.1");
	check_client("127.0.0.1", "192.0.2.7, unknown", NULL, "127.0.0.1");
	check_client("127.0.0.1", "192.0.2.7,", NULL, "127.0.0.1");
	check_client("unix:", "192.0.2.7", NULL, "");
	/* a chain longer than anybody's is not followed to its end */
	for (int i = 0; i < 60; i++)
		snprintf(chain + strlen(chain), 16, ",10.0.0.%d", i);
	check_client("127.0.0.1", chain, NULL, "10.0.0.28");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_as_one_client),
		cmocka_unit_test(test_networks),
		cmocka_unit_test(test_client),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
