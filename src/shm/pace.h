/* How often something may be done, all processes of this machine together: each
 * thing once in a while, whoever does it. */
#ifndef SHM_PACE_H
#define SHM_PACE_H

#include <stdbool.h>
#include <stdint.h>

/* In the master, before the fork. */
void pace_map(void);
/*
 * May the thing of that ${hash} be done now, when it may be done once in
 * ${every} ns?  True takes the turn.  Two things may share a place, and then
 * their turns, too.  Without pace_map() always true.  Any thread and process.
 */
bool pace_take(uint64_t hash, int64_t now, int64_t every);

#endif
