/* The database of a test program. */
#include "lib/dbfix.h"

#include <stdlib.h>

#include "account/tiers.h"
#include "cache/cold.h"
#include "db/db.h"
#include "lib/dbtemp.h"
#include "shm/epoch.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

static char *conninfo;
static struct db_pool *pool;

struct db_pool *
dbfix_open(const char *role)
{
	struct db_opts opts = { .user = role,
		.size = 8,
		.wait_ms = 5000,
		.connect_ms = 5000,
		.statement_ms = 5000,
		.prepared = true };

	conninfo = dbtemp_new();
	opts.conninfo = conninfo;
	pool = db_pool_new(&opts);
	return pool;
}

void
dbfix_close(void)
{
	db_pool_free(pool);
	dbtemp_drop(conninfo);
}

const char *
dbfix_conninfo(void)
{
	return conninfo;
}

struct db_pool *
dbfix_away(void)
{
	struct db_opts opts = { .conninfo = "host=/nonexistent dbname=x",
		.user = "sb_chat",
		.size = 1,
		.wait_ms = 10,
		.connect_ms = 100,
		.statement_ms = 100 };

	return db_pool_new(&opts);
}

struct tiers *
dbfix_tiers(struct db_pool *db)
{
	static struct tiers tiers[8];

	for (size_t i = 0; i < sizeof(tiers) / sizeof(tiers[0]); i++) {
		struct tiers *t = &tiers[i];

		if (t->db == db)
			return t;
		if (t->db != NULL)
			continue;
		*t = (struct tiers){ .db = db,
			.cold = cold_new(4, 5000),
			.max_stale = 3600 * CLOCK_S };
		return t;
	}
	abort();
}

void
dbfix_sql(const char *sql)
{
	mem_free(dbfix_text(sql));
}

char *
dbfix_text(const char *sql)
{
	return dbtemp_sql(conninfo, "sb_owner", sql);
}

int64_t
dbfix_number(const char *sql)
{
	char *s = dbfix_text(sql);
	int64_t n = strtoll(s, NULL, 10);

	mem_free(s);
	return n;
}

void
dbfix_listen(void)
{
	epoch_heard(INT64_MAX);
}

void
dbfix_hear(void)
{
	char *s = dbfix_text("SELECT '0 ' || config_epoch || (SELECT "
			     "coalesce(string_agg(' ' || slot || ' ' || "
			     "config_epoch, ''), '') FROM control.accounts) "
			     "FROM control.platform");
	char *p = s;

	while (*p != '\0') {
		uint32_t slot = (uint32_t)strtoul(p, &p, 10);

		epoch_raise(slot, strtoull(p, &p, 10));
	}
	mem_free(s);
}
