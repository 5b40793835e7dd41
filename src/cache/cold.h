/*
 * How many look-ups of configuration may ask the database at once in one
 * process: what nobody has cached must not take the connections from what
 * turns need to read.
 */
#ifndef CACHE_COLD_H
#define CACHE_COLD_H

#include <stdbool.h>
#include <stdint.h>

#include "util/err.h"

struct cold;

/* ${most} at once (at least 1); who waits longer than ${wait_ms} is turned
 * away. */
struct cold *cold_new(unsigned most, int wait_ms);
void cold_free(struct cold *);

/* 0: go, and cold_leave() afterwards; -1 with ERR_UNAVAILABLE.  Any thread. */
int cold_enter(struct cold *, int64_t deadline, struct err *e);
void cold_leave(struct cold *);

#endif
