/* A connection, and the loop that serves many of them in one thread. */
#ifndef SIMULATE_CALLER_PRIV_H
#define SIMULATE_CALLER_PRIV_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "simulate/wire_priv.h"
#include "util/buf.h"

struct caller {
	int fd;
	struct buf in, out;
	struct buf piece; /* of body, before it is framed */
	size_t sent;      /* of out */
	size_t allow;     /* of out, while dripping */
	uint32_t events;
	bool busy;    /* an answer is being given */
	bool closing; /* when out is sent */
	struct script script;
	int step;    /* -1 head, then chunks, then the end */
	long filler; /* bytes of a huge body still to send */
	bool ended;
	bool broken; /* it ended in an error event */
	int64_t due; /* clock_mono(), while in the heap */
	int heap;    /* place in the loop's heap, -1 none */
};

struct loop {
	void *ctx; /* connections and heap hang below it */
	int ep, listen, stop;
	struct caller **heap;
	int nheap, room;
	pthread_t thread;
};

/* Timers (loop.c). */
void timer_at(struct loop *, struct caller *, int64_t due);
void timer_stop(struct loop *, struct caller *);

/* A new connection; what came on it; it may go on; its timer is due.  The
 * connection may be gone afterwards. */
void caller_open(struct loop *, int fd);
void caller_read(struct loop *, struct caller *);
void caller_go(struct loop *, struct caller *);
void caller_timer(struct loop *, struct caller *);

#endif
