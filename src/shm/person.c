/* A plain array by slot; 0 is what nobody has ever spoken of. */
#include "shm/person.h"

#include "shm/shm.h"

#include "util/banned.h"

static _Atomic(uint64_t) *versions;
static uint32_t slots;

void
person_map(uint32_t max_slots)
{
	versions = shm_map((size_t)max_slots * sizeof(*versions));
	slots = max_slots;
}

void
person_raise(uint32_t slot, uint64_t version)
{
	uint64_t now;

	if (slot >= slots)
		return;
	now = atomic_load(&versions[slot]);
	while (now < version &&
	       !atomic_compare_exchange_weak(&versions[slot], &now, version))
		continue;
}

bool
person_current(uint32_t slot, uint64_t version)
{
	return slot < slots && version >= atomic_load(&versions[slot]);
}
