/*
 * The wait: one epoll set a process holds the listening socket, the idle kept
 * connections and a stop descriptor; free threads wait in it, so that an idle
 * connection holds no thread.  Threads are made on demand up to a ceiling; a
 * reserve thread refuses what waits when every process is at its ceiling.
 *
 * A kept connection is never closed first by us, but by pool_drain(): the web
 * server may be writing a request to it.
 */
#ifndef DAEMON_POOL_H
#define DAEMON_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/err.h"

struct pool;
struct proc;

struct pool_opts {
	int listen_fd;    /* non-blocking; shared by the processes of a kind */
	const int *hand;  /* conns.h: two, shared as well; NULL: none */
	unsigned threads; /* ceiling */
	unsigned spare;   /* free threads kept waiting */
	int idle_ms;      /* a free thread beyond those ends after this */
	size_t stack;

	/*
	 * Serve one request from ${fd}, which is readable; returns the
	 * descriptor to be waited on again, or -1 when it was closed.  shed
	 * does the same with a refusal.  ${state} is the thread's own.
	 */
	int (*serve)(void *arg, void *state, int fd);
	int (*shed)(void *arg, void *state, int fd);
	void *(*state_new)(void *arg);
	void (*state_free)(void *arg, void *state);
	/* Prepare an accepted connection. */
	void (*accepted)(void *arg, int fd);
	/* Is every process of this kind at its ceiling?  Asked by the reserve
	 * thread, and only while this one is. */
	bool (*all_full)(void *arg);
	void *arg;

	struct proc *row; /* threads, busy and full_since are kept up there */
};

/* Start the spare threads and the reserve; takes nothing yet.  NULL with e
 * (ERR_UNAVAILABLE) when not even one thread can be had. */
struct pool *pool_new(const struct pool_opts *, struct err *e);
/* Take new connections from now on. */
void pool_listen(struct pool *);
/* Take no new ones; what is connected goes on.  May be called again. */
void pool_leave(struct pool *);
/* Connections that are open, idle or busy. */
unsigned pool_connections(const struct pool *);
/*
 * Leave, close what is idle (what has sent a request is still served) and wait
 * until nothing runs.  0, or -1 when ${deadline} came first; may be called
 * again with a later one.
 */
int pool_drain(struct pool *, int64_t deadline);
/* End the threads; 0, or -1 when some still serve at ${deadline}: then the
 * pool's memory stays and the process must end by _exit(). */
int pool_free(struct pool *, int64_t deadline);

#endif
