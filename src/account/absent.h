/*
 * Names that are known not to exist, remembered for a short while, so that
 * somebody who tries keys or slugs asks the database once for each.  An entry
 * is good for 30 s and only while nothing at all has changed (epoch_moves):
 * what is made now is there at once, or, while nobody hears of it, after a
 * second.  Bounded: a new name takes the place of
 * an older one.
 */
#ifndef ACCOUNT_ABSENT_H
#define ACCOUNT_ABSENT_H

#include <stdbool.h>
#include <stdint.h>

struct absent;

struct absent *absent_new(unsigned places);
void absent_free(struct absent *);
/* ${moves} is epoch_moves() from before the database was asked.  Any thread. */
bool absent_known(struct absent *, const char *name);
void absent_note(struct absent *, const char *name, uint64_t moves);

#endif
