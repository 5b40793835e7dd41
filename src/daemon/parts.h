/*
 * What a process needs to answer requests, made after the fork: libraries,
 * database pool, writer, caches, models, templates, and the struct app that
 * hands them to the handlers.
 */
#ifndef DAEMON_PARTS_H
#define DAEMON_PARTS_H

#include <stdatomic.h>

#include "account/tiers.h"
#include "api/app.h"
#include "daemon/pool.h"
#include "daemon/process.h"
#include "http/fcgi.h"

/* Of the warm tier, below run_dir. */
#define PARTS_CACHE "cache"

struct conf;

struct parts {
	const struct process *process;
	struct app app;
	struct fcgi_opts fcgi, fcgi_shed;
	const char *role; /* database login */
	struct templates *templates;
	struct pages *pages;
	const char *turns_dir; /* of the event logs of streams */
	struct db_pool *db;
	struct writer *writer;
	struct net *net;
	struct llm *llm;
	struct egress *egress; /* for addresses that accounts typed */
	struct credentials *credentials;
	struct gateway *gateway;
	struct catalog *catalog;
	struct knowledge *knowledge;
	struct tiers tiers;
	int64_t used_flushed, preloaded;
	unsigned seed_tries, share_tries;
	uint64_t platform; /* epoch at which the prices were read */
	/* Until the schema is known to be the right one, requests are refused.
	 */
	atomic_bool open;
};

struct writer_opts;

/* In the master, before the fork: what the writers of all processes share. */
void parts_map(void);
/* How this process's writer or replayer works; texts talloc'd below ctx. */
void parts_writer_opts(
    const struct process *, const void *ctx, struct writer_opts *);
/* A second, direct address means that the first one leads to a pooler. */
bool parts_behind_pooler(const struct conf *);
/* Before threads.  0 or -1. */
int parts_build(struct parts *, const struct process *, struct err *e);
/* A pool of threads that serve ${fd} with them. */
struct pool *parts_pool(
    struct parts *, int fd, const int *hand, unsigned threads, struct err *e);
/* May requests be served?  Checks the schema and reads the prices when that
 * has not been done.  0, or -1: ERR_UNAVAILABLE (again later), else no hope. */
int parts_open(struct parts *, struct err *e);
/* What is due: prices if the platform's configuration moved, use told to the
 * database, the most used agents read ahead. */
void parts_refresh(struct parts *);
/* Gauges and cache counters of this process. */
void parts_tell(struct parts *);
/* After the pool: do what was put off.  0, or -1 when it is not done at
 * ${deadline}: then the process must end by _exit(). */
int parts_finish(struct parts *, int64_t deadline);
/* After that: write what is queued, then free all. */
void parts_free(struct parts *, int64_t deadline);

#endif
