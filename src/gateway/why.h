/*
 * Why a turn was answered as it was: where its configuration came from, which
 * model was wanted and which was asked, which keys there were and how it was
 * with each, what was tried and what came of it.  What the turn decides stands
 * in struct why, what its calls went through in struct gateway_story
 * (gateway/complete.h); both are plain, and written straight into what is
 * stored with the turn.  There is no secret in it, and nothing that was said.
 */
#ifndef GATEWAY_WHY_H
#define GATEWAY_WHY_H

#include <jansson.h>
#include <stdint.h>

#include "util/buf.h"

struct gateway_story;

#define WHY_CANDIDATES 24 /* written; the others are counted */

/* A limit of the caller's, after this turn. */
struct why_limit {
	char name[40]; /* "" none */
	int64_t limit, remaining, reset_s;
};

struct why {
	const char *account_tier, *agent_tier; /* static: hot, warm, cold */
	const char *wanted; /* the agent's model; lives as long as this */
	const char *used;   /* the model that was asked; the same */
	const char *rule;   /* static: how one became the other */
	const char *drill;  /* static: the injected fault; NULL none */
	struct why_limit limit;
};

/* Append both as compact JSON; what says nothing is left out. */
void why_write(const struct why *, const struct gateway_story *, struct buf *);
/* What was stored by why_write() (NULL: nothing was), with every member, as
 * the API shows it; a new reference. */
json_t *why_show(const json_t *stored);

#endif
