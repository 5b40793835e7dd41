/* Names that are known not to exist: a direct-mapped table under one lock. */
#include "account/absent.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "account/proof.h"
#include "shm/epoch.h"
#include "util/clock.h"
#include "util/hash.h"
#include "util/id.h"
#include "util/mem.h"

#include "util/banned.h"

#define ABSENT_NS (30 * CLOCK_S)
#define NAME_MAX_LEN 200 /* longer ones are not worth the memory */

struct place {
	char *name; /* malloc'd; NULL: free */
	uint64_t moves;
	int64_t until;
};

struct absent {
	pthread_mutex_t lock;
	uint64_t seed[2]; /* so that nobody outside can aim at a place */
	unsigned places;
	struct place *place;
};

struct absent *
absent_new(unsigned places)
{
	struct absent *a = mem_new(NULL, struct absent);

	pthread_mutex_init(&a->lock, NULL);
	id_random(a->seed, sizeof(a->seed));
	a->places = places > 0 ? places : 1;
	a->place = mem_array(a, struct place, a->places);
	return a;
}

void
absent_free(struct absent *a)
{
	if (a == NULL)
		return;
	for (unsigned i = 0; i < a->places; i++)
		free(a->place[i].name);
	pthread_mutex_destroy(&a->lock);
	mem_free(a);
}

static struct place *
place_of(struct absent *a, const char *name)
{
	return &a->place[hash_keyed(a->seed, name, strlen(name)) % a->places];
}

/* Would it be known if the name had been taken since? */
static bool
heard(const struct place *p, int64_t now)
{
	return epoch_known(UINT32_MAX) >= now - PROOF_NS ||
	       p->until - ABSENT_NS >= now - PROOF_NS;
}

bool
absent_known(struct absent *a, const char *name)
{
	const struct place *p = place_of(a, name);
	int64_t now = clock_mono();
	bool known;

	pthread_mutex_lock(&a->lock);
	known = p->name != NULL && p->until > now && heard(p, now) &&
	        p->moves == epoch_moves() && strcmp(p->name, name) == 0;
	pthread_mutex_unlock(&a->lock);
	return known;
}

void
absent_note(struct absent *a, const char *name, uint64_t moves)
{
	struct place *p = place_of(a, name);
	size_t len = strlen(name);
	char *copy, *old;

	if (len > NAME_MAX_LEN || (copy = malloc(len + 1)) == NULL)
		return;
	memcpy(copy, name, len + 1);
	pthread_mutex_lock(&a->lock);
	old = p->name;
	p->name = copy;
	p->moves = moves;
	p->until = clock_mono() + ABSENT_NS;
	pthread_mutex_unlock(&a->lock);
	free(old);
}
