/* The statements of the chat domain, for its own rooms. */
#ifndef CHAT_STORE_PRIV_H
#define CHAT_STORE_PRIV_H

#include "chat/store.h"
#include "db/db.h"

/* The writer's statements, in the order of chat_store_stmts(): parents before
 * children, the roll-ups last. */
enum chat_write {
	WRITE_SESSIONS,
	WRITE_OPEN,
	WRITE_KEY_ANSWER,
	WRITE_KEY_FREE,
	WRITE_REVIVE,
	WRITE_TURNS,
	WRITE_OPEN_END,
	WRITE_BY_CALLER,
	WRITE_ROLLUPS,
	WRITE_COUNT,
};

/* Bounds of the answers counted in latency_hist; the last place is above. */
#define LATENCY_BOUNDS                                                         \
	{                                                                      \
		50, 100, 200, 500, 1000, 2000, 5000, 10000, 30000, 60000       \
	}
#define LATENCY_PLACES 11

/* $1 account, $2 session id, $3 its key or null: id, last activity (us) */
extern const struct db_stmt chat_stmt_session;
/* $1 account, $2 name: id, last activity (us) or null before the first turn
 * of the session is stored */
extern const struct db_stmt chat_stmt_named;
/* $1 account, $2 name: id */
extern const struct db_stmt chat_stmt_name;
/* $1 account, $2 session: its key, its widget key or null, its visitor or null
 */
extern const struct db_stmt chat_stmt_session_facts;
/* $1 account, $2 session, $3 agent, $4 turns, $5 bytes at most, $6 least turn
 * id: user text, reply, newest first */
extern const struct db_stmt chat_stmt_history;
/* The same with a name for $2; it finds the least id itself: $1..$5. */
extern const struct db_stmt chat_stmt_history_named;
/* $1 account, $2 name, $3 new session, $4 the session it replaces or null:
 * the session the name means now */
extern const struct db_stmt chat_stmt_claim;

/* $1 account, $2 key hash, $3 request hash, $4 turn, $5 worker: a row when the
 * key is this turn's from now on */
extern const struct db_stmt chat_stmt_key_claim;
/* $1 account, $2 key hash, $3 request hash: turn, was the same asked?, answer
 * or null, reply, tool offsets or null */
extern const struct db_stmt chat_stmt_key;

/* $1 account, $2 turn: its session's id first */
extern const struct db_stmt chat_stmt_turn;
extern const struct db_stmt chat_stmt_turn_open;
/* $1 account, $2 turn: status, finish reason, error, why; of a running one
 * nothing but its status */
extern const struct db_stmt chat_stmt_why;
/* $1 account, $2 session, $3 turns after this id, $4 limit, $5 first the turn
 * of $3 itself */
extern const struct db_stmt chat_stmt_messages;
/* $1 account, $2 turn, $3 session, $4 rating, $5 comment: was it the first */
extern const struct db_stmt chat_stmt_feedback;
/* $1 account, $2 session: since when a person is asked for, was it the first */
extern const struct db_stmt chat_stmt_handoff;
/* $1 accounts, $2 agent instances: arrays of equal length */
extern const struct db_stmt chat_stmt_used;

#endif
