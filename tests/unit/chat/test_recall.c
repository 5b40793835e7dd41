/* chat/recall: what is kept comes back, of its own account only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "chat/recall.h"

static struct uuid a = { { 1 } }, b = { { 2 } };

static void
test_sessions(void **state)
{
	struct recall *r = recall_new();
	struct recall_session in = { .key = "s_1" }, out;
	struct uuid session, other;
	int there = 0;

	(void)state;
	id_new(&session);
	id_new(&other);
	in.widget.b[0] = 7;
	assert_false(recall_session(r, &a, &session, &out));
	recall_keep_session(r, &a, &session, &in);
	assert_true(recall_session(r, &a, &session, &out));
	assert_string_equal(out.key, "s_1");
	assert_int_equal(out.widget.b[0], 7);
	assert_false(recall_session(r, &b, &session, &out));
	assert_false(recall_session(r, &a, &other, &out));
	/* Many more than there are places: each that is there is right. */
	for (int i = 0; i < 20000; i++) {
		struct uuid id;

		id_new(&id);
		snprintf(in.key, sizeof(in.key), "%d", i);
		recall_keep_session(r, &a, &id, &in);
		assert_true(recall_session(r, &a, &id, &out));
		assert_string_equal(out.key, in.key);
		there += recall_session(r, &a, &session, &out);
	}
	assert_true(there < 20000); /* it had to go */
	recall_free(r);
}

static void
test_names(void **state)
{
	struct recall *r = recall_new();
	struct uuid one, two, out;

	(void)state;
	id_new(&one);
	id_new(&two);
	assert_false(recall_name(r, &a, "", &out));
	assert_false(recall_name(r, &a, "ann", &out));
	recall_keep_name(r, &a, "ann", &one);
	assert_true(recall_name(r, &a, "ann", &out));
	assert_true(id_eq(&out, &one));
	assert_false(recall_name(r, &b, "ann", &out));
	recall_keep_name(r, &a, "ann", &two);
	assert_true(recall_name(r, &a, "ann", &out));
	assert_true(id_eq(&out, &two));
	recall_free(r);
}

static void
test_nothing(void **state)
{
	struct recall_session s = { .key = "" };
	struct uuid out;

	(void)state;
	recall_keep_session(NULL, &a, &b, &s);
	recall_keep_name(NULL, &a, "ann", &b);
	assert_false(recall_session(NULL, &a, &b, &s));
	assert_false(recall_name(NULL, &a, "ann", &out));
	recall_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sessions),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
