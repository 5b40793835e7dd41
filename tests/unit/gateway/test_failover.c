/* The failover loop: whom it asks, how often, what it tells; keys and models
 * are the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <pthread.h>
#include <string.h>

#include "account/account.h"
#include "gateway/complete.h"
#include "gateway/credential.h"
#include "gateway/preset.h"
#include "gateway/retry.h"
#include "llm/price.h"
#include "shm/procs.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

#define KEYS 6

/* What a call by each key comes to. */
struct answer {
	enum llm_class class;
	bool says; /* a visible word goes out before it ends so */
	int64_t retry_ms;
	struct llm_usage usage;
};

static struct answer script[KEYS + 1]; /* the last: the environment's */
static int asked[KEYS + 1], calls;
static struct credential cred[KEYS];
static struct credential_set set = { .slot = 1, .own = cred };
static struct account account = { .slot = 1 };
static struct gateway_story story;
static struct gateway *gateway;
static struct llm_reply reply;
static struct llm_sink sink;
static struct err e;
static void *ctx;
static bool environment;
static const char *const defaults[] = { "anthropic:d", "builtin:c", NULL };

/* --- doubles -------------------------------------------------------------- */

const char *
llm_provider(const char *model, const char **name, bool *keyed)
{
	const char *colon = strchr(model, ':');

	*name = colon + 1;
	*keyed = strncmp(model, "builtin", 7) != 0;
	if (strncmp(model, "openai:", 7) == 0)
		return "openai";
	return strncmp(model, "nobody", 6) == 0 ? NULL : "other";
}

const char *const *
llm_defaults(const struct llm *l)
{
	(void)l;
	return defaults;
}

bool
llm_usable(struct llm *l, const char *model)
{
	(void)l;
	return environment && strncmp(model, "openai:", 7) == 0;
}

int
llm_missing(const char *wanted, struct err *err)
{
	return err_set_kind(
	    err, ERR_UNAVAILABLE, "missing-credential", 60, "%s", wanted);
}

int64_t
llm_estimate_request(const struct llm_request *rq)
{
	(void)rq;
	return 10;
}

bool
price_cost(const char *model, const struct llm_usage *u, int64_t wall_us,
    int64_t *nano)
{
	(void)model, (void)u, (void)wall_us, (void)nano;
	return false;
}

int
llm_complete(struct llm *l, const struct llm_request *rq, struct llm_sink *k,
    const void *of, struct llm_reply *r, struct err *err)
{
	int who = rq->access == NULL ? KEYS : rq->access->key[0] - 'a';
	const struct answer *a = &script[who];

	(void)l, (void)k;
	asked[who]++;
	calls++;
	memset(r, 0, sizeof(*r));
	buf_init(&r->text, of, 100);
	r->class = a->class;
	r->started = a->says;
	r->retry_ms = a->retry_ms;
	r->usage = a->usage;
	r->attempts = 1;
	r->finish = a->class == LLM_OK ? LLM_STOP : LLM_ERROR;
	r->status = a->class == LLM_OK ? 200 : 500;
	return a->class == LLM_OK
	           ? 0
	           : err_set_kind(err, ERR_UPSTREAM, "upstream-failed", 0,
			 "scripted %d", who);
}

int
credentials_of(struct credentials *cs, const struct uuid *id, int64_t deadline,
    const struct credential_set **ret, struct err *err)
{
	(void)cs, (void)id, (void)deadline, (void)err;
	*ret = &set;
	return 0;
}

void
credential_set_unref(const struct credential_set *s)
{
	(void)s;
}

int
credential_set_for(const struct credential_set *s, const char *provider,
    const char *model, const void *of, const struct credential ***ret)
{
	(void)model;
	if (strcmp(provider, "openai") != 0)
		return 0;
	if (of != NULL) {
		*ret = mem_array(of, const struct credential *, KEYS);
		for (int i = 0; i < s->nown; i++)
			(*ret)[i] = &s->own[i];
	}
	return s->nown;
}

void
credential_used(const struct credential *c)
{
	(void)c;
}

/* --- the tests ------------------------------------------------------------ */

static int
fresh(void **state)
{
	static const char keys[KEYS][2] = { "a", "b", "c", "d", "e", "f" };

	(void)state;
	procs_map();
	health_map(64);
	retry_map();
	memset(script, 0, sizeof(script));
	memset(asked, 0, sizeof(asked));
	memset(&story, 0, sizeof(story));
	memset(&e, 0, sizeof(e));
	calls = 0;
	environment = false;
	sink = (struct llm_sink){ .gone_fd = -1 };
	ctx = mem_root("failover");
	gateway = gateway_new(NULL, (struct credentials *)&set);
	set.nown = 3;
	set.strategy = SELECT_PRIORITY;
	for (int i = 0; i < KEYS; i++) {
		cred[i] = (struct credential){ .slot = (uint32_t)i + 1,
			.provider = "openai",
			.name = keys[i],
			.weight = 1,
			.priority = i,
			.tier = 1,
			.access = { .key = keys[i] } };
		cred[i].id.b[15] = (uint8_t)(i + 1);
		cred[i].account.b[0] = 1;
	}
	return 0;
}

static int
done(void **state)
{
	(void)state;
	gateway_free(gateway);
	mem_free(ctx);
	return 0;
}

static int
ask_until(int64_t deadline)
{
	struct llm_request rq = {
		.model = "openai:m", .max_tokens = 10, .deadline = deadline
	};

	return gateway_complete(
	    gateway, &account, &rq, &sink, ctx, &reply, &story, &e);
}

static int
ask(void)
{
	return ask_until(clock_mono() + 30 * CLOCK_S);
}

static void all(enum llm_class class)
{
	for (int i = 0; i < KEYS; i++)
		script[i].class = class;
}

static void
test_first(void **state)
{
	(void)state;
	assert_int_equal(ask(), 0);
	assert_int_equal(calls, 1);
	assert_int_equal(reply.attempts, 1);
	assert_true(id_eq(&reply.credential, &cred[0].id));
	assert_int_equal(story.source, GATEWAY_ACCOUNT);
	assert_int_equal(story.nattempts, 1);
	assert_string_equal(story.attempts[0].name, "a");
	assert_int_equal(story.attempts[0].outcome, HEALTH_OK);
	assert_null(story.attempts[0].error);
	assert_int_equal(story.ncandidates, 3);
	assert_null(story.candidates[2].refused);
}

/* Two at their limit, the third answers; what each used is on the bill. */
static void
test_third(void **state)
{
	(void)state;
	script[0] = (struct answer){ .class = LLM_LIMIT, .retry_ms = 9000 };
	script[1] = (struct answer){ .class = LLM_SERVER,
		.usage = { .input = 7, .output = 1 } };
	script[2].usage =
	    (struct llm_usage){ .input = 20, .cached = 4, .output = 5 };
	assert_int_equal(ask(), 0);
	assert_int_equal(reply.attempts, 3);
	assert_true(id_eq(&reply.credential, &cred[2].id));
	assert_int_equal(reply.usage.input, 27);
	assert_int_equal(reply.usage.cached, 4);
	assert_int_equal(reply.usage.output, 6);
	assert_int_equal(story.made, 3);
	assert_int_equal(story.attempts[0].outcome, HEALTH_LIMIT);
	assert_string_equal(story.attempts[1].error, "upstream-failed");
	assert_string_equal(story.candidates[0].refused, "tried");
	assert_int_equal(story.candidates[0].state, HEALTH_COOLING);
	/* what nobody counted is on nobody's bill */
	script[0].class = LLM_OK;
	script[1].usage.estimated = true;
	script[1].class = LLM_SERVER;
	assert_int_equal(ask(), 0);
	assert_int_equal(reply.usage.input, 20);
	assert_int_equal(asked[0], 1);
}

static void
test_three_and_no_more(void **state)
{
	(void)state;
	set.nown = KEYS;
	all(LLM_SERVER);
	assert_int_equal(ask(), -1);
	assert_int_equal(calls, GATEWAY_ATTEMPTS);
	for (int i = 0; i < KEYS; i++)
		assert_int_equal(asked[i], i < GATEWAY_ATTEMPTS);
	assert_string_equal(e.kind, "upstream-failed");
	/* only the first failure counts: this request may be the reason */
	for (int i = 0; i < GATEWAY_ATTEMPTS; i++) {
		struct health_view v;

		health_look(cred[i].slot, 0, &cred[i].limits, clock_mono(), &v);
		assert_int_equal(v.failures, i == 0);
	}
}

/* The request's own fault, a reader who left, and words that have gone out. */
static void
test_no_second(void **state)
{
	static const struct answer rows[] = {
		{ .class = LLM_CALLER },
		{ .class = LLM_ABANDONED },
		{ .class = LLM_SERVER, .says = true },
		{ .class = LLM_LIMIT, .says = true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		calls = 0;
		script[0] = rows[i];
		assert_int_equal(ask(), -1);
		assert_int_equal(calls, 1);
		assert_string_equal(e.kind, "upstream-failed");
	}
}

static void
test_exhausted(void **state)
{
	int64_t began;

	(void)state;
	all(LLM_DENIED);
	assert_int_equal(ask(), -1);
	assert_int_equal(calls, 3);
	assert_int_equal(e.code, ERR_UNAVAILABLE);
	assert_string_equal(e.kind, "credentials-exhausted");
	assert_non_null(strstr(e.text, "3 out"));
	began = clock_mono();
	assert_int_equal(ask(), -1);
	assert_true(clock_mono() - began < 50 * CLOCK_MS);
	assert_int_equal(calls, 3);
	assert_in_range(e.retry_after, 55, 62);
	assert_int_equal(reply.attempts, 0);
	assert_string_equal(story.candidates[1].refused, "out");
}

/* 429 tells when to come back. */
static void
test_soonest(void **state)
{
	(void)state;
	for (int i = 0; i < KEYS; i++)
		script[i] = (struct answer){ .class = LLM_LIMIT,
			.retry_ms = 1000 * (20 - i) };
	assert_int_equal(ask(), -1);
	assert_string_equal(e.kind, "credentials-exhausted");
	assert_in_range(e.retry_after, 18, 19);
}

static void
test_deadline(void **state)
{
	(void)state;
	script[0].class = LLM_SERVER;
	assert_int_equal(ask_until(clock_mono() + 5 * CLOCK_MS), -1);
	assert_int_equal(calls, 1);
}

static void *
stop_soon(void *arg)
{
	while (__atomic_load_n(&calls, __ATOMIC_SEQ_CST) == 0)
		sched_yield();
	atomic_store((atomic_bool *)arg, true);
	return NULL;
}

static void
test_stopped_while_waiting(void **state)
{
	atomic_bool stop = false;
	pthread_t t;

	(void)state;
	all(LLM_SERVER);
	sink.cancel = &stop;
	pthread_create(&t, NULL, stop_soon, &stop);
	assert_int_equal(ask(), -1);
	pthread_join(t, NULL);
	assert_true(calls < GATEWAY_ATTEMPTS);
	assert_int_equal(reply.finish, LLM_CANCELLED);
	assert_int_equal(e.code, ERR_GONE);
}

/* Where everything fails, repetitions end long before calls do. */
static void
test_budget(void **state)
{
	int64_t now = clock_mono(), n = 0;

	(void)state;
	while (retry_may(now))
		n++;
	assert_int_equal(n, RETRY_MOST);
	for (int i = 0; i < 5; i++)
		retry_call();
	assert_true(retry_may(now));
	assert_false(retry_may(now));
	assert_true(retry_may(now + CLOCK_S / RETRY_A_SECOND + 1));
	assert_false(retry_may(now + CLOCK_S / RETRY_A_SECOND + 1));
	/* a day brings no more than can be saved up */
	assert_int_equal(
	    retry_left(now + 86400 * CLOCK_S), (int64_t)RETRY_MOST);
	while (retry_may(now + 86400 * CLOCK_S))
		;
	script[0].class = LLM_SERVER;
	assert_int_equal(ask(), -1);
	assert_int_equal(calls, 1);
	assert_string_equal(e.kind, "upstream-failed");
}

/* No key of its own: the environment's, as before there was a pool. */
static void
test_environment(void **state)
{
	(void)state;
	set.nown = 0;
	assert_int_equal(ask(), 0);
	assert_int_equal(asked[KEYS], 1);
	assert_true(id_is_nil(&reply.credential));
	assert_int_equal(story.source, GATEWAY_ENVIRONMENT);
	assert_null(story.attempts[0].name);
	script[KEYS].class = LLM_LIMIT;
	assert_int_equal(ask(), -1);
	assert_int_equal(asked[KEYS], 2);
	assert_int_equal(story.made, 2);
	assert_int_equal(story.attempts[1].round, 1);
}

static const char *
choose(const char *wanted, bool fallback)
{
	const char *got = NULL;

	return gateway_choose(gateway, &account, wanted, fallback,
		   clock_mono() + CLOCK_S, &got, &e) == 0
	           ? got
	           : NULL;
}

static void
test_choose(void **state)
{
	(void)state;
	assert_string_equal(choose("openai:m", false), "openai:m");
	set.nown = 0;
	assert_null(choose("openai:m", false));
	assert_string_equal(e.kind, "missing-credential");
	assert_string_equal(choose("openai:m", true), "builtin:c");
	environment = true;
	assert_string_equal(choose("openai:m", false), "openai:m");
	assert_string_equal(choose("builtin:x", false), "builtin:x");
	assert_null(choose("nobody:x", false));
	assert_string_equal(choose("nobody:x", true), "builtin:c");
}

static void
test_presets(void **state)
{
	static const char *const providers[] = { "openai", "anthropic" };

	(void)state;
	for (size_t i = 0; i < 2; i++)
		for (int t = 2; t <= PRESET_TIERS; t++) {
			struct preset less = preset_of(providers[i], t - 1),
				      more = preset_of(providers[i], t);

			assert_true(less.rpm > 0 && less.tpm > 0);
			assert_true(more.rpm >= less.rpm);
			assert_true(more.tpm > less.tpm);
			assert_true(more.itpm >= less.itpm);
			assert_true(more.itpm <= more.tpm);
		}
	assert_int_equal(preset_of("openai", 0).rpm, 0);
	assert_int_equal(preset_of("openai", 5).rpm, 0);
	assert_int_equal(preset_of("nobody", 1).rpm, 0);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, fresh, done)
	const struct CMUnitTest tests[] = {
		T(test_first),
		T(test_third),
		T(test_three_and_no_more),
		T(test_no_second),
		T(test_exhausted),
		T(test_soonest),
		T(test_deadline),
		T(test_stopped_while_waiting),
		T(test_budget),
		T(test_environment),
		T(test_choose),
		T(test_presets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
