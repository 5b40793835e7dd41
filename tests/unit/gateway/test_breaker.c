/* Breaker, cool-down, out, missing models: each rule, with a clock of the
 * test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "gateway/health.h"
#include "shm/procs.h"
#include "util/clock.h"

#include "util/banned.h"

#define SLOT 3
#define MODEL UINT64_C(0x123456789abcdef1)
#define OTHER UINT64_C(0xfedcba9876543211)

static const struct health_limits unlimited;
static int64_t now;

static int
fresh(void **state)
{
	const struct health_params p = { 0 };

	(void)state;
	procs_map();
	health_tune(&p);
	health_map(64);
	now = 1000 * CLOCK_S;
	return 0;
}

static void
after_ms(int64_t ms)
{
	now += ms * CLOCK_MS;
}

static struct health_view
look(void)
{
	struct health_view v;

	health_look(SLOT, MODEL, &unlimited, now, &v);
	return v;
}

static bool
begin(struct health_call *c)
{
	return health_begin(c, SLOT, MODEL, &unlimited, 10, 10, now);
}

static bool
end(struct health_call *c, enum health_outcome o)
{
	return health_end(c, o, 0, 0, 0, 0, now);
}

/* A whole call; what health_end() said. */
static bool
call(enum health_outcome o)
{
	struct health_call c;

	assert_true(begin(&c));
	return end(&c, o);
}

static void
opened(void)
{
	for (int i = 0; i < 5; i++)
		call(HEALTH_SERVER);
	assert_int_equal(look().state, HEALTH_OPEN);
}

static void
refused(void)
{
	struct health_call c;

	assert_false(begin(&c));
	assert_int_equal(look().inflight, 0);
}

static void
opens_at_the_fifth_in_a_row(void **state)
{
	(void)state;
	for (int i = 1; i <= 4; i++) {
		assert_false(call(HEALTH_SERVER));
		assert_int_equal(look().failures, i);
	}
	assert_false(call(HEALTH_OK)); /* not in a row */
	assert_int_equal(look().failures, 0);
	for (int i = 0; i < 4; i++)
		assert_false(call(HEALTH_SERVER));
	assert_int_equal(look().state, HEALTH_CLOSED);
	assert_int_equal(look().until, 0);
	after_ms(5);
	assert_true(call(HEALTH_SERVER)); /* tell somebody */
	assert_int_equal(look().state, HEALTH_OPEN);
	assert_int_equal(look().reason, HEALTH_WHY_FAILURES);
	assert_int_equal(look().since, now);
	assert_int_equal(look().until, now + 30 * CLOCK_S);
	refused();
	after_ms(29999);
	refused();
}

static void
one_probe_closes_it(void **state)
{
	struct health_call probe, second;

	(void)state;
	opened();
	after_ms(30000);
	assert_int_equal(look().state, HEALTH_HALF_OPEN);
	assert_true(look().probe_due);
	assert_true(begin(&probe));
	assert_true(probe.probe);
	assert_false(look().probe_due);
	assert_false(begin(&second));
	assert_false(end(&probe, HEALTH_OK));
	assert_int_equal(look().state, HEALTH_CLOSED);
	assert_int_equal(look().reason, HEALTH_WHY_NONE);
	assert_int_equal(look().failures, 0);
	assert_true(begin(&second));
	assert_false(second.probe);
	/* And from now on it takes five again. */
	end(&second, HEALTH_SERVER);
	assert_int_equal(look().state, HEALTH_CLOSED);
}

static void
failed_probes_wait_longer(void **state)
{
	static const int pauses[] = { 60, 120, 240, 300, 300 };
	struct health_call probe;

	(void)state;
	opened();
	after_ms(30000);
	for (size_t i = 0; i < sizeof(pauses) / sizeof(*pauses); i++) {
		assert_true(begin(&probe));
		assert_false(end(&probe, HEALTH_SERVER)); /* told already */
		assert_int_equal(look().state, HEALTH_OPEN);
		assert_int_equal(look().until, now + pauses[i] * CLOCK_S);
		after_ms(pauses[i] * 1000 - 1);
		refused();
		after_ms(1);
	}
	assert_true(begin(&probe));
	end(&probe, HEALTH_OK);
	opened();
	assert_int_equal(look().until, now + 30 * CLOCK_S); /* as at first */
}

/* Whatever becomes of its holder, a lease ends; and nothing is stuck when all
 * answers take longer than it. */
static void
leases_end(void **state)
{
	struct health_call lost, second, third;

	(void)state;
	opened();
	after_ms(30000);
	assert_true(begin(&lost));
	after_ms(59999);
	assert_false(look().probe_due);
	assert_false(begin(&second));
	after_ms(1);
	assert_true(look().probe_due);
	assert_true(begin(&second));
	assert_true(second.probe);
	assert_false(begin(&third));
	/* The first one's lease is not the second's to end. */
	end(&lost, HEALTH_ABANDONED);
	assert_false(begin(&third));
	after_ms(70000);
	end(&second, HEALTH_OK); /* late, but good news */
	assert_int_equal(look().state, HEALTH_CLOSED);
}

static void
neutral_ends_free_the_probe(void **state)
{
	static const enum health_outcome neutral[] = { HEALTH_CALLER,
		HEALTH_ABANDONED, HEALTH_NO_MODEL };
	struct health_call probe;

	(void)state;
	opened();
	after_ms(30000);
	for (size_t i = 0; i < sizeof(neutral) / sizeof(*neutral); i++) {
		assert_true(health_begin(
		    &probe, SLOT, OTHER + i, &unlimited, 1, 1, now));
		assert_true(probe.probe);
		assert_false(end(&probe, neutral[i]));
		assert_int_equal(look().state, HEALTH_HALF_OPEN);
		assert_true(look().probe_due);
	}
}

static void
callers_faults_count_for_nothing(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++)
		call(HEALTH_SERVER);
	for (int i = 0; i < 10; i++) {
		assert_false(call(HEALTH_CALLER));
		assert_false(call(HEALTH_ABANDONED));
	}
	assert_int_equal(look().failures, 4); /* neither way */
	assert_int_equal(look().state, HEALTH_CLOSED);
	assert_true(call(HEALTH_SERVER));
}

/* What was sent before it opened says nothing of the time after. */
static void
old_news(void **state)
{
	struct health_call early[3], probe;

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_true(begin(&early[i]));
	opened();
	assert_false(end(&early[0], HEALTH_OK));
	assert_int_equal(look().state, HEALTH_OPEN);
	assert_int_equal(look().until, now + 30 * CLOCK_S);
	after_ms(30000);
	assert_false(end(&early[1], HEALTH_SERVER));
	assert_true(look().probe_due); /* opened no longer by it */
	assert_true(begin(&probe));
	end(&probe, HEALTH_OK);
	assert_false(end(&early[2], HEALTH_DENIED)); /* the old key, say */
	assert_int_equal(look().state, HEALTH_CLOSED);
}

/* The second attempt of a request that met a failure before. */
static void
poison_opens_one_only(void **state)
{
	struct health_call c;

	(void)state;
	for (int i = 0; i < 20; i++) {
		assert_true(begin(&c));
		c.follows = true;
		assert_false(end(&c, HEALTH_SERVER));
	}
	assert_int_equal(look().failures, 0);
	opened();
	after_ms(30000);
	assert_true(begin(&c));
	c.follows = true; /* a probe decides all the same */
	end(&c, HEALTH_SERVER);
	assert_int_equal(look().state, HEALTH_OPEN);
}

/* --- 429 ------------------------------------------------------------------ */

static void
limits_are_no_failures(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++) {
		assert_false(call(HEALTH_LIMIT));
		assert_int_equal(look().state, HEALTH_COOLING);
		assert_int_equal(look().failures, 0);
		refused();
		now = look().until;
		assert_int_equal(look().state, HEALTH_CLOSED);
	}
}

static void
cools_for_half_a_second_times_two(void **state)
{
	int64_t want = 500, pause;

	(void)state;
	for (int i = 0; i < 12; i++) {
		call(HEALTH_LIMIT);
		assert_int_equal(look().reason, HEALTH_WHY_LIMITED);
		assert_int_equal(look().since, now);
		pause = (look().until - now) / CLOCK_MS;
		assert_in_range(pause, want * 3 / 4, want);
		want = want * 2 < 60000 ? want * 2 : 60000;
		now = look().until;
	}
	call(HEALTH_OK); /* forgotten */
	call(HEALTH_LIMIT);
	assert_in_range((look().until - now) / CLOCK_MS, 375, 500);
}

/* Callers refused at different times do not come back at once. */
static void
cool_downs_differ(void **state)
{
	int64_t first = 0, pause;
	bool differ = false;

	(void)state;
	for (uint32_t slot = 10; slot < 30; slot++) {
		struct health_call c;
		struct health_view v;

		assert_true(
		    health_begin(&c, slot, MODEL, &unlimited, 1, 1, now));
		health_end(&c, HEALTH_LIMIT, 0, 0, 0, 0, now);
		health_look(slot, MODEL, &unlimited, now, &v);
		pause = v.until - now;
		differ = differ || (first != 0 && pause != first);
		first = pause;
	}
	assert_true(differ);
}

static void
retry_after_is_honoured(void **state)
{
	struct health_call c;

	(void)state;
	assert_true(begin(&c));
	health_end(&c, HEALTH_LIMIT, 7000, 0, 0, 0, now);
	assert_in_range(look().until - now, 7000 * CLOCK_MS, 7250 * CLOCK_MS);
	after_ms(6999);
	refused();
	after_ms(251);
	assert_true(begin(&c));
	/* Within reason. */
	health_end(&c, HEALTH_LIMIT, 90000000, 0, 0, 0, now);
	assert_in_range(
	    look().until - now, 3600 * CLOCK_S, 3600 * CLOCK_S + CLOCK_S / 4);
}

/* Forty answers of one moment are one reason to wait, not 2^40. */
static void
a_burst_is_one(void **state)
{
	struct health_call c[40];
	struct health_counts n;

	(void)state;
	for (int i = 0; i < 40; i++)
		assert_true(begin(&c[i]));
	for (int i = 0; i < 39; i++) {
		end(&c[i], HEALTH_LIMIT);
		now += CLOCK_MS;
	}
	assert_true(look().until <= 1000 * CLOCK_S + 500 * CLOCK_MS);
	/* A longer Retry-After among them counts. */
	health_end(&c[39], HEALTH_LIMIT, 5000, 0, 0, 0, now);
	assert_true(look().until >= now + 5000 * CLOCK_MS);
	health_counts(SLOT, &n);
	assert_int_equal(n.cooldowns, 1);
	assert_int_equal(n.outcomes[HEALTH_LIMIT], 40);
}

/* One that was sent before a 429 and passed says nothing of the time after. */
static void
an_early_success_warms_nothing(void **state)
{
	struct health_call early;

	(void)state;
	assert_true(begin(&early));
	call(HEALTH_LIMIT);
	end(&early, HEALTH_OK);
	assert_int_equal(look().state, HEALTH_COOLING);
	refused();
}

static void
a_limited_probe_probes_again(void **state)
{
	struct health_call probe;

	(void)state;
	opened();
	after_ms(30000);
	assert_true(begin(&probe));
	end(&probe, HEALTH_LIMIT);
	assert_int_equal(look().state, HEALTH_COOLING);
	refused();
	now = look().until;
	assert_int_equal(look().state, HEALTH_HALF_OPEN);
	assert_true(begin(&probe));
	assert_true(probe.probe);
	end(&probe, HEALTH_OK);
	assert_int_equal(look().state, HEALTH_CLOSED);
}

/* --- out ------------------------------------------------------------------ */

static void
out_at_once_and_back(void **state)
{
	static const int pauses[] = { 120, 240, 480, 900, 900 };
	struct health_call probe;

	(void)state;
	assert_true(call(HEALTH_DENIED));
	assert_int_equal(look().state, HEALTH_OUT);
	assert_int_equal(look().reason, HEALTH_WHY_DENIED);
	assert_int_equal(look().until, now + 60 * CLOCK_S);
	after_ms(59999);
	refused();
	after_ms(1);
	for (size_t i = 0; i < sizeof(pauses) / sizeof(*pauses); i++) {
		assert_true(begin(&probe));
		assert_true(probe.probe);
		assert_false(end(&probe, HEALTH_EXHAUSTED));
		assert_int_equal(look().state, HEALTH_OUT);
		assert_int_equal(look().reason, HEALTH_WHY_EXHAUSTED);
		assert_int_equal(look().until, now + pauses[i] * CLOCK_S);
		after_ms(pauses[i] * 1000);
	}
	assert_int_equal(look().state, HEALTH_HALF_OPEN);
	assert_true(begin(&probe));
	end(&probe, HEALTH_OK);
	assert_int_equal(look().state, HEALTH_CLOSED);
}

/* A server that is down while a refused key is probed says nothing of it. */
static void
a_failed_probe_of_the_key(void **state)
{
	struct health_call probe;

	(void)state;
	call(HEALTH_DENIED);
	after_ms(60000);
	assert_true(begin(&probe));
	assert_false(end(&probe, HEALTH_SERVER));
	assert_int_equal(look().state, HEALTH_OUT);
	assert_int_equal(look().reason, HEALTH_WHY_DENIED);
	assert_int_equal(look().until, now + 60 * CLOCK_S);
}

static void
out_beats_open(void **state)
{
	struct health_call early;

	(void)state;
	assert_true(begin(&early));
	opened();
	assert_true(end(&early, HEALTH_DENIED));
	assert_int_equal(look().state, HEALTH_OUT);
}

/* --- models --------------------------------------------------------------- */

static void
a_missing_model_only(void **state)
{
	struct health_view v;
	struct health_call c;

	(void)state;
	for (int i = 0; i < 10; i++) {
		assert_true(
		    health_begin(&c, SLOT, OTHER, &unlimited, 1, 1, now));
		if (i < 9)
			end(&c, HEALTH_OK);
	}
	assert_false(end(&c, HEALTH_NO_MODEL));
	health_look(SLOT, OTHER, &unlimited, now, &v);
	assert_int_equal(v.state, HEALTH_CLOSED);
	assert_true(v.model_gone);
	assert_int_equal(v.model_until, now + 600 * CLOCK_S);
	assert_false(health_begin(&c, SLOT, OTHER, &unlimited, 1, 1, now));
	assert_false(look().model_gone);
	call(HEALTH_OK); /* another model of it */
	assert_true(health_begin(&c, SLOT + 1, OTHER, &unlimited, 1, 1, now));
	health_look(SLOT + 1, OTHER, &unlimited, now, &v);
	assert_false(v.model_gone); /* another credential has it */
	after_ms(600000);
	assert_true(health_begin(&c, SLOT, OTHER, &unlimited, 1, 1, now));
}

/* Eight are remembered, the latest; the table never grows. */
static void
many_missing_models(void **state)
{
	struct health_view v;
	struct health_call c;
	int gone = 0;

	(void)state;
	for (uint64_t m = 1; m <= 20; m++) {
		assert_true(
		    health_begin(&c, SLOT, m * MODEL, &unlimited, 1, 1, now));
		end(&c, HEALTH_NO_MODEL);
		after_ms(1);
	}
	for (uint64_t m = 1; m <= 20; m++) {
		health_look(SLOT, m * MODEL, &unlimited, now, &v);
		assert_int_equal(v.model_gone, m > 12);
		gone += v.model_gone;
	}
	assert_int_equal(gone, 8);
}

/* --- an operator ---------------------------------------------------------- */

static void
orders(void **state)
{
	struct health_call c;

	(void)state;
	assert_true(begin(&c));
	health_set(SLOT, HEALTH_OPEN_IT, now);
	assert_int_equal(look().state, HEALTH_OPEN);
	assert_int_equal(look().reason, HEALTH_WHY_OPERATOR);
	assert_int_equal(look().until, 0);
	end(&c, HEALTH_OK);
	after_ms(100000000); /* no probe comes through */
	refused();
	health_set(SLOT, HEALTH_CLOSE_IT, now);
	assert_int_equal(look().state, HEALTH_CLOSED);
	call(HEALTH_DENIED);
	health_set(SLOT, HEALTH_CLOSE_IT, now);
	assert_int_equal(look().state, HEALTH_CLOSED);
	call(HEALTH_LIMIT);
	health_set(SLOT, HEALTH_CLOSE_IT, now);
	assert_int_equal(look().state, HEALTH_CLOSED);
	call(HEALTH_NO_MODEL);
	assert_true(look().model_gone);
	health_set(SLOT, HEALTH_CLOSE_IT, now);
	assert_true(look().model_gone);
	health_set(SLOT, HEALTH_RESET_IT, now);
	assert_false(look().model_gone);
	opened();
	health_set(SLOT, HEALTH_RESET_IT, now);
	assert_int_equal(look().state, HEALTH_CLOSED);
}

static void
counted(void **state)
{
	struct health_counts n;

	(void)state;
	call(HEALTH_OK);
	call(HEALTH_CALLER);
	call(HEALTH_LIMIT);
	refused();
	now = look().until;
	opened();
	after_ms(30000);
	call(HEALTH_DENIED);
	health_counts(SLOT, &n);
	assert_int_equal(n.begun, 9);
	assert_int_equal(n.outcomes[HEALTH_OK], 1);
	assert_int_equal(n.outcomes[HEALTH_CALLER], 1);
	assert_int_equal(n.outcomes[HEALTH_LIMIT], 1);
	assert_int_equal(n.outcomes[HEALTH_SERVER], 5);
	assert_int_equal(n.outcomes[HEALTH_DENIED], 1);
	assert_int_equal(n.cooldowns, 1);
	assert_int_equal(n.openings, 1);
	assert_int_equal(n.outs, 1);
	assert_int_equal(n.probes, 1);
	assert_int_equal(n.refused, 1);
}

static void
beyond_the_map(void **state)
{
	struct health_call c;
	struct health_view v;

	(void)state;
	health_look(65, MODEL, &unlimited, now, &v);
	assert_int_equal(v.state, HEALTH_OUT);
	assert_int_equal(v.reason, HEALTH_WHY_NO_SLOT);
	assert_false(health_begin(&c, 65, MODEL, &unlimited, 1, 1, now));
	assert_false(end(&c, HEALTH_OK));
	health_set(65, HEALTH_CLOSE_IT, now);
}

/* Other thresholds than the defaults. */
static void
tuned(void **state)
{
	const struct health_params p = {
		.failures = 2, .open_ms = 100, .probe_ms = 50, .out_ms = 200
	};
	struct health_call probe;

	(void)state;
	health_tune(&p);
	call(HEALTH_SERVER);
	assert_true(call(HEALTH_SERVER));
	assert_int_equal(look().until, now + 100 * CLOCK_MS);
	after_ms(100);
	assert_true(begin(&probe));
	after_ms(50);
	assert_true(look().probe_due);
	health_set(SLOT, HEALTH_CLOSE_IT, now);
	call(HEALTH_DENIED);
	assert_int_equal(look().until, now + 200 * CLOCK_MS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(opens_at_the_fifth_in_a_row, fresh),
		cmocka_unit_test_setup(one_probe_closes_it, fresh),
		cmocka_unit_test_setup(failed_probes_wait_longer, fresh),
		cmocka_unit_test_setup(leases_end, fresh),
		cmocka_unit_test_setup(neutral_ends_free_the_probe, fresh),
		cmocka_unit_test_setup(callers_faults_count_for_nothing, fresh),
		cmocka_unit_test_setup(old_news, fresh),
		cmocka_unit_test_setup(poison_opens_one_only, fresh),
		cmocka_unit_test_setup(limits_are_no_failures, fresh),
		cmocka_unit_test_setup(
		    cools_for_half_a_second_times_two, fresh),
		cmocka_unit_test_setup(cool_downs_differ, fresh),
		cmocka_unit_test_setup(retry_after_is_honoured, fresh),
		cmocka_unit_test_setup(a_burst_is_one, fresh),
		cmocka_unit_test_setup(an_early_success_warms_nothing, fresh),
		cmocka_unit_test_setup(a_limited_probe_probes_again, fresh),
		cmocka_unit_test_setup(out_at_once_and_back, fresh),
		cmocka_unit_test_setup(a_failed_probe_of_the_key, fresh),
		cmocka_unit_test_setup(out_beats_open, fresh),
		cmocka_unit_test_setup(a_missing_model_only, fresh),
		cmocka_unit_test_setup(many_missing_models, fresh),
		cmocka_unit_test_setup(orders, fresh),
		cmocka_unit_test_setup(counted, fresh),
		cmocka_unit_test_setup(beyond_the_map, fresh),
		cmocka_unit_test_setup(tuned, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
