/* The guard's reading: URLs and addresses, and who may be reached. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "net/call.h"
#include "net/egress.h"
#include "net/net_priv.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

/* ROBUSTNESS D9: every spelling that has led somewhere it should not. */
static const char *const refused[] = {
	/* other spellings of 127.0.0.1 and of 169.254.169.254 */
	"http://2130706433/",
	"http://0x7f000001/",
	"http://0x7f.0.0.1/",
	"http://0x7F.1/",
	"http://017700000001/",
	"http://0177.0.0.1/",
	"http://0177.0.0.01/",
	"http://127.1/",
	"http://127.0.1/",
	"http://127.0.0.01/",
	"http://127.0.0.1.1/",
	"http://127.0.0.256/",
	"http://127.0.0/",
	"http://0/",
	"http://0x0/",
	"http://00/",
	"http://127.0.0.0x1/",
	"http://1.0x7f/",
	"http://a.127/",
	"http://a.0x7f/",
	"http://127.0.0.1e0/",
	"http://2852039166/",
	"http://0xa9fea9fe/",
	"http://0251.0376.0251.0376/",
	"http://425.510.425.510/",
	"http://4294967297/",
	/* other characters for the same */
	"http://\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1/",
	"http://\xe2\x91\xa0\xe2\x91\xa1\xe2\x91\xa6.0.0.1/",
	"http://127\xe3\x80\x82"
	"0\xe3\x80\x82"
	"0\xe3\x80\x82"
	"1/",
	"http://loc\xe2\x84\x82lhost/",
	"http://b\xc3\xbc"
	"cher.example/",
	"http://exa\xc2\xadmple.com/",
	/* who is the host? */
	"http://good.example@127.0.0.1/",
	"http://a:b@good.example/",
	"http://@good.example/",
	"http://:@good.example/",
	"http://good.example:80@127.0.0.1/",
	"http:///127.0.0.1/",
	"http:////127.0.0.1/",
	"http:/127.0.0.1/",
	"http:127.0.0.1/",
	"http://good.example#@127.0.0.1/",
	"http://good.example\\@127.0.0.1/",
	"http://127.0.0.1\\.good.example/",
	"http:\\\\127.0.0.1\\",
	"http://good.example?@127.0.0.1:80#/",
	"http://good.example/#x",
	"http://good.example%00.evil/",
	"http://127.0.0.1%2f.good.example/",
	"http://%31%32%37.0.0.1/",
	"http://good.example%2eevil/",
	/* IPv6 */
	"http://[::1/",
	"http://::1/",
	"http://[::1]x/",
	"http://[::1]:/",
	"http://[fe80::1%25eth0]/",
	"http://[fe80::1%eth0]/",
	"http://[]/",
	"http://[127.0.0.1]/",
	"http://[::1]]/",
	"http://[[::1]]/",
	"http://[::ffff:127.1]/",
	"http://[1:2:3:4:5:6:7:8:9]/",
	/* schemes */
	"",
	"x",
	"//good.example/",
	"good.example",
	"ftp://good.example/",
	"file:///etc/passwd",
	"gopher://good.example/",
	"dict://good.example/",
	"ws://good.example/",
	"javascript:alert(1)",
	"data:,x",
	"http+unix://good.example/",
	" http://good.example/",
	"http://good.example/ ",
	"ht\ttp://good.example/",
	"http ://good.example/",
	"https:good.example",
	/* ports */
	"http://good.example:/",
	"http://good.example:0/",
	"http://good.example:65536/",
	"http://good.example:080/",
	"http://good.example:8o/",
	"http://good.example:-1/",
	"http://good.example:80:80/",
	"http://good.example:+80/",
	"http://good.example:999999999999/",
	/* hosts and lines */
	"http://",
	"http:///",
	"http://?x",
	"http://./",
	"http://../",
	"http://.good.example/",
	"http://good..example/",
	"http://good.example../",
	"http://-good.example/",
	"http://good-.example/",
	"http://good.example-/",
	"http://go od/",
	"http://good.example/a b",
	"http://good.example/\r\nX: y",
	"http://good.example/\x01",
	"http://good.example/\x7f",
	"http://good.example/<",
	"http://good.example/|",
	"http://a,b/",
	"http://a;b/",
	"http://$(id)/",
	"http://*.example/",
	"http://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	"aaaa.example/",
};

static const struct {
	const char *url, *text, *host, *port;
} taken[] = {
	{ "http://good.example", "http://good.example/", "good.example", "80" },
	{ "HTTPS://Good.EXAMPLE/Path?Q=1", "https://good.example/Path?Q=1",
	    "good.example", "443" },
	{ "https://good.example:443/v1", "https://good.example/v1",
	    "good.example", "443" },
	{ "https://good.example:80", "https://good.example:80/", "good.example",
	    "80" },
	{ "http://good.example:8080?x=y", "http://good.example:8080/?x=y",
	    "good.example", "8080" },
	{ "http://good.example./", "http://good.example/", "good.example",
	    "80" },
	{ "http://xn--bcher-kva.example/%C3%A4",
	    "http://xn--bcher-kva.example"
	    "/%C3%A4",
	    "xn--bcher-kva.example", "80" },
	{ "http://a_b.1a.example/", "http://a_b.1a.example/", "a_b.1a.example",
	    "80" },
	{ "http://93.184.216.34/", "http://93.184.216.34/", "93.184.216.34",
	    "80" },
	{ "http://[2606:2800:0220:0001::0001]:81/",
	    "http://[2606:2800:220:1::1]:81/", "[2606:2800:220:1::1]", "81" },
	{ "http://[::FFFF:127.0.0.1]/", "http://[::ffff:127.0.0.1]/",
	    "[::ffff:127.0.0.1]", "80" },
	{ "http://localhost/", "http://localhost/", "localhost", "80" },
	{ "http://good.example//a/@b:c", "http://good.example//a/@b:c",
	    "good.example", "80" },
};

static void
urls(void **state)
{
	struct egress_url u;
	struct err e;
	char longest[EGRESS_URL_MAX + 2];

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		memset(&e, 0, sizeof(e));
		if (egress_parse(refused[i], &u, &e) == 0)
			fail_msg("taken: %s", refused[i]);
		assert_int_equal(e.code, ERR_INVALID);
		assert_true(strlen(e.text) > 15);
		assert_string_equal(u.host, "");
	}
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		if (egress_parse(taken[i].url, &u, &e) != 0)
			fail_msg("%s: %s", taken[i].url, e.text);
		assert_string_equal(u.text, taken[i].text);
		assert_string_equal(u.host, taken[i].host);
		assert_string_equal(u.port, taken[i].port);
		assert_int_equal(u.tls, strncmp(u.text, "https", 5) == 0);
	}
	memset(longest, 'x', sizeof(longest));
	memcpy(longest, "http://good.example/", 20);
	longest[EGRESS_URL_MAX + 1] = '\0';
	assert_int_equal(egress_parse(longest, &u, &e), -1);
	longest[EGRESS_URL_MAX] = '\0';
	assert_int_equal(egress_parse(longest, &u, &e), 0);
	assert_string_equal(u.text, longest);
}

static const char *const closed[] = { "0.0.0.0", "0.1.2.3", "10.0.0.1",
	"10.255.255.255", "100.64.0.1", "100.100.100.200", "100.127.255.255",
	"127.0.0.1", "127.255.255.255", "168.63.129.16", "169.254.169.254",
	"169.254.170.2", "172.16.0.1", "172.31.255.255", "192.0.0.192",
	"192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1",
	"198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1",
	"239.255.255.255", "240.0.0.1", "255.255.255.255",
	/* IPv6 */
	"::", "::1", "::2", "::127.0.0.1", "::ffff:127.0.0.1",
	"::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0:127.0.0.1",
	"::ffff:0:0", "64:ff9b::127.0.0.1", "64:ff9b::8.8.8.8", "64:ff9b:1::1",
	"100::1", "2001::1", "2001:0:4136:e378::1", "2001:2::1", "2001:10::1",
	"2001:20::1", "2001:db8::1", "2002:7f00:1::", "2002:a9fe:a9fe::1",
	"2002:808:808::1", "3fff::1", "4000::1", "5f00::1", "fc00::1",
	"fd00::1", "fd00:ec2::254", "fe80::1", "febf::1", "fec0::1", "ff02::1",
	"ff0e::1",
	/* none at all */
	"", "x", "127.1", "2130706433", "0x7f000001", "1.2.3.4.5", "[::1]",
	"fe80::1%lo", "8.8.8.8 " };
static const char *const open_[] = { "1.1.1.1", "8.8.8.8", "9.255.255.255",
	"11.0.0.0", "93.184.216.34", "100.63.255.255", "100.128.0.0",
	"126.255.255.255", "128.0.0.1", "169.253.255.255", "169.255.0.0",
	"172.15.255.255", "172.32.0.0", "192.0.1.0", "192.167.255.255",
	"192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255",
	"::ffff:8.8.8.8", "2000::1", "2001:200::1", "2001:4860:4860::8888",
	"2003::1", "2606:2800:220:1::1", "2a00::1", "3ffe::1", "3ffe:ffff::1" };

static void
addresses(void **state)
{
	static const char *const none[] = { NULL };
	void *root = mem_root("test");
	struct egress *g = egress_new(root, none, NULL);

	(void)state;
	for (size_t i = 0; i < sizeof(closed) / sizeof(closed[0]); i++)
		if (egress_allows(g, closed[i]))
			fail_msg("open: %s", closed[i]);
	for (size_t i = 0; i < sizeof(open_) / sizeof(open_[0]); i++)
		if (!egress_allows(g, open_[i]))
			fail_msg("closed: %s", open_[i]);
	assert_true(egress_allows(egress_new(root, NULL, NULL), "8.8.8.8"));
	mem_free(root);
}

static void
opened(void **state)
{
	static const char *const list[] = { "10.1.0.0/16", "127.0.0.1",
		"fd00:1::/32", "192.168.7.128/25", NULL };
	static const char *const in[] = { "10.1.0.0", "10.1.255.255",
		"127.0.0.1", "::ffff:10.1.2.3", "fd00:1::", "fd00:1:ffff::1",
		"192.168.7.128", "192.168.7.255", "8.8.8.8" };
	static const char *const out[] = { "10.0.255.255", "10.2.0.0",
		"127.0.0.2", "::ffff:127.0.0.2", "fd00:2::", "192.168.7.127",
		"192.168.8.128", "::1", "64:ff9b::10.1.0.1" };
	static const char *const bad[] = { "10.0.0.1/8", "10.0.0.0/33",
		"10.0.0.0/-1", "10.0.0.0/", "10.0.0.0/8x", "10.0.0/8", "10/8",
		"localhost", "::1/129", "fd00::1/64", "/8", "", "*",
		"10.0.0.0/8,10.0.0.0/8" };
	void *root = mem_root("test");
	struct err e = { 0 };
	struct egress *g = egress_new(root, list, &e);

	(void)state;
	assert_non_null(g);
	for (size_t i = 0; i < sizeof(in) / sizeof(in[0]); i++)
		if (!egress_allows(g, in[i]))
			fail_msg("closed: %s", in[i]);
	for (size_t i = 0; i < sizeof(out) / sizeof(out[0]); i++)
		if (egress_allows(g, out[i]))
			fail_msg("open: %s", out[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const char *const one[] = { "10.0.0.0/8", bad[i], NULL };

		memset(&e, 0, sizeof(e));
		if (egress_new(root, one, &e) != NULL)
			fail_msg("taken: %s", bad[i]);
		assert_int_equal(e.code, ERR_INVALID);
		assert_non_null(strstr(e.text, bad[i]));
	}
	/* All of it can be opened, and then all is. */
	static const char *const all[] = { "0.0.0.0/0", "::/0", NULL };
	g = egress_new(root, all, &e);
	assert_true(egress_allows(g, "127.0.0.1"));
	assert_true(egress_allows(g, "fe80::1"));
	mem_free(root);
}

/* --- for saving
 * --------------------------------------------------------------- */

static int
lookup(const char *host, struct resolved *out)
{
	static const struct {
		const char *host, *a, *b;
	} names[] = {
		{ "good.example", "93.184.216.34", "2606:2800:220:1::1" },
		{ "evil.example", "127.0.0.1", NULL },
		{ "mixed.example", "93.184.216.34", "10.0.0.1" },
		{ "metadata.google.internal", "169.254.169.254", NULL },
		{ "mapped.example", "::ffff:10.0.0.1", NULL },
		{ "localhost", "::1", "127.0.0.1" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(names[i].host, host) != 0)
			continue;
		out->n = 1;
		snprintf(out->addr[0], sizeof(out->addr[0]), "%s", names[i].a);
		if (names[i].b != NULL) {
			snprintf(out->addr[1], sizeof(out->addr[1]), "%s",
			    names[i].b);
			out->n = 2;
		}
		return 0;
	}
	return -1;
}

static void
saving(void **state)
{
	static const struct {
		const char *url, *complaint;
	} rows[] = {
		{ "https://good.example/v1", NULL },
		{ "http://93.184.216.34:8080", NULL },
		{ "http://[2606:2800:220:1::1]/", NULL },
		{ "https://evil.example/", "not open" },
		{ "https://mixed.example/", "not open" },
		{ "http://metadata.google.internal/", "not open" },
		{ "http://mapped.example/", "not open" },
		{ "http://localhost:11434/", "not open" },
		{ "http://127.0.0.1/", "not open" },
		{ "http://[::1]/", "not open" },
		{ "http://[::ffff:169.254.169.254]/", "not open" },
		{ "https://none.example/", "none.example is not known" },
		{ "http://2130706433/", "number" },
		{ "ftp://good.example/", "https://" },
	};
	struct net_opts o = { .resolve = { .threads = 1,
				  .ttl_ms = 1000,
				  .negative_ms = 1000,
				  .lookup = lookup } };
	struct net *net = net_new_opts(&o);
	void *root = mem_root("test");
	struct egress *g = egress_new(root, NULL, NULL);
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int rc;

		memset(&e, 0, sizeof(e));
		rc = egress_check_url(
		    net, g, rows[i].url, clock_mono() + 5 * CLOCK_S, &e);
		assert_int_equal(rc, rows[i].complaint == NULL ? 0 : -1);
		if (rc == 0)
			continue;
		if (strstr(e.text, rows[i].complaint) == NULL)
			fail_msg("%s: %s", rows[i].url, e.text);
		/* Nobody learns what is behind a name. */
		assert_null(strstr(e.text, "10.0.0.1"));
		assert_null(strstr(e.text, "169.254.169.254"));
	}
	mem_free(root);
	net_free(net);
}

static int
lookup_slow(const char *host, struct resolved *out)
{
	struct timespec t = { 1, 0 };

	nanosleep(&t, NULL);
	return lookup(host, out);
}

static void
saving_in_time(void **state)
{
	struct net_opts o = { .resolve = { .threads = 1,
				  .ttl_ms = 1000,
				  .negative_ms = 1000,
				  .lookup = lookup_slow } };
	struct net *net = net_new_opts(&o);
	void *root = mem_root("test");
	struct egress *g = egress_new(root, NULL, NULL);
	int64_t began = clock_mono();
	struct err e = { 0 };

	(void)state;
	assert_int_equal(egress_check_url(net, g, "http://good.example/",
			     began + CLOCK_S / 10, &e),
	    -1);
	assert_int_equal(e.code, ERR_TIMEOUT);
	assert_true(clock_mono() - began < CLOCK_S * 9 / 10);
	mem_free(root);
	net_free(net);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(urls),
		cmocka_unit_test(addresses),
		cmocka_unit_test(opened),
		cmocka_unit_test(saving),
		cmocka_unit_test(saving_in_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
