/*
 * The one function that opens transactions for requests: account, limits and
 * statements in one round trip, on a connection that is held no longer.
 */
#include "db/db.h"

#include <stdio.h>
#include <string.h>

#include "telemetry/metric.h"
#include "util/clock.h"
#include "util/mem.h"

#include "db/pool_priv.h"
#include "db/replica_priv.h"
#include "db/result_priv.h"

#include "util/banned.h"

#define SETTING_SIZE 80
#define SLACK_MS 2000           /* beyond what the server allows itself */
#define STATEMENT_MOST_MS 30000 /* where the server has no limit */

struct settings {
	char text[CONN_SETTINGS][SETTING_SIZE];
	const char *list[CONN_SETTINGS];
	int n;
};

/* Written from a parsed id or number, never from text of others. */
static void
settings_make(
    struct settings *s, const struct conn_opts *o, const struct uuid *account)
{
	char id[UUID_TEXT];

	s->n = 0;
	if (account != NULL) {
		id_format(account, id);
		snprintf(s->text[s->n], SETTING_SIZE,
		    "SET LOCAL app.account_id = '%s'", id);
		s->list[s->n] = s->text[s->n];
		s->n++;
	}
	if (o->pooler && o->statement_ms > 0) {
		snprintf(s->text[s->n], SETTING_SIZE,
		    "SET LOCAL statement_timeout = %d", o->statement_ms);
		s->list[s->n] = s->text[s->n];
		s->n++;
	}
}

/* What libpq wants of a call; the arrays live as long as the transaction. */
struct formats {
	int lengths[DB_PARAMS], formats[DB_PARAMS];
};

static void
step_make(struct conn_step *s, struct formats *f, const struct db_call *c)
{
	int i;

	*s = (struct conn_step){ .stmt = c->stmt };
	s->params.n = c->nparams;
	s->params.values = c->param;
	if (c->binary == 0)
		return;
	for (i = 0; i < c->nparams; i++) {
		f->formats[i] = (c->binary >> i) & 1;
		f->lengths[i] = c->plen[i];
	}
	s->params.lengths = f->lengths;
	s->params.formats = f->formats;
}

/* The server ends a statement that takes too long; this is for a server that
 * does not answer at all. */
static int64_t
io_deadline(const struct conn_opts *o, int n, int64_t deadline)
{
	int64_t ms = o->statement_ms > 0 ? o->statement_ms : STATEMENT_MOST_MS;
	int64_t limit = clock_mono() + (ms * (n + 1) + SLACK_MS) * CLOCK_MS;

	return deadline != 0 && deadline < limit ? deadline : limit;
}

static bool
died_idle(const struct conn *c, const struct conn_failure *f)
{
	return c->broken &&
	       (f->sqlstate[0] == '\0' || !strncmp(f->sqlstate, "57P0", 4));
}

static int
run_steps(struct db_pool *p, bool reads, const struct settings *set,
    struct conn_step *steps, int n, int64_t deadline, struct err *e)
{
	const struct conn_opts *o = pool_conn_opts(p);
	struct conn_failure f;
	struct conn *c;
	bool fresh;
	int rc;

	c = pool_take(p, deadline, &fresh, e);
	if (c == NULL)
		return -1;
	rc = conn_transaction(c, reads, set->list, set->n, steps, n,
	    io_deadline(o, n, deadline), &f, e);
	if (rc != 0 && reads && !fresh && died_idle(c, &f) &&
	    (deadline == 0 || clock_mono() < deadline)) {
		c = pool_renew(p, c, deadline, e);
		if (c == NULL)
			return -1;
		rc = conn_transaction(c, reads, set->list, set->n, steps, n,
		    io_deadline(o, n, deadline), &f, e);
	}
	pool_give(p, c);
	return rc;
}

static _Thread_local struct db_cost cost;

struct db_cost
db_cost(void)
{
	return cost;
}

static void
count(const struct db_call *calls, int n, int64_t began)
{
	cost.queries += (uint64_t)n;
	for (int i = 0; i < n; i++)
		if (calls[i].result != NULL)
			cost.rows += (uint64_t)db_rows(calls[i].result);
	cost.ns += clock_mono() - began;
}

int
db_run(struct db_pool *p, enum db_intent intent, const struct uuid *account,
    struct db_call *calls, int n, int64_t deadline, const void *ctx,
    struct err *e)
{
	struct conn_step steps[CONN_STEPS];
	bool reads = intent == DB_READ || intent == DB_READ_STALE_OK;
	int64_t began = clock_mono();
	struct settings set;
	struct formats *formats;
	int i, rc;

	if (n < 0 || n > CONN_STEPS)
		return err_set(e, ERR_INTERNAL, "too many statements");
	if (intent == DB_READ_STALE_OK && replica_run(pool_replica(p), account,
					      calls, n, deadline, ctx) == 0) {
		count(calls, n, began);
		return 0;
	}
	formats = mem_array(NULL, struct formats, (size_t)n);
	for (i = 0; i < n; i++) {
		calls[i].result = NULL;
		step_make(&steps[i], &formats[i], &calls[i]);
	}
	settings_make(&set, pool_conn_opts(p), account);
	rc = run_steps(p, reads, &set, steps, n, deadline, e);
	for (i = 0; rc == 0 && i < n; i++)
		calls[i].result = result_new(ctx, steps[i].result);
	mem_free(formats);
	count(calls, n, began);
	metric_time(M_DB_TIME, clock_mono() - began);
	return rc;
}

int
db_ping(struct db_pool *p, int64_t deadline, struct err *e)
{
	struct conn *c;
	bool fresh;
	int rc;

	c = pool_take(p, deadline, &fresh, e);
	if (c == NULL)
		return -1;
	rc = conn_ping(c, io_deadline(pool_conn_opts(p), 0, deadline), e);
	pool_give(p, c);
	return rc;
}
