/*
 * One turn of a conversation, as named steps: account, agent, quota, history,
 * open, run, store.  The domain's side: knows no HTTP.
 */
#ifndef CHAT_TURN_H
#define CHAT_TURN_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent/run.h"
#include "usage/quota.h"
#include "util/err.h"
#include "util/id.h"

struct account;
struct agent_spec;
struct accounts;
struct catalog;
struct db_pool;
struct event_log;
struct key;
struct knowledge;
struct llm;
struct writer;

/* What a worker gives every turn. */
struct chat_deps {
	struct db_pool *db;
	struct accounts *accounts;
	struct catalog *catalog;
	struct knowledge *knowledge;
	struct recall *recall; /* NULL: nothing is remembered */
	struct writer *writer;
	struct gateway *gateway;
	int64_t session_idle_us;
	int64_t history_tokens;
	int history_turns;
	int turn_open_after_ms;
	int total_ms; /* the turn's deadline */
	int tool_rounds;
	int64_t widget_per_minute, widget_session_per_minute;
	bool spans; /* each call of a provider is a line of the log */
	const char *turns_dir; /* of event logs; NULL: none are kept */
};

/* What the face read from the request. */
struct chat_ask {
	const struct key *key; /* who: API key or widget key */
	const char *slug, *agent_type, *agent_name;
	const char *message;
	size_t message_len;
	const char *session_key; /* NULL: a new session */
	const char *email;       /* NULL: none */
	const json_t *metadata;  /* object or NULL */
	int on_disconnect;       /* 0 agent's default, 'c' cancel, 'f' finish */
	bool stream;
	const char *client_address;
	const char *request_id, *traceparent, *trace_id;
	/* Idempotency-Key, NULL: none; and the hash of everything that was
	 * asked, so that another question under the same key is refused. */
	const char *idempotency_key;
	unsigned char request_hash[32];
	/* A caller who keeps the conversation himself: what was said before
	 * ${message}, what else he brings, and what all of that counts in
	 * tokens; the session's own history is not read.  NULL: it is. */
	const struct agent_given *given;
	const struct llm_message *before;
	int nbefore;
	int64_t given_tokens;
	/* No answer is wanted but vectors; the message is the first text, for
	 * whoever reads it again.  NULL: an answer is. */
	const struct llm_embed *embed;
	const char *channel; /* NULL: "stream" or "chat" */
	/* A drill: calls by this credential fail so (gateway/fault.h). */
	const char *fault;
	struct uuid faulty;
};

/*
 * Where a turn is told; the face hands one down.  opened() comes once, when
 * nothing but the run can fail any more; before it a failure is chat_turn's
 * return only.  text and tools as they happen.  All return -1 once the reader
 * is gone, and are called all the same while the turn goes on: somebody else
 * may follow it.
 */
struct chat_turn;
struct chat_sink {
	int (*opened)(struct chat_sink *, const struct chat_turn *);
	int (*text)(struct chat_sink *, const char *piece, size_t len);
	int (*tool_call)(struct chat_sink *, const char *id, const char *name,
	    const char *arguments);
	int (*tool_result)(struct chat_sink *, const char *id, const char *name,
	    bool ok, const char *summary);
	int (*beat)(struct chat_sink *);
	/* Before opened(): sleep ${ms}, less when the reader leaves. */
	int (*wait)(struct chat_sink *, int ms);
	/* Once after opened(): what chat_turn_run() is about to return.  The
	 * turn is durable if it can be, and still seen to run. */
	void (*ended)(struct chat_sink *, const struct chat_turn *, int rc,
	    const struct err *);
	int gone_fd;
	int beat_ms;
};

/* A turn, readable by the face after opened() and at the end. */
struct chat_turn {
	struct uuid id, session_id, reply_id;
	char session_key[132];
	const struct account *account;
	const struct agent_spec *spec;
	struct quota_state quota;
	bool counted;      /* accepted for a provider: RateLimit headers */
	const char *model; /* what answered */
	struct agent_answer answer;
	struct buf vectors; /* of ask->embed */
	bool priced;
	int64_t cost_nano;
	const char *status; /* completed, failed, cancelled */
	const char *finish_reason;
	int64_t started_us, latency_us;
	bool durable;
	/* The answer of an earlier request with the same key, as
	 * chat_turn_write() made it, and nothing was run; tool_offsets: bytes
	 * of its reply said before each of its tool calls, NULL: none. */
	json_t *replay, *tool_offsets;
	/* A stream whose first request runs: nothing was run, and the face
	 * follows the turn ${id}. */
	bool attach;
	struct event_log *log; /* where a stream's events go too, or NULL */
	const char *step;      /* the last one begun, for the log */
	struct chat_turn_priv *priv;
};

/*
 * Run a turn for ${ask}, in this thread; ask, key and sink must outlive it.
 * Its memory and references hang below ${ctx}; *ret is set in any case.
 * Returns 0 when the turn ended as it should, or was stopped by DELETE, and is
 * durable; or when ret->replay is the answer that an earlier request with the
 * same key got, or ret->attach says that it runs, and then opened() was not
 * called; -1 with e otherwise:
 *	before opened(), and nothing is stored: ERR_NOT_FOUND, ERR_INVALID
 *	(kind "idempotency-key-reused": another question under the same key;
 *	"tool-name-taken": one of ask->given is the agent's own;
 *	"format-unsupported": its model takes no response_format;
 *	"embeddings-unsupported": the agent has no model for them),
 *	ERR_CONFLICT ("idempotency-key-in-use": the first request with this key
 *	has outlived this one's deadline), ERR_LIMIT (ret->quota tells),
 *	ERR_UNAVAILABLE, ERR_TIMEOUT, ERR_GONE;
 *	after it, and the turn is stored with its true status: ERR_GONE (the
 *	reader left, it was cancelled), ERR_UPSTREAM, ERR_TIMEOUT ...;
 *	ERR_UNAVAILABLE or ERR_INTERNAL with !durable: it could not be stored.
 *
 * Tokens: what instructions and message count, and max_tokens, are reserved
 * (the history is not known yet), the true count is settled.
 */
int chat_turn_run(const struct chat_deps *, const struct chat_ask *,
    struct chat_sink *, const void *ctx, struct chat_turn **ret, struct err *e);

/* A finished turn as the reply of POST chat shows it; without its text, "" in
 * its place. */
void chat_turn_write(struct buf *, const struct chat_turn *, bool with_reply);
/* Parts of it: the usage; type, name and display_name of the agent. */
void chat_usage_write(struct buf *, const struct chat_turn *);
void chat_agent_write(struct buf *, const struct chat_turn *);

#endif
