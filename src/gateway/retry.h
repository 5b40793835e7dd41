/*
 * How many calls of a host may be repeated: one in five, and some more a second
 * so that a quiet host is never held up.  When a provider is down, everybody's
 * second and third call would be what keeps it down.
 */
#ifndef GATEWAY_RETRY_H
#define GATEWAY_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#define RETRY_PERCENT 20 /* of the calls */
#define RETRY_A_SECOND 5 /* besides */
#define RETRY_MOST 100   /* that can be saved up */

/* In the master, before the fork; without it nothing is held back. */
void retry_map(void);
/* A first call goes out. */
void retry_call(void);
/* May another attempt go out?  Takes it.  ${now} is clock_mono(). */
bool retry_may(int64_t now);
/* Repetitions that could be made now; -1: not mapped. */
int64_t retry_left(int64_t now);

#endif
