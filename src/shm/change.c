/*
 * A ring of the latest changes, and in each process's row (shm/procs.h) the
 * number of the last one it saw.  The bell is a futex: it rings in every
 * process that has the mapping.
 */
#include "shm/change.h"

#include <limits.h>
#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "shm/procs.h"
#include "shm/shm.h"
#include "util/clock.h"

#include "util/banned.h"

#define PLACES 1024

struct noted {
	_Atomic(uint64_t) number; /* from 2; written last */
	_Atomic(uint64_t) epoch;
	_Atomic(uint32_t) slot;
	_Atomic(int64_t) delay_us; /* from the change to this note */
	_Atomic(int64_t) at;       /* clock_mono() of the note */
	_Atomic(int64_t) seen;     /* by the last that saw it */
};

static struct ring {
	_Atomic(uint32_t) bell;
	_Atomic(uint64_t) last;
	struct noted noted[PLACES];
} * ring;

void
change_map(void)
{
	ring = shm_map(sizeof(*ring));
	/* 0 is "none" in a process's row. */
	atomic_store(&ring->last, 1);
}

uint32_t
change_bell(void)
{
	return ring != NULL ? atomic_load(&ring->bell) : 0;
}

void
change_ring(void)
{
	if (ring == NULL)
		return;
	(void)atomic_fetch_add(&ring->bell, 1);
	(void)syscall(
	    SYS_futex, &ring->bell, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void
change_wait(uint32_t bell, int ms)
{
	struct timespec ts = { .tv_sec = ms / 1000,
		.tv_nsec = (long)(ms % 1000) * (long)CLOCK_MS };

	if (ring == NULL)
		(void)nanosleep(&ts, NULL);
	else
		(void)syscall(
		    SYS_futex, &ring->bell, FUTEX_WAIT, bell, &ts, NULL, 0);
}

void
change_note(uint32_t slot, uint64_t epoch, int64_t changed_us)
{
	uint64_t number;
	struct noted *n;
	int64_t delay;

	if (ring == NULL)
		return;
	number = atomic_load(&ring->last) + 1;
	n = &ring->noted[number % PLACES];
	delay = clock_wall_us() - changed_us;
	atomic_store(&n->number, 0);
	atomic_store(&n->slot, slot);
	atomic_store(&n->epoch, epoch);
	/* The database's clock may be another. */
	atomic_store(&n->delay_us, delay > 0 ? delay : 0);
	atomic_store(&n->at, clock_mono());
	atomic_store(&n->seen, 0);
	atomic_store(&n->number, number);
	atomic_store(&ring->last, number);
	change_ring();
}

void
change_seen(void)
{
	struct proc *row = procs_self();
	uint64_t last, from;
	int64_t now, seen;

	if (ring == NULL || row == NULL)
		return;
	last = atomic_load(&ring->last);
	from = atomic_load(&row->changes);
	now = clock_mono();
	if (from == 0 || last - from > PLACES)
		from = last; /* it has just come; or slept too long */
	for (uint64_t i = from + 1; i <= last; i++) {
		struct noted *n = &ring->noted[i % PLACES];

		seen = atomic_load(&n->seen);
		while (seen < now &&
		       !atomic_compare_exchange_weak(&n->seen, &seen, now))
			continue;
	}
	atomic_store(&row->changes, last);
}

static const struct noted *
latest(uint32_t slot)
{
	uint64_t last = ring != NULL ? atomic_load(&ring->last) : 0;

	for (uint64_t i = last; i > 1 && last - i < PLACES; i--) {
		const struct noted *n = &ring->noted[i % PLACES];

		if (atomic_load(&n->number) == i &&
		    atomic_load(&n->slot) == slot)
			return n;
	}
	return NULL;
}

void
change_state(uint32_t slot, struct change *out)
{
	const struct noted *n = latest(slot);
	uint64_t number = n != NULL ? atomic_load(&n->number) : 0;

	*out = (struct change){ .noted = n != NULL, .took_us = -1 };
	for (unsigned i = 0; i < PROCS_MAX; i++) {
		const struct proc *p = procs_row(i);
		int kind = p != NULL ? atomic_load(&p->kind) : PROC_NONE;

		if ((kind != PROC_CHAT && kind != PROC_ADMIN) ||
		    !atomic_load(&p->ready))
			continue;
		out->workers++;
		if (atomic_load(&p->changes) >= number)
			out->live++;
	}
	if (n == NULL)
		return;
	out->epoch = atomic_load(&n->epoch);
	if (out->live == out->workers && atomic_load(&n->seen) > 0)
		out->took_us =
		    atomic_load(&n->delay_us) +
		    (atomic_load(&n->seen) - atomic_load(&n->at)) / 1000;
}
