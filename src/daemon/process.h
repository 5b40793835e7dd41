/*
 * What every process below the master is: forked, sealed, told what to do by
 * signals that its first thread waits for, and gone when its master is.
 */
#ifndef DAEMON_PROCESS_H
#define DAEMON_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "shm/procs.h"

struct conf;
struct sockets;

/* What the master hands down through the fork. */
struct process {
	enum proc_kind kind;
	unsigned index; /* of its kind, from 1 */
	unsigned slot;  /* its row in shm/procs.h and everywhere else */
	unsigned generation;
	unsigned threads; /* ceiling, after the machine's limits */
	const struct conf *conf;
	struct sockets *sockets;
	pid_t master;
	int alive_fd; /* read end of a pipe that the master alone writes: at
	                 end of file it is gone */
	int tell_fd;  /* eventfd: write when ready */
	int signal_fd;
};

enum order {
	ORDER_NONE,   /* the time is over */
	ORDER_WAKE,   /* shm/procs.h: procs_wake() */
	ORDER_LEAVE,  /* SIGUSR2: take nothing new, end when all is done */
	ORDER_STOP,   /* SIGTERM: drain and end */
	ORDER_ORPHAN, /* the master is gone: end within two seconds */
};

/*
 * In the child: title, log, row, signals, parent-death signal; closes what is
 * not its own.  ${keep}: the socket it serves, -1 none.
 */
void process_begin(struct process *, int keep);
/* Tell the master that this one serves. */
void process_ready(struct process *);
/* The next order; ORDER_NONE after ${timeout_ms}.  SIGUSR1 (logs) is handled
 * here.  The first thread only. */
enum order process_wait(struct process *, int timeout_ms);
/* From ORDER_ORPHAN on: whatever hangs, the kernel ends us ${seconds} later. */
void process_fuse(unsigned seconds);
/* Is anybody else of this kind ready and not leaving? */
bool process_others_ready(const struct process *);
/* Have all ready, staying processes of this kind been full for 20 ms? */
bool process_all_full(enum proc_kind);

#endif
