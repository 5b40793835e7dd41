/*
 * Ids of workers that have ended, from the master to the job worker: a small
 * ring in shared memory.  What does not fit is found by its silence instead.
 */
#ifndef DAEMON_LOST_H
#define DAEMON_LOST_H

#include <stdbool.h>

#include "util/id.h"

/* In the master, before the fork. */
void lost_map(void);
/* In the master: ${id} has ended. */
void lost_put(const struct uuid *id);
/* The oldest; it stays until lost_done() with the same id. */
bool lost_peek(struct uuid *id);
void lost_done(const struct uuid *id);

#endif
