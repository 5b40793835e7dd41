/*
 * The listener's care of the host's journals: it replays what dead workers
 * left, tells metrics and /readyz how much waits, and says when the sessions
 * in shm/unstored.h are in the database again.
 */
#ifndef DAEMON_JOURNALS_H
#define DAEMON_JOURNALS_H

#include <stddef.h>

struct journals;
struct process;

/* Starts its threads; the process must outlive it. */
struct journals *journals_new(const struct process *);
void journals_free(struct journals *);
/* A line on what waits; "" when nothing does.  Any thread. */
void journals_say(struct journals *, char *out, size_t max);

#endif
