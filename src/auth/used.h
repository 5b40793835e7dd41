/*
 * Which keys this process has let in of late, for last_used_at: a small set
 * that requests add to and the housekeeping empties once a minute.
 */
#ifndef AUTH_USED_H
#define AUTH_USED_H

#include <stdint.h>

#include "util/err.h"

struct db_pool;
struct key;

/* Any thread.  A full set forgets: the next minute asks again. */
void key_used(const struct key *);
/*
 * Empty the set into the database (sb_chat, sb_admin).  For the housekeeping of
 * a worker.  1 when there was any, 0, or -1 (ERR_UNAVAILABLE: that minute is
 * lost, which hurts nobody).
 */
int keys_used_flush(struct db_pool *, int64_t deadline, struct err *e);

#endif
