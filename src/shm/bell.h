/*
 * A bell in shared memory: processes sleep until its count moves (futex(2)).
 * Nothing has to be given back: one that dies while it sleeps leaves a count
 * of sleepers that is too high, which costs a system call now and then.
 */
#ifndef SHM_BELL_H
#define SHM_BELL_H

#include <stdatomic.h>

struct bell {
	_Atomic(unsigned) count, sleepers;
};

/* What bell_wait() is to be told; read before looking for what it rings for. */
unsigned bell_heard(const struct bell *);
/* Sleep until it rings after ${heard} was read, ${ms} at the most. */
void bell_wait(struct bell *, unsigned heard, int ms);
/* Any process, any thread; no system call when nobody sleeps. */
void bell_ring(struct bell *);

#endif
