/*
 * Tokens reserved by turns that run, in the slot of the process that runs
 * them, so that the master can give them back when it dies: a sparse array of
 * places for each process.
 *
 * A place is claimed, filled and published in this order by one thread, and
 * read by the master only after the process has ended; so whatever instruction
 * it died at, a place is either whole or none.
 */
#ifndef USAGE_RESERVE_PRIV_H
#define USAGE_RESERVE_PRIV_H

#include <stdint.h>

/* In the master, before the fork. */
void reserve_map(void);
/* Note ${ticks} taken from the tokens of ${slot}: a place for reserve_clear(),
 * 0 when there is none (they are then not given back) or outside of a server
 * process. */
unsigned reserve_note(uint32_t slot, int64_t ticks);
void reserve_clear(unsigned place); /* 0 does nothing */
/* In the master: calls back with what process ${slot} left, and frees it. */
void reserve_reap(unsigned slot, void (*left)(uint32_t slot, int64_t ticks));

#endif
