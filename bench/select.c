/*
 * How long it takes to choose a provider's credential: look at each candidate,
 * choose, begin the call and end it, as the failover loop does, in one process
 * and without a database.  The candidates have limits, learned ones too, and
 * some of them cannot be asked.
 *
 *	select [-n ROUNDS]
 *
 * Prints one JSON object; times in microseconds.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/select.h"
#include "shm/procs.h"
#include "util/clock.h"
#include "util/mem.h"

#define SLOTS (1U << 20)
#define MOST 64
#define MODEL UINT64_C(0x9e3779b97f4a7c15)

/* So high that none of them is ever used up here. */
#define LIMIT INT64_C(100000000000)
static const struct health_limits limits = { LIMIT, LIMIT, LIMIT };
static struct select_candidate c[MOST];

static void
die(const char *what)
{
	fprintf(stderr, "select: %s\n", what);
	exit(1);
}

/* Slots far apart, as those of one account are among thousands. */
static void
candidates(void)
{
	const struct health_rate half = { 2 * LIMIT, LIMIT, 0 };
	struct health_rates r = { half, half, half, half };
	int64_t now = clock_mono();

	for (uint32_t i = 0; i < MOST; i++) {
		c[i].slot = 1 + i * 7919;
		c[i].weight = 1 + (int)i % 5;
		c[i].tier = 1 + (int)i % 4;
		c[i].cost_nano = 1000000 + i;
		c[i].limits = limits;
		health_rates(c[i].slot, &r, now);
		if (i % 8 == 7)
			health_set(c[i].slot, HEALTH_OPEN_IT, now);
	}
}

static int
choose(enum select_strategy strategy, int n)
{
	struct select_ask ask = { .strategy = strategy,
		.input_tokens = 800,
		.output_tokens = 200,
		.turn = health_turn(1),
		.now = clock_mono() };

	for (int i = 0; i < n; i++) {
		health_look(
		    c[i].slot, MODEL, &c[i].limits, ask.now, &c[i].view);
		c[i].refused = NULL;
	}
	return select_best(&ask, c, n, NULL);
}

static void
once(enum select_strategy strategy, int n)
{
	struct health_call call;
	int i = choose(strategy, n);

	if (i < 0 || !health_begin(&call, c[i].slot, MODEL, &c[i].limits, 800,
			 200, clock_mono()))
		die("nobody could be asked");
	health_end(&call, HEALTH_OK, 0, 700, 500, 100, clock_mono());
}

static int
by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static json_t *
measure(enum select_strategy strategy, int n, int rounds)
{
	int64_t *ns = mem_array(NULL, int64_t, (size_t)rounds);
	json_t *out;

	for (int i = 0; i < 100; i++)
		once(strategy, n);
	for (int i = 0; i < rounds; i++) {
		int64_t began = clock_mono();

		once(strategy, n);
		ns[i] = clock_mono() - began;
	}
	qsort(ns, (size_t)rounds, sizeof(*ns), by_size);
	out = json_pack("{s:f, s:f}", "p50", (double)ns[rounds / 2] / 1000,
	    "p99", (double)ns[(int64_t)rounds * 99 / 100] / 1000);
	mem_free(ns);
	return out;
}

int
main(int argc, char **argv)
{
	static const int sizes[] = { 4, MOST };
	json_auto_t *out = json_object();
	int opt, rounds = 100000;
	char name[64];

	while ((opt = getopt(argc, argv, "n:")) != -1) {
		if (opt != 'n')
			return 2;
		rounds = (int)strtol(optarg, NULL, 10);
	}
	if (optind != argc || rounds < 1)
		die("usage: select [-n ROUNDS]");
	procs_map();
	procs_set_self(9);
	health_map(SLOTS);
	candidates();
	for (size_t k = 0; k < sizeof(sizes) / sizeof(*sizes); k++)
		for (unsigned s = 0; s < SELECT_STRATEGIES; s++) {
			snprintf(name, sizeof(name), "%s of %d",
			    select_strategy_name((enum select_strategy)s),
			    sizes[k]);
			json_object_set_new(out, name,
			    measure((enum select_strategy)s, sizes[k], rounds));
		}
	json_dumpf(out, stdout, JSON_COMPACT | JSON_REAL_PRECISION(4));
	puts("");
	return 0;
}
