/*
 * Where the state of credentials lies: one struct a slot, in memory that all
 * processes share.
 */
#ifndef GATEWAY_HEALTH_PRIV_H
#define GATEWAY_HEALTH_PRIV_H

#include "gateway/breaker_priv.h"
#include "gateway/capacity_priv.h"
#include "gateway/health.h"
#include "shm/procs.h"

#define HEALTH_MODELS 8 /* that a credential may lack at once */

enum health_count {
	COUNT_BEGUN = HEALTH_OUTCOMES,
	COUNT_OPENINGS,
	COUNT_COOLDOWNS,
	COUNT_OUTS,
	COUNT_PROBES,
	COUNT_REFUSED,
	COUNTS
};

/* Of what one host tells others how much it used: requests, all tokens, input
 * tokens; as the first CAPACITIES. */
#define HEALTH_SHARED 3

struct health_slot {
	_Alignas(64) struct breaker breaker;
	_Atomic(int64_t) version; /* of the latest that was heard of it */
	_Alignas(64) struct capacity capacity;
	/* 22 bits of the model's hash, 42 bits of ms until it may be tried. */
	_Alignas(64) _Atomic(uint64_t) models[HEALTH_MODELS];
	_Alignas(64) _Atomic(uint64_t) counts[COUNTS];
	/* Used here and not told yet; used elsewhere, and taken from here. */
	_Atomic(int64_t) used[HEALTH_SHARED], others[HEALTH_SHARED];
	/* Calls under way by process: what a dead one had is set to nothing,
	 * however far it had come. */
	_Alignas(64) _Atomic(uint16_t) inflight[PROCS_MAX];
};

/* NULL: beyond the map, or there is none. */
struct health_slot *health_slot(uint32_t slot);

/* gateway/share.c: in the master; the state of a slot has changed; so much was
 * used of it. */
void share_map(uint32_t max_slots);
void share_changed(uint32_t slot);
void share_used(
    uint32_t slot, struct health_slot *, const int64_t used[CAPACITIES]);

#endif
