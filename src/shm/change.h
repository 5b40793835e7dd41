/*
 * How a change of configuration goes round: the listener notes it here, each
 * worker's housekeeping thread wakes and says that it has seen it.  Workers
 * compare epochs in shared memory at each request and wait for none of this; it
 * shows an operator that all of them are awake, and how long it took.
 */
#ifndef SHM_CHANGE_H
#define SHM_CHANGE_H

#include <stdbool.h>
#include <stdint.h>

/* In the master, before the fork. */
void change_map(void);

/* Slot ${slot} has been raised to ${epoch} for a change made at ${changed_us}
 * (wall clock).  Wakes who waits.  The listener only. */
void change_note(uint32_t slot, uint64_t epoch, int64_t changed_us);

/* Wait for a change after that at which change_bell() was read, for
 * change_ring(), or ${ms}; any of them may also be a false alarm. */
uint32_t change_bell(void);
void change_wait(uint32_t bell, int ms);
void change_ring(void);

/* This process has seen all there is. */
void change_seen(void);

struct change {
	bool noted; /* one was noted since the start, not too many ago */
	uint64_t epoch;
	unsigned workers, live; /* those that serve; that have seen it */
	int64_t took_us;        /* from the change until the last saw it; -1:
	                           not known */
};
/* The latest change of ${slot}. */
void change_state(uint32_t slot, struct change *out);

#endif
