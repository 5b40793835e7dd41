/*
 * One process writes; during a reload two may read.  An entry is passed over
 * only by who has dealt with it, so a job worker that dies half way repeats.
 */
#include "daemon/lost.h"

#include <stdatomic.h>

#include "shm/shm.h"

#include "util/banned.h"

#define PLACES 256

static struct ring {
	atomic_uint put, done;
	struct uuid id[PLACES];
} * ring;

void
lost_map(void)
{
	ring = shm_map(sizeof(*ring));
}

void
lost_put(const struct uuid *id)
{
	unsigned put = atomic_load(&ring->put);

	if (put - atomic_load(&ring->done) >= PLACES)
		return;
	ring->id[put % PLACES] = *id;
	atomic_store(&ring->put, put + 1);
}

bool
lost_peek(struct uuid *id)
{
	unsigned done = atomic_load(&ring->done);

	if (done == atomic_load(&ring->put))
		return false;
	*id = ring->id[done % PLACES];
	return true;
}

void
lost_done(const struct uuid *id)
{
	unsigned done = atomic_load(&ring->done);

	if (done != atomic_load(&ring->put) &&
	    id_eq(id, &ring->id[done % PLACES]))
		atomic_compare_exchange_strong(&ring->done, &done, done + 1);
}
