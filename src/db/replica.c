/*
 * Is the replica fresh?  What the primary had written at a moment is compared
 * with what the replica has replayed: when that is no less, the replica holds
 * all that was committed up to that moment, whatever the clocks say and however
 * quiet the primary is.
 */
#include "db/db.h"

#include <stdatomic.h>

#include "telemetry/log.h"
#include "telemetry/metric.h"
#include "util/clock.h"
#include "util/mem.h"

#include "db/pool_priv.h"
#include "db/replica_priv.h"

#include "util/banned.h"

#define LOOK_MS 500 /* for each of the two questions */
#define READ_MS 1000

struct replica {
	struct db_pool *pool;
	int64_t max_lag;
	_Atomic int64_t good_until; /* clock_mono() */
	atomic_bool used;           /* and the log says so */
};

static const struct db_stmt written = { "db_written",
	"SELECT pg_current_wal_lsn()" };
static const struct db_stmt replayed = { "db_replayed",
	"SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn" };

struct replica *
replica_new(const void *ctx, const struct db_opts *o, int max_lag_ms)
{
	struct replica *r = mem_new(ctx, struct replica);

	r->pool = db_pool_new(o);
	r->max_lag = max_lag_ms * CLOCK_MS;
	return r;
}

void
replica_free(struct replica *r)
{
	if (r != NULL)
		db_pool_free(r->pool);
}

static void
say(struct replica *r, bool good, const char *why)
{
	if (atomic_exchange(&r->used, good) == good)
		return;
	if (good)
		log_event(LOG_INFO, "replica_used", NULL);
	else
		log_event(LOG_WARN, "replica_left", "why", why, NULL);
}

void
db_replica_look(struct db_pool *p)
{
	struct replica *r = pool_replica(p);
	struct db_call ask = { .stmt = &written };
	struct db_call tell = { .stmt = &replayed, .nparams = 1 };
	int64_t now = clock_mono();
	struct err e = { 0 };
	void *ctx;

	if (r == NULL)
		return;
	ctx = mem_root("replica");
	if (db_run(p, DB_READ, NULL, &ask, 1, now + LOOK_MS * CLOCK_MS, ctx,
		&e) == 0) {
		tell.param[0] = db_text(ask.result, 0, 0);
		if (db_run(r->pool, DB_READ, NULL, &tell, 1,
			clock_mono() + LOOK_MS * CLOCK_MS, ctx, &e) == 0 &&
		    db_bool(tell.result, 0, 0))
			atomic_store(&r->good_until, now + r->max_lag);
	}
	if (clock_mono() < atomic_load(&r->good_until))
		say(r, true, "");
	else
		say(r, false, e.code != ERR_NONE ? e.text : "it lags");
	mem_free(ctx);
}

int
replica_run(struct replica *r, const struct uuid *account,
    struct db_call *calls, int n, int64_t deadline, const void *ctx)
{
	int64_t now = clock_mono(), limit = now + READ_MS * CLOCK_MS;
	struct err e = { 0 };

	if (r == NULL || now >= atomic_load(&r->good_until))
		return -1;
	if (deadline != 0 && deadline < limit)
		limit = deadline;
	if (db_run(r->pool, DB_READ, account, calls, n, limit, ctx, &e) == 0) {
		metric_add(M_REPLICA_READS, 1);
		return 0;
	}
	/* Away, or replay had to stop it: not asked again before it answers. */
	atomic_store(&r->good_until, 0);
	metric_add(M_REPLICA_FAILED, 1);
	say(r, false, e.text);
	return -1;
}
