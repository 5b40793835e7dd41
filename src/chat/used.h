/*
 * Which agent instances this process has used of late, for last_used_at: a
 * small set that turns add to and the housekeeping empties once a minute.
 */
#ifndef CHAT_USED_H
#define CHAT_USED_H

#include <stdint.h>

#include "util/err.h"
#include "util/id.h"

struct db_pool;

/* Any thread.  A full set forgets: the next minute asks again. */
void chat_used_add(const struct uuid *account, const struct uuid *agent);
/*
 * Empty the set into the database (sb_chat).  For the housekeeping of a
 * worker, about once a minute.  1 when there was any, 0, or -1
 * (ERR_UNAVAILABLE: that minute is lost, which hurts nobody).
 */
int chat_used_flush(struct db_pool *, int64_t deadline, struct err *e);

#endif
