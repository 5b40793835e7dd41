/* Sessions as others read them: a turn, a session's messages, feedback. */
#ifndef CHAT_SESSION_H
#define CHAT_SESSION_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "util/err.h"
#include "util/id.h"

struct account;
struct chat_deps;
struct db_pool;
struct key;

/*
 * For all of these: a widget key's caller reaches turns and sessions made for
 * that key only, everything else is ERR_NOT_FOUND; an API key all of its
 * account.  JSON goes out as a new reference in *ret.  ERR_UNAVAILABLE when
 * the database cannot say.
 */

/* A turn's state (running, completed, failed, cancelled) and its reply.
 * ${session_key} (may be NULL) narrows a widget key's caller to one session. */
int chat_turn_get(const struct chat_deps *, const struct account *,
    const struct key *, const struct uuid *turn, const char *session_key,
    int64_t deadline, json_t **ret, struct err *e);
/* The same, with what its events are told from: the agent's display_name, and
 * the bytes of reply before each of its tool calls (NULL: none; new
 * reference). */
int chat_turn_events(const struct chat_deps *, const struct account *,
    const struct key *, const struct uuid *turn, const char *session_key,
    int64_t deadline, json_t **ret, json_t **offsets, struct err *e);
/* Ask it to stop.  *ret is what chat_turn_get() gives, *asked tells whether it
 * was running (it ends soon) or had ended already. */
int chat_turn_stop(const struct chat_deps *, const struct account *,
    const struct key *, const struct uuid *turn, const char *session_key,
    int64_t deadline, json_t **ret, bool *asked, struct err *e);
/* Why it was answered as it was (gateway/why.h), for those who look after the
 * account; while it runs, or was lost with its worker, nothing is recorded. */
int chat_turn_why(struct db_pool *, const struct account *,
    const struct uuid *turn, int64_t deadline, json_t **ret, struct err *e);
/* A page {data, next} of a session's messages, oldest first, after the message
 * id ${after} (NULL: from the start; ERR_INVALID when it is none). */
int chat_messages_list(const struct chat_deps *, const struct account *,
    const struct key *, const char *session_key, int limit,
    const struct uuid *after, int64_t deadline, json_t **ret, struct err *e);
/* The same of the account's session ${session}, for those who look after the
 * account; one that is not there has no messages.  ${callers}: tell who sent
 * them. */
int chat_session_messages(struct db_pool *, const struct account *,
    const struct uuid *session, bool callers, int limit,
    const struct uuid *after, int64_t deadline, json_t **ret, struct err *e);
/* What a visitor thinks of an agent's message: ${rating} 1 or -1; ${comment}
 * may be NULL.  The last word counts; *first: it was the first. */
int chat_feedback(const struct chat_deps *, const struct account *,
    const struct key *, const char *session_key, const struct uuid *message,
    int rating, const char *comment, int64_t deadline, bool *first,
    struct err *e);
/*
 * A person is asked for: the session is marked, once, and stays so; *ret is
 * {session_key, handoff_at}.  A session that nothing was said in yet is not
 * there.
 */
int chat_handoff(const struct chat_deps *, const struct account *,
    const struct key *, const char *session_key, int64_t deadline, json_t **ret,
    bool *first, struct err *e);

#endif
