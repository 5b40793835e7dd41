/*
 * Why a turn was answered as it was: where its configuration came from, which
 * model was wanted and which was asked, which credentials there were and how
 * it was with each, what was tried and what came of it.  A plain struct that
 * whoever decides something writes down in, bounded, without an allocation;
 * it is stored with the turn as JSON.  It holds names and numbers, no secret
 * and nothing that was said.
 */
#ifndef GATEWAY_WHY_H
#define GATEWAY_WHY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "util/buf.h"
#include "util/id.h"

#define WHY_CANDIDATES 24 /* kept; the others are counted */
#define WHY_ATTEMPTS 24
#define WHY_NAME 64 /* of a credential's name, cut */

/* A credential that could have been asked. */
struct why_candidate {
	struct uuid credential;
	char name[WHY_NAME];
	const char *state;   /* static: health_state_name() */
	const char *refused; /* static; NULL: it could be asked */
	double score;        /* the greatest is asked */
	int64_t rpm_left, tpm_left, itpm_left; /* -1: not limited */
	int round;                             /* why_round()'s, filled in */
};

/* One call of a provider. */
struct why_attempt {
	struct uuid credential; /* nil: the environment's key, or none needed */
	char name[WHY_NAME];
	const char *outcome; /* static: why_outcome() */
	int status;          /* of HTTP; 0 none */
	int64_t ms;
	int64_t input, cached, output; /* tokens */
	bool injected;                 /* a drill's fault: nobody was asked */
	int round;                     /* filled in */
};

/* A limit of the caller's, after this turn. */
struct why_limit {
	char name[40]; /* "" none */
	int64_t limit, remaining, reset_s;
};

struct why {
	const char *account_tier, *agent_tier; /* static: hot, warm, cold */
	const char *wanted;   /* the agent's model; lives as long as this */
	const char *used;     /* the model that was asked; the same */
	const char *rule;     /* static: how one became the other */
	const char *strategy; /* static; NULL: nothing to choose from */
	const char *drill;    /* static: the injected fault; NULL none */
	struct why_limit limit;
	int round; /* questions to the model so far: tools need several */
	int ncandidates, nattempts; /* all, also those not kept */
	struct why_candidate candidate[WHY_CANDIDATES];
	struct why_attempt attempt[WHY_ATTEMPTS];
};

/* All take a NULL struct why, for who wants none.  One thread. */

/* The model is asked (again, with its tools' results). */
void why_round(struct why *);
void why_candidate(struct why *, const struct why_candidate *);
void why_attempt(struct why *, const struct why_attempt *);
/* Copy a name into one of the above, cut at a character. */
void why_name(char out[WHY_NAME], const char *name);

/* What came of a call, from its HTTP status (0 none) alone: "ok", "limit",
 * "denied", "no_model", "server", "caller", "abandoned"; as
 * health_outcome_name(). */
const char *why_outcome(bool ok, bool abandoned, int status);

/* Append it as compact JSON; what says nothing is left out. */
void why_write(const struct why *, struct buf *);
/* What was stored by why_write() (NULL: nothing was), with every member, as
 * the API shows it; a new reference. */
json_t *why_show(const json_t *stored);

#endif
