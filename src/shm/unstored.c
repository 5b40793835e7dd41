/*
 * Two fields of bits: sessions go into the newer one; at a look that finds no
 * journal the older one is emptied and becomes the newer.
 */
#include "shm/unstored.h"

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "shm/shm.h"

#include "util/banned.h"

#define WORDS (1 << 16) /* 4 million bits */

static struct unstored {
	atomic_bool all;
	atomic_uint round;    /* of emptying; its last bit is the newer field */
	atomic_bool field[2]; /* anything in it? */
	_Atomic uint64_t bits[2][WORDS];
} * shared;

void
unstored_map(bool all)
{
	shared = shm_map(sizeof(*shared));
	atomic_store(&shared->all, all);
}

/* The end of a UUIDv7 is random. */
static uint64_t
place_of(const struct uuid *u, size_t *word)
{
	uint64_t tail;

	memcpy(&tail, u->b + 8, sizeof(tail));
	tail ^= tail >> 29; /* the last two bits are always the same */
	*word = (tail >> 8) % WORDS;
	return UINT64_C(1) << ((tail >> 24) % 64);
}

void
unstored_add(const struct uuid *session)
{
	size_t word;
	uint64_t bit = place_of(session, &word);
	unsigned field;

	if (shared == NULL)
		return;
	field = atomic_load(&shared->round) & 1;
	atomic_fetch_or(&shared->bits[field][word], bit);
	atomic_store(&shared->field[field], true);
}

bool
unstored_maybe(const struct uuid *session, unsigned *round)
{
	size_t word;
	uint64_t bit = place_of(session, &word);
	int i;

	*round = 0;
	if (shared == NULL)
		return false;
	*round = atomic_load(&shared->round);
	if (atomic_load(&shared->all))
		return true;
	for (i = 0; i < 2; i++)
		if (atomic_load(&shared->field[i]) &&
		    (atomic_load(&shared->bits[i][word]) & bit) != 0)
			return true;
	return false;
}

bool
unstored_looked(bool none)
{
	unsigned older;
	size_t i;

	if (shared == NULL)
		return true;
	if (none &&
	    (atomic_load(&shared->all) || atomic_load(&shared->field[0]) ||
		atomic_load(&shared->field[1]))) {
		older = ~atomic_load(&shared->round) & 1;
		if (atomic_exchange(&shared->field[older], false))
			for (i = 0; i < WORDS; i++)
				atomic_store(&shared->bits[older][i], 0);
		atomic_store(&shared->all, false);
		atomic_fetch_add(&shared->round, 1);
	}
	return !atomic_load(&shared->all) && !atomic_load(&shared->field[0]) &&
	       !atomic_load(&shared->field[1]);
}
