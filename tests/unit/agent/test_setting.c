/* Types of settings, and names that were meant. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agent/setting.h"

#include "util/banned.h"

static void
types(void **state)
{
	static const char *const good[] = { "string", "integer", "number",
		"boolean", "object", "array", "any", " string ", "enum[a]",
		"enum[salesforce, hubspot ,zoho]", "array[string]",
		"array[enum[a,b]]", "array[array[integer[0..5]]]",
		"integer[1..20]", "number[-1.5..1.5]", "integer[3..3]" };
	static const char *const bad[] = { "", "String", "text", "string[]",
		"enum", "enum[]", "enum[a,,b]", "enum[a", "enum]", "enum[a;b]",
		"array[", "array[]", "array[text]", "array[string",
		"integer[1]", "integer[..2]", "integer[1..]", "integer[2..1]",
		"integer[a..b]", "integer[1..2..3]", "integer[1..2]x",
		"object[a]", "any[a]", "boolean[0..1]", "number[1e3..2e3]",
		"array[array[array[array[array[array[string]]]]]]" };
	char why[160];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (!setting_type_ok(good[i], why, sizeof(why)))
			fail_msg("%s: %s", good[i], why);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		why[0] = '\0';
		if (setting_type_ok(bad[i], why, sizeof(why)))
			fail_msg("taken: %s", bad[i]);
		assert_true(why[0] != '\0');
	}
}

static void
values(void **state)
{
	static const struct {
		const char *type, *value;
		const char *why; /* NULL: fits */
	} rows[] = {
		{ "string", "\"x\"", NULL },
		{ "string", "5", "must be text" },
		{ "string", "null", "must be text" },
		{ "integer", "5", NULL },
		{ "integer", "5.0", "must be a whole number" },
		{ "integer", "\"5\"", "must be a whole number" },
		{ "integer[1..20]", "20", NULL },
		{ "integer[1..20]", "21", "must be between 1 and 20" },
		{ "integer[1..20]", "0", "must be between 1 and 20" },
		{ "number", "5", NULL },
		{ "number[0..1]", "0.5", NULL },
		{ "number[0..1]", "1.01", "must be between 0 and 1" },
		{ "boolean", "true", NULL },
		{ "boolean", "1", "must be true or false" },
		{ "object", "{}", NULL },
		{ "object", "[]", "must be an object" },
		{ "any", "null", NULL },
		{ "enum[salesforce,hubspot,zoho]", "\"hubspot\"", NULL },
		{ "enum[salesforce,hubspot,zoho]", "\"zoh\"",
		    "must be one of: salesforce,hubspot,zoho" },
		{ "enum[a b, c]", "\"a b\"", NULL },
		{ "enum[a]", "1", "must be one of: a" },
		{ "array", "[1,\"x\"]", NULL },
		{ "array[string]", "[]", NULL },
		{ "array[string]", "[\"x\",5]", "element 1: must be text" },
		{ "array[string]", "\"x\"", "must be an array" },
		{ "array[array[integer[0..5]]]", "[[1],[2,6]]",
		    "element 1: element 1: must be between 0 and 5" },
	};
	char why[160];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *v = json_loads(rows[i].value, JSON_DECODE_ANY, NULL);
		bool fits = setting_fits(rows[i].type, v, why, sizeof(why));

		assert_non_null(v);
		json_decref(v);
		if (fits != (rows[i].why == NULL))
			fail_msg("row %zu", i);
		if (!fits)
			assert_string_equal(why, rows[i].why);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(types),
		cmocka_unit_test(values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
