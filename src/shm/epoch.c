/*
 * Configuration epochs in shared memory.  Plain sequentially consistent
 * atomics: an entry notes the general counter before its data is read, so
 * whatever is raised in between makes it old, never the other way round.
 *
 * Without a map (a command of the operator) nothing is ever raised: such a
 * process lives shorter than any staleness.
 */
#include "shm/epoch.h"

#include <stddef.h>

#include "shm/shm.h"

#include "util/banned.h"

struct epochs {
	_Atomic(uint64_t) general;
	_Atomic(uint64_t) moves;
	_Atomic(uint64_t) slot[];
};

static struct epochs *epochs;
static uint32_t slots;

void
epoch_map(uint32_t max_slots)
{
	epochs = shm_map(
	    sizeof(*epochs) + (size_t)max_slots * sizeof(epochs->slot[0]));
	slots = max_slots;
}

uint32_t
epoch_max_slots(void)
{
	return slots;
}

void
epoch_raise(uint32_t slot, uint64_t epoch)
{
	uint64_t now;

	if (slot >= slots)
		return;
	now = atomic_load(&epochs->slot[slot]);
	while (now < epoch)
		if (atomic_compare_exchange_weak(
			&epochs->slot[slot], &now, epoch)) {
			(void)atomic_fetch_add(&epochs->moves, 1);
			return;
		}
}

uint64_t
epoch_get(uint32_t slot)
{
	return slot < slots ? atomic_load(&epochs->slot[slot]) : 0;
}

void
epoch_raise_all(void)
{
	if (epochs == NULL)
		return;
	(void)atomic_fetch_add(&epochs->general, 1);
	(void)atomic_fetch_add(&epochs->moves, 1);
}

uint64_t
epoch_general(void)
{
	return epochs != NULL ? atomic_load(&epochs->general) : 0;
}

bool
epoch_current(uint32_t slot, uint64_t epoch, uint64_t general)
{
	if (epochs == NULL)
		return true;
	/* A slot beyond the map has nobody to say that it changed. */
	return slot < slots && epoch >= atomic_load(&epochs->slot[slot]) &&
	       general == atomic_load(&epochs->general);
}

uint64_t
epoch_moves(void)
{
	return epochs != NULL ? atomic_load(&epochs->moves) : 0;
}
