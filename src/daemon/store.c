/* Everything here goes through functions of sql/gate/20_jobs.sql. */
#include "daemon/store.h"

#include <stdio.h>
#include <string.h>

#include "db/db.h"
#include "llm/price.h"
#include "util/mem.h"

#include "util/banned.h"

static const struct db_stmt prices = { "daemon_prices",
	"SELECT model, from_us, until_us, input, output, cached, cache_write"
	" FROM gate.prices()" };
static const struct db_stmt worker_seen = { "daemon_worker_seen",
	"SELECT gate.worker_seen($1, $2, $3)" };
static const struct db_stmt worker_gone = { "daemon_worker_gone",
	"SELECT gate.worker_gone($1)" };

static const struct {
	const char *name;
	struct db_stmt stmt;
} jobs[JOB_COUNT] = {
	[JOB_PARTITIONS] = { "partitions",
	    { "daemon_partitions", "SELECT gate.maintain_partitions()" } },
	[JOB_ROLLUPS] = { "rollups",
	    { "daemon_rollups", "SELECT gate.sum_rollups()" } },
	[JOB_LOST_TURNS] = { "lost_turns",
	    { "daemon_lost_turns", "SELECT gate.fail_lost_turns()" } },
	[JOB_BATCHES] = { "writer_batches",
	    { "daemon_batches", "SELECT gate.trim_writer_batches()" } },
	[JOB_KEYS] = { "idempotency_keys",
	    { "daemon_keys", "SELECT gate.trim_idempotency_keys()" } },
};

int
store_prices(struct db_pool *db, int64_t deadline, struct err *e)
{
	struct db_call c = { .stmt = &prices };
	void *ctx = mem_root("prices");
	struct price *p;
	int i, n;

	if (db_run(db, DB_CONTROL, NULL, &c, 1, deadline, ctx, e) != 0) {
		mem_free(ctx);
		return -1;
	}
	n = db_rows(c.result);
	p = mem_array(ctx, struct price, (size_t)n + 1);
	for (i = 0; i < n; i++) {
		snprintf(p[i].model, sizeof(p[i].model), "%s",
		    db_text(c.result, i, 0));
		p[i].from_us = db_int(c.result, i, 1);
		p[i].until_us = db_int(c.result, i, 2);
		p[i].input = db_int(c.result, i, 3);
		p[i].output = db_int(c.result, i, 4);
		p[i].cached = db_int(c.result, i, 5);
		p[i].cache_write = db_int(c.result, i, 6);
	}
	price_set(p, n);
	mem_free(ctx);
	return 0;
}

/* One call that gives one number, or nothing. */
static int
run_one(struct db_pool *db, struct db_call *c, int64_t deadline, int64_t *n,
    struct err *e)
{
	void *ctx = mem_root("job");
	int rc = db_run(db, DB_WRITE, NULL, c, 1, deadline, ctx, e);

	if (rc == 0 && n != NULL)
		*n = db_rows(c->result) > 0 ? db_int(c->result, 0, 0) : 0;
	mem_free(ctx);
	return rc;
}

const char *
store_job_name(enum store_job job)
{
	return jobs[job].name;
}

int
store_job_run(struct db_pool *db, enum store_job job, int64_t deadline,
    int64_t *n, struct err *e)
{
	struct db_call c = { .stmt = &jobs[job].stmt };

	return run_one(db, &c, deadline, n, e);
}

int
store_worker_seen(struct db_pool *db, const struct uuid *worker,
    const char *host, const char *kind, int64_t deadline, struct err *e)
{
	char id[UUID_TEXT];
	struct db_call c = {
		.stmt = &worker_seen, .param = { id, host, kind }, .nparams = 3
	};

	id_format(worker, id);
	return run_one(db, &c, deadline, NULL, e);
}

int
store_worker_gone(struct db_pool *db, const struct uuid *worker,
    int64_t deadline, int64_t *n, struct err *e)
{
	char id[UUID_TEXT];
	struct db_call c = {
		.stmt = &worker_gone, .param = { id }, .nparams = 1
	};

	id_format(worker, id);
	return run_one(db, &c, deadline, n, e);
}
