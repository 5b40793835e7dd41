/*
 * The connections of a process and the one epoll set they wait in: listening
 * socket (EPOLLEXCLUSIVE, so that one connection wakes one process), idle kept
 * connections (EPOLLONESHOT, so that one request wakes one thread), and a stop
 * descriptor.  Any thread may call anything.
 *
 * A kept connection belongs to one process, which may have no thread for its
 * next request while others have.  It can be handed over, unread, through a
 * pair of sockets that the processes share; who receives from it has accepted a
 * connection.
 */
#ifndef DAEMON_CONNS_H
#define DAEMON_CONNS_H

#include <stdint.h>

struct conns;

/* ${accepted}(arg, fd) prepares each accepted connection.  ${hand}: the shared
 * pair, [0] to receive from; NULL: none.  NULL when there are no descriptors or
 * memory for it. */
struct conns *conns_new(int listen_fd, const int *hand,
    void (*accepted)(void *arg, int fd), void *arg);
void conns_free(struct conns *);

enum {
	CONNS_TIMEOUT = -1,
	CONNS_STOP = -2,  /* conns_stop() was called */
	CONNS_AGAIN = -3, /* something happened, but nothing to serve */
	CONNS_REST = -4,  /* no descriptors: accepting rests, see conns_tend */
};

/* Wait for a connection with a request: its descriptor, the caller's until
 * conns_return() or conns_gone(); or one of the above. */
int conns_next(struct conns *, int timeout_ms);
/* The same at once, without accepting: only from kept connections. */
int conns_next_kept(struct conns *);
/* Let ${fd} wait again.  -1, or ${fd} in a drain when its next request is
 * there already: then the caller serves that too. */
int conns_return(struct conns *, int fd);
/* Hand ${fd}, from conns_next(), to another process that has joined.  0, or -1:
 * it is still the caller's. */
int conns_hand_over(struct conns *, int fd);
/* A descriptor from conns_next() has been closed. */
void conns_gone(struct conns *);

/* Take new connections from now on. */
void conns_join(struct conns *);
/* Take no more.  ${owed}: how many wake-ups this process may have had without
 * having accepted; so many are still fetched. */
void conns_leave(struct conns *, unsigned owed);
/*
 * Fetch up to ${most} connections that may wait without anybody knowing: a
 * wake-up goes to one process, and when that one dies before it accepts nobody
 * else is told.  Only while joined.
 */
void conns_fetch(struct conns *, unsigned most);
/* Accept again when the rest is over; when to call next (0: never). */
int64_t conns_tend(struct conns *);
/* From now on returned connections are closed; close the idle ones that have
 * sent nothing.  To be called until none is left. */
void conns_drain(struct conns *);
/* Every conns_next() returns CONNS_STOP from now on. */
void conns_stop(struct conns *);
/* How many are open. */
unsigned conns_count(const struct conns *);

#endif
