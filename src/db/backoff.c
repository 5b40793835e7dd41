/* Jittered exponential back-off, shared by pool, writer and listener. */
#include "db/backoff.h"

#include "util/clock.h"
#include "util/id.h"

#include "util/banned.h"

#define FIRST_MS 50
#define MOST_MS 1000

void
backoff_failed(struct backoff *b)
{
	int64_t pause = MOST_MS;
	uint32_t dice;

	if (b->failures < 5)
		pause = (int64_t)FIRST_MS << b->failures;
	if (pause > MOST_MS)
		pause = MOST_MS;
	b->failures++;
	id_random(&dice, sizeof(dice));
	pause = pause * CLOCK_MS / 2;
	pause += (int64_t)((double)pause * dice / UINT32_MAX);
	b->retry_at = clock_mono() + pause;
}

void
backoff_reset(struct backoff *b)
{
	b->failures = 0;
	b->retry_at = 0;
}
