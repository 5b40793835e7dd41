/* CSV as RFC 4180 has it, and nothing that a spreadsheet would run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "util/csv.h"
#include "util/mem.h"

#include "util/banned.h"

static void
expect_cell(const char *text, const char *csv)
{
	void *ctx = mem_root("csv");
	struct buf b;

	buf_init(&b, ctx, 4096);
	csv_text(&b, text);
	assert_string_equal(b.data, csv);
	mem_free(ctx);
}

static void
test_cells(void **state)
{
	(void)state;
	expect_cell("", "");
	expect_cell("openai:gpt", "openai:gpt");
	expect_cell("a,b", "\"a,b\"");
	expect_cell("say \"hi\"", "\"say \"\"hi\"\"\"");
	expect_cell("two\r\nlines", "\"two\r\nlines\"");
	expect_cell("=1+1", "\"'=1+1\"");
	expect_cell("+1", "\"'+1\"");
	expect_cell("-1", "\"'-1\"");
	expect_cell("@sum", "\"'@sum\"");
	expect_cell("\t=1", "\"'\t=1\"");
	expect_cell("\r=1", "\"'\r=1\"");
	expect_cell("a=1", "a=1");
}

static void
test_table(void **state)
{
	static const char *const keys[] = { "model", "n", "usd", "note", NULL };
	void *ctx = mem_root("csv");
	json_t *rows = json_pack("[{s:s, s:i, s:f, s:n}, {s:s, s:i, s:b}]",
	    "model", "=cmd", "n", -3, "usd", 0.25, "note", "model", "x,y", "n",
	    4, "usd", 1);
	struct buf b;

	(void)state;
	buf_init(&b, ctx, 4096);
	csv_table(&b, rows, keys);
	assert_string_equal(b.data, "model,n,usd,note\r\n"
				    "\"'=cmd\",-3,0.25,\r\n"
				    "\"x,y\",4,true,\r\n");
	json_decref(rows);
	mem_free(ctx);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cells),
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
