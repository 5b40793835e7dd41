/* The strategies. */
#include "gateway/select.h"

#include <stddef.h>
#include <string.h>

#include "telemetry/metric.h"
#include "util/clock.h"

#include "util/banned.h"

/* From this share of a limit on a credential gets less and less, so that the
 * load has moved away before the provider refuses. */
#define CROWDED 0.8
/* Calls under way that weigh like half of the limits used, for each tier. */
#define BUSY_CALLS 16.0
/* A probe's score: before all others, or behind. */
#define PROBE_FIRST 2.0
#define PROBE_LAST 1e-9

static const char *const names[SELECT_STRATEGIES] = {
	[SELECT_LEAST_LOADED] = "least-loaded",
	[SELECT_WEIGHTED] = "weighted",
	[SELECT_ROUND_ROBIN] = "round-robin",
	[SELECT_PRIORITY] = "priority",
	[SELECT_COST_AWARE] = "cost-aware",
};

const char *
select_strategy_name(enum select_strategy s)
{
	return names[s];
}

bool
select_strategy_parse(const char *name, enum select_strategy *out)
{
	for (unsigned i = 0; i < SELECT_STRATEGIES; i++)
		if (strcmp(name, names[i]) == 0) {
			*out = (enum select_strategy)i;
			return true;
		}
	return false;
}

/* --- may it be asked? ----------------------------------------------------- */

/* One limit of a candidate and what this call wants of it. */
struct want {
	const char *name;
	int64_t limit, left, need;
};
#define WANTS 4

static void
wants(const struct select_ask *a, const struct health_view *v,
    struct want w[WANTS])
{
	w[0] = (struct want){ "rpm", v->rpm, v->rpm_left, 1 };
	w[1] = (struct want){ "tpm", v->tpm, v->tpm_left,
		a->input_tokens + a->output_tokens };
	w[2] = (struct want){ "itpm", v->itpm, v->itpm_left, a->input_tokens };
	w[3] = (struct want){ "otpm", v->otpm, v->otpm_left, a->output_tokens };
}

/* 0: there is enough left; else ns until there will be.  What is larger than
 * the limit waits for all of it. */
static int64_t
wait_for(const struct want *w)
{
	int64_t need = w->need < w->limit ? w->need : w->limit;

	if (w->left < 0 || w->left >= need || w->limit <= 0)
		return 0;
	return (int64_t)((double)(need - w->left) / (double)w->limit * 60.0 *
			 (double)CLOCK_S) +
	       1;
}

static const char *
refused_by_state(const struct health_view *v, int64_t *until)
{
	*until = v->until;
	switch (v->state) {
	case HEALTH_OPEN:
		return "open";
	case HEALTH_OUT:
		return "out";
	case HEALTH_COOLING:
		return "cooling";
	case HEALTH_HALF_OPEN:
		if (!v->probe_due)
			return "half_open";
		break;
	case HEALTH_CLOSED:
		break;
	}
	return NULL;
}

static const char *
refused_by_limit(
    const struct select_ask *a, const struct health_view *v, int64_t *until)
{
	const char *first = NULL;
	struct want w[WANTS];
	int64_t wait;

	wants(a, v, w);
	*until = a->now;
	for (int i = 0; i < WANTS; i++) {
		wait = wait_for(&w[i]);
		/* Held by the provider: nothing is left, whatever a limit. */
		if (v->held > a->now && w[i].left == 0)
			wait = v->held - a->now;
		if (wait == 0)
			continue;
		if (first == NULL)
			first = w[i].name;
		if (a->now + wait > *until)
			*until = a->now + wait;
	}
	return first;
}

/* Why it cannot be asked, NULL it can; *until: when, 0 not known. */
static const char *
refusal(const struct select_ask *a, const struct select_candidate *c,
    int64_t *until)
{
	const char *why = refused_by_state(&c->view, until);

	if (why == NULL && c->view.model_gone) {
		*until = c->view.model_until;
		why = "model";
	}
	if (why == NULL)
		why = refused_by_limit(a, &c->view, until);
	return why;
}

/* --- how good is it? ------------------------------------------------------ */

/* The greatest share of any limit that will be used with this call. */
static double
load_with(const struct select_ask *a, const struct health_view *v)
{
	double load = v->load, share;
	struct want w[WANTS];

	wants(a, v, w);
	for (int i = 0; i < WANTS; i++) {
		if (w[i].limit <= 0 || w[i].left < 0)
			continue;
		share = (double)(w[i].limit - w[i].left + w[i].need) /
		        (double)w[i].limit;
		if (share > load)
			load = share;
	}
	return load < 1 ? load : 1;
}

/* 1 while there is room, falling to nearly nothing at the limit. */
static double
room(double load)
{
	return load <= CROWDED ? 1 : 0.01 + 0.99 * (1 - load) / (1 - CROWDED);
}

/* 0 to 1. */
static double
idleness(const struct select_candidate *c, double load)
{
	double tier = c->tier > 0 ? c->tier : 1, calls = c->view.inflight;
	double busy = calls / (calls + BUSY_CALLS * tier);

	return (0.01 + 0.99 * (1 - load)) * (1 - busy);
}

struct field {
	const struct select_ask *ask;
	struct select_candidate *c;
	int n;
	int usable;
	bool any;         /* has ${first} been found */
	double weights;   /* sum, of those that can be asked */
	int64_t cheapest; /* -1: no cost is known */
	int first;        /* the smallest priority that can be asked */
};

static double
weight_of(const struct select_candidate *c, double load)
{
	return (c->weight > 0 ? c->weight : 1) * room(load);
}

static double
cost_score(const struct field *f, const struct select_candidate *c, double load)
{
	double cheapest = (double)f->cheapest + 1, idle = idleness(c, load);

	/* Unknown costs come last; idleness decides among equals only. */
	if (c->cost_nano < 0)
		return 1e-6 * idle;
	return cheapest / ((double)c->cost_nano + 1) * room(load) * (1 - 1e-6) +
	       1e-6 * idle;
}

/*
 * A point in [0, 1) for this turn.  Multiples of the golden ratio, taken modulo
 * 1, fill the range evenly however many there are, so that each candidate's
 * share of few turns is already near its weight; of a random number they are
 * another one.
 */
static double
point(uint64_t turn)
{
	return (double)(turn * UINT64_C(0x9e3779b97f4a7c15) >> 11) * 0x1p-53;
}

static void
score_weighted(const struct field *f)
{
	double at = point(f->ask->turn) * f->weights, sum = 0;
	struct select_candidate *in = NULL;

	for (int i = 0; i < f->n; i++) {
		struct select_candidate *c = &f->c[i];
		double w;

		if (c->refused != NULL)
			continue;
		/* Shown is its share; the one the point lies in gets 1 more. */
		w = weight_of(c, load_with(f->ask, &c->view));
		c->score = f->weights > 0 ? w / f->weights : 0;
		if (in == NULL || at >= sum)
			in = c;
		sum += w;
	}
	if (in != NULL)
		in->score += 1;
}

/* The turn's own, or from there the next that is not crowded while one is. */
static void
score_in_turn(const struct field *f)
{
	uint64_t own = f->usable > 0 ? f->ask->turn % (uint64_t)f->usable : 0;
	uint64_t at = 0;

	for (int i = 0; i < f->n; i++) {
		struct select_candidate *c = &f->c[i];
		uint64_t behind;

		if (c->refused != NULL)
			continue;
		behind =
		    (at++ + (uint64_t)f->usable - own) % (uint64_t)f->usable;
		c->score = 1 - (double)behind / (double)f->usable;
		if (load_with(f->ask, &c->view) > CROWDED)
			c->score *= 0.1 / f->usable;
	}
}

static void
score_one(const struct field *f, struct select_candidate *c)
{
	double load = load_with(f->ask, &c->view);

	if (f->ask->strategy == SELECT_COST_AWARE)
		c->score = cost_score(f, c, load);
	else if (f->ask->strategy == SELECT_PRIORITY && c->priority != f->first)
		c->score = 1e-3 * idleness(c, load);
	else
		c->score = idleness(c, load);
}

static void
score(const struct field *f)
{
	if (f->ask->strategy == SELECT_WEIGHTED)
		score_weighted(f);
	else if (f->ask->strategy == SELECT_ROUND_ROBIN)
		score_in_turn(f);
	else
		for (int i = 0; i < f->n; i++)
			if (f->c[i].refused == NULL)
				score_one(f, &f->c[i]);
}

/* Somebody has to try a half-open one, or it stays so for ever; the caller has
 * others to go on to.  Not past the order of priorities, though. */
static void
score_probes(const struct field *f)
{
	for (int i = 0; i < f->n; i++) {
		struct select_candidate *c = &f->c[i];

		if (c->refused != NULL || c->view.state != HEALTH_HALF_OPEN)
			continue;
		if (f->ask->again)
			c->score *= PROBE_LAST;
		else if (f->ask->strategy != SELECT_PRIORITY ||
			 c->priority == f->first)
			c->score = PROBE_FIRST;
	}
}

/* --- choosing ------------------------------------------------------------- */

static void
sum_up(struct field *f, const struct select_candidate *c)
{
	f->usable++;
	if (!(f->ask->again && c->view.state == HEALTH_HALF_OPEN)) {
		if (!f->any || c->priority < f->first)
			f->first = c->priority;
		f->any = true;
	}
	f->weights += weight_of(c, load_with(f->ask, &c->view));
	if (c->cost_nano >= 0 &&
	    (f->cheapest < 0 || c->cost_nano < f->cheapest))
		f->cheapest = c->cost_nano;
}

/* Among equals the turn decides. */
static int
best(const struct field *f)
{
	int start = f->n > 0 ? (int)(f->ask->turn % (uint64_t)f->n) : 0;
	int found = -1;

	for (int k = 0; k < f->n; k++) {
		int i = (start + k) % f->n;

		if (f->c[i].refused == NULL &&
		    (found < 0 || f->c[i].score > f->c[found].score))
			found = i;
	}
	return found;
}

int
select_best(const struct select_ask *ask, struct select_candidate *c, int n,
    int64_t *soonest)
{
	struct field f = { .ask = ask, .c = c, .n = n, .cheapest = -1 };
	int64_t until, first = 0;

	for (int i = 0; i < n; i++) {
		c[i].score = 0;
		if (c[i].refused != NULL)
			continue;
		c[i].refused = refusal(ask, &c[i], &until);
		if (c[i].refused == NULL)
			sum_up(&f, &c[i]);
		else if (until != 0 && (first == 0 || until < first))
			first = until;
	}
	if (soonest != NULL)
		*soonest = first;
	score(&f);
	score_probes(&f);
	metric_add(f.usable > 0 ? M_SELECTED : M_SELECTED_NONE, 1);
	return best(&f);
}
