/*
 * Sessions of which a turn lies in a journal of this host (db/journal.h) and
 * not in the database yet: what the database says of them is not their memory.
 * Bits by the session's id, so that now and then another session is taken for
 * one of them, never one of them for another.
 */
#ifndef SHM_UNSTORED_H
#define SHM_UNSTORED_H

#include <stdbool.h>

#include "util/id.h"

/* In the master, before the fork.  ${all}: there are journals of an earlier
 * time, of nobody knows which sessions. */
void unstored_map(bool all);
/* A turn of ${session} has gone to a journal; before its caller is told. */
void unstored_add(const struct uuid *session);
/*
 * Does one lie there?  A reader asks twice, before it reads and, with what it
 * got then, after: unless both say no and *round is the same, it has to read
 * again or give up.  Any process.
 */
bool unstored_maybe(const struct uuid *session, unsigned *round);
/*
 * One process looks now and then: is there no journal at all (${none})?  Only
 * at the second look without one what was added before the first is forgotten,
 * since a look may just miss a journal that is being made.  True when nothing
 * is remembered.
 */
bool unstored_looked(bool none);

#endif
