/* What all faces of a turn do with its request. */
#ifndef API_ASK_H
#define API_ASK_H

#include <stddef.h>

#include "util/err.h"

struct chat_ask;
struct chat_turn;
struct http_req;

/* Idempotency-Key and the hash of the request, whose body has at most ${max}
 * bytes, into ${ask}.  0, also without one, or -1 with e. */
int ask_read_key(
    struct http_req *, size_t max, struct chat_ask *ask, struct err *e);
/* A turn that failed, to the log, unless it is the caller's own doing. */
void ask_log_failure(const struct chat_turn *, const struct err *);

#endif
