/* A plain array of the last times. */
#include "shm/pace.h"

#include "shm/shm.h"

#include "util/banned.h"

#define PLACES 4096

static _Atomic(int64_t) *last;

void
pace_map(void)
{
	last = shm_map(PLACES * sizeof(*last));
}

bool
pace_take(uint64_t hash, int64_t now, int64_t every)
{
	_Atomic(int64_t) *place;
	int64_t was;

	if (last == NULL)
		return true;
	place = &last[hash % PLACES];
	was = atomic_load(place);
	return (was == 0 || now - was >= every) &&
	       atomic_compare_exchange_strong(place, &was, now);
}
