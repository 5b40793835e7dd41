/* The server's own SQL: prices and the timers' functions. */
#ifndef DAEMON_STORE_H
#define DAEMON_STORE_H

#include <stdint.h>

#include "util/err.h"
#include "util/id.h"

struct db_pool;

/* Read the price table into price_set().  0 or -1 (ERR_UNAVAILABLE ...). */
int store_prices(struct db_pool *, int64_t deadline, struct err *e);

/* An agent instance by its names. */
struct store_agent {
	const char *slug, *type, *name;
};
/* The ${limit} active instances with the most turns in the last 24 hours, most
 * used first; memory below ${ctx}. */
int store_most_used(struct db_pool *, int limit, int64_t deadline,
    const void *ctx, struct store_agent **ret, int *n, struct err *e);

/* What the job worker does now and then; *n: rows it concerned. */
enum store_job {
	JOB_PARTITIONS, /* make partitions ahead */
	JOB_ROLLUPS,    /* hours and days from the 5-minute sums */
	JOB_LOST_TURNS, /* turns of workers nobody hears of have failed */
	JOB_BATCHES,    /* forget old batch ids of the writers */
	JOB_KEYS,       /* and idempotency keys of yesterday */
	JOB_SIGN_INS,   /* and sign-ins that ended a month ago */
	JOB_COUNT
};
const char *store_job_name(enum store_job);
int store_job_run(struct db_pool *, enum store_job, int64_t deadline,
    int64_t *n, struct err *e);

/* Tables with a retention of their own. */
enum store_retained {
	RETAINED_TURNS,
	RETAINED_USAGE_ROLLUPS,
	RETAINED_AUDIT_LOG,
	RETAINED_COUNT
};
const char *store_retained_name(int table);
/* One step of removing what is older than ${days}: *n rows or partitions went;
 * 0: none is left, -1: a table was in use. */
int store_retain(struct db_pool *, int table, int64_t days, int64_t deadline,
    int64_t *n, struct err *e);

/* What a step has taken of a deleted account; memory below the step's ctx. */
struct store_purged {
	const char *account, *slug, *name;
	int64_t gone; /* 0: nothing is left but the account; -1: in use */
};
/* One step of removing a deleted account: 1 with *out, 0 none is due, -1. */
int store_account_purge(struct db_pool *, int rows, int64_t deadline,
    const void *ctx, struct store_purged *out, struct err *e);
/* The account itself goes, and the platform's record says so. */
int store_account_forget(struct db_pool *, const struct store_purged *,
    int64_t rows, int64_t deadline, const void *ctx, struct err *e);

/* A worker of this host is there; a worker has ended (*n: its open turns). */
int store_worker_seen(struct db_pool *, const struct uuid *worker,
    const char *host, const char *kind, int64_t deadline, struct err *e);
/* Record in the account's audit log that a budget wants attention: 1 done, 0
 * somebody has in this period. */
int store_budget_alert(struct db_pool *, const struct uuid *account,
    const struct uuid *budget, int64_t starts_us, int64_t deadline,
    struct err *);
int store_worker_gone(struct db_pool *, const struct uuid *worker,
    int64_t deadline, int64_t *n, struct err *e);

#endif
