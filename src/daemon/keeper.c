/*
 * With the database away at the start, attempts go on with a back-off that is
 * jittered, so that the workers of many hosts do not come all at once.
 */
#include "daemon/keeper.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

#include "daemon/parts.h"
#include "shm/procs.h"
#include "telemetry/log.h"
#include "util/clock.h"
#include "util/id.h"
#include "util/mem.h"

#include "util/banned.h"

#define TICK_MS 250
#define RETRY_LEAST_MS 50
#define RETRY_MOST_MS 1000

struct keeper {
	struct parts *parts;
	pthread_t thread;
	pthread_mutex_t mu;
	pthread_cond_t cv;
	bool stop;
	atomic_bool hopeless;
	unsigned retry_ms;
	atomic_bool away; /* and it has been said */
};

/* Wait; true when the keeper is to end. */
static bool
keeper_wait(struct keeper *k, unsigned ms)
{
	int64_t at = clock_mono() + ms * CLOCK_MS;
	struct timespec ts = { .tv_sec = (time_t)(at / CLOCK_S),
		.tv_nsec = (long)(at % CLOCK_S) };
	bool stop;

	pthread_mutex_lock(&k->mu);
	while (!k->stop && pthread_cond_timedwait(&k->cv, &k->mu, &ts) == 0)
		continue;
	stop = k->stop;
	pthread_mutex_unlock(&k->mu);
	return stop;
}

/* The next pause, between half and all of it. */
static unsigned
keeper_retry(struct keeper *k)
{
	unsigned r, ms = k->retry_ms;

	id_random(&r, sizeof(r));
	k->retry_ms = ms * 2 < RETRY_MOST_MS ? ms * 2 : RETRY_MOST_MS;
	return ms / 2 + r % (ms / 2 + 1);
}

static unsigned
keeper_open(struct keeper *k)
{
	struct err e = { 0 };

	if (parts_open(k->parts, &e) == 0) {
		atomic_store(&k->away, false);
		procs_wake(procs_self_slot());
		return TICK_MS;
	}
	if (e.code != ERR_UNAVAILABLE && e.code != ERR_TIMEOUT) {
		log_event(LOG_ERROR, "schema_refused", "error", e.text, NULL);
		atomic_store(&k->hopeless, true);
		procs_wake(procs_self_slot());
	} else if (!atomic_exchange(&k->away, true)) {
		log_event(LOG_WARN, "database_away", "error", e.text, NULL);
		procs_wake(procs_self_slot());
	}
	return keeper_retry(k);
}

static void *
keeper_main(void *arg)
{
	struct keeper *k = arg;
	unsigned ms;

	do {
		if (atomic_load(&k->parts->open)) {
			parts_refresh(k->parts);
			ms = TICK_MS;
		} else {
			ms = keeper_open(k);
		}
		parts_tell(k->parts);
	} while (!keeper_wait(k, ms));
	return NULL;
}

struct keeper *
keeper_new(struct parts *p)
{
	struct keeper *k = mem_new(NULL, struct keeper);
	pthread_condattr_t attr;

	k->parts = p;
	k->retry_ms = RETRY_LEAST_MS;
	pthread_mutex_init(&k->mu, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&k->cv, &attr);
	pthread_condattr_destroy(&attr);
	if (pthread_create(&k->thread, NULL, keeper_main, k) != 0) {
		mem_free(k);
		return NULL;
	}
	return k;
}

bool
keeper_hopeless(const struct keeper *k)
{
	return atomic_load(&k->hopeless);
}

bool
keeper_away(const struct keeper *k)
{
	return atomic_load(&k->away);
}

int
keeper_free(struct keeper *k, int64_t deadline)
{
	struct timespec ts = { 0, 0 };

	pthread_mutex_lock(&k->mu);
	k->stop = true;
	pthread_cond_signal(&k->cv);
	pthread_mutex_unlock(&k->mu);
	while (pthread_timedjoin_np(k->thread, NULL, &ts) != 0) {
		if (clock_mono() >= deadline)
			return -1;
		poll(NULL, 0, 5);
	}
	pthread_cond_destroy(&k->cv);
	pthread_mutex_destroy(&k->mu);
	mem_free(k);
	return 0;
}
