/* telemetry/trace: what is taken up and what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "telemetry/trace.h"

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN "00f067aa0ba902b7"

static void
test_taken(void **state)
{
	static const struct {
		const char *in;
		int flags;
	} rows[] = {
		{ "00-" TRACE "-" SPAN "-01", 1 },
		{ "00-" TRACE "-" SPAN "-00", 0 },
		{ "00-" TRACE "-" SPAN "-03", 3 },
		{ "00-" TRACE "-" SPAN "-ff", 3 },
		/* A later version: what we know of it. */
		{ "01-" TRACE "-" SPAN "-01", 1 },
		{ "cc-" TRACE "-" SPAN "-01-what-comes-then", 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		/* In memory of just its size. */
		char *copy = strdup(rows[i].in);
		struct trace t;

		trace_start(&t, copy);
		free(copy);
		assert_string_equal(t.trace_id, TRACE);
		assert_string_equal(t.parent_id, SPAN);
		assert_int_equal(t.flags, rows[i].flags);
		assert_int_equal(strlen(t.span_id), 16);
		assert_string_not_equal(t.span_id, SPAN);
	}
}

static void
test_refused(void **state)
{
	static const char *const rows[] = { NULL, "", "00", "00-", "00-" TRACE,
		"00-" TRACE "-" SPAN, "00-" TRACE "-" SPAN "-0",
		"00-" TRACE "-" SPAN "-01-", "00-" TRACE "-" SPAN "-011",
		"00-" TRACE "-" SPAN "-01 ", "ff-" TRACE "-" SPAN "-01",
		"FF-" TRACE "-" SPAN "-01", "0x-" TRACE "-" SPAN "-01",
		"01-" TRACE "-" SPAN "-01x",
		"00-00000000000000000000000000000000-" SPAN "-01",
		"00-" TRACE "-0000000000000000-01",
		"00-4BF92F3577B34DA6A3CE929D0E0E4736-" SPAN "-01",
		"00-4bf92f3577b34da6a3ce929d0e0e473g-" SPAN "-01",
		"00-" TRACE "-00f067aa0ba902bg-01", "00-" TRACE "_" SPAN "-01",
		"00_" TRACE "-" SPAN "-01", "00-" TRACE "-" SPAN "_01",
		"00-" TRACE "-" SPAN "-0G", " 00-" TRACE "-" SPAN "-01" };
	char seen[33] = "";

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *copy = rows[i] != NULL ? strdup(rows[i]) : NULL;
		struct trace t;

		trace_start(&t, copy);
		free(copy);
		assert_string_not_equal(t.trace_id, TRACE);
		assert_string_equal(t.parent_id, "");
		assert_int_equal(strlen(t.trace_id), 32);
		assert_int_equal(strspn(t.trace_id, "0123456789abcdef"), 32);
		assert_string_not_equal(t.trace_id, seen);
		assert_int_equal(t.flags & 1, 1);
		memcpy(seen, t.trace_id, sizeof(seen));
	}
}

static void
test_handed_on(void **state)
{
	char out[TRACE_PARENT_SIZE], want[TRACE_PARENT_SIZE];
	struct trace t, u;

	(void)state;
	trace_start(&t, "00-" TRACE "-" SPAN "-01");
	trace_parent(&t, out);
	assert_int_equal(strlen(out), 55);
	assert_memory_equal(out, "00-" TRACE "-", 36);
	assert_memory_equal(out + 36, t.span_id, 16);
	assert_string_equal(out + 52, "-01");
	memcpy(want, out, sizeof(want));
	trace_start(&u, out);
	assert_string_equal(u.trace_id, t.trace_id);
	assert_string_equal(u.parent_id, t.span_id);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_taken),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_handed_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
