/* Refusals of providers: what is understood, and what a reader is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "llm/errors_priv.h"
#include "net/call.h"
#include "util/clock.h"

static void
test_durations(void **state)
{
	static const struct {
		const char *in;
		int64_t ms;
	} rows[] = { { "1s", 1000 }, { "12ms", 12 }, { "6m0s", 360000 },
		{ "1h2m3.5s", 3723500 }, { "0s", 0 }, { "0.5s", 500 },
		{ "2h", 7200000 }, { "", -1 }, { "s", -1 }, { "5", -1 },
		{ "5x", -1 }, { "-1s", -1 }, { " 1s", -1 }, { "1s ", -1 },
		{ "1e400s", -1 }, { "nans", -1 }, { "99999999999h", -1 } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (errors_duration(rows[i].in) != rows[i].ms)
			fail_msg("%s gives %lld", rows[i].in,
			    (long long)errors_duration(rows[i].in));
}

static void
test_retry_after(void **state)
{
	static const char date[] = "Thu, 15 Jan 2026 10:00:00 GMT";
	static const struct {
		const char *in, *date;
		int64_t ms;
	} rows[] = { { "12", "", 12000 }, { "0", "", 0 }, { "1.5", "", 1500 },
		{ "Thu, 15 Jan 2026 10:00:30 GMT", date, 30000 },
		{ "Thu, 15 Jan 2026 09:00:00 GMT", date, 0 },
		/* No Date beside it: our own clock, 10:00:10. */
		{ "Thu, 15 Jan 2026 10:00:30 GMT", "", 20000 },
		{ "Thu, 15 Jan 2026 10:00:30", date, -1 }, { "", "", -1 },
		{ "soon", "", -1 }, { "-5", "", -1 }, { "12 s", "", -1 },
		{ "1e999", "", -1 } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t ms = errors_retry_after(
		    rows[i].in, rows[i].date, INT64_C(1768471210) * 1000000);
		if (ms != rows[i].ms)
			fail_msg("%s gives %lld", rows[i].in, (long long)ms);
	}
}

static void
test_mapping(void **state)
{
	static const struct {
		int status;
		const char *body, *retry;
		enum err_code code;
		const char *kind;
		int retry_s;
	} rows[] = {
		{ 400, "{}", "", ERR_UPSTREAM, "upstream-refused", 0 },
		{ 401, "{}", "", ERR_UPSTREAM, "upstream-auth", 0 },
		{ 402, "", "", ERR_UPSTREAM, "upstream-quota", 0 },
		{ 403, "x", "", ERR_UPSTREAM, "upstream-auth", 0 },
		{ 404, "{}", "", ERR_UPSTREAM, "upstream-model", 0 },
		{ 408, "{}", "", ERR_TIMEOUT, "upstream-timeout", 0 },
		{ 413, "{}", "", ERR_UPSTREAM, "upstream-context", 0 },
		{ 422, "{}", "", ERR_UPSTREAM, "upstream-refused", 0 },
		{ 429, "{}", "", ERR_UNAVAILABLE, "upstream-limit", 5 },
		{ 429, "{}", "7", ERR_UNAVAILABLE, "upstream-limit", 7 },
		{ 429, "{}", "1.2", ERR_UNAVAILABLE, "upstream-limit", 2 },
		{ 429, "{}", "999999", ERR_UNAVAILABLE, "upstream-limit",
		    3600 },
		{ 429, "{\"error\":{\"code\":\"insufficient_quota\"}}", "9",
		    ERR_UPSTREAM, "upstream-quota", 0 },
		{ 400, "{\"error\":{\"code\":\"context_length_exceeded\"}}", "",
		    ERR_UPSTREAM, "upstream-context", 0 },
		{ 500, "{}", "", ERR_UPSTREAM, "upstream-failed", 0 },
		{ 502, "<html>", "", ERR_UPSTREAM, "upstream-failed", 0 },
		{ 503, "{}", "3", ERR_UNAVAILABLE, "upstream-overloaded", 3 },
		{ 504, "{}", "", ERR_TIMEOUT, "upstream-timeout", 0 },
		{ 529, "{}", "", ERR_UNAVAILABLE, "upstream-overloaded", 5 },
		{ 302, "", "", ERR_UPSTREAM, "upstream-failed", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct net_reply r = { .status = rows[i].status };
		struct llm_fault f;
		struct err e = { 0 };
		snprintf(
		    r.retry_after, sizeof(r.retry_after), "%s", rows[i].retry);
		errors_read(&f, &r, rows[i].body, strlen(rows[i].body), 0);
		assert_int_equal(errors_set(&f, "openai", &e), -1);
		if (e.code != rows[i].code ||
		    strcmp(e.kind, rows[i].kind) != 0 ||
		    e.retry_after != rows[i].retry_s)
			fail_msg("%d %s: %d %s %d", rows[i].status,
			    rows[i].body, (int)e.code, e.kind, e.retry_after);
	}
}

static void
test_precision(void **state)
{
	struct net_reply r = {
		.status = 429, .retry_after = "2", .retry_after_ms = "1500"
	};
	struct llm_fault f;

	(void)state;
	errors_read(&f, &r, "", 0, 0);
	assert_int_equal(f.retry_ms, 1500);
	/* Without either, the bucket that is empty says when. */
	r = (struct net_reply){ .status = 429,
		.rate = { [NET_REQUESTS] = { .left = "5", .reset = "1s" },
		    [NET_TOKENS] = { .left = "0", .reset = "6m0s" } } };
	errors_read(&f, &r, "", 0, 0);
	assert_int_equal(f.retry_ms, 360000);
	/* The header of the official clients overrides the status. */
	r = (struct net_reply){ .status = 529, .should_retry = "false" };
	errors_read(&f, &r, "", 0, 0);
	assert_false(f.retryable);
	r = (struct net_reply){ .status = 400, .should_retry = "true" };
	errors_read(&f, &r, "", 0, 0);
	assert_true(f.retryable);
}

/* What it says of the key that was used. */
static void
test_classes(void **state)
{
	static const struct {
		int status;
		const char *code;
		enum llm_class class;
	} rows[] = {
		{ 401, "", LLM_DENIED },
		{ 402, "billing_error", LLM_DENIED },
		{ 403, "", LLM_DENIED },
		{ 404, "model_not_found", LLM_NO_MODEL },
		{ 429, "", LLM_LIMIT },
		{ 429, "rate_limit_exceeded", LLM_LIMIT },
		{ 429, "insufficient_quota", LLM_EXHAUSTED },
		{ 429, "credit_balance_exhausted", LLM_EXHAUSTED },
		{ 408, "", LLM_SERVER },
		{ 409, "", LLM_SERVER },
		{ 500, "", LLM_SERVER },
		{ 503, "", LLM_SERVER },
		{ 529, "overloaded_error", LLM_SERVER },
		{ 302, "", LLM_SERVER },
		{ 400, "", LLM_CALLER },
		{ 413, "", LLM_CALLER },
		{ 422, "", LLM_CALLER },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct net_reply r = { .status = rows[i].status };
		struct llm_fault f;
		char body[120];

		snprintf(body, sizeof(body), "{\"error\":{\"code\":\"%s\"}}",
		    rows[i].code);
		errors_read(&f, &r, body, strlen(body), 0);
		if (errors_class(&f) != rows[i].class)
			fail_msg("%d %s", rows[i].status, rows[i].code);
	}
}

static void
test_rates(void **state)
{
	const int64_t mono = 5 * CLOCK_S, wall = INT64_C(1700000000000000);
	struct net_reply r = { .status = 200,
		.rate = { [NET_REQUESTS] = { "500", "499", "120ms" },
		    [NET_TOKENS] = { "30000", "0", "1m0s" },
		    [NET_INPUT] = { "x", "-1", "never" },
		    [NET_OUTPUT] = {
			"8000", "7990", "2023-11-14T22:13:50Z" } } };
	struct llm_rate got[LLM_RATES];

	(void)state;
	errors_rates(&r, mono, wall, got);
	assert_int_equal(got[0].limit, 500);
	assert_int_equal(got[0].remaining, 499);
	assert_int_equal(got[0].reset_at, mono + 120 * CLOCK_MS);
	assert_int_equal(got[1].remaining, 0);
	assert_int_equal(got[1].reset_at, mono + 60 * CLOCK_S);
	assert_int_equal(got[2].limit, -1);
	assert_int_equal(got[2].remaining, -1);
	assert_int_equal(got[2].reset_at, 0);
	assert_int_equal(got[3].remaining, 7990);
	assert_int_equal(got[3].reset_at, mono + 30 * CLOCK_S);
	/* what is past, and what is too far to be believed */
	r.rate[0] = (struct net_rate){ "1", "1", "2020-01-01T00:00:00Z" };
	r.rate[1] = (struct net_rate){ "1", "1", "99h" };
	errors_rates(&r, mono, wall, got);
	assert_int_equal(got[0].reset_at, mono);
	assert_int_equal(got[1].reset_at, 0);
}

/* A vendor that repeats a key, in whatever place, repeats it to nobody. */
static void
test_says_nothing(void **state)
{
	static const char body[] =
	    "{\"error\":{\"message\":\"bad key sk-secret-1\","
	    "\"type\":\"sk-secret-2\",\"code\":\"sk-secret-3\"}}";
	struct net_reply r = { .status = 401 };
	struct llm_fault f;
	struct err e;

	(void)state;
	errors_read(&f, &r, body, strlen(body), 0);
	errors_set(&f, "openai", &e);
	assert_null(strstr(e.text, "secret"));
	assert_string_equal(e.text, "openai answered 401");
	errors_stream(&f, "sk-secret-4", NULL);
	errors_set(&f, "openai", &e);
	assert_null(strstr(e.text, "secret"));
	assert_int_equal(f.status, 500);
	errors_stream(&f, "overloaded_error", NULL);
	errors_set(&f, "anthropic", &e);
	assert_int_equal(f.status, 529);
	assert_string_equal(
	    e.text, "anthropic broke off with an error (overloaded_error)");
	/* Words lose what is no word. */
	r.status = 400;
	static const char odd[] = "{\"error\":{\"type\":\"a\\nb c\"}}";
	errors_read(&f, &r, odd, strlen(odd), 0);
	assert_string_equal(f.type, "abc");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_retry_after),
		cmocka_unit_test(test_mapping),
		cmocka_unit_test(test_precision),
		cmocka_unit_test(test_classes),
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_says_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
