/* util/buf: grows to its maximum and no byte further. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "util/buf.h"
#include "util/mem.h"

static void
test_empty(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, NULL, 10);
	assert_string_equal(b.data, "");
	assert_false(buf_failed(&b));
	buf_add(&b, NULL, 0);
	buf_adds(&b, "");
	buf_clear(&b);
	assert_string_equal(b.data, "");
	buf_free(&b);
}

/* Up to the maximum, by pieces of every size; then failure that stays. */
static void
test_max(void **state)
{
	static const char text[] = "0123456789abcdefghijklmnopqrstuvwxyz";

	(void)state;
	for (size_t max = 0; max < 300; max += 7) {
		for (size_t piece = 1; piece < 36; piece += 5) {
			struct buf b;
			size_t put = 0;

			buf_init(&b, NULL, max);
			while (put + piece <= max) {
				buf_add(&b, text, piece);
				put += piece;
				assert_false(buf_failed(&b));
				assert_int_equal(b.len, put);
				assert_int_equal(b.data[b.len], '\0');
				assert_memory_equal(
				    b.data + put - piece, text, piece);
			}
			buf_add(&b, text, max - put + 1);
			assert_true(buf_failed(&b));
			assert_int_equal(b.len, put);
			buf_addc(&b, 'x');
			buf_addf(&b, "%d", 1);
			assert_int_equal(b.len, put);
			buf_clear(&b);
			assert_false(buf_failed(&b));
			assert_int_equal(b.len, 0);
			buf_free(&b);
		}
	}
}

/* The last byte is used and memory is not taken beyond need. */
static void
test_exact(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, NULL, 3);
	buf_adds(&b, "abc");
	assert_false(buf_failed(&b));
	assert_string_equal(b.data, "abc");
	assert_true(b.cap <= 4);
	buf_addc(&b, 'd');
	assert_true(buf_failed(&b));
	assert_string_equal(b.data, "abc");
	buf_free(&b);
	assert_int_equal(b.max, 3);
	assert_string_equal(b.data, "");
	buf_adds(&b, "ab");
	assert_string_equal(b.data, "ab");
	buf_free(&b);
}

static void
test_huge(void **state)
{
	struct buf b;
	char byte = 'x';

	(void)state;
	buf_init(&b, NULL, SIZE_MAX);
	buf_addc(&b, 'a');
	buf_add(&b, &byte, SIZE_MAX - 1);
	assert_true(buf_failed(&b));
	assert_string_equal(b.data, "a");
	buf_free(&b);
}

static void
test_format(void **state)
{
	char big[1000];
	struct buf b;

	(void)state;
	memset(big, 'y', sizeof(big));
	big[999] = '\0';
	buf_init(&b, NULL, 2000);
	buf_addf(&b, "%d,", 12);
	buf_addf(&b, "%s", big);
	assert_int_equal(b.len, 1002);
	assert_string_equal(b.data + 3, big);
	/* Just at the border between the small way and the long one. */
	buf_clear(&b);
	for (int n = 250; n < 260; n++) {
		buf_clear(&b);
		buf_addf(&b, "%.*s", n, big);
		assert_int_equal(b.len, n);
		assert_int_equal(strlen(b.data), n);
	}
	buf_clear(&b);
	buf_addf(&b, "%s", big);
	buf_addf(&b, "%s", big);
	assert_int_equal(b.len, 1998);
	buf_addf(&b, "%s", "abc");
	assert_true(buf_failed(&b));
	assert_int_equal(b.len, 1998);
	buf_free(&b);
}

static void
test_json(void **state)
{
	static const struct {
		const char *in;
		size_t n;
		const char *out;
	} rows[] = {
		{ "", 0, "\"\"" },
		{ "abc", 3, "\"abc\"" },
		{ "a\"b\\c/d", 7, "\"a\\\"b\\\\c/d\"" },
		{ "\b\f\n\r\t", 5, "\"\\b\\f\\n\\r\\t\"" },
		{ "\0\x01\x1f\x7f", 4, "\"\\u0000\\u0001\\u001f\\u007f\"" },
		{ "h\xc3\xa9", 3, "\"h\xc3\xa9\"" },
		{ "\xe2\x82\xac\xf0\x9f\x98\x80!", 8,
		    "\"\xe2\x82\xac\xf0\x9f\x98\x80!\"" },
		/* not UTF-8: lone, cut, overlong, surrogate */
		{ "\xff", 1, "\"\xef\xbf\xbd\"" },
		{ "a\xc3", 2, "\"a\xef\xbf\xbd\"" },
		{ "a\xc3z", 3, "\"a\xef\xbf\xbdz\"" },
		{ "\xc0\x80", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ "\xed\xa0\x80", 3,
		    "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ "\xc3\xa9\n\xc3\xa9", 5, "\"\xc3\xa9\\n\xc3\xa9\"" },
	};
	struct buf b;

	(void)state;
	buf_init(&b, NULL, 1000);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buf_clear(&b);
		buf_json_str(&b, rows[i].in, rows[i].n);
		assert_string_equal(b.data, rows[i].out);
	}
	buf_free(&b);
	buf_init(&b, NULL, 4);
	buf_json_str(&b, "abc", 3);
	assert_true(buf_failed(&b));
	buf_free(&b);
}

static void
test_context(void **state)
{
	void *root = mem_root("test");
	struct buf b;

	(void)state;
	buf_init(&b, root, 100);
	buf_adds(&b, "below");
	assert_ptr_equal(talloc_parent(b.data), root);
	mem_free(root);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_max),
		cmocka_unit_test(test_exact),
		cmocka_unit_test(test_huge),
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_context),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
