/* Prices and estimates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <string.h>

#include "llm/llm.h"
#include "llm/price.h"

/* Dollars a million tokens x 1000 are nano-dollars a token. */
static const struct price rows[] = {
	{ .model = "openai:gpt-4o",
	    .from_us = 100,
	    .input = 2500,
	    .output = 10000,
	    .cached = 1250,
	    .cache_write = 2500 },
	{ .model = "openai:gpt-4o",
	    .from_us = 1000,
	    .input = 2000,
	    .output = 8000,
	    .cached = 1000,
	    .cache_write = 2000 },
	{ .model = "openai:old",
	    .from_us = 100,
	    .until_us = 500,
	    .input = 1,
	    .output = 1 },
	{ .model = "anthropic:claude-*", .input = 1, .output = 1 },
	{ .model = "anthropic:claude-sonnet-4*",
	    .input = 3000,
	    .output = 15000,
	    .cached = 300,
	    .cache_write = 3750 },
	{ .model = "builtin:*" },
};

static bool
cost(const char *model, int64_t at, struct llm_usage u, int64_t *nano)
{
	*nano = -7;
	return price_cost(model, &u, at, nano);
}

static void
test_costs(void **state)
{
	struct llm_usage u = { .input = 1000,
		.cached = 400,
		.cache_write = 100,
		.output = 50,
		.reasoning = 20 };
	int64_t n;

	(void)state;
	price_set(rows, sizeof(rows) / sizeof(rows[0]));
	assert_true(cost("openai:gpt-4o", 200, u, &n));
	assert_int_equal(n, 500 * 2500 + 400 * 1250 + 100 * 2500 + 50 * 10000);
	/* The newest that is valid. */
	assert_true(cost("openai:gpt-4o", 1000, u, &n));
	assert_int_equal(n, 500 * 2000 + 400 * 1000 + 100 * 2000 + 50 * 8000);
	/* Not yet, not any more, not at all: unknown, and never zero. */
	assert_false(cost("openai:gpt-4o", 99, u, &n));
	assert_int_equal(n, -7);
	assert_true(cost("openai:old", 499, u, &n));
	assert_false(cost("openai:old", 500, u, &n));
	assert_false(cost("openai:gpt-4o-mini", 200, u, &n));
	assert_false(cost("openai:gpt-4", 200, u, &n));
	assert_false(cost("", 200, u, &n));
	/* The longest prefix. */
	assert_true(cost("anthropic:claude-sonnet-4-5", 5, u, &n));
	assert_int_equal(n, 500 * 3000 + 400 * 300 + 100 * 3750 + 50 * 15000);
	assert_true(cost("anthropic:claude-opus", 5, u, &n));
	assert_int_equal(n, 500 + 50);
	/* What is free costs nothing, and that is known. */
	assert_true(cost("builtin:concierge", 5, u, &n));
	assert_int_equal(n, 0);
	/* Nonsense counts give no negative money, huge ones no overflow. */
	u = (struct llm_usage){ .input = 1, .cached = 5 };
	assert_true(cost("openai:gpt-4o", 200, u, &n));
	assert_true(n >= 0);
	u = (struct llm_usage){ .input = INT64_MAX, .output = INT64_MAX };
	assert_true(cost("openai:gpt-4o", 200, u, &n));
	assert_true(n == INT64_MAX);
	price_set(NULL, 0);
	assert_false(cost("builtin:concierge", 5, u, &n));
}

static void *
reader(void *arg)
{
	struct llm_usage u = { .input = 10 };
	int64_t n;

	(void)arg;
	for (int i = 0; i < 20000; i++)
		if (price_cost("builtin:concierge", &u, 5, &n) && n != 0)
			return (void *)1;
	return NULL;
}

/* Tables change while they are read. */
static void
test_replaced_while_read(void **state)
{
	pthread_t t[3];
	void *bad;

	(void)state;
	for (int i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, reader, NULL);
	for (int i = 0; i < 500; i++)
		price_set(rows, i % 2 ? 6 : 0);
	for (int i = 0; i < 3; i++) {
		pthread_join(t[i], &bad);
		assert_null(bad);
	}
	price_set(NULL, 0);
}

static void
test_estimates(void **state)
{
	struct llm_tool_call call = { "a", "b", "{\"x\":12}" };
	struct llm_message m[2] = {
		{ .role = LLM_USER, .text = "12345678", .len = 8 },
		{ .role = LLM_ASSISTANT, .calls = &call, .ncalls = 1 }
	};
	struct llm_request rq = { .messages = m, .nmessages = 1 };

	(void)state;
	assert_int_equal(llm_estimate_tokens("", 0), 0);
	assert_int_equal(llm_estimate_tokens("a", 1), 1);
	assert_int_equal(llm_estimate_tokens("abcd", 4), 1);
	assert_int_equal(llm_estimate_tokens("abcde", 5), 2);
	/* Four Greek letters are two tokens, three Chinese signs three. */
	assert_int_equal(
	    llm_estimate_tokens("\xce\xb1\xce\xb2\xce\xb3\xce\xb4", 8), 2);
	assert_int_equal(
	    llm_estimate_tokens("\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", 9), 3);
	assert_int_equal(llm_estimate_tokens("\xf0\x9f\x9a\x80", 4), 2);
	assert_int_equal(llm_estimate_request(&rq), 4 + 2);
	rq.nmessages = 2;
	assert_int_equal(llm_estimate_request(&rq), 4 + 2 + 4 + 4 + 2);
	rq.system = "1234";
	assert_int_equal(llm_estimate_request(&rq), 16 + 5);
	json_t *tools = json_pack("[{s:s}]", "name", "abcd");
	rq.tools = tools;
	assert_true(llm_estimate_request(&rq) > 21);
	json_decref(tools);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_costs),
		cmocka_unit_test(test_replaced_while_read),
		cmocka_unit_test(test_estimates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
