/* What a turn keeps to itself; for the rooms of chat only. */
#ifndef CHAT_TURN_PRIV_H
#define CHAT_TURN_PRIV_H

#include "chat/history.h"
#include "chat/live.h"
#include "chat/opener.h"
#include "chat/turn.h"
#include "gateway/why.h"

struct piece;

struct chat_turn_priv {
	struct opener_item open; /* first: see turn_open_late() */
	struct chat_turn *turn;
	const struct chat_deps *deps;
	const struct chat_ask *ask;
	struct chat_sink *sink;
	int64_t begun, deadline; /* clock_mono() */

	const char *wanted; /* the model that will be asked */
	struct history history;
	struct quota_ask quota;
	char address[96], session[96];
	bool taken;                  /* requests and tokens are reserved */
	struct budget_hold *budgets; /* and this of its budgets */
	bool asked;                  /* the run has begun */

	unsigned char key_hash[32]; /* of caller and Idempotency-Key */
	bool claimed;               /* the key is this turn's */
	struct uuid claimant;       /* if not: whose it is */

	struct why why;

	struct live *live;
	bool opened;        /* the sink was told */
	bool finish;        /* go on though the reader leaves */
	bool reader_gone;   /* it has */
	int64_t gone_at;    /* clock_mono() */
	bool stopped;       /* by DELETE */
	struct err failure; /* why the run failed; ERR_NONE: it did not */
	int64_t finished_us;
};

/* The turn's beginning, and its end, as pieces for the writer. */
struct piece *piece_of_open(const struct chat_turn *);
struct piece *piece_of_turn(const struct chat_turn *);
/* The turn's key is free again. */
struct piece *piece_of_free_key(const struct chat_turn *);

/*
 * The step "claim": of all requests with one Idempotency-Key one runs; the
 * others wait here for its answer, which becomes t->replay.
 */
int turn_claim(struct chat_turn *t, struct err *e);
/* The step "run" (turn_run.c).  A run that fails is no failed step: it is
 * stored as what it was. */
int turn_run(struct chat_turn *t, struct err *e);
/* Nobody listens any more. */
void turn_reader_left(struct chat_turn_priv *);
/* Did the turn end with an answer that later requests with its key get? */
bool turn_answered(const struct chat_turn *);

/* Log what its calls of a provider came to (spans.c). */
void turn_spans(const struct chat_turn *);

#endif
