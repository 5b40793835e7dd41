/* A stream that is told to somebody who did not start it, or was cut off. */
#ifndef API_FOLLOW_H
#define API_FOLLOW_H

#include "util/err.h"
#include "util/id.h"

struct app;
struct caller;
struct telling;

/*
 * Tell what comes after f->from of ${turn}, as it is said or as it is stored,
 * whichever worker or host runs it, until its end.  0 when all is told or the
 * reader has left, f->begun tells whether there was anything; -1 with e, and
 * nothing begun: ERR_NOT_FOUND (also what is another caller's or another
 * agent's), ERR_UNAVAILABLE, ERR_GONE.
 */
int follow_turn(struct app *, struct telling *f, const struct caller *,
    const struct uuid *turn, struct err *e);

#endif
