/*
 * Each thread returns to the place it had last: nearly always free, so that a
 * note is one swap of a cache line that nobody else wants.
 */
#include "usage/reserve_priv.h"

#include <stdatomic.h>
#include <stddef.h>

#include "shm/procs.h"
#include "shm/shm.h"

#include "util/banned.h"

#define PLACES 16384 /* the most threads a process may have */
#define FREE UINT64_C(0)
#define CLAIMED UINT64_C(1)
#define PUBLISHED UINT64_C(2) /* and above: the slot */

union place {
	struct {
		_Atomic(uint64_t) owner;
		_Atomic(int64_t) amount;
	};
	char line[64];
};

struct reserves {
	_Atomic(unsigned) top; /* places used so far */
	union place place[PLACES];
};

static struct reserves *books[RESERVE_BOOKS]; /* each by process slot */
static _Thread_local unsigned mine[RESERVE_BOOKS];

void
reserve_map(enum reserve_book book)
{
	books[book] = shm_map(sizeof(*books[book]) * PROCS_MAX);
}

static void
top_raise(struct reserves *r, unsigned to)
{
	unsigned top = atomic_load(&r->top);

	while (top < to && !atomic_compare_exchange_weak(&r->top, &top, to))
		continue;
}

unsigned
reserve_note(enum reserve_book book, uint32_t slot, int64_t amount)
{
	struct reserves *r;
	union place *p;

	if (books[book] == NULL || procs_self() == NULL)
		return 0;
	r = &books[book][procs_self_slot()];
	for (unsigned i = 0; i < PLACES; i++) {
		unsigned at = (mine[book] + i) % PLACES;
		uint64_t owner = FREE;

		p = &r->place[at];
		if (atomic_load_explicit(&p->owner, memory_order_relaxed) !=
			FREE ||
		    !atomic_compare_exchange_strong(&p->owner, &owner, CLAIMED))
			continue;
		mine[book] = at;
		atomic_store(&p->amount, amount);
		top_raise(r, at + 1);
		atomic_store(&p->owner, PUBLISHED + slot);
		return at + 1;
	}
	return 0;
}

void
reserve_clear(enum reserve_book book, unsigned place)
{
	if (place != 0)
		atomic_store(
		    &books[book][procs_self_slot()].place[place - 1].owner,
		    FREE);
}

void
reserve_reap(enum reserve_book book, unsigned slot,
    void (*left)(uint32_t slot, int64_t amount))
{
	struct reserves *r;
	unsigned top;

	if (books[book] == NULL || slot >= PROCS_MAX)
		return;
	r = &books[book][slot];
	top = atomic_load(&r->top);
	for (unsigned i = 0; i < top && i < PLACES; i++) {
		uint64_t owner = atomic_load(&r->place[i].owner);

		if (owner >= PUBLISHED)
			left((uint32_t)(owner - PUBLISHED),
			    atomic_load(&r->place[i].amount));
		atomic_store(&r->place[i].owner, FREE);
	}
	atomic_store(&r->top, 0);
}
