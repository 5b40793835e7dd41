/*
 * The table of server processes.  Rows lie a pair of cache lines apart: busy
 * counts change with each request.
 */
#include "shm/procs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "shm/shm.h"

#include "util/banned.h"

union row {
	struct proc proc;
	char space[128];
};
_Static_assert(sizeof(union row) == 128, "a row is two cache lines");

static union row *rows;
static struct proc *self;
static unsigned self_slot;

void
procs_map(void)
{
	rows = shm_map(PROCS_MAX * sizeof(*rows));
	for (unsigned i = 0; i < PROCS_MAX; i++) {
		rows[i].proc.wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		if (rows[i].proc.wake_fd < 0) {
			perror("switchboard: eventfd");
			abort();
		}
	}
}

struct proc *
procs_row(unsigned slot)
{
	return rows != NULL && slot < PROCS_MAX ? &rows[slot].proc : NULL;
}

struct proc *
procs_self(void)
{
	return self;
}

unsigned
procs_self_slot(void)
{
	return self_slot;
}

void
procs_set_self(unsigned slot)
{
	self = procs_row(slot);
	self_slot = slot;
}

void
procs_wake(unsigned slot)
{
	const struct proc *p = procs_row(slot);
	const uint64_t one = 1;

	/* EAGAIN: the counter is full, so it is readable anyway. */
	while (p != NULL && write(p->wake_fd, &one, sizeof(one)) < 0 &&
	       errno == EINTR)
		continue;
}

const char *
procs_kind_name(enum proc_kind kind)
{
	switch (kind) {
	case PROC_CHAT:
		return "chat worker";
	case PROC_ADMIN:
		return "admin worker";
	case PROC_JOB:
		return "job worker";
	case PROC_LISTENER:
		return "listener";
	case PROC_NONE:
		break;
	}
	return "none";
}
