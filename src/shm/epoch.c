/*
 * Configuration epochs in shared memory.  Plain sequentially consistent
 * atomics: whoever reads a slot after it was raised sees it raised, whatever
 * he has cached.
 */
#include "shm/epoch.h"

#include <stddef.h>

#include "shm/shm.h"

#include "util/banned.h"

#define FOR_EVER INT64_MAX

struct place {
	_Atomic(uint64_t) epoch, knowledge;
	_Atomic(uint64_t) nothing; /* knowledge epoch + 1; 0 not known */
	_Atomic(int64_t) checked;
};

struct epochs {
	_Atomic(uint64_t) moves;
	_Atomic(int64_t) heard;
	_Atomic(int64_t) ask_at; /* 0: the database answers */
	struct place slot[];
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

/* True when it is this call that raised it. */
static bool
raise_to(_Atomic(uint64_t) *at, uint64_t n)
{
	uint64_t now = atomic_load(at);

	while (now < n)
		if (atomic_compare_exchange_weak(at, &now, n))
			return true;
	return false;
}

void
epoch_raise(uint32_t slot, uint64_t epoch)
{
	if (slot < slots && raise_to(&epochs->slot[slot].epoch, epoch))
		(void)atomic_fetch_add(&epochs->moves, 1);
}

uint64_t
epoch_get(uint32_t slot)
{
	return slot < slots ? atomic_load(&epochs->slot[slot].epoch) : 0;
}

bool
epoch_current(uint32_t slot, uint64_t epoch)
{
	if (epochs == NULL)
		return true;
	/* A slot beyond the map has nobody to say that it changed. */
	return slot < slots && epoch >= atomic_load(&epochs->slot[slot].epoch);
}

uint64_t
epoch_moves(void)
{
	return epochs != NULL ? atomic_load(&epochs->moves) : 0;
}

void
epoch_knowledge_raise(uint32_t slot, uint64_t epoch)
{
	if (slot < slots)
		(void)raise_to(&epochs->slot[slot].knowledge, epoch);
}

uint64_t
epoch_knowledge(uint32_t slot)
{
	return slot < slots ? atomic_load(&epochs->slot[slot].knowledge) : 0;
}

void
epoch_knowledge_none(uint32_t slot, uint64_t epoch)
{
	if (slot < slots)
		atomic_store(&epochs->slot[slot].nothing, epoch + 1);
}

bool
epoch_knows_nothing(uint32_t slot)
{
	return slot < slots && atomic_load(&epochs->slot[slot].nothing) ==
	                           epoch_knowledge(slot) + 1;
}

/* A time only goes forward. */
static void
forward(_Atomic(int64_t) *at, int64_t to)
{
	int64_t now = atomic_load(at);

	while (now < to && !atomic_compare_exchange_weak(at, &now, to))
		continue;
}

void
epoch_heard(int64_t at)
{
	if (epochs == NULL)
		return;
	forward(&epochs->heard, at);
	atomic_store(&epochs->ask_at, 0);
}

void
epoch_checked(uint32_t slot, int64_t at)
{
	if (slot < slots)
		forward(&epochs->slot[slot].checked, at);
}

int64_t
epoch_known(uint32_t slot)
{
	int64_t heard, checked;

	if (epochs == NULL)
		return FOR_EVER;
	heard = atomic_load(&epochs->heard);
	checked = slot < slots ? atomic_load(&epochs->slot[slot].checked) : 0;
	return heard > checked ? heard : checked;
}

bool
epoch_may_ask(int64_t now, int64_t pause)
{
	int64_t at;

	if (epochs == NULL)
		return true;
	at = atomic_load(&epochs->ask_at);
	if (at == 0)
		return true;
	return now >= at && atomic_compare_exchange_strong(
				&epochs->ask_at, &at, now + pause);
}

void
epoch_asked(bool answered, int64_t now, int64_t pause)
{
	if (epochs != NULL)
		atomic_store(&epochs->ask_at, answered ? 0 : now + pause);
}

bool
epoch_away(void)
{
	return epochs != NULL && atomic_load(&epochs->ask_at) != 0;
}
