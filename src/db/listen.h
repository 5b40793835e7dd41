/*
 * LISTEN: a connection of its own (never through a pooler) that hears the
 * database's notices.  One thread.  Its user must treat a reconnection as
 * "anything may have happened meanwhile".
 */
#ifndef DB_LISTEN_H
#define DB_LISTEN_H

#include <stdbool.h>

#include "util/err.h"

struct db_listen;

/* Opens no connection yet.  ${connect_ms} bounds each attempt. */
struct db_listen *db_listen_new(const char *conninfo, const char *user,
    const char *channel, int connect_ms);
void db_listen_free(struct db_listen *);

/*
 * Wait up to ${timeout_ms} for notices, and call ${cb}(arg, payload) for each
 * that has come; connect first if need be, with jittered pauses between
 * attempts.  *reconnected (out): the channel is heard since this call, what was
 * sent before may have been missed.  0, also when nothing came; -1 with
 * ERR_UNAVAILABLE when not connected (after the pause or the time, whichever
 * ends first).
 */
int db_listen_wait(struct db_listen *, int timeout_ms,
    void (*cb)(void *arg, const char *payload), void *arg, bool *reconnected,
    struct err *e);

/* A round trip: everything notified before it has now been received (and is
 * handed out by the next wait).  -1 with ERR_UNAVAILABLE; the connection is
 * then given up. */
int db_listen_ping(struct db_listen *, int timeout_ms, struct err *e);

#endif
