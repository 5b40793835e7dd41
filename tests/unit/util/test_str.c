/* util/str: encodings are strict both ways, names are what they say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "util/str.h"

#define ROWS(t) (sizeof(t) / sizeof((t)[0]))

static void
test_hex(void **state)
{
	char out[9];

	(void)state;
	str_hex("\x00\x7f\x80\xff", 4, out);
	assert_string_equal(out, "007f80ff");
	str_hex("", 0, out);
	assert_string_equal(out, "");
	for (int i = 0; i < 256; i++) {
		const char *low = "0123456789abcdef", *up = "0123456789ABCDEF";
		const char *at = i == 0 ? NULL : strchr(low, i);

		if (at == NULL && i != 0 && strchr(up, i) != NULL)
			at = low + (strchr(up, i) - up);
		assert_int_equal(
		    str_hex_digit((char)i), at != NULL ? at - low : -1);
	}
	assert_int_equal(str_hex4("00fFx", 5), 0xff);
	assert_int_equal(str_hex4("d83d", 4), 0xd83d);
	assert_int_equal(str_hex4("d83d", 3), -1);
	assert_int_equal(str_hex4("d83g", 4), -1);
}

static void
test_b64(void **state)
{
	static const struct {
		const char *plain;
		size_t n;
		const char *text;
	} rows[] = { { "", 0, "" }, { "f", 1, "Zg" }, { "fo", 2, "Zm8" },
		{ "foo", 3, "Zm9v" }, { "foob", 4, "Zm9vYg" },
		{ "fooba", 5, "Zm9vYmE" }, { "foobar", 6, "Zm9vYmFy" },
		{ "\xfb\xff\xbe", 3, "-_--" }, { "\x00\x00", 2, "AAA" } };
	unsigned char all[256], back[256];
	char out[400];

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		str_b64url(rows[i].plain, rows[i].n, out);
		assert_string_equal(out, rows[i].text);
		assert_int_equal(
		    str_b64url_decode(out, strlen(out), back, rows[i].n),
		    rows[i].n);
		assert_memory_equal(back, rows[i].plain, rows[i].n);
	}
	for (int i = 0; i < 256; i++)
		all[i] = (unsigned char)i;
	for (size_t n = 0; n <= 256; n++) {
		str_b64url(all, n, out);
		assert_int_equal(strlen(out), (n * 4 + 2) / 3);
		assert_int_equal(
		    str_b64url_decode(out, strlen(out), back, sizeof(back)), n);
		assert_memory_equal(back, all, n);
	}
}

static void
test_b64_strict(void **state)
{
	static const char *const bad[] = { "A", "AAAAA", "Zg==", "Zg=", "Zh",
		"Zm9", "Zm9v ", " Zm9v", "Zm+v", "Zm/v", "Zm.v", "Z\ng",
		"Zm\xc3\xa9" };
	unsigned char out[16];

	(void)state;
	for (size_t i = 0; i < ROWS(bad); i++)
		assert_int_equal(
		    str_b64url_decode(bad[i], strlen(bad[i]), out, 16), -1);
	assert_int_equal(str_b64url_decode("Zm9v", 4, out, 2), -1);
	assert_int_equal(str_b64url_decode("Zm9v", 4, out, 3), 3);
	assert_int_equal(str_b64url_decode("", 0, out, 0), 0);
}

static void
test_utf8(void **state)
{
	static const struct {
		const char *s;
		size_t n, prefix;
	} rows[] = {
		{ "", 0, 0 },
		{ "plain ascii text, longer than eight", 35, 35 },
		{ "\0x", 2, 2 },
		{ "h\xc3\xa9llo", 6, 6 },
		{ "\xe2\x82\xac", 3, 3 },
		{ "\xf0\x9f\x98\x80", 4, 4 },
		{ "\xf4\x8f\xbf\xbf", 4, 4 },
		{ "\xee\x80\x80", 3, 3 },
		{ "\xed\x9f\xbf", 3, 3 },
		/* cut short at every place */
		{ "a\xc3", 2, 1 },
		{ "a\xe2\x82", 3, 1 },
		{ "a\xf0\x9f\x98", 4, 1 },
		/* overlong */
		{ "\xc0\x80", 2, 0 },
		{ "\xc1\xbf", 2, 0 },
		{ "\xe0\x9f\xbf", 3, 0 },
		{ "\xf0\x8f\xbf\xbf", 4, 0 },
		/* surrogates, beyond Unicode */
		{ "\xed\xa0\x80", 3, 0 },
		{ "\xed\xbf\xbf", 3, 0 },
		{ "\xf4\x90\x80\x80", 4, 0 },
		{ "\xf5\x80\x80\x80", 4, 0 },
		{ "\xff", 1, 0 },
		/* stray continuation, bad second and third byte */
		{ "ab\x80", 3, 2 },
		{ "\xc3z", 2, 0 },
		{ "\xe2\x82z", 3, 0 },
		{ "12345678\xff", 9, 8 },
		{ "1234567\xff", 8, 7 },
		{ "12345678\xc3\xa9!\xff", 12, 11 },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		assert_int_equal(
		    str_utf8_prefix(rows[i].s, rows[i].n), rows[i].prefix);
		assert_int_equal(str_utf8_valid(rows[i].s, rows[i].n),
		    rows[i].prefix == rows[i].n);
	}
	assert_int_equal(str_utf8_char("\xe2\x82\xac!", 4), 3);
	assert_int_equal(str_utf8_char("x", 1), 1);
	assert_int_equal(str_utf8_char("\x80", 1), 0);
}

/* Each byte at each place of a word, and what is shorter than one. */
static void
test_json_plain(void **state)
{
	char text[20];

	(void)state;
	for (int c = 0; c < 256; c++) {
		bool plain = c >= 0x20 && c < 0x7f && c != '"' && c != '\\';

		for (size_t at = 0; at < sizeof(text); at++) {
			memset(text, 'a', sizeof(text));
			text[at] = (char)c;
			assert_int_equal(str_json_plain(text, sizeof(text)),
			    plain ? sizeof(text) : at);
			assert_int_equal(str_json_plain(text, at), at);
		}
	}
	assert_int_equal(str_json_plain("", 0), 0);
}

static void
test_int(void **state)
{
	static const struct {
		const char *s;
		int64_t min, max;
		int rc;
		int64_t v;
	} rows[] = {
		{ "0", 0, 10, 0, 0 },
		{ "10", 0, 10, 0, 10 },
		{ "11", 0, 10, -1, 0 },
		{ "-1", 0, 10, -1, 0 },
		{ "-1", -1, 10, 0, -1 },
		{ "-0", 0, 0, 0, 0 },
		{ "007", 0, 10, 0, 7 },
		{ "9223372036854775807", INT64_MIN, INT64_MAX, 0, INT64_MAX },
		{ "9223372036854775808", INT64_MIN, INT64_MAX, -1, 0 },
		{ "-9223372036854775808", INT64_MIN, INT64_MAX, 0, INT64_MIN },
		{ "-9223372036854775809", INT64_MIN, INT64_MAX, -1, 0 },
		{ "99999999999999999999999", INT64_MIN, INT64_MAX, -1, 0 },
		{ "", 0, 10, -1, 0 },
		{ "-", INT64_MIN, INT64_MAX, -1, 0 },
		{ "+1", 0, 10, -1, 0 },
		{ " 1", 0, 10, -1, 0 },
		{ "1 ", 0, 10, -1, 0 },
		{ "1x", 0, 10, -1, 0 },
		{ "0x1", 0, 10, -1, 0 },
		{ "1.0", 0, 10, -1, 0 },
		{ "--1", -10, 10, -1, 0 },
		{ NULL, 0, 10, -1, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		int64_t v = 42;

		assert_int_equal(
		    str_int(rows[i].s, rows[i].min, rows[i].max, &v),
		    rows[i].rc);
		assert_int_equal(v, rows[i].rc == 0 ? rows[i].v : 42);
	}
}

static void
test_from_int(void **state)
{
	static const int64_t values[] = { 0, 7, -7, 10, 99, 100, -1000,
		1234567890123, INT64_MAX, INT64_MIN };
	char out[STR_INT], want[STR_INT];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		(void)snprintf(
		    want, sizeof(want), "%lld", (long long)values[i]);
		assert_int_equal(str_from_int(values[i], out), strlen(want));
		assert_string_equal(out, want);
	}
}

static void
test_compare(void **state)
{
	(void)state;
	assert_true(str_eq_const("abc", "abc", 3));
	assert_false(str_eq_const("abc", "abd", 3));
	assert_false(str_eq_const("bbc", "abc", 3));
	assert_true(str_eq_const("abc", "abd", 2));
	assert_true(str_eq_const("", "", 0));
	assert_true(str_starts("abc", "ab"));
	assert_true(str_starts("abc", ""));
	assert_false(str_starts("ab", "abc"));
	assert_false(str_starts("xab", "ab"));
}

static void
test_names(void **state)
{
	static const struct {
		const char *s;
		bool slug, name;
	} rows[] = {
		{ "acme-healthcare", true, false },
		{ "human_health", false, true },
		{ "ab", true, true },
		{ "a", false, true },
		{ "", false, false },
		{ "9to5", true, false },
		{ "-ab", false, false },
		{ "_ab", false, false },
		{ "Ab", false, false },
		{ "a b", false, false },
		{ "ab\n", false, false },
		{ "a/b", false, false },
		{ "ab\xc3\xa9", false, false },
		{ "a..", false, false },
		/* 63 and 64 characters */
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		  "aaaaaa",
		    true, true },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		  "aaaaaaa",
		    false, false },
		{ NULL, false, false },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		assert_int_equal(str_is_slug(rows[i].s), rows[i].slug);
		assert_int_equal(str_is_name(rows[i].s), rows[i].name);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hex),
		cmocka_unit_test(test_b64),
		cmocka_unit_test(test_b64_strict),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_json_plain),
		cmocka_unit_test(test_int),
		cmocka_unit_test(test_from_int),
		cmocka_unit_test(test_compare),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
