/* Which known name a mistyped one was meant to be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "util/nearest.h"

#include "util/banned.h"

static void
nearest(void **state)
{
	static const char *const names[] = { "system_prompt_override",
		"system_prompt", "model_override", "tools", "rate_limits",
		"temperature" };

	(void)state;
	assert_string_equal(nearest_name("tool", names, 6), "tools");
	assert_string_equal(
	    nearest_name("temprature", names, 6), "temperature");
	assert_string_equal(
	    nearest_name("system_promt", names, 6), "system_prompt");
	assert_string_equal(
	    nearest_name("rate_limit", names, 6), "rate_limits");
	assert_string_equal(nearest_name("model", names, 6), "model_override");
	assert_null(nearest_name("colour", names, 6));
	assert_null(nearest_name("x", names, 6));
	assert_null(nearest_name("", names, 6));
	assert_null(nearest_name("tools", names, 0));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nearest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
