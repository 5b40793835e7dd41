/* What a turn keeps to itself; for the rooms of chat only. */
#ifndef CHAT_TURN_PRIV_H
#define CHAT_TURN_PRIV_H

#include "chat/history.h"
#include "chat/live.h"
#include "chat/opener.h"
#include "chat/turn.h"

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
	bool taken; /* requests and tokens are reserved */
	bool asked; /* the run has begun */

	struct live *live;
	bool finish;        /* go on though the reader leaves */
	bool reader_gone;   /* it has */
	bool stopped;       /* by DELETE */
	struct err failure; /* why the run failed; ERR_NONE: it did not */
	int64_t finished_us;
};

/* The turn's beginning, and its end, as pieces for the writer. */
struct piece *piece_of_open(const struct chat_turn *);
struct piece *piece_of_turn(const struct chat_turn *);

#endif
