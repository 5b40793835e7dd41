/* The choice among candidates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "gateway/select.h"
#include "util/clock.h"

#include "util/banned.h"

#define NOW (1000 * CLOCK_S)

static struct select_candidate c[64];
static struct select_ask ask;
static int64_t soonest;

/* Healthy, without limits, all alike. */
static int
fresh(void **state)
{
	(void)state;
	ask = (struct select_ask){
		.input_tokens = 100, .output_tokens = 100, .now = NOW
	};
	memset(c, 0, sizeof(c));
	for (uint32_t i = 0; i < 64; i++) {
		c[i].slot = i + 1;
		c[i].weight = 1;
		c[i].tier = 1;
		c[i].cost_nano = -1;
		c[i].view.rpm_left = c[i].view.tpm_left = -1;
		c[i].view.itpm_left = c[i].view.otpm_left = -1;
	}
	return 0;
}

static void
clear(int n)
{
	for (int i = 0; i < n; i++)
		c[i].refused = NULL;
}

static int
best(int n)
{
	clear(n);
	return select_best(&ask, c, n, &soonest);
}

static void
load(int i, double share)
{
	c[i].view.load = share;
	c[i].view.tpm = 100000;
	c[i].view.tpm_left = (int64_t)(100000 * (1 - share));
}

static void
state_is(int i, enum health_state s, int64_t in)
{
	c[i].view.state = s;
	c[i].view.until = in > 0 ? NOW + in : 0;
}

/* --- refusals ------------------------------------------------------------- */

static void
why_not(void **state)
{
	(void)state;
	state_is(0, HEALTH_OPEN, 30 * CLOCK_S);
	state_is(1, HEALTH_OUT, 60 * CLOCK_S);
	state_is(2, HEALTH_COOLING, 5 * CLOCK_S);
	state_is(3, HEALTH_HALF_OPEN, 40 * CLOCK_S);
	c[4].view.model_gone = true;
	c[4].view.model_until = NOW + 500 * CLOCK_S;
	c[5].view.rpm = 60, c[5].view.rpm_left = 0;
	c[6].view.tpm = 1000, c[6].view.tpm_left = 199;
	c[7].view.itpm = 1000, c[7].view.itpm_left = 99;
	c[8].view.otpm = 1000, c[8].view.otpm_left = 99;
	assert_int_equal(best(9), -1);
	assert_string_equal(c[0].refused, "open");
	assert_string_equal(c[1].refused, "out");
	assert_string_equal(c[2].refused, "cooling");
	assert_string_equal(c[3].refused, "half_open");
	assert_string_equal(c[4].refused, "model");
	assert_string_equal(c[5].refused, "rpm");
	assert_string_equal(c[6].refused, "tpm");
	assert_string_equal(c[7].refused, "itpm");
	assert_string_equal(c[8].refused, "otpm");
	for (int i = 0; i < 9; i++)
		assert_true(c[i].score == 0);
	/* The soonest: one token of the input or of all, 60 ms. */
	assert_in_range(soonest, NOW + 60 * CLOCK_MS, NOW + 61 * CLOCK_MS);
	assert_int_equal(best(3), -1);
	assert_int_equal(soonest, NOW + 5 * CLOCK_S);
	assert_int_equal(best(2), -1);
	assert_int_equal(soonest, NOW + 30 * CLOCK_S);
	/* One that can be asked is, whatever the others. */
	assert_int_equal(best(10), 9);
	assert_null(c[9].refused);
	assert_true(c[9].score > 0);
}

static void
exactly_enough(void **state)
{
	(void)state;
	c[0].view.tpm = 1000, c[0].view.tpm_left = 200;
	c[0].view.rpm = 1, c[0].view.rpm_left = 1;
	assert_int_equal(best(1), 0);
	ask.output_tokens++;
	assert_int_equal(best(1), -1);
	/* A call larger than the limit needs all of it. */
	ask.input_tokens = 5000;
	c[0].view.tpm_left = 999;
	assert_int_equal(best(1), -1);
	assert_in_range(soonest, NOW + 59 * CLOCK_MS, NOW + 61 * CLOCK_MS);
	c[0].view.tpm_left = 1000;
	assert_int_equal(best(1), 0);
}

static void
held_until_the_reset(void **state)
{
	(void)state;
	c[0].view.rpm = 6000, c[0].view.rpm_left = 0;
	c[0].view.held = NOW + 20 * CLOCK_S;
	assert_int_equal(best(1), -1);
	assert_string_equal(c[0].refused, "rpm");
	assert_int_equal(soonest, NOW + 20 * CLOCK_S);
	/* Without a known limit as well. */
	c[0].view.rpm = 0;
	assert_int_equal(best(1), -1);
	assert_int_equal(soonest, NOW + 20 * CLOCK_S);
}

static void
nobody_knows_when(void **state)
{
	(void)state;
	assert_int_equal(best(0), -1);
	assert_int_equal(soonest, 0);
	state_is(0, HEALTH_OPEN, 0); /* by an operator */
	assert_int_equal(best(1), -1);
	assert_int_equal(soonest, 0);
	c[0].refused = c[1].refused = "tried";
	assert_int_equal(select_best(&ask, c, 2, &soonest), -1);
	assert_int_equal(soonest, 0);
	assert_string_equal(c[1].refused, "tried");
	assert_int_equal(select_best(&ask, c, 2, NULL), -1);
}

/* The caller's own reasons stay. */
static void
tried_already(void **state)
{
	(void)state;
	c[0].refused = "tried";
	for (ask.turn = 0; ask.turn < 50; ask.turn++) {
		c[1].refused = NULL;
		assert_int_equal(select_best(&ask, c, 2, NULL), 1);
	}
}

/* --- strategies ----------------------------------------------------------- */

static void
shares(int n, int turns, int got[])
{
	memset(got, 0, sizeof(*got) * (size_t)n);
	for (ask.turn = 0; ask.turn < (uint64_t)turns; ask.turn++)
		got[best(n)]++;
}

static void
least_loaded(void **state)
{
	int got[3];

	(void)state;
	load(0, 0.5);
	load(1, 0.3);
	load(2, 0.4);
	shares(3, 30, got);
	assert_int_equal(got[1], 30);
	assert_true(c[1].score > c[2].score && c[2].score > c[0].score);
	/* What this call adds counts: a tenth of one, a hundredth of another.
	 */
	fresh(NULL);
	c[0].view.tpm = 2000, c[0].view.tpm_left = 1400;
	c[1].view.tpm = 20000, c[1].view.tpm_left = 13000;
	c[0].view.load = 0.3, c[1].view.load = 0.35;
	assert_int_equal(best(2), 1);
	/* Without limits those who have least to do. */
	fresh(NULL);
	c[0].view.inflight = 3;
	c[1].view.inflight = 1;
	c[2].view.inflight = 2;
	assert_int_equal(best(3), 1);
	/* A higher tier bears more. */
	c[2].tier = 4;
	assert_int_equal(best(3), 2);
	/* And equals take turns. */
	fresh(NULL);
	shares(3, 30, got);
	for (int i = 0; i < 3; i++)
		assert_int_equal(got[i], 10);
}

static void
weighted(void **state)
{
	int got[3];

	(void)state;
	ask.strategy = SELECT_WEIGHTED;
	c[0].weight = 5;
	c[1].weight = 3;
	c[2].weight = 2;
	shares(3, 1000, got);
	assert_in_range(got[0], 495, 505);
	assert_in_range(got[1], 295, 305);
	assert_in_range(got[2], 195, 205);
	/* Evenly: any ten in a row are near it, too. */
	for (uint64_t from = 0; from < 200; from += 10) {
		int n[3] = { 0 };

		for (ask.turn = from; ask.turn < from + 10; ask.turn++)
			n[best(3)]++;
		assert_in_range(n[0], 4, 6);
		assert_in_range(n[1], 2, 4);
		assert_in_range(n[2], 1, 3);
	}
	/* A random number instead of a turn does as well. */
	memset(got, 0, sizeof(got));
	srandom(1);
	for (int i = 0; i < 10000; i++) {
		ask.turn = (uint64_t)random() << 32 ^ (uint64_t)random();
		got[best(3)]++;
	}
	assert_in_range(got[0], 4800, 5200);
	assert_in_range(got[2], 1850, 2150);
	/* Without one of them the others keep their ratio. */
	state_is(0, HEALTH_COOLING, CLOCK_S);
	shares(3, 1000, got);
	assert_int_equal(got[0], 0);
	assert_in_range(got[1], 590, 610);
}

/* Before the 429, not after it. */
static void
load_moves_away(void **state)
{
	int half[2], full[2];

	(void)state;
	ask.strategy = SELECT_WEIGHTED;
	ask.input_tokens = ask.output_tokens = 0;
	load(0, 0.79);
	shares(2, 1000, half);
	assert_in_range(half[0], 490, 510); /* nothing yet */
	load(0, 0.9);
	shares(2, 1000, half);
	assert_in_range(half[0], 300, 360);
	load(0, 0.98);
	shares(2, 1000, full);
	assert_in_range(full[0], 50, 130);
	ask.strategy = SELECT_ROUND_ROBIN;
	shares(2, 100, full);
	assert_int_equal(full[0], 0);
	load(1, 0.99); /* both: in turn again */
	shares(2, 100, full);
	assert_int_equal(full[0], 50);
	ask.strategy = SELECT_COST_AWARE;
	c[0].cost_nano = 1000;
	c[1].cost_nano = 1500;
	load(1, 0.1);
	assert_int_equal(best(2), 1); /* a little dearer, but with room */
}

static void
round_robin(void **state)
{
	int last = -1;

	(void)state;
	ask.strategy = SELECT_ROUND_ROBIN;
	for (ask.turn = 0; ask.turn < 12; ask.turn++) {
		int i = best(4);

		assert_int_equal(i, (last + 1) % 4);
		last = i;
	}
	state_is(1, HEALTH_OPEN, CLOCK_S);
	for (ask.turn = 0; ask.turn < 12; ask.turn++) {
		static const int order[] = { 0, 2, 3 };

		assert_int_equal(best(4), order[ask.turn % 3]);
	}
}

static void
priority(void **state)
{
	int got[4];

	(void)state;
	ask.strategy = SELECT_PRIORITY;
	c[0].priority = 3;
	c[1].priority = 1;
	c[2].priority = 2;
	c[3].priority = 1;
	load(1, 0.95); /* full up to the brim it is still asked */
	state_is(3, HEALTH_COOLING, CLOCK_S);
	shares(4, 20, got);
	assert_int_equal(got[1], 20);
	state_is(1, HEALTH_OUT, CLOCK_S);
	shares(4, 20, got);
	assert_int_equal(got[2], 20);
	state_is(2, HEALTH_OPEN, CLOCK_S);
	shares(4, 20, got);
	assert_int_equal(got[0], 20);
	/* Of equals the least loaded. */
	fresh(NULL);
	ask.strategy = SELECT_PRIORITY;
	load(0, 0.2);
	load(1, 0.1);
	assert_int_equal(best(2), 1);
}

static void
cost_aware(void **state)
{
	int got[4];

	(void)state;
	ask.strategy = SELECT_COST_AWARE;
	c[0].cost_nano = 3000000;
	c[1].cost_nano = 1000000;
	c[2].cost_nano = -1; /* nobody knows */
	c[3].cost_nano = 2000000;
	shares(4, 20, got);
	assert_int_equal(got[1], 20);
	assert_true(c[3].score > c[0].score && c[0].score > c[2].score);
	state_is(1, HEALTH_OPEN, CLOCK_S);
	assert_int_equal(best(4), 3);
	state_is(3, HEALTH_OPEN, CLOCK_S);
	state_is(0, HEALTH_OPEN, CLOCK_S);
	assert_int_equal(best(4), 2);
	/* Nothing is cheaper than nothing; of equals the least loaded. */
	fresh(NULL);
	ask.strategy = SELECT_COST_AWARE;
	c[0].cost_nano = 1;
	c[1].cost_nano = c[2].cost_nano = 0;
	c[1].view.inflight = 2;
	assert_int_equal(best(3), 2);
}

/* Somebody has to try. */
static void
probes_go_first_and_once(void **state)
{
	(void)state;
	for (unsigned s = 0; s < SELECT_STRATEGIES; s++) {
		fresh(NULL);
		ask.strategy = (enum select_strategy)s;
		state_is(2, HEALTH_HALF_OPEN, 0);
		c[2].view.probe_due = true;
		c[0].cost_nano = 1;
		for (ask.turn = 0; ask.turn < 7; ask.turn++)
			assert_int_equal(best(4), 2);
		/* One who has failed elsewhere goes where it is safe, if he
		 * can. */
		ask.again = true;
		for (ask.turn = 0; ask.turn < 7; ask.turn++)
			assert_int_not_equal(best(4), 2);
		state_is(0, HEALTH_OPEN, CLOCK_S);
		state_is(1, HEALTH_OPEN, CLOCK_S);
		state_is(3, HEALTH_OPEN, CLOCK_S);
		assert_int_equal(best(4), 2);
	}
	/* Not past the order of priorities. */
	fresh(NULL);
	ask.strategy = SELECT_PRIORITY;
	c[0].priority = 1;
	c[1].priority = 2;
	c[2].priority = 3;
	state_is(1, HEALTH_HALF_OPEN, 0);
	c[1].view.probe_due = true;
	assert_int_equal(best(3), 0);
	state_is(0, HEALTH_HALF_OPEN, 0);
	c[0].view.probe_due = true;
	assert_int_equal(best(3), 0);
	ask.again = true;
	assert_int_equal(best(3), 2);
}

static void
names(void **state)
{
	enum select_strategy s;

	(void)state;
	for (unsigned i = 0; i < SELECT_STRATEGIES; i++) {
		assert_true(select_strategy_parse(
		    select_strategy_name((enum select_strategy)i), &s));
		assert_int_equal(s, i);
	}
	assert_false(select_strategy_parse("random", &s));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(why_not, fresh),
		cmocka_unit_test_setup(exactly_enough, fresh),
		cmocka_unit_test_setup(held_until_the_reset, fresh),
		cmocka_unit_test_setup(nobody_knows_when, fresh),
		cmocka_unit_test_setup(tried_already, fresh),
		cmocka_unit_test_setup(least_loaded, fresh),
		cmocka_unit_test_setup(weighted, fresh),
		cmocka_unit_test_setup(load_moves_away, fresh),
		cmocka_unit_test_setup(round_robin, fresh),
		cmocka_unit_test_setup(priority, fresh),
		cmocka_unit_test_setup(cost_aware, fresh),
		cmocka_unit_test_setup(probes_go_first_and_once, fresh),
		cmocka_unit_test_setup(names, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
