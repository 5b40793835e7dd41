/*
 * How many calls of a host may be repeated: one in five, and some more a second
 * so that a quiet host is never held up.  When a provider is down, everybody's
 * second and third call would be what keeps it down.
 */
#ifndef GATEWAY_BUDGET_H
#define GATEWAY_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#define BUDGET_PERCENT 20 /* of the calls */
#define BUDGET_A_SECOND 5 /* besides */
#define BUDGET_MOST 100   /* that can be saved up */

/* In the master, before the fork; without it nothing is held back. */
void budget_map(void);
/* A first call goes out. */
void budget_call(void);
/* May another attempt go out?  Takes it.  ${now} is clock_mono(). */
bool budget_retry(int64_t now);
/* Repetitions that could be made now; -1: not mapped. */
int64_t budget_left(int64_t now);

#endif
