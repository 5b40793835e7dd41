/*
 * One process loads; it notes its slot while it does, so that the master can
 * give the task to another one when it dies.  A second load overwrites what a
 * dead one left half done.
 */
#include "usage/seed_priv.h"

#include <poll.h>

#include "shm/procs.h"
#include "shm/shm.h"
#include "usage/store.h"
#include "util/clock.h"

#include "util/banned.h"

#define LOOK_MS 5

/* Of "state": nobody has begun, done, or LOADING + the process's slot. */
enum { SEED_NONE, SEED_DONE, SEED_LOADING };

struct used {
	uint32_t part[SEED_PARTS];
	uint32_t minute;
};

static struct {
	uint32_t slots;
	/* Shared from here on. */
	struct shared {
		_Atomic(unsigned) state;
		_Atomic(int64_t) at;  /* ticks */
		_Atomic(int64_t) age; /* of the part begun, ticks */
	} * shared;
	struct used *accounts, *agents;
} seeds;

void
seed_map(uint32_t max_slots)
{
	size_t bytes = sizeof(struct used) * ((size_t)max_slots + 1);

	seeds.slots = max_slots;
	seeds.shared = shm_map(sizeof(*seeds.shared));
	seeds.accounts = shm_map(bytes);
	seeds.agents = shm_map(bytes);
}

/* --- loading ------------------------------------------------------------- */

void
seed_put(enum seed_kind kind, int64_t slot, int ago, int64_t used)
{
	struct used *u;
	uint32_t n;

	if (slot < 0 || slot > seeds.slots || used < 0)
		return;
	n = used < UINT32_MAX ? (uint32_t)used : UINT32_MAX;
	u = kind == SEED_ACCOUNT_REQUESTS ? &seeds.accounts[slot]
	                                  : &seeds.agents[slot];
	if (kind == SEED_AGENT_REQUESTS)
		u->minute = n;
	else
		u->part[ago] = n;
}

static int
load(struct db_pool *db, bucket_clock *clk, int64_t deadline, struct err *e)
{
	int64_t age_s = 0;

	if (store_recent_use(db, deadline, &age_s, e) != 0)
		return -1;
	atomic_store(&seeds.shared->age, age_s * BUCKET_TICKS_S);
	atomic_store(&seeds.shared->at, clk());
	return 0;
}

int
seed_load(
    struct db_pool *db, bucket_clock *clk, int64_t deadline, struct err *e)
{
	unsigned loading = SEED_LOADING + procs_self_slot(), state;
	int rc;

	for (;;) {
		state = SEED_NONE;
		if (atomic_compare_exchange_strong(
			&seeds.shared->state, &state, loading)) {
			rc = load(db, clk, deadline, e);
			atomic_store(&seeds.shared->state,
			    rc == 0 ? SEED_DONE : SEED_NONE);
			return rc;
		}
		if (state == SEED_DONE)
			return 0;
		if (clock_mono() >= deadline)
			return err_set(e, ERR_UNAVAILABLE,
			    "another process still reads what was used");
		poll(NULL, 0, LOOK_MS);
	}
}

void
seed_skip(void)
{
	atomic_store(&seeds.shared->state, SEED_DONE);
}

void
seed_reap(unsigned process_slot)
{
	unsigned loading = SEED_LOADING + process_slot;

	if (seeds.shared != NULL)
		atomic_compare_exchange_strong(
		    &seeds.shared->state, &loading, SEED_NONE);
}

/* --- and taking up ------------------------------------------------------- */

int64_t
seed_tat(const uint32_t used[SEED_PARTS], const struct bucket_rate *r,
    int64_t most, int64_t now, int64_t age)
{
	int64_t tat = INT64_MIN, end, owed;

	for (int ago = SEED_PARTS - 1; ago >= 0; ago--) {
		if (used[ago] == 0)
			continue;
		end = ago == 0 ? now
		               : now - age -
		                     (ago - 1) * (SEED_PART_S * BUCKET_TICKS_S);
		owed = (tat > end ? tat - end : 0) + bucket_ticks(r, used[ago]);
		tat = end + (owed < most ? owed : most);
	}
	return tat;
}

void
seed_bucket(bucket_t *b, enum seed_kind kind, uint32_t slot,
    const struct bucket_rate *r, bucket_clock *clk)
{
	int64_t at, age, tat, none = 0;
	const struct used *u;

	if (seeds.shared == NULL ||
	    atomic_load(&seeds.shared->state) != SEED_DONE)
		return;
	at = atomic_load(&seeds.shared->at);
	age = atomic_load(&seeds.shared->age);
	switch (kind) {
	case SEED_ACCOUNT_REQUESTS:
		tat = seed_tat(seeds.accounts[slot].part, r, r->size, at, age);
		break;
	case SEED_AGENT_TOKENS:
		tat = seed_tat(seeds.agents[slot].part, r,
		    bucket_ticks(r, INT64_MAX), at, age);
		break;
	default:
		u = &seeds.agents[slot];
		tat =
		    u->minute > r->limit ? r->size : bucket_ticks(r, u->minute);
		tat += at;
		break;
	}
	if (tat > clk())
		atomic_compare_exchange_strong(b, &none, tat);
}
