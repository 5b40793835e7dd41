/* Normal forms: what is one text, what is none, and how long it may be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "util/mem.h"
#include "util/unicode.h"

#include "util/banned.h"

static char *
nfc(void *root, const char *s)
{
	char *out;

	assert_int_equal(
	    unicode_nfc(root, s, strlen(s), true, 1024, &out), UNICODE_OK);
	return out;
}

static void
composes(void **state)
{
	void *root = mem_root("test");

	(void)state;
	assert_string_equal(nfc(root, "plain"), "plain");
	assert_string_equal(nfc(root, "e\xcc\x81"), "\xc3\xa9");
	assert_string_equal(nfc(root, "\xc3\xa9"), "\xc3\xa9");
	/* two marks in the wrong order; Hangul; the Angstrom sign */
	assert_string_equal(nfc(root, "s\xcc\x87\xcc\xa3"), "\xe1\xb9\xa9");
	assert_string_equal(
	    nfc(root, "\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab"), "\xed\x95\x9c");
	assert_string_equal(nfc(root, "\xe2\x84\xab"), "\xc3\x85");
	/* compatible forms stay what they are */
	assert_string_equal(nfc(root, "\xef\xac\x81"), "\xef\xac\x81");
	mem_free(root);
}

static void
refuses(void **state)
{
	void *root = mem_root("test");
	char *out, longest[1025];

	(void)state;
	assert_int_equal(
	    unicode_nfc(root, "\xc3", 1, true, 10, &out), UNICODE_BAD);
	assert_null(out);
	assert_int_equal(
	    unicode_nfc(root, "\xed\xa0\x80", 3, true, 10, &out), UNICODE_BAD);
	assert_int_equal(
	    unicode_nfc(root, "\xc0\xaf", 2, true, 10, &out), UNICODE_BAD);
	assert_int_equal(
	    unicode_nfc(root, "a\0b", 3, true, 10, &out), UNICODE_BAD);
	/* U+0378: not assigned */
	assert_int_equal(unicode_nfc(root, "\xcd\xb8", 2, true, 10, &out),
	    UNICODE_UNASSIGNED);
	assert_int_equal(
	    unicode_nfc(root, "\xcd\xb8", 2, false, 10, &out), UNICODE_OK);
	memset(longest, 'x', sizeof(longest));
	assert_int_equal(
	    unicode_nfc(root, longest, 1024, true, 1024, &out), UNICODE_OK);
	assert_int_equal(strlen(out), 1024);
	assert_int_equal(
	    unicode_nfc(root, longest, 1025, true, 1024, &out), UNICODE_LONG);
	/* U+0958 is longer composed: 3 bytes become 6 */
	for (size_t i = 0; i < 300; i++)
		memcpy(longest + 3 * i, "\xe0\xa5\x98", 3);
	assert_int_equal(
	    unicode_nfc(root, longest, 900, true, 1024, &out), UNICODE_LONG);
	assert_int_equal(
	    unicode_nfc(root, "", 0, true, 1024, &out), UNICODE_OK);
	assert_string_equal(out, "");
	mem_free(root);
}

static void
same_folded(const char *a, const char *b)
{
	int32_t x[64], y[64];
	int n = unicode_fold(a, strlen(a), x, 64);

	assert_true(n > 0);
	assert_int_equal(unicode_fold(b, strlen(b), y, 64), n);
	assert_memory_equal(x, y, (size_t)n * sizeof(x[0]));
}

static void
folds(void **state)
{
	int32_t x[4];

	(void)state;
	same_folded("P\xc3\xa4SS", "pass");
	same_folded("stra\xc3\x9f"
		    "e",
	    "STRASSE");
	same_folded("\xef\xbc\x90\xef\xbd\x81", "0a"); /* full width */
	same_folded("\xef\xac\x81", "FI");             /* ligature */
	same_folded("a\xc2\xad"
		    "b",
	    "ab"); /* soft hyphen */
	assert_int_equal(unicode_fold("abcd", 4, x, 4), 4);
	assert_int_equal(unicode_fold("abcde", 5, x, 4), -1);
	assert_int_equal(unicode_fold("\xff", 1, x, 4), -1);
	assert_int_equal(unicode_fold("", 0, x, 4), 0);
	assert_int_equal(unicode_count("a\xc3\xa9\xf0\x9f\x98\x80"), 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(composes),
		cmocka_unit_test(refuses),
		cmocka_unit_test(folds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
