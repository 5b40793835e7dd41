/*
 * How new each person's access tokens must be: her token_version, by user
 * slot, moved by the listener.  A token of an older version is no longer good,
 * on the next request, in every worker.
 */
#ifndef SHM_PERSON_H
#define SHM_PERSON_H

#include <stdbool.h>
#include <stdint.h>

/* In the master, before the fork. */
void person_map(uint32_t max_slots);
/* Raise ${slot} to at least ${version}; never lowers.  Any process. */
void person_raise(uint32_t slot, uint64_t version);
/* Is a token of ${version} current, as far as anybody has heard?  Of a slot
 * beyond the map nobody hears: false. */
bool person_current(uint32_t slot, uint64_t version);

#endif
