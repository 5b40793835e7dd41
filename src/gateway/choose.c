/* Choosing among the keys of a call, and what is said when there is none. */
#include <stdio.h>
#include <string.h>

#include "account/account.h"
#include "gateway/complete_priv.h"
#include "llm/price.h"
#include "telemetry/metric.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

#define UNKNOWN_S 60 /* to come back, when nobody knows */
#define MOST_S 3600
/* Few answers are as long as they may be: with max_tokens reserved for each, a
 * key would be held for full when it is not.  What they were is settled. */
#define OUTPUT_LIKELY 512

/* Good enough to tell models apart (FNV-1a, Fowler, Noll, Vo); 0 is none. */
static uint64_t
hash_of(const char *s)
{
	uint64_t h = UINT64_C(14695981039346656037);

	for (; *s != '\0'; s++)
		h = (h ^ (unsigned char)*s) * UINT64_C(1099511628211);
	return h != 0 ? h : 1;
}

static void
estimate(struct failover *f)
{
	struct llm_usage u;

	f->input = f->rq->embed != NULL ? f->rq->embed->tokens
	                                : llm_estimate_request(f->rq);
	f->output = f->rq->max_tokens < OUTPUT_LIKELY ? f->rq->max_tokens
	                                              : OUTPUT_LIKELY;
	u = (struct llm_usage){ .input = f->input, .output = f->output };
	if (!price_cost(f->rq->model, &u, clock_wall_us(), &f->cost_nano))
		f->cost_nano = -1;
}

void
failover_begin(struct failover *f, const struct credential_set *set,
    const char *provider, const char *model)
{
	const struct credential **found = NULL;

	f->tmp = mem_branch(f->ctx, "failover");
	f->n = credential_set_for(set, provider, model, f->tmp, &found);
	if (f->n == 0)
		return;
	f->provider = provider;
	f->strategy = set->strategy;
	f->source =
	    id_is_nil(&found[0]->account) ? GATEWAY_PLATFORM : GATEWAY_ACCOUNT;
	f->model_hash = hash_of(model);
	f->turn = health_turn(f->account->slot);
	estimate(f);
	f->list = mem_array(f->tmp, struct candidate, (size_t)f->n);
	f->choice = mem_array(f->tmp, struct select_candidate, (size_t)f->n);
	for (int i = 0; i < f->n; i++)
		f->list[i] = (struct candidate){ .credential = found[i] };
}

void
failover_end(struct failover *f)
{
	if (f->tmp != NULL)
		mem_free(f->tmp);
}

/* Look at all, as they are now. */
static int
look(struct failover *f, bool anew)
{
	const struct select_ask ask = { .strategy = f->strategy,
		.input_tokens = f->input,
		.output_tokens = f->output,
		.turn = f->turn,
		.now = clock_mono(),
		.again = f->made > 0 };

	for (int i = 0; i < f->n; i++) {
		const struct credential *c = f->list[i].credential;
		struct select_candidate *s = &f->choice[i];

		*s = (struct select_candidate){ .slot = c->slot,
			.weight = c->weight,
			.priority = c->priority,
			.tier = c->tier,
			.cost_nano = f->cost_nano,
			.limits = c->limits,
			.refused = anew ? NULL : f->list[i].refused };
		health_look(
		    c->slot, f->model_hash, &c->limits, ask.now, &s->view);
	}
	return select_best(&ask, f->choice, f->n, &f->soonest);
}

/* For the turn's why record. */
static void
write_down(struct failover *f)
{
	struct gateway_story *s = f->story;

	s->source = f->source;
	s->strategy = f->strategy;
	if (s->ncandidates < f->n)
		s->candidates =
		    mem_array(f->ctx, struct gateway_candidate, (size_t)f->n);
	s->ncandidates = f->n;
	for (int i = 0; i < f->n; i++) {
		const struct credential *c = f->list[i].credential;
		const struct select_candidate *o = &f->choice[i];

		s->candidates[i] = (struct gateway_candidate){
			.credential = c->id,
			.slot = c->slot,
			.name = mem_strdup(f->ctx, c->name),
			.refused = o->refused,
			.score = o->score,
			.state = o->view.state,
			.reason = o->view.reason,
			.rpm_left = o->view.rpm_left,
			.tpm_left = o->view.tpm_left,
			.load = o->view.load,
		};
	}
}

int
failover_faulty(const struct failover *f)
{
	const struct gateway_watch *w = f->story->watch;

	for (int i = 0; w != NULL && w->fault != NULL && i < f->n; i++)
		if (f->list[i].refused == NULL &&
		    id_eq(&f->list[i].credential->id, &w->faulty))
			return i;
	return -1;
}

struct candidate *
failover_choose(struct failover *f)
{
	int best = look(f, false), faulty = failover_faulty(f);

	write_down(f);
	if (faulty >= 0)
		best = faulty;
	return best >= 0 ? &f->list[best] : NULL;
}

bool
failover_left(const struct failover *f)
{
	for (int i = 0; i < f->n; i++)
		if (f->list[i].refused == NULL)
			return true;
	return false;
}

/* "2 cooling, 1 out" */
static void
count_reasons(const struct failover *f, char *out, size_t size)
{
	size_t at = 0;

	out[0] = '\0';
	for (int i = 0; i < f->n && at < size; i++) {
		const char *word = f->choice[i].refused;
		int same = 0;
		bool first = true;

		for (int j = 0; j < f->n && word != NULL; j++) {
			const char *other = f->choice[j].refused;

			if (other == NULL || strcmp(other, word) != 0)
				continue;
			first = first && j >= i;
			same++;
		}
		if (same > 0 && first)
			at += (size_t)snprintf(out + at, size - at, "%s%d %s",
			    at > 0 ? ", " : "", same, word);
	}
}

int
failover_exhausted(struct failover *f, struct err *e)
{
	char reasons[120];
	int64_t now = clock_mono(), wait = UNKNOWN_S;

	if (look(f, true) >= 0 && f->made > 0)
		return -1; /* its own words say more */
	if (f->soonest > 0)
		wait = (f->soonest - now + CLOCK_S - 1) / CLOCK_S;
	wait = wait < 1 ? 1 : wait > MOST_S ? MOST_S : wait;
	count_reasons(f, reasons, sizeof(reasons));
	metric_add(M_CREDENTIALS_EXHAUSTED, 1);
	return err_set_kind(e, ERR_UNAVAILABLE, "credentials-exhausted",
	    (int)wait, "no key for %s can be asked now (%s)", f->provider,
	    reasons);
}
