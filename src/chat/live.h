/*
 * Turns that run now, in shared memory: a few places for each worker slot.
 * DELETE of a turn finds it here on any worker, leaves a request in its place
 * and wakes the worker, which sets the turn's flag itself: so a request that
 * comes too late never hits the next turn of the place.
 */
#ifndef CHAT_LIVE_H
#define CHAT_LIVE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "shm/bell.h"
#include "util/id.h"

struct net_wait;

#define LIVE_DOING 32 /* room for a step's or tool's name, cut; by words */

/* In the master, before the fork: ${per_worker} places for each process. */
void live_map(unsigned workers, unsigned per_worker);

struct live {
	_Alignas(8) struct uuid turn, account, session; /* written once */
	struct uuid owner;       /* whose session it is of (auth/key.h), who may
	                            read and stop it; nil: API callers */
	struct uuid key;         /* of its Idempotency-Key's hash; nil: none */
	struct bell said;        /* rings when there is more to read, and at
	                            its end */
	_Atomic(int64_t) heard;  /* clock_mono() when somebody last followed */
	_Atomic(uint64_t) asked; /* the last half of the turn to be stopped */
	_Atomic(int) state;      /* 0 free, 1 being filled, 2 runs */
	_Atomic(bool) cancel;
	/* How far it is: see struct live_progress. */
	_Alignas(8) struct uuid credential;
	_Atomic(uint64_t) doing[LIVE_DOING / 8];
	_Atomic(unsigned) attempts, characters;
};

/* What a running turn is about. */
struct live_progress {
	char doing[LIVE_DOING]; /* "model", a tool's name, "" */
	unsigned attempts;      /* calls of a provider so far */
	unsigned characters;    /* said so far */
	struct uuid credential; /* asked last; nil: none of the account's */
};

/* Take a place for a turn of this process; NULL when all are taken.  Set its
 * owner with live_owner() before anybody is told of the turn. */
struct live *live_enter(const struct uuid *turn, const struct uuid *account,
    const struct uuid *session);
void live_leave(struct live *); /* NULL does nothing */
/* It was entered before its session was known. */
void live_session(struct live *, const struct uuid *session);
/* The wait of this thread's running call, so that a wake reaches it. */
struct net_wait **live_wait(struct live *);

void live_owner(struct live *, const struct uuid *owner);
void live_key(struct live *, const struct uuid *key);
/* The turn that was claimed under this key and runs on this host. */
bool live_find_key(
    const struct uuid *key, const struct uuid *account, struct uuid *turn);
/* Does it run on this host, whosever it is? */
bool live_runs(const struct uuid *turn);

/*
 * Following a turn that runs on this host, whatever its process.  Whoever
 * follows keeps it from being cancelled for want of a reader, as long as
 * live_follow_runs() is called at least twice a second.
 */
struct follow {
	struct live *place;
	struct uuid turn;
	unsigned heard;
};
/* False: it does not run here. */
bool live_follow(const struct uuid *turn, struct follow *);
/* Does it still?  To be asked before its events are read: what they hold then
 * is all when it does not. */
bool live_follow_runs(struct follow *);
/* Sleep until there is more than live_follow_runs() knew of, or ${ms}. */
void live_follow_wait(struct follow *, int ms);
/* The turn's own: there is more to read. */
void live_said(struct live *);
/* When somebody last followed it, clock_mono(); 0 never. */
int64_t live_heard(const struct live *);

/* The turn's own, NULL does nothing: what it does now; another call goes out,
 * by this credential (NULL: none); so many characters more were said. */
void live_doing(struct live *, const char *what);
void live_asking(struct live *, const struct uuid *credential);
void live_spoke(struct live *, unsigned characters);
/* How far is it, whosever it is?  False: it does not run on this host. */
bool live_progress(const struct uuid *turn, struct live_progress *);

/* Is the turn running on this host?  Its session, when asked. */
bool live_find(
    const struct uuid *turn, const struct uuid *account, struct uuid *session);
/* Is it this owner's, and runs? */
bool live_of_owner(const struct uuid *turn, const struct uuid *account,
    const struct uuid *owner);
/* Ask it to stop; false: not running here. */
bool live_cancel(const struct uuid *turn, const struct uuid *account);

/* Once in a worker: what wakes a call that waits (net_wake). */
void live_waker(void (*wake)(struct net_wait *));
/* This process was woken: stop the turns that were asked to, and wake their
 * calls. */
void live_wake_cancelled(void);
/* Stop all turns of this process (it drains and its time is up). */
void live_cancel_all(void);

/* Master: process ${slot} died; free its places.  Calls back with each turn
 * that was running. */
void live_reap(unsigned slot,
    void (*lost)(
	void *arg, const struct uuid *turn, const struct uuid *account),
    void *arg);

#endif
