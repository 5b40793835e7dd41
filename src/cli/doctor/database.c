/* The database: can each role work, and is everything as it must be? */
#include <inttypes.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/doctor/exam.h"
#include "cli/doctor/store.h"
#include "cli/files.h"
#include "conf/conf.h"
#include "db/db.h"
#include "db/migrate.h"
#include "secret/secret.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

#define PING (5 * CLOCK_S)
#define SECRETS (30 * CLOCK_S)
/* Tokens and passes allow a minute; ids and partitions follow our clock. */
#define CLOCK_WARN INT64_C(1000000)
#define CLOCK_FAIL INT64_C(30000000)

/* Ask as ${role}; the pool of who answers, or NULL. */
static struct db_pool *
exam_role(struct exam *x, const char *role)
{
	char *check = mem_printf(x->c->ctx, "database as %s", role);
	static const char todo[] =
	    "is PostgreSQL running, database_url right, and the password in "
	    "its passfile the role's?  \"switchboard init --keep\" sets the "
	    "passwords anew";
	int64_t before = clock_mono();
	struct err e = { 0 };
	struct db_pool *db;

	if (cli_db_as(x->c, role, &db, &e) != 0) {
		exam_fail(x, check, "mend the configuration", "%s", e.text);
		return NULL;
	}
	if (db_ping(db, clock_mono() + PING, &e) != 0) {
		exam_fail(x, check, todo, "%s", e.text);
		db_pool_free(db);
		return NULL;
	}
	exam_ok(x, check, "answers in %lld ms",
	    (long long)((clock_mono() - before) / CLOCK_MS));
	return db;
}

static void
exam_schema(struct exam *x)
{
	const char *url = x->conf->database_direct_url[0] != '\0'
	                      ? x->conf->database_direct_url
	                      : x->conf->database_url;
	struct migrate_pending p;
	struct err e = { 0 };
	const char *dir = cli_opt(x->c, "sql");

	if (migrate_check(url, "sb_admin", &e) != 0) {
		exam_fail(x, "schema",
		    "switchboard migrate, or install the program that fits "
		    "the database",
		    "%s", e.text);
		return;
	}
	exam_ok(x, "schema", "this program can work with it");
	if (dir == NULL)
		dir = mem_printf(x->c->ctx, "%s/sql", files_data(x->c->ctx));
	/* A program that runs where it was built has no installed files. */
	if (!files_exist(dir))
		return;
	if (migrate_look(url, dir, x->c->ctx, &p, &e) != 0)
		exam_fail(x, "migrations",
		    "install the program that made this database, or restore "
		    "it",
		    "%s", e.text);
	else if (p.files > 0 || p.gate)
		exam_fail(x, "migrations", "switchboard migrate",
		    "%d pending%s%s%s", p.files, p.files > 0 ? ": " : "",
		    p.names, p.gate ? "; functions differ" : "");
	else
		exam_ok(x, "migrations", "none is pending");
}

/* What ${ask} finds wrong. */
static void
exam_findings(struct exam *x, struct db_pool *db, const char *check,
    const char *good, const char *todo,
    int (*ask)(struct db_pool *, const void *, char **, struct err *))
{
	struct err e = { 0 };
	char *found;

	if (ask(db, x->c->ctx, &found, &e) != 0)
		exam_fail(x, check, "see the schema above", "%s", e.text);
	else if (found[0] != '\0')
		exam_fail(x, check, todo, "%s", found);
	else
		exam_ok(x, check, "%s", good);
}

static void
exam_clock(struct exam *x, const struct store_server *s)
{
	int64_t off = s->clock_us - (s->asked_us + s->answered_us) / 2;
	int64_t slack = (s->answered_us - s->asked_us) / 2;
	int64_t least = llabs(off) > slack ? llabs(off) - slack : 0;
	static const char todo[] =
	    "let both machines follow the same time (chrony, "
	    "systemd-timesyncd)";

	if (least > CLOCK_FAIL)
		exam_fail(x, "clock", todo,
		    "%.1f s %s the database's: keys, tokens and partitions go "
		    "by it",
		    (double)llabs(off) / 1e6, off > 0 ? "behind" : "ahead of");
	else if (least > CLOCK_WARN)
		exam_warn(x, "clock", todo, "%.1f s %s the database's",
		    (double)llabs(off) / 1e6, off > 0 ? "behind" : "ahead of");
	else
		exam_ok(x, "clock", "within %.3f s of the database's",
		    (double)(llabs(off) + slack) / 1e6);
}

static void
exam_connections(struct exam *x, const struct store_server *s)
{
	const struct conf *c = x->conf;
	/* docs/operation.md, "Watching" */
	int64_t need = (c->chat_workers + c->admin_workers + c->job_workers) *
	                   (c->database_pool + 1) +
	               5;

	if (s->connections_max < need)
		exam_fail(x, "connections",
		    "a smaller database_pool, or max_connections of PostgreSQL",
		    "the server may want %" PRId64 ", PostgreSQL has %" PRId64,
		    need, s->connections_max);
	else if (s->connections_max < 2 * need)
		exam_warn(x, "connections",
		    "a reload wants twice as many: a smaller database_pool, or "
		    "max_connections of PostgreSQL",
		    "the server may want %" PRId64 ", PostgreSQL has %" PRId64,
		    need, s->connections_max);
	else
		exam_ok(x, "connections",
		    "%" PRId64 " of PostgreSQL's %" PRId64
		    " are in use, the server may want %" PRId64,
		    s->connections, s->connections_max, need);
}

static void
exam_owner(struct exam *x, struct db_pool *db)
{
	struct store_server s = { 0 };
	struct err e = { 0 };

	exam_findings(x, db, "roles", "none has more power than it needs",
	    "\"switchboard init --keep\" sets them right; REVOKE what is left",
	    store_bad_roles);
	exam_findings(x, db, "row security", "forced on every account's rows",
	    "somebody has changed the schema by hand: stop the server, undo "
	    "that, and see who has read what",
	    store_bad_rows);
	exam_findings(x, db, "partitions", "there until next month",
	    "a job worker makes them: see its lines in the log",
	    store_bad_partitions);
	if (store_server(db, &s, &e) != 0) {
		exam_fail(x, "clock", "see the roles above", "%s", e.text);
		return;
	}
	exam_clock(x, &s);
	exam_connections(x, &s);
}

static void
exam_secrets(struct exam *x)
{
	struct err e = { 0 };
	struct db_pool *db;
	struct vault *v;
	int64_t n;

	if (cli_db(x->c, &db, &e) != 0) {
		exam_fail(x, "secrets", "mend the configuration", "%s", e.text);
		return;
	}
	v = vault_new(db, x->conf->master_key_file);
	if (vault_check(v, false, clock_mono() + SECRETS, &n, &e) == 0)
		exam_ok(x, "secrets", "the master key opens all %lld data keys",
		    (long long)n);
	else
		exam_fail(x, "secrets",
		    "see \"switchboard secrets status\"; run the doctor as the "
		    "server's user",
		    "%s", e.text);
	vault_free(v);
}

void
exam_database(struct exam *x)
{
	static const char *const running[] = { "sb_chat", "sb_admin",
		"sb_writer", "sb_job" };
	struct db_pool *owner = exam_role(x, "sb_owner");

	for (size_t i = 0; i < sizeof running / sizeof running[0]; i++)
		db_pool_free(exam_role(x, running[i]));
	if (owner == NULL)
		return;
	exam_schema(x);
	exam_owner(x, owner);
	exam_secrets(x);
	db_pool_free(owner);
}
