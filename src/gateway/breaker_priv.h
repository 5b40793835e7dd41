/*
 * A credential's breaker: closed, open or out, in one word; who probes in a
 * second, the cool-down of 429s in a third.  Each changes by compare-and-swap
 * alone, so a process that dies leaves one state or the next.
 *
 * Half-open is no state of its own but an open one whose pause is over; the
 * probe's word is a lease, which ends by the clock whatever happens to its
 * holder.
 *
 * Every change of state gives the word a new generation.  A call remembers the
 * one it was begun in, and a result of an older one changes nothing: what was
 * sent before the breaker opened says nothing of the time after.
 */
#ifndef GATEWAY_BREAKER_PRIV_H
#define GATEWAY_BREAKER_PRIV_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "gateway/health.h"

enum { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_OUT };

/* The word, taken apart. */
struct breaker_bits {
	unsigned state;
	unsigned reason;   /* of one that is closed: OPERATOR, who closed it */
	unsigned failures; /* in a row */
	unsigned power;    /* how often the pause was doubled */
	unsigned gen;
	int64_t until; /* ms; 0: no end (by an operator) */
};

struct breaker {
	_Atomic(uint64_t) word, probe, cool;
	_Atomic(int64_t) since, cool_since; /* ms, for readers only */
};

struct breaker_bits breaker_read(const struct breaker *);
uint64_t breaker_pack(const struct breaker_bits *);
struct breaker_bits breaker_unpack(uint64_t word);

/* Fills state, reason, failures, since, until and probe_due. */
void breaker_look(const struct breaker *, int64_t now, struct health_view *);

/* Moves with each change of state, and each cool-down. */
uint64_t breaker_stamp(const struct breaker *);

enum breaker_may { BREAKER_NO, BREAKER_YES, BREAKER_PROBE };
/*
 * May a call begin?  *gen is the generation it begins in.  BREAKER_PROBE: it
 * holds the lease *lease, in the name of (process, place).
 */
enum breaker_may breaker_begin(struct breaker *, int64_t now,
    const struct health_params *, unsigned process, unsigned place,
    unsigned *gen, uint64_t *lease);
/* The probe has ended, whatever it found. */
void breaker_probe_free(struct breaker *, uint64_t lease);
/* The process is dead: its probe, if it has one here, is nobody's. */
void breaker_probe_reap(struct breaker *, unsigned process);

/* The results of a call of generation ${gen} begun at ${begun}.  Those that
 * return bool: this one opened it, or took it out; or, of breaker_limited, the
 * cool-down began with this one. */
void breaker_passed(struct breaker *, unsigned gen, int64_t begun, int64_t now);
bool breaker_failed(
    struct breaker *, unsigned gen, int64_t now, const struct health_params *);
bool breaker_refused(struct breaker *, unsigned gen, enum health_reason,
    int64_t retry_after_ms, int64_t now, const struct health_params *);
bool breaker_limited(struct breaker *, int64_t retry_after_ms, int64_t now,
    const struct health_params *);

/* ms of the end of the last cool-down, and how often its pause was doubled. */
void breaker_cool_read(const struct breaker *, int64_t *until, unsigned *power);

/* What another host, or this one before a restart, found; times in ms of our
 * clock. */
struct breaker_news {
	struct breaker_bits bits;
	int64_t since, cool_until;
	unsigned cool_power;
};
/*
 * Take it over where its state began later than ours, or where the state is the
 * same and its pause ends later.  What an operator has opened, only an
 * operator's news closes; of two cool-downs the longer one holds.
 */
void breaker_adopt(struct breaker *, const struct breaker_news *, int64_t now);

void breaker_order(struct breaker *, enum health_order, int64_t now);

#endif
