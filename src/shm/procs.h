/*
 * The table of server processes: one row a worker slot.  What a worker must
 * give back when it dies lies in its row and is cleared by the master as it
 * reaps it.
 */
#ifndef SHM_PROCS_H
#define SHM_PROCS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/id.h"

#define PROCS_MAX 256

enum proc_kind { PROC_NONE, PROC_CHAT, PROC_ADMIN, PROC_JOB, PROC_LISTENER };

struct proc {
	_Atomic(pid_t) pid;           /* 0: free */
	_Atomic(int) kind;            /* enum proc_kind */
	_Atomic(unsigned) generation; /* of the configuration it serves */
	_Atomic(bool) ready;          /* serves */
	_Atomic(bool) leaving;        /* drains; takes nothing new */
	_Atomic(unsigned) threads, busy;
	_Atomic(int64_t) full_since; /* clock_mono() when it reached the
	                                ceiling, 0 below it */
	_Atomic(uint64_t) changes;   /* the last it saw (shm/change.h) */
	struct uuid id;              /* the workers row: new at each start */
	int wake_fd; /* eventfd made by the master: look at your live turns */
};

/* In the master, before the fork; makes the eventfds. */
void procs_map(void);
struct proc *procs_row(unsigned slot);
/* The row of this process; NULL in the master and in the CLI. */
struct proc *procs_self(void);
unsigned procs_self_slot(void);
void procs_set_self(unsigned slot); /* after the fork */
/* Write to the row's eventfd. */
void procs_wake(unsigned slot);
const char *procs_kind_name(enum proc_kind);

#endif
