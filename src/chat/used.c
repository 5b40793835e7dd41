/* One set for the whole process. */
#include "chat/used.h"

#include "chat/store_priv.h"
#include "db/used.h"

#include "util/banned.h"

static struct pairs used = PAIRS_INIT;

void
chat_used_add(const struct uuid *account, const struct uuid *agent)
{
	pairs_add(&used, account, agent);
}

int
chat_used_flush(struct db_pool *db, int64_t deadline, struct err *e)
{
	return db_used_flush(db, &chat_stmt_used, &used, deadline, e);
}
