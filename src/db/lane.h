/*
 * Writers of a host that commit one after the other.  While one commits the
 * others' pieces gather, so that each transaction, which costs PostgreSQL far
 * more than a row in it, carries more of them; and they would wait anyway, for
 * the rows of the roll-ups that they all add to.  Alone, a writer never waits.
 */
#ifndef DB_LANE_H
#define DB_LANE_H

#include <pthread.h>
#include <stdbool.h>

/* In memory that the processes share; a writer that dies in it frees it. */
struct lane {
	pthread_mutex_t mutex;
};

/* Once, before the processes that use it are forked. */
void lane_init(struct lane *);
/* Wait for one's turn, a few commits' time at the most.  Is it had?  Then
 * lane_leave() ends it; in either case the caller goes on.  NULL: false. */
bool lane_enter(struct lane *);
void lane_leave(struct lane *);

#endif
