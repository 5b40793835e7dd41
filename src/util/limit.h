/*
 * What the machine allows a process of ours, in request threads: a stream
 * takes up to four descriptors, a thread two mappings.
 */
#ifndef UTIL_LIMIT_H
#define UTIL_LIMIT_H

#include <sys/types.h>

enum {
	LIMIT_NOFILE,
	LIMIT_NPROC,
	LIMIT_CGROUP,
	LIMIT_THREADS_MAX,
	LIMIT_PID_MAX,
	LIMIT_MAPS,
	LIMITS
};

struct limit {
	const char *name;  /* "RLIMIT_NOFILE" */
	long long value;   /* LLONG_MAX: none */
	long long threads; /* a worker can have; LLONG_MAX: any number */
};

/*
 * The limits of process ${pid} for ${workers} processes with threads.  0: this
 * one, where ${hard} counts its hard limits, which the server raises its soft
 * ones to.  A limit that cannot be read is none.
 */
void limit_read(
    pid_t pid, int hard, unsigned workers, struct limit out[LIMITS]);

#endif
