/*
 * Which credential of several is asked: a pure choice, from what
 * health_look() said of each, and one count in the metrics.  No memory of its
 * own, no allocation; bench/select says how long it takes.
 */
#ifndef GATEWAY_SELECT_H
#define GATEWAY_SELECT_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/health.h"

enum select_strategy {
	SELECT_LEAST_LOADED,
	SELECT_WEIGHTED,    /* by weight, evenly spread over the turns */
	SELECT_ROUND_ROBIN, /* one after the other */
	SELECT_PRIORITY,    /* the smallest number that can be asked; among
	                       equals the least loaded */
	SELECT_COST_AWARE,  /* the cheapest for this call; among equals the
	                       least loaded, unknown costs last */
};
#define SELECT_STRATEGIES 5
/* "least-loaded", "weighted", "round-robin", "priority", "cost-aware" */
const char *select_strategy_name(enum select_strategy);
bool select_strategy_parse(const char *name, enum select_strategy *);

struct select_candidate {
	uint32_t slot;
	int weight;        /* < 1 counts as 1 */
	int priority;      /* smaller is asked first */
	int tier;          /* 1 to 4, the provider's; greater can bear more */
	int64_t cost_nano; /* of this call, estimated; -1 not known */
	struct health_limits limits;
	struct health_view view; /* by health_look() */
	/*
	 * In: NULL, or a static word of the caller's that takes it out of the
	 * choice ("tried", "disabled"), and stays.  Out: NULL it could be
	 * asked, or why not: "open", "half_open" (somebody probes), "cooling",
	 * "out", "model", "rpm", "tpm", "itpm", "otpm".
	 */
	const char *refused;
	double score; /* out: the greatest is chosen; 0 of the refused */
};

struct select_ask {
	enum select_strategy strategy;
	int64_t input_tokens, output_tokens; /* about */
	uint64_t turn; /* of health_turn(), or a random number */
	int64_t now;
	/*
	 * This call has failed elsewhere already: a half-open credential,
	 * otherwise the first to be tried, is now the last.
	 */
	bool again;
};

/*
 * The index of the best of ${c}[0..n), -1 none: then *soonest, unless NULL, is
 * when the first of them may be asked (clock_mono(); 0 nobody knows: all are
 * out by an operator or for the caller's own reasons).
 */
int select_best(const struct select_ask *, struct select_candidate *c, int n,
    int64_t *soonest);

#endif
