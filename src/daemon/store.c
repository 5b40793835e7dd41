/* Everything here goes through functions of sql/gate/20_jobs.sql. */
#include "daemon/store.h"

#include <stdio.h>
#include <string.h>

#include "audit/audit.h"
#include "db/db.h"
#include "llm/price.h"
#include "util/buf.h"
#include "util/mem.h"

#include "util/banned.h"

static const struct db_stmt prices = { "daemon_prices",
	"SELECT model, from_us, until_us, input, output, cached, cache_write"
	" FROM gate.prices()" };
static const struct db_stmt most_used = { "daemon_most_used",
	"SELECT account_id, agent_instance_id FROM gate.most_used($1::int)" };
static const struct db_stmt agent_names = { "daemon_agent_names",
	"SELECT slug, agent_type, instance_name"
	" FROM gate.agent_names($1::uuid[], $2::uuid[])" };
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
	[JOB_SIGN_INS] = { "sign_ins",
	    { "daemon_sign_ins", "SELECT gate.forget_sign_ins()" } },
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

static void
add_element(struct buf *b, const char *id)
{
	buf_addc(b, b->len == 0 ? '{' : ',');
	buf_adds(b, id);
}

/* Two questions: what was used stands in the data plane, its names in the
 * control plane. */
int
store_most_used(struct db_pool *db, int limit, int64_t deadline,
    const void *ctx, struct store_agent **ret, int *n, struct err *e)
{
	struct db_call used = { .stmt = &most_used, .nparams = 1 };
	struct db_call names = { .stmt = &agent_names, .nparams = 2 };
	size_t most = (size_t)limit * UUID_TEXT + 2;
	struct buf accounts, agents;
	char text[16];

	*n = 0;
	snprintf(text, sizeof(text), "%d", limit);
	used.param[0] = text;
	if (db_run(db, DB_READ_STALE_OK, NULL, &used, 1, deadline, ctx, e) != 0)
		return -1;
	if (db_rows(used.result) == 0)
		return 0;
	buf_init(&accounts, ctx, most);
	buf_init(&agents, ctx, most);
	for (int i = 0; i < db_rows(used.result); i++) {
		add_element(&accounts, db_text(used.result, i, 0));
		add_element(&agents, db_text(used.result, i, 1));
	}
	buf_addc(&accounts, '}');
	buf_addc(&agents, '}');
	names.param[0] = accounts.data;
	names.param[1] = agents.data;
	if (db_run(db, DB_CONTROL, NULL, &names, 1, deadline, ctx, e) != 0)
		return -1;
	*n = db_rows(names.result);
	*ret = mem_array(ctx, struct store_agent, (size_t)*n);
	for (int i = 0; i < *n; i++)
		(*ret)[i] = (struct store_agent){ db_text(names.result, i, 0),
			db_text(names.result, i, 1),
			db_text(names.result, i, 2) };
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

static const struct {
	const char *name;
	struct db_stmt stmt;
} retained[RETAINED_COUNT] = {
	[RETAINED_TURNS] = { "turns",
	    { "daemon_retain_turns", "SELECT gate.retain_turns($1)" } },
	[RETAINED_USAGE_ROLLUPS] = { "usage_rollups",
	    { "daemon_retain_usage_rollups",
		"SELECT gate.retain_usage_rollups($1)" } },
	[RETAINED_AUDIT_LOG] = { "audit_log",
	    { "daemon_retain_audit_log", "SELECT gate.retain_audit_log($1)" } },
};

const char *
store_retained_name(int table)
{
	return retained[table].name;
}

int
store_retain(struct db_pool *db, int table, int64_t days, int64_t deadline,
    int64_t *n, struct err *e)
{
	char number[24];
	struct db_call c = {
		.stmt = &retained[table].stmt, .param = { number }, .nparams = 1
	};

	snprintf(number, sizeof(number), "%lld", (long long)days);
	return run_one(db, &c, deadline, n, e);
}

static const struct db_stmt account_purge = { "daemon_account_purge",
	"SELECT account_id, slug, name, gone FROM gate.account_purge($1)" };
static const struct db_stmt account_forget = { "daemon_account_forget",
	"SELECT gate.found(gate.account_forget($1), 'account')" };

int
store_account_purge(struct db_pool *db, int rows, int64_t deadline,
    const void *ctx, struct store_purged *out, struct err *e)
{
	char number[16];
	struct db_call c = {
		.stmt = &account_purge, .param = { number }, .nparams = 1
	};

	snprintf(number, sizeof(number), "%d", rows);
	if (db_run(db, DB_WRITE, NULL, &c, 1, deadline, ctx, e) != 0)
		return -1;
	if (db_rows(c.result) == 0)
		return 0;
	out->account = db_text(c.result, 0, 0);
	out->slug = db_text(c.result, 0, 1);
	out->name = db_text(c.result, 0, 2);
	out->gone = db_int(c.result, 0, 3);
	return 1;
}

int
store_account_forget(struct db_pool *db, const struct store_purged *p,
    int64_t rows, int64_t deadline, const void *ctx, struct err *e)
{
	json_auto_t *before = json_pack("{s:s, s:s, s:I}", "slug", p->slug,
	    "name", p->name, "rows", (json_int_t)rows);
	const struct audit_entry entry = { .action = "account.end",
		.actor_kind = "system",
		.object_kind = "account",
		.object_id = p->account,
		.before = before };
	struct db_call calls[2] = { { .stmt = &account_forget,
	    .param = { p->account },
	    .nparams = 1 } };

	audit_call(ctx, NULL, &entry, &calls[1]);
	return db_run(db, DB_WRITE, NULL, calls, 2, deadline, ctx, e);
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

static const struct db_stmt budget_alerted = { "daemon_budget_alerted",
	"SELECT gate.found(gate.budget_alerted($1, $2, timestamptz 'epoch' + "
	"$3::bigint * interval '1 us'), 'alert')" };

int
store_budget_alert(struct db_pool *db, const struct uuid *account,
    const struct uuid *budget, int64_t starts_us, int64_t deadline,
    struct err *e)
{
	char aid[UUID_TEXT], id[UUID_TEXT], starts[24];
	const struct audit_entry entry = { .action = "budget.alert",
		.actor_kind = "system",
		.object_kind = "budget",
		.object_id = id };
	struct db_call calls[2] = { { .stmt = &budget_alerted,
	    .param = { aid, id, starts },
	    .nparams = 3 } };
	void *ctx = mem_root("budget");
	int rc;

	id_format(account, aid);
	id_format(budget, id);
	snprintf(starts, sizeof(starts), "%lld", (long long)starts_us);
	audit_call(ctx, account, &entry, &calls[1]);
	rc = db_run(db, DB_WRITE, account, calls, 2, deadline, ctx, e);
	mem_free(ctx);
	if (rc == 0)
		return 1;
	return e->code == ERR_NOT_FOUND ? 0 : -1;
}
