/* A robust mutex in shared memory, waited for with a deadline. */
#include "db/lane.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "util/clock.h"

#include "util/banned.h"

/* Somebody whose commit takes longer is not worth waiting for. */
#define WAIT_MOST (10 * CLOCK_MS)

void
lane_init(struct lane *l)
{
	pthread_mutexattr_t attr;

	if (pthread_mutexattr_init(&attr) != 0 ||
	    pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED) != 0 ||
	    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST) != 0 ||
	    pthread_mutex_init(&l->mutex, &attr) != 0) {
		perror("switchboard: cannot make a shared mutex");
		abort();
	}
	pthread_mutexattr_destroy(&attr);
}

bool
lane_enter(struct lane *l)
{
	int64_t until = clock_mono() + WAIT_MOST;
	struct timespec ts = { .tv_sec = (time_t)(until / CLOCK_S),
		.tv_nsec = (long)(until % CLOCK_S) };
	int rc;

	if (l == NULL)
		return false;
	rc = pthread_mutex_clocklock(&l->mutex, CLOCK_MONOTONIC, &ts);
	if (rc == EOWNERDEAD) /* it guards nothing that could be broken */
		rc = pthread_mutex_consistent(&l->mutex);
	return rc == 0;
}

void
lane_leave(struct lane *l)
{
	pthread_mutex_unlock(&l->mutex);
}
