/* A credential's minute: reserved, settled, corrected by headers. */
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

static struct health_limits limits;
static int64_t now;

static int
fresh(void **state)
{
	(void)state;
	procs_map();
	health_map(64);
	now = 1000 * CLOCK_S;
	limits = (struct health_limits){ 0 };
	return 0;
}

static struct health_view
look(void)
{
	struct health_view v;

	health_look(SLOT, 1, &limits, now, &v);
	return v;
}

static bool
begin(struct health_call *c, int64_t input, int64_t output)
{
	return health_begin(c, SLOT, 1, &limits, input, output, now);
}

static void
end(struct health_call *c, int64_t input, int64_t cached, int64_t output)
{
	health_end(c, HEALTH_OK, 0, input, cached, output, now);
}

static void
nothing_limits(void **state)
{
	struct health_call c;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		assert_true(begin(&c, 1000000, 1000000));
		end(&c, 1000000, 0, 1000000);
	}
	assert_int_equal(look().rpm_left, -1);
	assert_int_equal(look().tpm_left, -1);
	assert_int_equal(look().itpm_left, -1);
	assert_int_equal(look().rpm, 0);
	assert_true(look().load == 0);
}

static void
requests(void **state)
{
	struct health_call c;

	(void)state;
	limits.rpm = 60;
	for (int i = 0; i < 60; i++) {
		assert_int_equal(look().rpm_left, 60 - i);
		assert_true(begin(&c, 1, 1));
		end(&c, 1, 0, 1);
	}
	assert_true(look().load == 1);
	assert_false(begin(&c, 1, 1));
	now += CLOCK_S; /* one a second comes back */
	assert_int_equal(look().rpm_left, 1);
	assert_true(begin(&c, 1, 1));
	end(&c, 1, 0, 1);
	assert_false(begin(&c, 1, 1));
	now += 60 * CLOCK_S;
	assert_int_equal(look().rpm_left, 60);
}

/* Reserved while under way, then what it came to. */
static void
tokens(void **state)
{
	struct health_call c, d;

	(void)state;
	limits.tpm = 1000;
	assert_true(begin(&c, 300, 300));
	assert_int_equal(look().tpm_left, 400);
	assert_true(look().load > 0.59 && look().load < 0.61);
	assert_false(begin(&d, 300, 300));
	assert_int_equal(look().inflight, 1);
	assert_int_equal(look().tpm_left, 400); /* nothing taken */
	end(&c, 250, 0, 50);
	assert_int_equal(look().tpm_left, 700);
	assert_true(begin(&d, 300, 300));
	end(&d, 300, 0, 600); /* more than thought */
	assert_int_equal(look().tpm_left, 0);
	assert_false(begin(&c, 1, 0));
	now += 12 * CLOCK_S + CLOCK_S / 30; /* 200 were owed */
	assert_int_equal(look().tpm_left, 0);
	now += 3 * CLOCK_S;
	assert_int_equal(look().tpm_left, 50);
}

/* What one limit refuses is taken from no other. */
static void
all_or_none(void **state)
{
	struct health_call c;

	(void)state;
	limits = (struct health_limits){ .rpm = 10, .tpm = 10000, .itpm = 500 };
	assert_true(begin(&c, 400, 100));
	for (int i = 0; i < 50; i++) {
		struct health_call d;

		assert_false(begin(&d, 200, 100));
	}
	assert_int_equal(look().rpm_left, 9);
	assert_int_equal(look().tpm_left, 9500);
	assert_int_equal(look().itpm_left, 100);
}

/* Input read from a cache is no input of ITPM, but is one of TPM. */
static void
cached_input(void **state)
{
	struct health_call c;

	(void)state;
	limits = (struct health_limits){ .tpm = 10000, .itpm = 1000 };
	assert_true(begin(&c, 900, 100));
	assert_int_equal(look().itpm_left, 100);
	end(&c, 900, 850, 100);
	assert_int_equal(look().itpm_left, 950);
	assert_int_equal(look().tpm_left, 9000);
}

/* One that is larger than the whole minute passes when all of it is there. */
static void
larger_than_the_limit(void **state)
{
	struct health_call c;

	(void)state;
	limits.tpm = 1000;
	assert_true(begin(&c, 2000, 0));
	end(&c, 2000, 0, 0);
	assert_int_equal(look().tpm_left, 0);
	assert_false(begin(&c, 1, 0));
	now += 59 * CLOCK_S;
	assert_false(begin(&c, 1, 0));
	now += 61 * CLOCK_S;
	assert_int_equal(look().tpm_left, 1000);
	assert_true(begin(&c, 2000, 0));
}

/* A wild answer shuts nobody out for long. */
static void
debt_is_bounded(void **state)
{
	struct health_call c;

	(void)state;
	limits.tpm = 1000;
	assert_true(begin(&c, 10, 10));
	end(&c, 10, 0, INT64_C(1) << 50);
	now += 181 * CLOCK_S;
	assert_int_equal(look().tpm_left, 1000);
}

static void
a_429_is_no_use(void **state)
{
	struct health_call c;

	(void)state;
	limits = (struct health_limits){ .rpm = 10, .tpm = 1000, .itpm = 1000 };
	assert_true(begin(&c, 100, 100));
	health_end(&c, HEALTH_LIMIT, 0, 0, 0, 0, now);
	assert_int_equal(look().rpm_left, 10);
	assert_int_equal(look().tpm_left, 1000);
	assert_int_equal(look().itpm_left, 1000);
}

/* --- headers -------------------------------------------------------------- */

static const struct health_rates silent = { HEALTH_RATE_NONE, HEALTH_RATE_NONE,
	HEALTH_RATE_NONE, HEALTH_RATE_NONE };

static void
less_is_believed(void **state)
{
	struct health_rates r = silent;
	struct health_call c;

	(void)state;
	limits = (struct health_limits){ .rpm = 100, .tpm = 1000 };
	r.requests = (struct health_rate){ 100, 20, now + 48 * CLOCK_S };
	r.tokens = (struct health_rate){ 1000, 300, now + 42 * CLOCK_S };
	health_rates(SLOT, &r, now);
	assert_int_equal(look().rpm_left, 20);
	assert_int_equal(look().tpm_left, 300);
	assert_false(begin(&c, 301, 0));
	assert_true(begin(&c, 200, 0));
	/* More is not: some of ours they have not seen yet. */
	r.requests.remaining = 90;
	r.tokens.remaining = 1000;
	health_rates(SLOT, &r, now);
	assert_int_equal(look().rpm_left, 19);
	assert_int_equal(look().tpm_left, 100);
	end(&c, 200, 0, 0);
}

/* What a call had reserved too much is not given back beyond what they said. */
static void
settling_after_a_header(void **state)
{
	struct health_rates r = silent;
	struct health_call c;

	(void)state;
	limits.tpm = 1000;
	assert_true(begin(&c, 400, 200));
	r.tokens = (struct health_rate){ 1000, 100, now + 54 * CLOCK_S };
	health_rates(SLOT, &r, now);
	end(&c, 20, 0, 10);
	assert_int_equal(look().tpm_left, 100);
}

static void
none_left_until_the_reset(void **state)
{
	struct health_rates r = silent;
	struct health_call c;

	(void)state;
	limits.rpm = 6000; /* ten come back in 100 ms */
	r.requests = (struct health_rate){ 6000, 0, now + 20 * CLOCK_S };
	health_rates(SLOT, &r, now);
	assert_int_equal(look().rpm_left, 0);
	assert_int_equal(look().held, now + 20 * CLOCK_S);
	assert_true(look().load == 1);
	now += 20 * CLOCK_S - CLOCK_MS;
	assert_int_equal(look().rpm_left, 0);
	assert_false(begin(&c, 1, 1));
	now += CLOCK_MS;
	assert_int_equal(look().held, 0);
	assert_true(begin(&c, 1, 1));
	/* A wild reset is not believed for ever. */
	r.requests.reset_at = now + 1000000 * CLOCK_S;
	health_rates(SLOT, &r, now);
	now += 3601 * CLOCK_S;
	assert_true(begin(&c, 1, 1));
}

static void
limits_are_learned(void **state)
{
	struct health_rates r = silent;
	struct health_call c;

	(void)state;
	r.requests = (struct health_rate){ 50, 49, 0 };
	r.input_tokens = (struct health_rate){ 2000, 1900, 0 };
	r.output_tokens = (struct health_rate){ 800, 800, 0 };
	r.tokens = (struct health_rate){ 800, 800, 0 }; /* of the output */
	health_rates(SLOT, &r, now);
	assert_int_equal(look().rpm, 50);
	assert_int_equal(look().rpm_left, 49);
	assert_int_equal(look().itpm_left, 1900);
	assert_int_equal(look().otpm_left, 800);
	assert_int_equal(look().tpm_left, -1);
	assert_true(begin(&c, 100, 300));
	assert_int_equal(look().otpm_left, 500);
	assert_false(begin(&c, 100, 600));
	/* An operator may say less, not more. */
	limits = (struct health_limits){ .rpm = 10, .itpm = 9999 };
	assert_int_equal(look().rpm, 10);
	assert_int_equal(look().itpm, 2000);
	/* And what it is today counts. */
	r.requests.limit = 5;
	r.requests.remaining = 5;
	health_rates(SLOT, &r, now);
	assert_int_equal(look().rpm, 5);
	health_set(SLOT, HEALTH_RESET_IT, now);
	assert_int_equal(look().rpm, 10);
	assert_int_equal(look().itpm_left, 9999);
}

static void
silence_changes_nothing(void **state)
{
	struct health_call c;

	(void)state;
	limits = (struct health_limits){ .rpm = 10, .tpm = 1000, .itpm = 1000 };
	assert_true(begin(&c, 100, 100));
	health_rates(SLOT, &silent, now);
	assert_int_equal(look().rpm, 10);
	assert_int_equal(look().rpm_left, 9);
	assert_int_equal(look().tpm_left, 800);
	assert_int_equal(look().held, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(nothing_limits, fresh),
		cmocka_unit_test_setup(requests, fresh),
		cmocka_unit_test_setup(tokens, fresh),
		cmocka_unit_test_setup(all_or_none, fresh),
		cmocka_unit_test_setup(cached_input, fresh),
		cmocka_unit_test_setup(larger_than_the_limit, fresh),
		cmocka_unit_test_setup(debt_is_bounded, fresh),
		cmocka_unit_test_setup(a_429_is_no_use, fresh),
		cmocka_unit_test_setup(less_is_believed, fresh),
		cmocka_unit_test_setup(settling_after_a_header, fresh),
		cmocka_unit_test_setup(none_left_until_the_reset, fresh),
		cmocka_unit_test_setup(limits_are_learned, fresh),
		cmocka_unit_test_setup(silence_changes_nothing, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
