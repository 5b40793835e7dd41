/* The count is the futex; a ring between look and sleep is never missed. */
#include "shm/bell.h"

#include <limits.h>
#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "util/banned.h"

unsigned
bell_heard(const struct bell *b)
{
	return atomic_load(&b->count);
}

void
bell_wait(struct bell *b, unsigned heard, int ms)
{
	struct timespec ts = { .tv_sec = ms / 1000,
		.tv_nsec = ms % 1000 * 1000000L };

	atomic_fetch_add(&b->sleepers, 1);
	/* The kernel compares once more; a signal or a late ring only means
	 * that the caller looks again. */
	syscall(SYS_futex, &b->count, FUTEX_WAIT, heard, &ts, NULL, 0);
	atomic_fetch_sub(&b->sleepers, 1);
}

void
bell_ring(struct bell *b)
{
	atomic_fetch_add(&b->count, 1);
	if (atomic_load(&b->sleepers) != 0)
		syscall(
		    SYS_futex, &b->count, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}
