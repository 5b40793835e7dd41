/* Sessions as others read them: a turn, a session's messages, feedback. */
#ifndef CHAT_SESSION_H
#define CHAT_SESSION_H

#include <jansson.h>
#include <stdint.h>

#include "util/err.h"
#include "util/id.h"

struct account;
struct chat_deps;
struct key;

/* GET turn: state and reply.  New reference in *ret.  A widget caller proves
 * the session it belongs to with ${session_key}.  ERR_NOT_FOUND. */
int chat_turn_get(const struct chat_deps *, const struct account *,
    const struct key *, const struct uuid *turn, const char *session_key,
    int64_t deadline, json_t **ret, struct err *e);
/* DELETE turn: ask it to stop; 0 also when it has ended already. */
int chat_turn_stop(const struct chat_deps *, const struct account *,
    const struct key *, const struct uuid *turn, const char *session_key,
    int64_t deadline, struct err *e);
/* A page {data, next} of a session's messages, oldest first, after the message
 * id ${after} (NULL: from the start). */
int chat_messages_list(const struct chat_deps *, const struct account *,
    const struct key *, const char *session_key, int limit,
    const struct uuid *after, int64_t deadline, json_t **ret, struct err *e);
/* rating 1 or -1; comment may be NULL.  The last one counts. */
int chat_feedback(const struct chat_deps *, const struct account *,
    const struct key *, const char *session_key, const struct uuid *message,
    int rating, const char *comment, int64_t deadline, struct err *e);

#endif
