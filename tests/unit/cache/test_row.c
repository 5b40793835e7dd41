/* Rows: what is packed comes out again, and nothing else does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cache/row.h"
#include "util/buf.h"

#include "util/banned.h"

static const struct row sample = { .n = 6,
	.text = { "0190a000-0000-7000-8000-0000000000a0", "42", NULL, "", "t",
	    "{\"a\": \"b\"}" },
	.len = { 36, 2, 0, 0, 1, 10 } };

static void
reads(void **state)
{
	struct uuid id, same;

	(void)state;
	assert_int_equal(row_uuid(&sample, 0, &id), 0);
	assert_int_equal(id_parse(sample.text[0], 36, &same), 0);
	assert_true(id_eq(&id, &same));
	assert_int_equal(row_uuid(&sample, 1, &id), -1);
	assert_int_equal(row_uuid(&sample, 2, &id), -1);
	assert_int_equal(row_int(&sample, 1), 42);
	assert_int_equal(row_int(&sample, 2), 0);
	assert_true(row_null(&sample, 2));
	assert_false(row_null(&sample, 3));
	assert_true(row_null(&sample, 6)); /* beyond it */
	assert_string_equal(row_text(&sample, 2), "");
	assert_true(row_bool(&sample, 4));
	assert_false(row_bool(&sample, 3));
}

static void
packs(void **state)
{
	struct row out;
	struct buf b;

	(void)state;
	buf_init(&b, NULL, 4096);
	row_pack(&sample, &b);
	assert_false(buf_failed(&b));
	assert_int_equal(row_unpack(b.data, b.len, &out), 0);
	assert_int_equal(out.n, sample.n);
	for (int i = 0; i < sample.n; i++) {
		assert_int_equal(row_null(&out, i), row_null(&sample, i));
		assert_string_equal(row_text(&out, i), row_text(&sample, i));
		assert_int_equal(out.len[i], sample.len[i]);
	}
	buf_free(&b);
}

/* Every cut, every changed byte: refused, or read within its bounds (the
 * sanitizers look). */
static void
damaged(void **state)
{
	struct row out;
	struct buf b;
	char *copy;

	(void)state;
	buf_init(&b, NULL, 4096);
	row_pack(&sample, &b);
	for (size_t n = 0; n < b.len; n++) {
		copy = malloc(n > 0 ? n : 1);
		assert_non_null(copy);
		memcpy(copy, b.data, n);
		assert_int_equal(row_unpack(copy, n, &out), -1);
		free(copy);
	}
	copy = malloc(b.len);
	assert_non_null(copy);
	for (size_t i = 0; i < b.len; i++)
		for (int bit = 0; bit < 8; bit++) {
			memcpy(copy, b.data, b.len);
			copy[i] = (char)(copy[i] ^ (1 << bit));
			if (row_unpack(copy, b.len, &out) != 0)
				continue;
			for (int k = 0; k < out.n; k++)
				(void)strlen(row_text(&out, k));
		}
	free(copy);
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads),
		cmocka_unit_test(packs),
		cmocka_unit_test(damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
