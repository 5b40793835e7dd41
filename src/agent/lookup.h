/*
 * What a run knows: the passages found for it, numbered in the order they
 * were found, and the tools by which the model asks for more.
 */
#ifndef AGENT_LOOKUP_H
#define AGENT_LOOKUP_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "llm/llm.h"
#include "util/buf.h"
#include "util/err.h"

struct agent_spec;
struct knowledge;

#define LOOKUP_PASSAGES 64 /* in one run, all searches together */
#define LOOKUP_RESULTS 20  /* of one search */

struct lookup {
	const void *ctx;
	struct knowledge *knowledge;
	const struct agent_spec *spec;
	int64_t deadline;
	struct llm_passage passages[LOOKUP_PASSAGES];
	int n;
	bool away; /* a search could not be made: what it would have found is
	              not known */
};

void lookup_init(struct lookup *, const void *ctx, struct knowledge *,
    const struct agent_spec *, int64_t deadline);

/* Retrieval for the visitor's message, with what it refers to.  A search that
 * fails is no failure of the turn: it finds nothing, and l->away says so. */
void lookup_message(struct lookup *, const struct llm_message *history,
    int nhistory, const char *message);

/* Is there a search tool of this name for the model? */
bool lookup_offers(const struct agent_spec *, const char *tool);
/* [{name, description, parameters}] of the search tools this agent offers;
 * made once and never changed; NULL when there are none. */
const json_t *lookup_declare(const struct agent_spec *);

/*
 * Run a call of a tool that lookup_offers(): ${arguments} is what the model
 * wrote.  The answer for the model goes into ${out}, a line for people into
 * ${summary}.  Returns true when the tool did its work; what was wrong with the
 * arguments is an answer too.
 */
bool lookup_call(struct lookup *, const char *tool, const char *arguments,
    struct buf *out, char summary[160]);

#endif
