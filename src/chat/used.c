/*
 * The set of used agent instances: open addressing, never more than half full.
 */
#include "chat/used.h"

#include <pthread.h>
#include <string.h>

#include "chat/store_priv.h"
#include "util/buf.h"
#include "util/mem.h"

#include "util/banned.h"

#define PLACES 2048 /* a power of two */

struct member {
	struct uuid account, agent;
};

static struct {
	pthread_mutex_t mu;
	struct member place[PLACES];
	unsigned n;
} set = { .mu = PTHREAD_MUTEX_INITIALIZER };

void
chat_used_add(const struct uuid *account, const struct uuid *agent)
{
	uint64_t hash;

	/* the random half of a UUIDv7 is hash enough */
	memcpy(&hash, agent->b + 8, sizeof(hash));
	hash ^= hash >> 32;
	pthread_mutex_lock(&set.mu);
	for (unsigned i = (unsigned)hash % PLACES;; i = (i + 1) % PLACES) {
		struct member *m = &set.place[i];

		if (id_eq(&m->agent, agent))
			break;
		if (!id_is_nil(&m->agent))
			continue;
		if (set.n < PLACES / 2) {
			m->account = *account;
			m->agent = *agent;
			set.n++;
		}
		break;
	}
	pthread_mutex_unlock(&set.mu);
}

/* Empty the set, calling back with each member.  Returns their number. */
static int
drain(void (*each)(
	  void *arg, const struct uuid *account, const struct uuid *agent),
    void *arg)
{
	void *ctx = mem_root("used");
	unsigned n = 0;

	pthread_mutex_lock(&set.mu);
	struct member *taken = mem_array(ctx, struct member, set.n);

	for (unsigned i = 0; n < set.n; i++)
		if (!id_is_nil(&set.place[i].agent))
			taken[n++] = set.place[i];
	memset(set.place, 0, sizeof(set.place));
	set.n = 0;
	pthread_mutex_unlock(&set.mu);
	for (unsigned i = 0; i < n; i++)
		each(arg, &taken[i].account, &taken[i].agent);
	mem_free(ctx);
	return (int)n;
}

struct arrays {
	struct buf accounts, agents;
};

static void
add_element(struct buf *b, const struct uuid *id)
{
	char text[UUID_TEXT];

	id_format(id, text);
	buf_addc(b, b->len == 0 ? '{' : ',');
	buf_adds(b, text);
}

static void
add_pair(void *arg, const struct uuid *account, const struct uuid *agent)
{
	struct arrays *a = arg;

	add_element(&a->accounts, account);
	add_element(&a->agents, agent);
}

int
chat_used_flush(struct db_pool *db, int64_t deadline, struct err *e)
{
	void *ctx = mem_root("used flush");
	struct arrays a;
	int rc = 0;

	buf_init(&a.accounts, ctx, PLACES * UUID_TEXT);
	buf_init(&a.agents, ctx, PLACES * UUID_TEXT);
	if (drain(add_pair, &a) > 0) {
		buf_addc(&a.accounts, '}');
		buf_addc(&a.agents, '}');
		struct db_call call = { .stmt = &chat_stmt_used,
			.param = { a.accounts.data, a.agents.data },
			.nparams = 2 };

		rc = db_run(db, DB_CONTROL, NULL, &call, 1, deadline, ctx, e);
	}
	mem_free(ctx);
	return rc;
}
