/*
 * With the database away at the start, attempts go on with a back-off that is
 * jittered, so that the workers of many hosts do not come all at once.  It also
 * is the thread that says of each change that this process has seen it.
 */
#include "daemon/keeper.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "daemon/parts.h"
#include "shm/change.h"
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
	atomic_bool stop, hopeless;
	unsigned retry_ms;
	atomic_bool away; /* and it has been said */
};

/* Wait, seeing what changes as soon as it does; true when the keeper is to
 * end. */
static bool
keeper_wait(struct keeper *k, unsigned ms)
{
	int64_t until = clock_mono() + ms * CLOCK_MS;

	for (;;) {
		uint32_t bell = change_bell();
		int left = clock_left_ms(until, (int)ms);

		change_seen();
		if (atomic_load(&k->stop))
			return true;
		if (left <= 0)
			return false;
		change_wait(bell, left);
	}
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

	k->parts = p;
	k->retry_ms = RETRY_LEAST_MS;
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

	atomic_store(&k->stop, true);
	change_ring();
	while (pthread_timedjoin_np(k->thread, NULL, &ts) != 0) {
		if (clock_mono() >= deadline) {
			pthread_detach(k->thread);
			return -1;
		}
		poll(NULL, 0, 5);
	}
	mem_free(k);
	return 0;
}
