/* The record of why: bounded, well-formed JSON, read back with every member. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/complete.h"
#include "gateway/why.h"
#include "util/json.h"
#include "util/mem.h"

static const struct uuid some = { { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13,
    14, 15, 16 } };

static json_t *
written(const struct why *w, const struct gateway_story *story)
{
	struct buf b;
	json_t *v;

	buf_init(&b, NULL, 65536);
	why_write(w, story, &b);
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
	const struct why w = { .account_tier = "hot",
		.agent_tier = "cold",
		.wanted = "builtin:concierge",
		.used = "builtin:concierge",
		.rule = "agent" };
	struct gateway_story story = { .rounds = 1,
		.nattempts = 1,
		.made = 1,
		.attempts = { { .outcome = HEALTH_OK, .ms = 3 } } };

	(void)state;
	json_auto_t *v = written(&w, &story), *shown = why_show(v);

	/* What says nothing takes no room. */
	assert_null(json_object_get(v, "model_used"));
	assert_null(json_object_get(v, "candidates"));
	assert_null(json_object_get(v, "strategy"));
	assert_null(json_object_get(v, "limit"));
	assert_string_equal(text_of(shown, "model_used"), "builtin:concierge");
	assert_string_equal(text_of(shown, "agent_from"), "cold");
	assert_int_equal(number_of(shown, "rounds"), 1);
	assert_int_equal(
	    json_array_size(json_object_get(shown, "candidates")), 0);
	const json_t *one =
	    json_array_get(json_object_get(shown, "attempts"), 0);
	assert_string_equal(text_of(one, "source"), "none");
	assert_string_equal(text_of(one, "outcome"), "ok");
	assert_true(json_is_null(json_object_get(one, "credential_id")));
	assert_true(json_is_null(json_object_get(one, "status")));
	assert_int_equal(number_of(one, "round"), 1);
	assert_int_equal(number_of(one, "ms"), 3);
	assert_true(json_is_false(json_object_get(one, "injected")));
}

static void
test_much(void **state)
{
	const struct why w = { .wanted = "openai:a\"\n",
		.used = "openai:b",
		.rule = "default",
		.limit = { "requests_per_hour", 100, 99, 36 } };
	struct gateway_candidate c[WHY_CANDIDATES + 5];
	struct gateway_story story = { .rounds = 2,
		.source = GATEWAY_ACCOUNT,
		.strategy = SELECT_LEAST_LOADED,
		.candidates = c,
		.ncandidates = WHY_CANDIDATES + 5,
		.nattempts = GATEWAY_STORY,
		.made = GATEWAY_STORY + 2 };

	(void)state;
	for (int i = 0; i < WHY_CANDIDATES + 5; i++)
		c[i] = (struct gateway_candidate){ .credential = some,
			.name = "Quote \" and control \x01",
			.refused = i == 0 ? NULL : "cooling",
			.state = i == 0 ? HEALTH_CLOSED : HEALTH_COOLING,
			.reason = i == 0 ? HEALTH_WHY_NONE : HEALTH_WHY_LIMITED,
			.score = 0.5,
			.rpm_left = 0,
			.tpm_left = -1 };
	for (int i = 0; i < GATEWAY_STORY; i++)
		story.attempts[i] = (struct gateway_attempt){
			.source = GATEWAY_PLATFORM,
			.credential = some,
			.name = "x",
			.outcome = HEALTH_LIMIT,
			.error = "upstream-limit",
			.status = 429,
			.round = i,
			.usage = { .input = 7, .cached = 5, .output = 3 },
		};
	json_auto_t *v = written(&w, &story), *shown = why_show(v);
	const json_t *list = json_object_get(shown, "candidates");

	assert_int_equal(json_array_size(list), WHY_CANDIDATES);
	assert_int_equal(number_of(shown, "candidates_more"), 5);
	assert_int_equal(number_of(shown, "attempts_more"), 2);
	assert_string_equal(text_of(shown, "model_wanted"), "openai:a\"\n");
	assert_string_equal(text_of(shown, "model_used"), "openai:b");
	assert_string_equal(text_of(shown, "strategy"), "least-loaded");
	assert_int_equal(
	    number_of(json_object_get(shown, "limit"), "remaining"), 99);
	const json_t *first = json_array_get(list, 0),
		     *next = json_array_get(list, 1);
	assert_string_equal(
	    text_of(first, "name"), "Quote \" and control \x01");
	assert_string_equal(text_of(first, "credential_id"),
	    "01020304-0506-0708-090a-0b0c0d0e0f10");
	assert_true(json_is_null(json_object_get(first, "refused")));
	assert_true(json_is_null(json_object_get(first, "reason")));
	assert_true(json_real_value(json_object_get(first, "score")) == 0.5);
	/* Nothing left is not the same as not limited. */
	assert_int_equal(number_of(first, "rpm_left"), 0);
	assert_true(json_is_integer(json_object_get(first, "rpm_left")));
	assert_true(json_is_null(json_object_get(first, "tpm_left")));
	assert_string_equal(text_of(next, "refused"), "cooling");
	assert_string_equal(text_of(next, "reason"), "limited");
	assert_true(json_is_null(json_object_get(next, "score")));
	list = json_object_get(shown, "attempts");
	next = json_array_get(list, 1);
	assert_int_equal(number_of(next, "round"), 2);
	assert_string_equal(text_of(next, "source"), "platform");
	assert_string_equal(text_of(next, "outcome"), "limit");
	assert_string_equal(text_of(next, "error"), "upstream-limit");
	assert_int_equal(number_of(next, "status"), 429);
	assert_int_equal(number_of(next, "cached_input_tokens"), 5);
}

/* Nothing was recorded: every member is there all the same. */
static void
test_nothing(void **state)
{
	const struct why none = { 0 };
	const struct gateway_story story = { 0 };

	(void)state;
	json_auto_t *shown = why_show(NULL), *v = written(&none, &story),
		    *empty = why_show(v);

	assert_true(json_is_false(json_object_get(shown, "recorded")));
	assert_int_equal(
	    json_array_size(json_object_get(shown, "attempts")), 0);
	assert_true(json_is_null(json_object_get(shown, "model_used")));
	assert_true(json_is_true(json_object_get(empty, "recorded")));
	assert_int_equal(json_object_size(empty), json_object_size(shown));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_little),
		cmocka_unit_test(test_much),
		cmocka_unit_test(test_nothing),
	};

	json_setup();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
