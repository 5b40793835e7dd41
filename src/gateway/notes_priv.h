/*
 * What each process has under way, in its own row of shared memory: one place a
 * call.  A place is noted before anything is taken for the call and cleared
 * after all was given back, so a dead process's places name every credential
 * that it may still hold something of.
 */
#ifndef GATEWAY_NOTES_PRIV_H
#define GATEWAY_NOTES_PRIV_H

#include <stdint.h>

#include "gateway/capacity_priv.h"

/* In the master, before the fork. */
void notes_map(void);
/* Note a call on ${slot}: its place, from 1; 0: there is none left. */
unsigned notes_put(unsigned process, uint32_t slot);
/* What would be given back. */
void notes_took(
    unsigned process, unsigned place, const int64_t took[CAPACITIES]);
void notes_clear(unsigned process, unsigned place);
typedef void notes_left(unsigned process, uint32_t slot,
    const int64_t took[CAPACITIES], int64_t now);
/* Call ${left} for each place of a process that is dead, and clear it. */
void notes_reap(unsigned process, int64_t now, notes_left *left);

#endif
