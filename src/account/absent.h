/*
 * Names that are known not to exist, remembered for a short while, so that
 * somebody who tries keys or slugs asks the database once for each.  An entry
 * is good for 30 s and only while nothing at all has changed (epoch_moves):
 * what is made now is there at once.  Bounded: a new name takes the place of
 * an older one.
 */
#ifndef ACCOUNT_ABSENT_H
#define ACCOUNT_ABSENT_H

#include <stdbool.h>
#include <stdint.h>

#include "db/db.h"

struct absent;

struct absent *absent_new(unsigned places);
void absent_free(struct absent *);
/*
 * Ask the database for the row of ${name}, unless it is known to have none: a
 * statement of the control plane, its result below ctx in call->result.  1,
 * 0 when there is no row (which is remembered), or -1.  Any thread.
 */
int absent_ask(struct absent *, const char *name, struct db_pool *,
    struct db_call *call, int64_t deadline, const void *ctx, struct err *e);
/* The two halves of it; ${moves} is epoch_moves() from before the database was
 * asked. */
bool absent_known(struct absent *, const char *name);
void absent_note(struct absent *, const char *name, uint64_t moves);

#endif
