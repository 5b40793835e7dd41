/*
 * Each thread returns to the place it had last: nearly always free, so that a
 * note is one swap of a cache line that nobody else wants.
 */
#include "gateway/notes_priv.h"

#include <stddef.h>

#include "shm/procs.h"
#include "shm/shm.h"

#include "util/banned.h"

#define PLACES 16384 /* the most threads a process may have */
#define FREE UINT64_C(0)
#define CLAIMED UINT64_C(1)
#define NOTED UINT64_C(2) /* and above: the slot */

union place {
	struct {
		_Atomic(uint64_t) owner;
		_Atomic(int64_t) took[CAPACITIES];
	};
	char line[64];
};

struct notes {
	_Atomic(unsigned) top; /* places used so far */
	union place place[PLACES];
};

static struct notes *notes; /* by process slot */
static _Thread_local unsigned mine;

void
notes_map(void)
{
	notes = shm_map(sizeof(*notes) * PROCS_MAX);
}

static void
took_set(union place *p, const int64_t took[CAPACITIES])
{
	for (int k = 0; k < CAPACITIES; k++)
		atomic_store(&p->took[k], took != NULL ? took[k] : 0);
}

unsigned
notes_put(unsigned process, uint32_t slot)
{
	struct notes *n = &notes[process];

	for (unsigned i = 0; i < PLACES; i++) {
		unsigned at = (mine + i) % PLACES, top;
		union place *p = &n->place[at];
		uint64_t owner = FREE;

		if (atomic_load_explicit(&p->owner, memory_order_relaxed) !=
			FREE ||
		    !atomic_compare_exchange_strong(&p->owner, &owner, CLAIMED))
			continue;
		mine = at;
		took_set(p, NULL);
		top = atomic_load(&n->top);
		while (top < at + 1 &&
		       !atomic_compare_exchange_weak(&n->top, &top, at + 1))
			continue;
		atomic_store(&p->owner, NOTED + slot);
		return at + 1;
	}
	return 0;
}

void
notes_took(unsigned process, unsigned place, const int64_t took[CAPACITIES])
{
	took_set(&notes[process].place[place - 1], took);
}

void
notes_clear(unsigned process, unsigned place)
{
	atomic_store(&notes[process].place[place - 1].owner, FREE);
}

void
notes_reap(unsigned process, int64_t now, notes_left *left)
{
	struct notes *n = &notes[process];
	unsigned top = atomic_load(&n->top);

	for (unsigned i = 0; i < top && i < PLACES; i++) {
		union place *p = &n->place[i];
		uint64_t owner = atomic_load(&p->owner);
		int64_t took[CAPACITIES];

		for (int k = 0; k < CAPACITIES; k++)
			took[k] = atomic_load(&p->took[k]);
		if (owner >= NOTED)
			left(process, (uint32_t)(owner - NOTED), took, now);
		atomic_store(&p->owner, FREE);
	}
	atomic_store(&n->top, 0);
}
