/*
 * Which session a turn belongs to, and what was said there before: one round
 * trip for a continued session, none for a new one.
 */
#ifndef CHAT_HISTORY_H
#define CHAT_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "llm/llm.h"
#include "util/err.h"
#include "util/id.h"

struct account;
struct db_pool;
struct db_result;
struct key;
struct recall;

enum session_how {
	SESSION_NEW,    /* no key was shown */
	SESSION_PROVEN, /* a key that we made for this caller: its MAC holds */
	SESSION_SHOWN,  /* looks like one that we made for somebody else of the
	                   account: an API caller may go on with it */
	SESSION_NAMED,  /* an API caller's own name */
};

struct history_ask {
	struct db_pool *db;
	struct recall *recall; /* or NULL */
	const struct account *account;
	const struct key *key;
	struct uuid agent;
	int64_t idle_us; /* a session without a turn for so long is closed */
	int64_t tokens;  /* most of earlier messages */
	int turns;       /* most earlier turns */
	int64_t now_us, deadline;
};

struct history {
	enum session_how how;
	struct uuid session;
	char key[132];
	bool fresh;                   /* a new session: no row, nothing said */
	struct llm_message *messages; /* oldest first; text below ctx */
	int n;
};

/*
 * What ${shown} (NULL: none) is to this caller; no query.  0 with h->how,
 * session and key; ERR_NOT_FOUND for a widget key's caller with a key that was
 * not made for it, ERR_INVALID for a name that is none.
 */
int history_session(const struct account *, const struct key *,
    const char *shown, struct history *h, struct err *e);

/*
 * Go on from history_session(): read the session and its last messages, or
 * begin a new one (also where the old has been idle too long; then h->session
 * and, but for a caller's own name, h->key change).  A new name is claimed
 * here, so that two first turns at once share a session.  0 or -1
 * (ERR_UNAVAILABLE ...).
 */
int history_load(const struct history_ask *, const void *ctx, struct history *h,
    struct err *e);

/*
 * Is all of ${session} in the database?  0, or -1 with e (ERR_UNAVAILABLE): a
 * turn of it lies in a journal.  What was read between two calls holds when
 * both say so with the same *round (shm/unstored.h).
 */
int history_stored(const struct uuid *session, unsigned *round, struct err *e);

/* How much earlier than its session a turn may seem to be: hosts' clocks
 * differ, one may be set back by a day, and a thread that made ids before that
 * goes on from the last of them. */
#define HISTORY_SLACK_MS (INT64_C(48) * 3600 * 1000)
/* The least id of a turn in ${session}: its own time, less that. */
void history_least_turn(const struct uuid *session, struct uuid *out);

/* Choose from rows (user text, reply; newest first) those that fit ${tokens}:
 * whole turns, the newest first, none beyond the first that does not fit. */
void history_select(const struct db_result *rows, int64_t tokens,
    const void *ctx, struct history *h);

#endif
