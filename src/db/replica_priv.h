/* A standby for reads that tolerate lag, beside the pool of the primary. */
#ifndef DB_REPLICA_PRIV_H
#define DB_REPLICA_PRIV_H

#include "db/db.h"

struct replica;

/* ${max_lag_ms}: the most that an answer may be behind. */
struct replica *replica_new(
    const void *ctx, const struct db_opts *, int max_lag_ms);
/* Its connections; the rest hangs below ctx.  NULL is nothing. */
void replica_free(struct replica *);
/* Run reads on it; -1 when there is none, it is not known to be fresh, or it
 * failed: then the primary is to be asked. */
int replica_run(struct replica *, const struct uuid *account,
    struct db_call *calls, int n, int64_t deadline, const void *ctx);

#endif
