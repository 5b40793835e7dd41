/* The record of why: bounded, well-formed JSON, read back with every member. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/why.h"
#include "util/json.h"
#include "util/mem.h"

static const struct uuid some = { { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13,
    14, 15, 16 } };

static json_t *
written(const struct why *w)
{
	struct buf b;
	json_t *v;

	buf_init(&b, NULL, 65536);
	why_write(w, &b);
	assert_false(buf_failed(&b));
	v = json_loadb(b.data, b.len, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(v);
	buf_free(&b);
	return v;
}

static const char *
text_of(const json_t *v, const char *name)
{
	return json_string_value(json_object_get(v, name));
}

static long
number_of(const json_t *v, const char *name)
{
	return (long)json_integer_value(json_object_get(v, name));
}

static void
test_little(void **state)
{
	struct why w = { .account_tier = "hot",
		.agent_tier = "cold",
		.wanted = "builtin:concierge",
		.used = "builtin:concierge",
		.rule = "agent" };
	const struct why_attempt a = { .outcome = "ok", .ms = 3 };

	(void)state;
	why_round(&w);
	why_attempt(&w, &a);
	json_auto_t *v = written(&w), *shown = why_show(v);

	/* What says nothing takes no room. */
	assert_null(json_object_get(v, "model_used"));
	assert_null(json_object_get(v, "candidates"));
	assert_null(json_object_get(v, "limit"));
	assert_string_equal(text_of(shown, "model_used"), "builtin:concierge");
	assert_string_equal(text_of(shown, "agent_from"), "cold");
	assert_int_equal(number_of(shown, "rounds"), 1);
	assert_int_equal(
	    json_array_size(json_object_get(shown, "candidates")), 0);
	const json_t *one =
	    json_array_get(json_object_get(shown, "attempts"), 0);
	assert_true(json_is_null(json_object_get(one, "credential_id")));
	assert_true(json_is_null(json_object_get(one, "status")));
	assert_int_equal(number_of(one, "ms"), 3);
	assert_true(json_is_false(json_object_get(one, "injected")));
}

static void
test_much(void **state)
{
	struct why w = { .wanted = "openai:a\"\n",
		.used = "openai:b",
		.rule = "default",
		.strategy = "least-loaded",
		.drill = "429",
		.limit = { "requests_per_hour", 100, 99, 36 } };
	struct why_candidate c = { .credential = some,
		.state = "closed",
		.score = 0.5,
		.rpm_left = 0,
		.tpm_left = -1,
		.itpm_left = 7 };
	struct why_attempt a = { .credential = some,
		.outcome = "limit",
		.status = 429,
		.injected = true };

	(void)state;
	why_name(c.name, "Quote \" and control \x01");
	why_name(a.name, "x");
	for (int i = 0; i < WHY_CANDIDATES + 5; i++) {
		why_round(&w);
		why_candidate(&w, &c);
		why_attempt(&w, &a);
		c.refused = "cooling";
	}
	json_auto_t *v = written(&w), *shown = why_show(v);
	const json_t *list = json_object_get(shown, "candidates");

	assert_int_equal(json_array_size(list), WHY_CANDIDATES);
	assert_int_equal(number_of(shown, "candidates_more"), 5);
	assert_int_equal(number_of(shown, "attempts_more"),
	    WHY_CANDIDATES + 5 - WHY_ATTEMPTS);
	assert_string_equal(text_of(shown, "model_wanted"), "openai:a\"\n");
	assert_string_equal(text_of(shown, "model_used"), "openai:b");
	assert_string_equal(text_of(shown, "drill"), "429");
	assert_int_equal(
	    number_of(json_object_get(shown, "limit"), "remaining"), 99);
	const json_t *first = json_array_get(list, 0),
		     *next = json_array_get(list, 1);
	assert_string_equal(
	    text_of(first, "name"), "Quote \" and control \x01");
	assert_string_equal(text_of(first, "credential_id"),
	    "01020304-0506-0708-090a-0b0c0d0e0f10");
	assert_true(json_is_null(json_object_get(first, "refused")));
	assert_true(json_real_value(json_object_get(first, "score")) == 0.5);
	/* Nothing left is not the same as not limited. */
	assert_int_equal(number_of(first, "rpm_left"), 0);
	assert_true(json_is_integer(json_object_get(first, "rpm_left")));
	assert_true(json_is_null(json_object_get(first, "tpm_left")));
	assert_string_equal(text_of(next, "refused"), "cooling");
	assert_true(json_is_null(json_object_get(next, "score")));
	assert_int_equal(number_of(next, "round"), 2);
	assert_true(json_is_true(json_object_get(
	    json_array_get(json_object_get(shown, "attempts"), 0),
	    "injected")));
}

/* Nothing was recorded: every member is there all the same. */
static void
test_nothing(void **state)
{
	struct why_attempt a = { .outcome = "ok" };

	(void)state;
	why_round(NULL);
	why_attempt(NULL, &a);
	json_auto_t *shown = why_show(NULL);

	assert_true(json_is_false(json_object_get(shown, "recorded")));
	assert_int_equal(
	    json_array_size(json_object_get(shown, "attempts")), 0);
	assert_true(json_is_null(json_object_get(shown, "model_used")));
	struct why none = { 0 };
	json_auto_t *v = written(&none), *empty = why_show(v);
	assert_true(json_is_true(json_object_get(empty, "recorded")));
	assert_int_equal(json_object_size(empty), json_object_size(shown));
}

static void
test_names(void **state)
{
	char out[WHY_NAME], in[WHY_NAME * 2];

	(void)state;
	/* Cut at a character, never inside one. */
	for (size_t i = 0; i + 2 < sizeof in; i += 2)
		memcpy(in + i, "\xc3\xa4", 3);
	why_name(out, in);
	assert_int_equal(strlen(out), WHY_NAME - 2);
	memset(in, 'a', WHY_NAME - 1);
	in[WHY_NAME - 1] = '\0';
	why_name(out, in);
	assert_string_equal(out, in);
}

static void
test_outcomes(void **state)
{
	static const struct {
		int status;
		const char *name;
	} rows[] = { { 429, "limit" }, { 401, "denied" }, { 402, "denied" },
		{ 403, "denied" }, { 404, "no_model" }, { 400, "caller" },
		{ 422, "caller" }, { 408, "server" }, { 409, "server" },
		{ 500, "server" }, { 529, "server" }, { 0, "server" } };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_string_equal(
		    why_outcome(false, false, rows[i].status), rows[i].name);
	assert_string_equal(why_outcome(true, false, 200), "ok");
	assert_string_equal(why_outcome(false, true, 0), "abandoned");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_little),
		cmocka_unit_test(test_much),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_outcomes),
	};

	json_setup();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
