/* Places for password hashes, shared by all processes of the host. */
#include "auth/pwhash.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include "crypto/hash.h"
#include "shm/shm.h"
#include "util/clock.h"

#include "util/banned.h"

/*
 * What is compared with when there is no hash: made with the parameters of
 * crypto_password_hash (the tests hold them together) of a password that nobody
 * has, for its 32 bytes were chosen and not computed.
 */
static const char nobody[] = "$argon2id$v=19$m=19456,t=2,p=1$"
			     "AAAAAAAAAAAAAAAAAAAAAA$"
			     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

static struct places {
	unsigned at_once, waiting;
	int wait_ms;
	_Atomic(unsigned) turn; /* whom the next one waits for */
	pthread_mutex_t lock[]; /* to compute, then to wait */
} * map;

/* One a core; of two cores one is left for the others. */
static unsigned
usual(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n > 2 ? (unsigned)n : 1;
}

void
pwhash_map(unsigned at_once, unsigned waiting, int wait_ms)
{
	pthread_mutexattr_t attr;
	unsigned n;

	if (at_once == 0)
		at_once = usual();
	if (at_once > PWHASH_AT_ONCE_MAX)
		at_once = PWHASH_AT_ONCE_MAX;
	if (waiting > PWHASH_WAITING_MAX)
		waiting = PWHASH_WAITING_MAX;
	n = at_once + waiting;
	map = shm_map(sizeof(*map) + n * sizeof(map->lock[0]));
	map->at_once = at_once;
	map->waiting = waiting;
	map->wait_ms = wait_ms;
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	for (unsigned i = 0; i < n; i++)
		pthread_mutex_init(&map->lock[i], &attr);
	pthread_mutexattr_destroy(&attr);
}

/* A place is nothing but itself: one whose holder died is as good as new. */
static bool
got(pthread_mutex_t *m, int rc)
{
	if (rc == EOWNERDEAD)
		rc = pthread_mutex_consistent(m);
	return rc == 0;
}

/* A free one of lock[from..to), or NULL. */
static pthread_mutex_t *
try_any(unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++)
		if (got(&map->lock[i], pthread_mutex_trylock(&map->lock[i])))
			return &map->lock[i];
	return NULL;
}

static pthread_mutex_t *
wait_for_one(void)
{
	unsigned i = atomic_fetch_add(&map->turn, 1) % map->at_once;
	int64_t at = clock_mono() + map->wait_ms * CLOCK_MS;
	struct timespec until = { .tv_sec = at / CLOCK_S,
		.tv_nsec = at % CLOCK_S };
	pthread_mutex_t *m = &map->lock[i];

	return got(m, pthread_mutex_clocklock(m, CLOCK_MONOTONIC, &until))
	           ? m
	           : NULL;
}

static int
place_take(pthread_mutex_t **ret, struct err *e)
{
	pthread_mutex_t *waiting;

	*ret = NULL;
	if (map == NULL)
		return 0;
	*ret = try_any(0, map->at_once);
	if (*ret != NULL)
		return 0;
	waiting = try_any(map->at_once, map->at_once + map->waiting);
	if (waiting != NULL) {
		*ret = wait_for_one();
		pthread_mutex_unlock(waiting);
	}
	if (*ret != NULL)
		return 0;
	return err_set_kind(e, ERR_LIMIT, NULL, 1,
	    "too many passwords are being checked at once; try again");
}

static void
place_give(pthread_mutex_t *m)
{
	if (m != NULL)
		pthread_mutex_unlock(m);
}

int
pwhash_make(const void *ctx, const char *password, char **ret, struct err *e)
{
	pthread_mutex_t *place;
	int rc;

	*ret = NULL;
	if (place_take(&place, e) != 0)
		return -1;
	rc = crypto_password_hash(ctx, password, ret, e);
	place_give(place);
	return rc;
}

int
pwhash_check(const char *hash, const char *password, struct pwhash_answer *out,
    struct err *e)
{
	bool known = hash != NULL && crypto_password_known(hash);
	pthread_mutex_t *place;

	*out = (struct pwhash_answer){ false, false };
	if (place_take(&place, e) != 0)
		return -1;
	out->ok = crypto_password_ok(known ? hash : nobody, password) && known;
	place_give(place);
	out->stale = out->ok && crypto_password_stale(hash);
	return 0;
}
