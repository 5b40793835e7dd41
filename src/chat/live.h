/*
 * Turns that run now, in shared memory: a few places for each worker slot.  DELETE
 * of a turn finds it here on any worker, sets its flag and wakes the worker.
 */
#ifndef CHAT_LIVE_H
#define CHAT_LIVE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "util/id.h"

struct net_wait;

/* In the master, before the fork: ${per_worker} places for each process. */
void live_map(unsigned workers, unsigned per_worker);

struct live {
	_Atomic(int) state; /* 0 free, 1 being filled, 2 runs */
	struct uuid turn, account;
	struct uuid session;
	_Atomic(bool) cancel;
};

/* Take a place for a turn of this process; NULL when all are taken. */
struct live *live_enter(const struct uuid *turn, const struct uuid *account,
    const struct uuid *session);
void live_leave(struct live *);
/* The wait of this thread's running call, so that a wake reaches it. */
struct net_wait **live_wait(struct live *);

/* Is the turn running on this host?  Its session, when asked. */
bool live_find(const struct uuid *turn, const struct uuid *account,
    struct uuid *session);
/* Ask it to stop; false: not running here. */
bool live_cancel(const struct uuid *turn, const struct uuid *account);
/* This process was woken: wake the calls whose flag is set. */
void live_wake_cancelled(void);
/* Master: process ${slot} died; free its places.  Calls back with each turn
 * that was running. */
void live_reap(unsigned slot,
    void (*lost)(void *arg, const struct uuid *turn,
	const struct uuid *account),
    void *arg);

#endif
