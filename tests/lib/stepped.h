/*
 * Death at any instruction.  A child is stepped through an operation one
 * machine instruction at a time; each state that the watched bytes of shared
 * memory go through on the way is one that a death may leave, and each can be
 * put back and tried.
 *
 * Has its own shm_map(), so that it knows where the memory is: maps are counted
 * from 0 in the order they are made.
 */
#ifndef TESTS_LIB_STEPPED_H
#define TESTS_LIB_STEPPED_H

#include <stddef.h>

/* Forget all maps and what was watched. */
void stepped_begin(void);
int stepped_maps(void);
size_t stepped_bytes(int map);
/* Watch these bytes. */
void stepped_watch(int map, size_t offset, size_t bytes);

/*
 * Run ${what} in a child that is stepped, from the present state, and put that
 * back.  Then there are stepped_states, from what was to what came of it.
 */
void stepped_through(void (*what)(void));
extern int stepped_states;
/* Put state ${i} back. */
void stepped_restore(int state);

#endif
