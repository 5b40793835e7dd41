/*
 * The second thread of a process that serves requests: it may wait for the
 * database, so that the first one never does.
 */
#ifndef DAEMON_KEEPER_H
#define DAEMON_KEEPER_H

#include <stdbool.h>
#include <stdint.h>

struct keeper;
struct parts;

/* Opens the parts as soon as the database allows, then keeps prices and gauges
 * up to date.  Wakes the process (procs_wake) when they are open. */
struct keeper *keeper_new(struct parts *);
/* The schema is one this program does not know: the process must end. */
bool keeper_hopeless(const struct keeper *);
/* An attempt to reach the database has failed, and none has succeeded yet. */
bool keeper_away(const struct keeper *);
/* 0, or -1 when it still waits for the database at ${deadline}: then it goes
 * on, and the process must end by _exit(). */
int keeper_free(struct keeper *, int64_t deadline);

#endif
