/* Connections of one role for the threads of one process. */
#ifndef DB_POOL_PRIV_H
#define DB_POOL_PRIV_H

#include "db/conn_priv.h"

/*
 * Take a connection: an idle one, a new one, or the next that comes free, first
 * come, first served, until ${deadline} or the pool's wait limit.  NULL with
 * ERR_UNAVAILABLE.  *fresh says that it was opened just now.
 */
struct conn *pool_take(
    struct db_pool *, int64_t deadline, bool *fresh, struct err *e);
/* Give it back; a broken one is dropped. */
void pool_give(struct db_pool *, struct conn *);
/* A new connection in the place of the broken ${c}.  NULL with e: ${c} has been
 * given back. */
struct conn *pool_renew(
    struct db_pool *, struct conn *c, int64_t deadline, struct err *e);
const struct conn_opts *pool_conn_opts(const struct db_pool *);
/* NULL: there is none. */
struct replica;
struct replica *pool_replica(const struct db_pool *);

#endif
