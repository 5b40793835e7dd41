/* One set for the whole process; keys of both kinds have ids of their own. */
#include "auth/used.h"

#include "auth/key.h"
#include "auth/store.h"
#include "db/used.h"

#include "util/banned.h"

static struct pairs used = PAIRS_INIT;

void
key_used(const struct key *k)
{
	if (k->kind != KEY_USER)
		pairs_add(&used, &k->account_id, &k->id);
}

int
keys_used_flush(struct db_pool *db, int64_t deadline, struct err *e)
{
	return db_used_flush(db, &auth_store_keys_used, &used, deadline, e);
}
