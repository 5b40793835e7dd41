/*
 * Work whose time must not show in an answer, nor in the one after it on the
 * same connection: whether a mail is written depends on whether there is
 * somebody.  One thread of the process does it, a chance-long moment later, in
 * the order it was given.
 */
#ifndef API_LATER_H
#define API_LATER_H

#include <jansson.h>
#include <stdint.h>

#include "util/err.h"

#define LATER_MAX 4096 /* pieces of work that may wait */

struct later;
struct app;

/* One piece; memory below ${ctx} is freed after it, ${deadline} as clock_mono()
 * says. */
typedef void later_work(
    struct app *, const json_t *what, int64_t deadline, const void *ctx);

struct later *later_new(struct app *);
/* Take ${what} (one reference, always) to do ${work} with.  0, or -1 with
 * ERR_UNAVAILABLE: as many as may wait do, it is stopped, or there is no thread
 * to be had.  Any thread. */
int later_put(struct later *l, later_work *work, json_t *what, struct err *e);
/* Do what waits, without pauses, and take no more.  0, or -1: not done at
 * ${deadline}; then the process must end by _exit().  NULL is nothing. */
int later_stop(struct later *, int64_t deadline);
/* After later_stop() has given 0. */
void later_free(struct later *);

#endif
