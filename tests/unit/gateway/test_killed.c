/*
 * A worker that dies at any instruction of a call's begin and end: each state
 * that it may leave is put back, the master reaps, and then nothing is under
 * way, nobody probes, nothing was given twice, and the credential can be used.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <unistd.h>

#include "gateway/health_priv.h"
#include "lib/stepped.h"
#include "shm/procs.h"
#include "util/clock.h"

#include "util/banned.h"

#define SLOT 5
#define DEAD 9 /* the process's slot */
#define LIMIT INT64_C(1000000)
#define ESTIMATE 300 /* input and output each */
#define USED 100     /* of both */
#define OTHERS 50000
#define NOW (1000 * CLOCK_S)

static const struct health_limits limits = { LIMIT, LIMIT, LIMIT };
static int64_t now;

static struct health_view
look(void)
{
	struct health_view v;

	health_look(SLOT, 1, &limits, now, &v);
	return v;
}

static int
fresh(void **state)
{
	struct health_call others;

	(void)state;
	stepped_begin();
	now = NOW;
	procs_map();
	health_map(100);
	/* 0 procs, 1 slots, 2 turns, 3 processes, 4 notes, 5-8 of sharing */
	assert_int_equal(stepped_maps(), 9);
	stepped_watch(
	    1, sizeof(struct health_slot) * SLOT, sizeof(struct health_slot));
	stepped_watch(3, 0, stepped_bytes(3));
	stepped_watch(4, stepped_bytes(4) / PROCS_MAX * DEAD, 1024);
	for (int i = 5; i <= 7; i++)
		stepped_watch(i, 0, stepped_bytes(i));
	procs_set_self(0);
	/* Used before, so that what comes back twice is seen. */
	assert_true(
	    health_begin(&others, SLOT, 1, &limits, OTHERS, OTHERS, now));
	health_end(&others, HEALTH_OK, 0, OTHERS, 0, OTHERS, now);
	return 0;
}

static void
child(enum health_outcome o, bool must_probe)
{
	struct health_call c;

	procs_set_self(DEAD);
	if (!health_begin(&c, SLOT, 1, &limits, ESTIMATE, ESTIMATE, now) ||
	    c.probe != must_probe)
		_exit(1);
	health_end(&c, o, 0, USED, 0, USED, now);
}

static void
child_passes(void)
{
	child(HEALTH_OK, false);
}

static void
child_fails(void)
{
	child(HEALTH_SERVER, false);
}

static void
child_probe_passes(void)
{
	child(HEALTH_OK, true);
}

static void
child_probe_fails(void)
{
	child(HEALTH_SERVER, true);
}

static void
child_probe_leaves(void)
{
	child(HEALTH_ABANDONED, true);
}

static void
child_is_refused(void)
{
	struct health_call c;

	procs_set_self(DEAD);
	if (health_begin(&c, SLOT, 1, &limits, ESTIMATE, ESTIMATE, now))
		_exit(1);
}

/* Whatever it left, there are at most ${most} tokens fewer, never more, than
 * ${left}; *seen_whole: in some state all came back. */
static void
usable(int64_t left, int64_t most, bool *seen_whole)
{
	struct health_call c;
	struct health_view v;

	health_reap(DEAD, now);
	v = look();
	assert_int_equal(v.inflight, 0);
	assert_true(v.state != HEALTH_HALF_OPEN || v.probe_due);
	assert_in_range(v.tpm_left, left - most, left);
	assert_in_range(v.rpm_left, LIMIT - 100, LIMIT);
	*seen_whole = *seen_whole || v.tpm_left == left;
	health_reap(DEAD, now); /* again changes nothing */
	assert_int_equal(look().tpm_left, v.tpm_left);
	/* At the latest when its pause is over it can be asked, and heals. */
	if (v.state == HEALTH_OPEN)
		now = v.until;
	assert_true(health_begin(&c, SLOT, 1, &limits, 1, 1, now));
	assert_int_equal(look().inflight, 1);
	health_end(&c, HEALTH_OK, 0, 1, 0, 1, now);
	assert_int_equal(look().state, HEALTH_CLOSED);
	assert_int_equal(look().inflight, 0);
}

static void
each_state(void (*what)(void), int least_states, int64_t most)
{
	int64_t left = look().tpm_left, then = now;
	bool whole = false;

	stepped_through(what);
	assert_true(stepped_states >= least_states);
	for (int i = 0; i < stepped_states; i++) {
		stepped_restore(i);
		now = then;
		usable(left, most, &whole);
	}
	assert_true(whole);
}

static void
fails(int n)
{
	struct health_call c;

	for (int i = 0; i < n; i++) {
		assert_true(health_begin(&c, SLOT, 1, &limits, 1, 1, now));
		health_end(&c, HEALTH_SERVER, 0, 0, 0, 0, now);
	}
}

/* Noted, counted, three buckets, their notes; and back. */
static void
in_a_call(void **state)
{
	(void)state;
	each_state(child_passes, 15, 2 * ESTIMATE);
}

static void
in_one_that_opens(void **state)
{
	(void)state;
	fails(4);
	each_state(child_fails, 15, 2 * ESTIMATE);
}

static void
half_open(void)
{
	fails(5);
	now = look().until;
	assert_int_equal(look().state, HEALTH_HALF_OPEN);
	assert_true(look().probe_due);
}

static void
in_a_probe(void **state)
{
	(void)state;
	half_open();
	each_state(child_probe_passes, 15, 2 * ESTIMATE);
	fresh(state);
	half_open();
	each_state(child_probe_fails, 15, 2 * ESTIMATE);
	fresh(state);
	half_open();
	each_state(child_probe_leaves, 15, 2 * ESTIMATE);
}

/* Of one that may not, too: it has taken before it is told. */
static void
in_a_refusal(void **state)
{
	(void)state;
	fails(5);
	each_state(child_is_refused, 8, 2 * ESTIMATE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(in_a_call, fresh),
		cmocka_unit_test_setup(in_one_that_opens, fresh),
		cmocka_unit_test_setup(in_a_probe, fresh),
		cmocka_unit_test_setup(in_a_refusal, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
