/* What floor and proxy are made of: pre-forked processes of plain libfcgi
 * threads that accept for themselves. */
#ifndef BENCH_PREFORK_H
#define BENCH_PREFORK_H

#include <stdint.h>

/*
 * Listen on ${path} and let ${serve}(&listener) run in ${threads} threads of
 * each of ${processes}; it does not return while it can accept.  Ends with the
 * last process: the exit status.
 */
int prefork(const char *path, int64_t processes, int64_t threads,
    void *(*serve)(void *listener));

#endif
