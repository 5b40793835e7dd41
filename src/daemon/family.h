/*
 * The master's children: generations of processes, one generation a reading of
 * the configuration; each has seats that are kept taken.  The master only, one
 * thread.
 */
#ifndef DAEMON_FAMILY_H
#define DAEMON_FAMILY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "shm/procs.h"

struct conf;
struct sockets;

struct seat {
	enum proc_kind kind;
	unsigned index; /* from 1 */
	unsigned slot;  /* of who sits there; 0 nobody */
	int64_t due;    /* not before */
	unsigned pause_ms;
};

#define SEATS (64 + 16 + 16 + 1)

struct generation {
	unsigned number;
	const struct conf *conf;
	unsigned chat_threads, admin_threads;
	struct seat seat[SEATS];
	unsigned nseats, members;
	bool failed; /* one died before all were ready */
	bool own_conf;
	bool released; /* to be freed with its last member */
	int64_t began;
};

struct family;

/* Maps nothing; ${tell_fd} is what the children write to when ready, ${alive}
 * the pipe whose write end is the master's alone. */
struct family *family_new(
    struct sockets *, int signal_fd, int tell_fd, const int alive[2]);

/* With ${own} the generation frees ${conf} at its end (talloc). */
struct generation *family_generation(
    unsigned number, const struct conf *conf, bool own);
/* Start who is missing and due.  When to call next; 0: never. */
int64_t family_fill(struct family *, struct generation *);
bool family_ready(const struct generation *);
/* Its processes take nothing new and end when they are done; the generation is
 * freed with the last of them. */
void family_leave(struct family *, struct generation *);
/* Its processes drain and end: ${limit_ms} until they are killed. */
void family_stop(struct family *, struct generation *, int64_t limit_ms);
/* With nobody left of it (NULL does nothing). */
void family_forget(struct generation *);
/* All processes, whatever their generation. */
void family_stop_all(struct family *, int64_t extra_ms);
void family_signal_all(struct family *, int sig);
unsigned family_count(const struct family *);
/* Take leave of the dead. */
void family_reap(struct family *);
/* Kill who has outlived its limit.  When to call next; 0: never. */
int64_t family_limits(struct family *);

#endif
