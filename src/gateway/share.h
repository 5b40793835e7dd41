/*
 * What hosts tell each other of credentials, through PostgreSQL
 * (control.credential_states), and what a host knows of them after a restart.
 *
 * A change of a breaker or a cool-down is told within SHARE_MS by the listener,
 * which reads what the others told in the same transaction: so all hosts know
 * within twice that.  They are not asked before a call, so that in the meantime
 * each may open, probe or use what the others just gave up: at a breaker's end
 * each host sends one probe of its own, and of a minute's limit each may use,
 * within those 2 x SHARE_MS, what it thinks is left.  With H hosts a limit is
 * overshot by at most (H - 1) times what one of them uses in that time, and
 * what was too much is taken from the minute as soon as it is known.
 *
 * Of two changes of state the later one counts, by the database's clock; of two
 * pauses the longer one.  An operator's order comes the same way, and no host's
 * news closes what he has opened.
 */
#ifndef GATEWAY_SHARE_H
#define GATEWAY_SHARE_H

#include <stdbool.h>
#include <stdint.h>

#include "util/err.h"

struct db_pool;

#define SHARE_MS 400

/*
 * Read what was known before this start, once; before calls are served.  0 also
 * when another process has done so.  -1 with e: not read, try again.
 */
int share_load(
    struct db_pool *, const char *host, int64_t deadline, struct err *e);
/* Do without. */
void share_skip(void);

/*
 * Tell what has changed and hear of the others; each SHARE_MS by one process,
 * that of another may overlap.  *all: in: hear everything, not just what is
 * new; out: what to say the next time.  -1 with e: nothing was told, and will
 * be.
 */
int share_tick(struct db_pool *, const char *host, bool *all, int64_t deadline,
    struct err *e);

#endif
