/* Failures by pair and by address, in two tables of words. */
#include "auth/throttle.h"

#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include "auth/throttle_priv.h"
#include "shm/shm.h"
#include "util/clock.h"
#include "util/hash.h"
#include "util/id.h"
#include "util/unicode.h"

#include "util/banned.h"

/*
 * A pair's word: 29 bits of its hash, 5 bits of failures, 30 bits of the time
 * of the last one in 1/64 s (it wraps after 194 days, when an old word delays
 * somebody once).  An address's: 20 bits of its hash, 16 bits of the number of
 * the 20 minutes it failed in last (2 years),
 * and 7 bits of failures for these and for each of the three before.  The set
 * is 16 bits more of the hash.  0 is a free place.
 */
#define TICKS_S 64
#define TICK (CLOCK_S / TICKS_S)
#define TIME_MASK ((UINT64_C(1) << 30) - 1)
#define COUNT_MAX 31
#define SPAN_S INT64_C(1200)
#define SPANS 4
#define SPAN_MASK UINT64_C(0xffff)
#define SPAN_COUNT_MAX 127

typedef _Atomic(uint64_t) place;

struct table {
	place set[THROTTLE_SETS][THROTTLE_WAYS];
};

static struct table *pairs, *addresses;
static uint64_t salt[2];

void
throttle_map(void)
{
	pairs = shm_map(sizeof(*pairs));
	addresses = shm_map(sizeof(*addresses));
	id_random(salt, sizeof(salt));
}

/* --- keys ------------------------------------------------------------------
 */

struct key {
	place *set;
	uint64_t tag; /* as it stands in the word, at its top */
};

#define EMAIL_MAX 256

static uint64_t
hash_pair(const char *email, const char *address)
{
	struct {
		int32_t email[EMAIL_MAX];
		char address[64];
	} k;
	size_t n = strlen(email);
	int len;

	memset(&k, 0, sizeof(k));
	len = unicode_fold(email, n, k.email, EMAIL_MAX);
	if (len < 0) /* no address of anybody's */
		memcpy(
		    k.email, email, n < sizeof(k.email) ? n : sizeof(k.email));
	n = strlen(address);
	memcpy(
	    k.address, address, n < sizeof(k.address) ? n : sizeof(k.address));
	return hash_keyed(salt, &k, sizeof(k));
}

/* ${bits} of the hash are the tag; it is not 0, so that no word is. */
static struct key
key_of(struct table *t, uint64_t h, unsigned bits)
{
	uint64_t tag = h >> (64 - bits);

	if (tag == 0)
		tag = 1;
	return (
	    struct key){ t->set[h & (THROTTLE_SETS - 1)], tag << (64 - bits) };
}

#define PAIR_TAG 29
#define ADDRESS_TAG 20

static struct key
key_pair(const char *email, const char *address)
{
	return key_of(pairs, hash_pair(email, address), PAIR_TAG);
}

static struct key
key_address(const char *address)
{
	return key_of(
	    addresses, hash_keyed(salt, address, strlen(address)), ADDRESS_TAG);
}

static bool
is_of(uint64_t word, const struct key *k, unsigned bits)
{
	return word >> (64 - bits) == k->tag >> (64 - bits);
}

/* --- a pair's word ---------------------------------------------------------
 */

struct pair {
	unsigned count;
	int64_t age; /* ticks since the last failure */
};

static uint64_t
time_of(int64_t now)
{
	return (uint64_t)(now / TICK) & TIME_MASK;
}

static struct pair
pair_read(uint64_t word, int64_t now)
{
	struct pair p = { (word >> 30) & COUNT_MAX,
		(int64_t)((time_of(now) - word) & TIME_MASK) };

	/* From a little ahead: another processor's clock_mono() came later. */
	if (p.age > (int64_t)TIME_MASK - TICKS_S)
		p.age = 0;
	if (p.age >= THROTTLE_FORGET * TICKS_S)
		p.count = 0;
	return p;
}

/* Ticks until the next attempt; 0: now. */
static int64_t
pair_wait(const struct pair *p)
{
	int64_t delay = THROTTLE_DELAY_MAX;

	if (p->count < THROTTLE_FREE)
		return 0;
	if (p->count - THROTTLE_FREE < 6)
		delay = INT64_C(1) << (p->count - THROTTLE_FREE);
	delay *= TICKS_S;
	return p->age < delay ? delay - p->age : 0;
}

/* --- an address's word -----------------------------------------------------
 */

struct spans {
	uint64_t now;          /* the number of the present one */
	unsigned count[SPANS]; /* the present one first */
};

static struct spans
spans_read(uint64_t word, int64_t now)
{
	struct spans s = { .now =
			       (uint64_t)(now / CLOCK_S / SPAN_S) & SPAN_MASK };
	uint64_t ago = (s.now - (word >> 28)) & SPAN_MASK;

	if (ago == SPAN_MASK) /* as above */
		ago = 0;
	for (uint64_t i = 0; i + ago < SPANS; i++)
		s.count[i + ago] = (unsigned)(word >> (7 * i)) & SPAN_COUNT_MAX;
	return s;
}

static uint64_t
spans_write(const struct spans *s)
{
	uint64_t word = s->now << 28;

	for (unsigned i = 0; i < SPANS; i++)
		word |= (uint64_t)s->count[i] << (7 * i);
	return word;
}

/* Seconds until less than THROTTLE_ADDRESS are left; 0: now. */
static int64_t
spans_wait(const struct spans *s, int64_t now)
{
	int64_t into = now / CLOCK_S % SPAN_S;
	unsigned sum = 0;

	for (unsigned i = 0; i < SPANS; i++)
		sum += s->count[i];
	for (unsigned i = SPANS; i-- > 0 && sum >= THROTTLE_ADDRESS;) {
		sum -= s->count[i];
		if (sum < THROTTLE_ADDRESS)
			return (int64_t)(SPANS - i) * SPAN_S - into;
	}
	return 0;
}

/* --- the tables ------------------------------------------------------------
 */

/*
 * What all words of a key say together.  There is one; two that fail at once
 * for the first time may make two, and both count.
 */
static struct pair
pair_find(const struct key *k, int64_t now)
{
	struct pair sum = { 0, INT64_MAX };

	for (int i = 0; i < THROTTLE_WAYS; i++) {
		uint64_t word = atomic_load(&k->set[i]);
		struct pair p;

		if (!is_of(word, k, PAIR_TAG))
			continue;
		p = pair_read(word, now);
		sum.count += p.count;
		if (p.age < sum.age)
			sum.age = p.age;
	}
	return sum;
}

static struct spans
spans_find(const struct key *k, int64_t now)
{
	struct spans sum = spans_read(0, now);

	memset(sum.count, 0, sizeof(sum.count));
	for (int i = 0; i < THROTTLE_WAYS; i++) {
		uint64_t word = atomic_load(&k->set[i]);
		struct spans s;

		if (!is_of(word, k, ADDRESS_TAG))
			continue;
		s = spans_read(word, now);
		for (unsigned n = 0; n < SPANS; n++)
			sum.count[n] += s.count[n];
	}
	return sum;
}

/* How long ago the word last changed, in its own unit; a free place is oldest.
 */
static uint64_t
pair_age(uint64_t word, int64_t now)
{
	return word == 0 ? UINT64_MAX : (uint64_t)pair_read(word, now).age;
}

static uint64_t
spans_age(uint64_t word, int64_t now)
{
	uint64_t ago =
	    (((uint64_t)(now / CLOCK_S / SPAN_S)) - (word >> 28)) & SPAN_MASK;

	if (word == 0)
		return UINT64_MAX;
	return ago == SPAN_MASK ? 0 : ago;
}

/*
 * The place of the key: its own, or that of what is oldest.  Of the equally old
 * the one with the fewest failures: who fails once under each of a million
 * names does not push out who has failed a hundred times under one.
 */
static int
place_of(const struct key *k, unsigned bits, int64_t now,
    uint64_t (*age)(uint64_t, int64_t), uint64_t count_mask)
{
	uint64_t oldest = 0, fewest = UINT64_MAX;
	int found = 0;

	for (int i = 0; i < THROTTLE_WAYS; i++) {
		uint64_t word = atomic_load(&k->set[i]), a;

		if (is_of(word, k, bits))
			return i;
		a = age(word, now);
		if (a < oldest ||
		    (a == oldest && (word & count_mask) >= fewest))
			continue;
		oldest = a;
		fewest = word & count_mask;
		found = i;
	}
	return found;
}

static uint64_t
pair_more(uint64_t word, const struct key *k, int64_t now)
{
	struct pair p = { 0, 0 };

	if (is_of(word, k, PAIR_TAG))
		p = pair_read(word, now);
	if (p.count < COUNT_MAX)
		p.count++;
	return k->tag | (uint64_t)p.count << 30 | time_of(now);
}

static uint64_t
spans_more(uint64_t word, const struct key *k, int64_t now)
{
	struct spans s = spans_read(word, now);

	if (!is_of(word, k, ADDRESS_TAG))
		memset(s.count, 0, sizeof(s.count));
	if (s.count[0] < SPAN_COUNT_MAX)
		s.count[0]++;
	return k->tag | spans_write(&s);
}

#define PAIR_COUNTS ((uint64_t)COUNT_MAX << 30)
#define SPANS_COUNTS ((UINT64_C(1) << 28) - 1)

/* How many there are now. */
static unsigned
pair_count(const char *email, const char *address, int64_t now)
{
	struct key k = key_pair(email, address);
	uint64_t word, more;
	int i;

	do {
		i = place_of(&k, PAIR_TAG, now, pair_age, PAIR_COUNTS);
		word = atomic_load(&k.set[i]);
		more = pair_more(word, &k, now);
	} while (!atomic_compare_exchange_strong(&k.set[i], &word, more));
	return pair_read(more, now).count;
}

static unsigned
address_count(const char *address, int64_t now)
{
	struct key k = key_address(address);
	uint64_t word, more;
	struct spans s;
	unsigned sum = 0;
	int i;

	do {
		i = place_of(&k, ADDRESS_TAG, now, spans_age, SPANS_COUNTS);
		word = atomic_load(&k.set[i]);
		more = spans_more(word, &k, now);
	} while (!atomic_compare_exchange_strong(&k.set[i], &word, more));
	s = spans_read(more, now);
	for (unsigned n = 0; n < SPANS; n++)
		sum += s.count[n];
	return sum;
}

/* --- what others ask -------------------------------------------------------
 */

int
throttle_check(
    const char *email, const char *address, int64_t now, int *retry_after_s)
{
	struct key pk = key_pair(email, address), ak = key_address(address);
	struct pair p = pair_find(&pk, now);
	struct spans s = spans_find(&ak, now);
	int64_t ticks = pair_wait(&p), most = spans_wait(&s, now);

	ticks = (ticks + TICKS_S - 1) / TICKS_S;
	if (ticks > most)
		most = ticks;
	*retry_after_s = (int)most;
	return most > 0 ? -1 : 0;
}

int
throttle_failed(const char *email, const char *address, int64_t now)
{
	unsigned of_pair = pair_count(email, address, now);
	unsigned of_address = address_count(address, now);

	if (of_address == THROTTLE_ADDRESS)
		return THROTTLE_ADDRESS;
	return of_pair == THROTTLE_FREE ? THROTTLE_FREE : 0;
}

int
throttle_succeeded(const char *email, const char *address, int64_t now)
{
	struct key k = key_pair(email, address);
	int wait;

	if (throttle_check(email, address, now, &wait) != 0)
		return -1;
	for (int i = 0; i < THROTTLE_WAYS; i++) {
		uint64_t word = atomic_load(&k.set[i]);

		/* A failure that comes in between stays. */
		if (word != 0 && is_of(word, &k, PAIR_TAG))
			atomic_compare_exchange_strong(&k.set[i], &word, 0);
	}
	return 0;
}

unsigned
throttle_tries(const char *name, int64_t now)
{
	struct key k = key_pair(name, "");
	struct pair p;

	pair_count(name, "", now);
	p = pair_find(&k, now);
	return (unsigned)p.count;
}
