/*
 * Debug builds check a rule of the house: no thread waits for anything outside
 * while it holds a database connection.  db/pool.c says when one is held,
 * net/call.c asserts that none is.  Without SB_DEBUG these cost nothing.
 */
#ifndef UTIL_HOLD_H
#define UTIL_HOLD_H

#ifdef SB_DEBUG
/* This thread holds one more, or one fewer. */
void hold_enter(void);
void hold_leave(void);
/* Stop the process if this thread holds anything. */
void hold_assert_none(void);
#else
static inline void
hold_enter(void)
{
}

static inline void
hold_leave(void)
{
}

static inline void
hold_assert_none(void)
{
}
#endif

#endif
