/* Does the database have the schema that a program was written for? */
#include "db/migrate.h"

#include <stdlib.h>

#include "util/clock.h"
#include "util/mem.h"

#include "db/conn_priv.h"
#include "db/migrate_priv.h"
#include "db/schema_version.h"
#include "db/session_priv.h"

#include "util/banned.h"

#define CONNECT_S 10

/*
 * The newest version, and the oldest that every file of it works with.  A row
 * of unknown origin works with nothing older.
 */
static const char sql_version[] = "SELECT coalesce(max(version), 0) || ' ' || "
				  "coalesce(max(coalesce(oldest, version)), 0) "
				  "FROM control.schema_migrations";
static const char sql_begun[] =
    "SELECT coalesce(to_regclass('control.schema_migrations')::text, '')";

int
migrate_check(const char *conninfo, const char *user, struct err *e)
{
	struct conn_opts opts = { .conninfo = conninfo, .user = user };
	int rc, version, oldest;
	char *text = NULL, *end;
	PGconn *pg;
	void *tmp;

	pg = conn_connect(&opts, clock_mono() + CONNECT_S * CLOCK_S, e);
	if (pg == NULL)
		return -1;
	tmp = mem_root("migrate check");
	rc = session_value(
	    pg, sql_version, 0, NULL, "schema version", tmp, &text, e);
	if (rc != 0)
		err_prefix(e,
		    "the database is not ready for %s: run "
		    "`switchboard migrate`",
		    user);
	version = (int)strtol(text != NULL ? text : "", &end, 10);
	oldest = (int)strtol(end, NULL, 10);
	if (rc == 0 && version < SB_SCHEMA_VERSION)
		rc = err_set(e, ERR_CONFLICT,
		    "the database has schema version %d, this program needs "
		    "%d: run `switchboard migrate`",
		    version, SB_SCHEMA_VERSION);
	else if (rc == 0 && oldest > SB_SCHEMA_VERSION)
		rc = err_set(e, ERR_CONFLICT,
		    "the database has schema version %d, which programs below "
		    "%d do not know; this one is of %d: install the newer one",
		    version, oldest, SB_SCHEMA_VERSION);
	PQfinish(pg);
	mem_free(tmp);
	return rc;
}

/* The names of the files that are not applied. */
static void
collect(const struct migration *m, const void *ctx, struct migrate_pending *out)
{
	char *names = mem_strdup(ctx, "");
	size_t i;

	for (i = (size_t)m->applied; i < m->files.n; i++) {
		names = mem_printf(ctx, "%s%s%s", names,
		    names[0] != '\0' ? ", " : "", m->files.file[i].name);
		out->files++;
	}
	out->names = names;
}

int
migrate_look(const char *conninfo, const char *dir, const void *ctx,
    struct migrate_pending *out, struct err *e)
{
	struct migration m = { 0 };
	char *begun = NULL;
	int rc = migrate_open(&m, conninfo, dir, e);

	*out = (struct migrate_pending){ 0 };
	if (rc == 0)
		rc = session_value(m.pg, sql_begun, 0, NULL,
		    "schema_migrations", m.ctx, &begun, e);
	if (rc == 0 && begun[0] != '\0') {
		rc = migrate_check_applied(&m, e);
		if (rc == 0)
			rc = migrate_gate_changed(&m, &out->gate, e);
	}
	if (rc == 0)
		collect(&m, ctx, out);
	migrate_close(&m);
	return rc;
}
