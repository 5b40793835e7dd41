/* Ways to the database beside the direct one: a pooler, and a standby. */
#include <poll.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/doctor/exam.h"
#include "cli/doctor/store.h"
#include "conf/conf.h"
#include "db/db.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

#define PING (5 * CLOCK_S)
#define CONNECT_MS 5000
#define LOOK_MS 20

static struct db_pool *
way(const char *conninfo, bool pooler)
{
	struct db_opts o = { .conninfo = conninfo,
		.user = "sb_chat",
		.size = 1,
		.wait_ms = CONNECT_MS,
		.connect_ms = CONNECT_MS,
		.statement_ms = CONNECT_MS,
		.pooler = pooler };

	return db_pool_new(&o);
}

/* The roles were asked past it. */
static void
exam_pooler(struct exam *x)
{
	const struct conf *c = x->conf;
	int64_t before = clock_mono();
	struct db_pool *db;
	struct err e = { 0 };

	if (c->database_direct_url[0] == '\0' ||
	    !strcmp(c->database_direct_url, c->database_url))
		return;
	db = way(c->database_url, true);
	if (db_ping(db, before + PING, &e) != 0)
		exam_fail(x, "pooler",
		    "does it run, does it know the roles, and can it reach the "
		    "database that database_direct_url names?",
		    "%s", e.text);
	else
		exam_ok(x, "pooler", "answers in %lld ms",
		    (long long)((clock_mono() - before) / CLOCK_MS));
	db_pool_free(db);
}

/* How long until the standby has what the primary has written by now. */
static void
exam_lag(struct exam *x, struct db_pool *replica, const char *written)
{
	int64_t began = clock_mono(), limit = x->conf->database_replica_lag;
	bool standby = false, there = false;
	struct err e = { 0 };
	int64_t ms;
	int rc;

	while ((rc = store_replayed(replica, written, &standby, &there, &e)) ==
		   0 &&
	       standby && !there && clock_mono() - began < limit * CLOCK_MS)
		poll(NULL, 0, LOOK_MS);
	ms = (clock_mono() - began) / CLOCK_MS;
	if (rc != 0)
		exam_fail(x, "replica",
		    "is it running, and database_replica right?  Until then "
		    "the primary answers",
		    "%s", e.text);
	else if (!standby)
		exam_fail(x, "replica", "database_replica must name a standby",
		    "it follows no primary");
	else if (!there)
		exam_warn(x, "replica",
		    "see pg_stat_replication of the primary; until then that "
		    "answers",
		    "more than database_replica_lag (%lld ms) behind",
		    (long long)limit);
	else
		exam_ok(x, "replica", "at most %lld ms behind", (long long)ms);
}

static void
exam_replica(struct exam *x)
{
	struct db_pool *primary, *replica;
	char *written;
	struct err e = { 0 };

	if (x->conf->database_replica[0] == '\0')
		return;
	/* Without a primary there is nothing to compare with, and that has been
	 * said. */
	if (cli_db_as(x->c, "sb_chat", &primary, &e) != 0)
		return;
	if (store_written(primary, x->c->ctx, &written, &e) == 0) {
		replica = way(x->conf->database_replica, false);
		exam_lag(x, replica, written);
		db_pool_free(replica);
	}
	db_pool_free(primary);
}

void
exam_ways(struct exam *x)
{
	exam_pooler(x);
	exam_replica(x);
}
