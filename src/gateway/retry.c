/*
 * The budget of repetitions: one word of shared memory, in hundredths of a
 * repetition, and the moment up to which the trickle has been added.  Both are
 * changed by one swap each; who dies between them loses a trickle.
 */
#include "gateway/retry.h"

#include <stdatomic.h>
#include <stddef.h>

#include "shm/shm.h"
#include "util/clock.h"

#include "util/banned.h"

#define ONE 100 /* a repetition */
#define MOST ((int64_t)RETRY_MOST * ONE)

static struct shared {
	_Atomic int64_t left, until;
} * shared;

void
retry_map(void)
{
	shared = shm_map(sizeof(*shared));
	atomic_store(&shared->left, MOST);
	atomic_store(&shared->until, clock_mono());
}

static void
add(int64_t n)
{
	int64_t had = atomic_load(&shared->left), have;

	do {
		have = had + n > MOST ? MOST : had + n;
	} while (have != had &&
		 !atomic_compare_exchange_weak(&shared->left, &had, have));
}

/* What time has brought since anybody looked. */
static void
trickle(int64_t now)
{
	int64_t until = atomic_load(&shared->until);
	int64_t step = CLOCK_S / ((int64_t)RETRY_A_SECOND * ONE);
	int64_t n = (now - until) / step;

	if (n <= 0 || !atomic_compare_exchange_strong(
			  &shared->until, &until, until + n * step))
		return;
	add(n > MOST ? MOST : n);
}

void
retry_call(void)
{
	if (shared != NULL)
		add(RETRY_PERCENT * ONE / 100);
}

bool
retry_may(int64_t now)
{
	int64_t had;

	if (shared == NULL)
		return true;
	trickle(now);
	had = atomic_load(&shared->left);
	while (had >= ONE)
		if (atomic_compare_exchange_weak(
			&shared->left, &had, had - ONE))
			return true;
	return false;
}

int64_t
retry_left(int64_t now)
{
	if (shared == NULL)
		return -1;
	trickle(now);
	return atomic_load(&shared->left) / ONE;
}
