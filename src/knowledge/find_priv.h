/* One search in the database. */
#ifndef KNOWLEDGE_FIND_PRIV_H
#define KNOWLEDGE_FIND_PRIV_H

#include <stdbool.h>

#include "knowledge/search.h"
#include "knowledge/words.h"

/* Memory below ctx.  *nothing: the account has nothing to search in. */
int find(struct db_pool *, const struct knowledge_ask *, const struct words *,
    int64_t deadline, const void *ctx, struct hit **ret, int *n, bool *nothing,
    struct err *e);

#endif
