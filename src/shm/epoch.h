/*
 * How new each account's configuration is: one counter an account slot, moved
 * by the listener, compared at each use of a cached entry.  Slot 0 is the
 * platform (tiers, prices).  An entry made from data of epoch N is good while
 * the slot is not above N and no general change came since it was made.
 */
#ifndef SHM_EPOCH_H
#define SHM_EPOCH_H

#include <stdbool.h>
#include <stdint.h>

/* In the master, before the fork. */
void epoch_map(uint32_t max_slots);
uint32_t epoch_max_slots(void);
/* Raise ${slot} to at least ${epoch}; never lowers.  Any process. */
void epoch_raise(uint32_t slot, uint64_t epoch);
uint64_t epoch_get(uint32_t slot);
/* Everything may be old (LISTEN was lost and is back, templates reloaded). */
void epoch_raise_all(void);
/* The general counter: an entry notes it BEFORE its data is read. */
uint64_t epoch_general(void);
/* Is data of (slot, epoch), read when the general counter stood at ${general},
 * still current? */
bool epoch_current(uint32_t slot, uint64_t epoch, uint64_t general);
/*
 * A number that grows with every raise, of any slot and of everything: what was
 * not there when it was read may be there once it has moved (account/absent.h).
 */
uint64_t epoch_moves(void);

#endif
