/* The states of a breaker and what moves it from one to the next. */
#include "gateway/breaker_priv.h"

#include "util/clock.h"

#include "util/banned.h"

/* The word, from its lowest bit: 2 state, 4 reason, 5 failures, 4 power, 7
 * generation, 42 ms of clock_mono() (139 years). */
#define REASON_AT 2
#define FAILURES_AT 6
#define POWER_AT 11
#define GEN_AT 15
#define UNTIL_AT 22
#define FAILURES_MAX 31U
#define POWER_MAX 15U
#define GENS 128U
#define MS_MAX ((INT64_C(1) << 42) - 1)

/* The probe's: 8 process, 14 place, 42 ms.  The cool-down's: 5 power, 42 ms. */
#define PLACE_AT 8
#define PLACE_MASK 0x3fffU
#define COOL_POWER_MAX 31U
#define COOL_UNTIL_AT 5

#define RETRY_JITTER_MS 250

/* Ends are rounded up, the present down: nothing ends too early. */
static int64_t
ms(int64_t ns)
{
	return ns / CLOCK_MS;
}

static int64_t
ms_end(int64_t now, int64_t pause)
{
	int64_t at = (now + CLOCK_MS - 1) / CLOCK_MS + pause;

	return at < MS_MAX ? at : MS_MAX;
}

struct breaker_bits
breaker_unpack(uint64_t w)
{
	return (struct breaker_bits){ .state = (unsigned)(w & 3),
		.reason = (unsigned)(w >> REASON_AT & 15),
		.failures = (unsigned)(w >> FAILURES_AT & FAILURES_MAX),
		.power = (unsigned)(w >> POWER_AT & POWER_MAX),
		.gen = (unsigned)(w >> GEN_AT & (GENS - 1)),
		.until = (int64_t)(w >> UNTIL_AT) };
}

uint64_t
breaker_pack(const struct breaker_bits *b)
{
	return (uint64_t)b->state | (uint64_t)b->reason << REASON_AT |
	       (uint64_t)b->failures << FAILURES_AT |
	       (uint64_t)b->power << POWER_AT | (uint64_t)b->gen << GEN_AT |
	       (uint64_t)b->until << UNTIL_AT;
}

struct breaker_bits
breaker_read(const struct breaker *b)
{
	return breaker_unpack(atomic_load(&b->word));
}

/* The least pause, doubled ${power} times, at most ${most}. */
static int64_t
pause_ms(int least, int most, unsigned power)
{
	int64_t p = (int64_t)least << power;

	return p < most ? p : most;
}

/* Somewhere in 0..n-1, another at each call: callers that were refused together
 * do not come back together. */
static int64_t
jitter(const void *who, int64_t now, int64_t n)
{
	uint64_t x = (uint64_t)now ^ (uint64_t)(uintptr_t)who;

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return (int64_t)((x ^ x >> 31) % (uint64_t)(n > 0 ? n : 1));
}

/* --- looking -------------------------------------------------------------- */

static bool
due(const struct breaker_bits *w, int64_t now)
{
	return w->until != 0 && w->until <= ms(now);
}

static int64_t
cool_until(uint64_t cool)
{
	return (int64_t)(cool >> COOL_UNTIL_AT);
}

static int64_t
lease_until(uint64_t probe)
{
	return (int64_t)(probe >> UNTIL_AT);
}

static bool
cooling(uint64_t cool, int64_t now)
{
	return cool_until(cool) > ms(now);
}

void
breaker_look(const struct breaker *b, int64_t now, struct health_view *v)
{
	struct breaker_bits w = breaker_read(b);
	uint64_t cool = atomic_load(&b->cool);
	bool cold = cooling(cool, now);

	v->failures = (int)w.failures;
	v->reason = (enum health_reason)w.reason;
	v->since = atomic_load(&b->since) * CLOCK_MS;
	v->until = w.until * CLOCK_MS;
	v->probe_due = false;
	if (w.state != BREAKER_CLOSED && !due(&w, now)) {
		v->state = w.state == BREAKER_OUT ? HEALTH_OUT : HEALTH_OPEN;
	} else if (cold) {
		v->state = HEALTH_COOLING;
		v->reason = HEALTH_WHY_LIMITED;
		v->since = atomic_load(&b->cool_since) * CLOCK_MS;
		v->until = cool_until(cool) * CLOCK_MS;
	} else if (w.state != BREAKER_CLOSED) {
		int64_t lease = lease_until(atomic_load(&b->probe));

		v->state = HEALTH_HALF_OPEN;
		v->probe_due = lease <= ms(now);
		v->until = v->probe_due ? 0 : lease * CLOCK_MS;
	} else {
		v->state = HEALTH_CLOSED;
		v->reason = HEALTH_WHY_NONE;
		v->until = 0;
	}
}

uint64_t
breaker_stamp(const struct breaker *b)
{
	return (uint64_t)breaker_read(b).gen ^ atomic_load(&b->cool) << 7;
}

/* --- asking --------------------------------------------------------------- */

static bool
probe_take(struct breaker *b, int64_t now, const struct health_params *p,
    unsigned process, unsigned place, uint64_t *lease)
{
	uint64_t held = atomic_load(&b->probe);

	*lease = (uint64_t)(process & 0xff) |
	         (uint64_t)(place & PLACE_MASK) << PLACE_AT |
	         (uint64_t)ms_end(now, p->probe_ms) << UNTIL_AT;
	return lease_until(held) <= ms(now) &&
	       atomic_compare_exchange_strong(&b->probe, &held, *lease);
}

enum breaker_may
breaker_begin(struct breaker *b, int64_t now, const struct health_params *p,
    unsigned process, unsigned place, unsigned *gen, uint64_t *lease)
{
	uint64_t word = atomic_load(&b->word);
	struct breaker_bits w = breaker_unpack(word);

	*gen = w.gen;
	*lease = 0;
	if (cooling(atomic_load(&b->cool), now))
		return BREAKER_NO;
	if (w.state == BREAKER_CLOSED)
		return BREAKER_YES;
	if (!due(&w, now) || !probe_take(b, now, p, process, place, lease))
		return BREAKER_NO;
	/* Another probe may have ended between the look and the lease. */
	if (atomic_load(&b->word) == word)
		return BREAKER_PROBE;
	breaker_probe_free(b, *lease);
	*lease = 0;
	return BREAKER_NO;
}

void
breaker_probe_free(struct breaker *b, uint64_t lease)
{
	if (lease != 0)
		atomic_compare_exchange_strong(&b->probe, &lease, 0);
}

void
breaker_probe_reap(struct breaker *b, unsigned process)
{
	uint64_t held = atomic_load(&b->probe);

	if (held != 0 && (held & 0xff) == (process & 0xff))
		atomic_compare_exchange_strong(&b->probe, &held, 0);
}

/* --- results -------------------------------------------------------------- */

/* Publish ${next} in place of ${*seen}; a change of state is a new
 * generation. */
static bool
publish(struct breaker *b, uint64_t *seen, struct breaker_bits next, bool moved,
    int64_t now)
{
	unsigned was = breaker_unpack(*seen).state;

	if (moved)
		next.gen = (next.gen + 1) % GENS;
	if (!atomic_compare_exchange_weak(&b->word, seen, breaker_pack(&next)))
		return false;
	if (next.state != was)
		atomic_store(&b->since, ms(now));
	return true;
}

void
breaker_passed(struct breaker *b, unsigned gen, int64_t begun, int64_t now)
{
	uint64_t seen = atomic_load(&b->word), cool = atomic_load(&b->cool);
	struct breaker_bits w;
	bool open;

	do {
		w = breaker_unpack(seen);
		open = w.state != BREAKER_CLOSED;
		if (w.gen != gen || (!open && w.failures == 0))
			break;
		w = (struct breaker_bits){ .gen = w.gen };
	} while (!publish(b, &seen, w, open, now));
	/* One that was sent before a 429 says nothing of the time after. */
	if (cool != 0 && cool_until(cool) <= ms(begun))
		atomic_compare_exchange_strong(&b->cool, &cool, 0);
}

bool
breaker_failed(
    struct breaker *b, unsigned gen, int64_t now, const struct health_params *p)
{
	uint64_t seen = atomic_load(&b->word);
	struct breaker_bits w;
	bool moved, opened;

	do {
		w = breaker_unpack(seen);
		opened = false;
		if (w.gen != gen)
			return false;
		if (w.failures < FAILURES_MAX)
			w.failures++;
		moved = w.state != BREAKER_CLOSED; /* a failed probe */
		if (w.state == BREAKER_OPEN) {
			if (w.power < POWER_MAX)
				w.power++;
			w.until = ms_end(
			    now, pause_ms(p->open_ms, p->open_max_ms, w.power));
		} else if (w.state == BREAKER_OUT) {
			/* It could not tell whether the key is good now. */
			w.until = ms_end(
			    now, pause_ms(p->out_ms, p->out_max_ms, w.power));
		} else if (w.failures >= (unsigned)p->failures) {
			moved = opened = true;
			w.state = BREAKER_OPEN;
			w.reason = HEALTH_WHY_FAILURES;
			w.power = 0;
			w.until = ms_end(now, p->open_ms);
		}
	} while (!publish(b, &seen, w, moved, now));
	return opened;
}

bool
breaker_refused(struct breaker *b, unsigned gen, enum health_reason reason,
    int64_t retry_after_ms, int64_t now, const struct health_params *p)
{
	uint64_t seen = atomic_load(&b->word);
	struct breaker_bits w;
	int64_t pause;
	bool again;

	do {
		w = breaker_unpack(seen);
		again = w.state == BREAKER_OUT;
		/* Of an older generation it still counts where the breaker
		 * has only opened since; not where it has recovered. */
		if (w.gen != gen && (w.state != BREAKER_OPEN ||
					w.reason == HEALTH_WHY_OPERATOR))
			return false;
		if (!again)
			w.power = 0;
		else if (w.power < POWER_MAX)
			w.power++;
		pause = pause_ms(p->out_ms, p->out_max_ms, w.power);
		if (retry_after_ms > pause)
			pause = retry_after_ms < p->out_max_ms ? retry_after_ms
			                                       : p->out_max_ms;
		w.state = BREAKER_OUT;
		w.reason = reason;
		w.until = ms_end(now, pause);
	} while (!publish(b, &seen, w, true, now));
	return !again;
}

bool
breaker_limited(struct breaker *b, int64_t retry_after_ms, int64_t now,
    const struct health_params *p)
{
	uint64_t seen = atomic_load(&b->cool), next;
	int64_t until, pause;
	unsigned power;
	bool cold;

	do {
		power = (unsigned)(seen & COOL_POWER_MAX);
		cold = cooling(seen, now);
		/* Many 429s of one moment are one: they double nothing. */
		pause = pause_ms(p->cool_ms, p->cool_max_ms, power);
		pause -= jitter(b, now, pause / 4);
		if (retry_after_ms > 0)
			pause = (retry_after_ms < p->retry_max_ms
					? retry_after_ms
					: p->retry_max_ms) +
			        jitter(b, now, RETRY_JITTER_MS);
		else if (cold)
			return false;
		until = ms_end(now, pause);
		if (cold && until <= cool_until(seen))
			return false;
		if (!cold && power < COOL_POWER_MAX)
			power++;
		next = power | (uint64_t)until << COOL_UNTIL_AT;
	} while (!atomic_compare_exchange_weak(&b->cool, &seen, next));
	if (!cold)
		atomic_store(&b->cool_since, ms(now));
	return !cold;
}

void
breaker_order(struct breaker *b, enum health_order order, int64_t now)
{
	uint64_t seen = atomic_load(&b->word);
	struct breaker_bits w;

	do {
		w = (struct breaker_bits){ .gen = breaker_unpack(seen).gen };
		w.reason = HEALTH_WHY_OPERATOR;
		if (order == HEALTH_OPEN_IT)
			w.state = BREAKER_OPEN;
	} while (!publish(b, &seen, w, true, now));
	atomic_store(&b->probe, 0);
	if (order != HEALTH_OPEN_IT)
		atomic_store(&b->cool, 0);
}

/* --- what others say ------------------------------------------------------ */

void
breaker_cool_read(const struct breaker *b, int64_t *until, unsigned *power)
{
	uint64_t cool = atomic_load(&b->cool);

	*until = cool_until(cool);
	*power = (unsigned)(cool & COOL_POWER_MAX);
}

static void
cool_adopt(struct breaker *b, int64_t until, unsigned power)
{
	uint64_t seen = atomic_load(&b->cool), next;

	if (until > MS_MAX)
		until = MS_MAX;
	next = (uint64_t)until << COOL_UNTIL_AT | (power & COOL_POWER_MAX);
	while (until > cool_until(seen) &&
	       !atomic_compare_exchange_weak(&b->cool, &seen, next))
		continue;
}

static bool
is_news(const struct breaker *b, const struct breaker_bits *was,
    const struct breaker_news *n)
{
	const struct breaker_bits *w = &n->bits;

	if (was->state != BREAKER_CLOSED &&
	    was->reason == HEALTH_WHY_OPERATOR &&
	    w->reason != HEALTH_WHY_OPERATOR)
		return false;
	if (w->state != was->state)
		return n->since > atomic_load(&b->since);
	/* Of two that are closed each counts its own failures. */
	return w->state != BREAKER_CLOSED && w->until > was->until;
}

void
breaker_adopt(struct breaker *b, const struct breaker_news *n, int64_t now)
{
	uint64_t seen = atomic_load(&b->word);
	struct breaker_bits w, was;
	bool news;

	do {
		was = breaker_unpack(seen);
		news = is_news(b, &was, n);
		if (!news)
			break;
		w = n->bits;
		w.failures &= FAILURES_MAX;
		w.power &= POWER_MAX;
		w.gen = was.gen;
		if (w.until > MS_MAX)
			w.until = MS_MAX;
		/* A pause that has no end is an operator's. */
		if (w.state != BREAKER_CLOSED && w.until == 0 &&
		    w.reason != HEALTH_WHY_OPERATOR)
			w.until = ms_end(now, 0);
	} while (!publish(b, &seen, w, true, now));
	if (news && n->bits.state != was.state)
		atomic_store(&b->since, n->since);
	cool_adopt(b, n->cool_until, n->cool_power);
}
