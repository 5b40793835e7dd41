/*
 * Schema versions.  Numbered files run once each, in a transaction with the
 * row that records them; the functions of sql/gate are replaced as a whole
 * whenever one of their texts changed, together with the grants they need.
 */
#include "db/migrate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/clock.h"
#include "util/mem.h"

#include "db/conn_priv.h"
#include "db/migrate_priv.h"
#include "db/schema_version.h"
#include "db/session_priv.h"

#include "util/banned.h"

#define CONNECT_S 10
#define LOCK_S 120
#define LOCK_MS 2000 /* on a table, then the migration gives up */
#define NEEDS "-- needs: "

static const char sql_own_tables[] =
    "CREATE SCHEMA IF NOT EXISTS control;"
    "CREATE TABLE IF NOT EXISTS control.schema_migrations ("
    "	version integer PRIMARY KEY,"
    "	name text NOT NULL,"
    "	checksum text NOT NULL,"
    "	applied_at timestamptz NOT NULL DEFAULT now());"
    "CREATE TABLE IF NOT EXISTS control.schema_gate ("
    "	name text PRIMARY KEY,"
    "	checksum text NOT NULL,"
    "	applied_at timestamptz NOT NULL DEFAULT now())";
static const char sql_checksum[] =
    "SELECT encode(sha256(convert_to($1, 'UTF8')), 'hex')";
static const char sql_applied[] =
    "SELECT version, name, checksum FROM control.schema_migrations "
    "ORDER BY version";
static const char sql_record[] =
    "INSERT INTO control.schema_migrations (version, name, checksum) "
    "VALUES ($1, $2, $3)";
static const char sql_gate_checksum[] =
    "SELECT checksum FROM control.schema_gate WHERE name = $1";
static const char sql_gate_count[] = "SELECT count(*) FROM control.schema_gate";
static const char sql_gate_record[] =
    "INSERT INTO control.schema_gate (name, checksum) VALUES ($1, $2)";
static const char sql_begin[] =
    "BEGIN; SET LOCAL search_path = control, data, gate, pg_temp";
/* What no file needs any more is taken back with the rest. */
static const char sql_gate_begin[] =
    "DELETE FROM control.schema_gate;"
    "REVOKE ALL ON ALL TABLES IN SCHEMA control, data FROM sb_gate;"
    "GRANT USAGE ON SCHEMA control, data, gate TO sb_gate;"
    "GRANT CREATE ON SCHEMA gate TO sb_gate";
static const char sql_gate_end[] = "SET LOCAL ROLE sb_owner;"
				   "REVOKE CREATE ON SCHEMA gate FROM sb_gate";
static const char sql_version[] =
    "SELECT coalesce(max(version), 0) FROM control.schema_migrations";

struct migration {
	PGconn *pg;
	void *ctx;
	void (*progress)(void *arg, const char *text);
	void *arg;
	struct sql_files files, gate;
	int applied; /* versions in the database */
};

static void
tell(const struct migration *m, const char *text)
{
	if (m->progress != NULL)
		m->progress(m->arg, text);
}

/* The server makes the checksum: this folder has no cryptography. */
static int
checksum(struct migration *m, const char *text, char **ret, struct err *e)
{
	return session_value(
	    m->pg, sql_checksum, 1, &text, "checksum", m->ctx, ret, e);
}

static int
check_numbers(const struct sql_files *f, struct err *e)
{
	size_t i;

	for (i = 0; i < f->n; i++)
		if (f->file[i].number != (int)i + 1)
			return err_set(e, ERR_CONFLICT,
			    "%s: expected number %04zu here: a file is "
			    "missing or there twice",
			    f->file[i].name, i + 1);
	return 0;
}

/* What the database has must be what the first files say. */
static int
check_applied(struct migration *m, const PGresult *r, struct err *e)
{
	const char *name;
	char *sum = NULL;
	int i, version;

	m->applied = PQntuples(r);
	for (i = 0; i < m->applied; i++) {
		version = (int)strtol(PQgetvalue(r, i, 0), NULL, 10);
		name = PQgetvalue(r, i, 1);
		if (version != i + 1)
			return err_set(e, ERR_CONFLICT,
			    "the database lacks version %d but has %d", i + 1,
			    version);
		if ((size_t)i >= m->files.n)
			return err_set(e, ERR_CONFLICT,
			    "the database has version %d (%s), which this "
			    "program does not know",
			    version, name);
		if (checksum(m, m->files.file[i].text, &sum, e) != 0)
			return -1;
		if (strcmp(name, m->files.file[i].name) != 0 ||
		    strcmp(sum, PQgetvalue(r, i, 2)) != 0)
			return err_set(e, ERR_CONFLICT,
			    "%s was changed after it was applied (as %s)",
			    m->files.file[i].name, name);
	}
	return 0;
}

/* End the transaction: COMMIT when all went well. */
static int
finish(struct migration *m, int rc, const char *what, struct err *e)
{
	if (rc == 0 && PQtransactionStatus(m->pg) != PQTRANS_INTRANS)
		rc = err_set(e, ERR_CONFLICT,
		    "%s ends the transaction it runs in", what);
	if (rc == 0)
		return session_exec(m->pg, "COMMIT", what, e);
	session_exec(m->pg, "ROLLBACK", what, NULL);
	return -1;
}

static int
apply(struct migration *m, const struct sql_file *f, struct err *e)
{
	const char *params[3];
	char number[12], *sum = NULL;
	int rc;

	if (checksum(m, f->text, &sum, e) != 0 ||
	    session_exec(m->pg, sql_begin, f->name, e) != 0)
		return -1;
	rc = session_exec(m->pg, f->text, f->name, e);
	if (rc == 0 && PQtransactionStatus(m->pg) == PQTRANS_INTRANS) {
		PGresult *r = NULL;

		snprintf(number, sizeof(number), "%d", f->number);
		params[0] = number;
		params[1] = f->name;
		params[2] = sum;
		rc =
		    session_query(m->pg, sql_record, 3, params, f->name, &r, e);
		PQclear(rc == 0 ? r : NULL);
	}
	if (finish(m, rc, f->name, e) != 0)
		return -1;
	tell(m, mem_printf(m->ctx, "%s applied", f->name));
	return 0;
}

/* Has a file of sql/gate changed, come or gone? */
static int
gate_changed(struct migration *m, bool *changed, struct err *e)
{
	const char *name;
	char *sum = NULL, *had = NULL;
	size_t i;

	if (session_value(
		m->pg, sql_gate_count, 0, NULL, "gate", m->ctx, &had, e) != 0)
		return -1;
	*changed = strtoul(had, NULL, 10) != m->gate.n;
	for (i = 0; i < m->gate.n && !*changed; i++) {
		name = m->gate.file[i].name;
		if (checksum(m, m->gate.file[i].text, &sum, e) != 0 ||
		    session_value(m->pg, sql_gate_checksum, 1, &name, "gate",
			m->ctx, &had, e) != 0)
			return -1;
		*changed = strcmp(sum, had) != 0;
	}
	return 0;
}

/* Grant what the file says it needs: lines "-- needs: SELECT ON control.x". */
static int
grant_needs(struct migration *m, const struct sql_file *f, struct err *e)
{
	const char *line = f->text, *what;
	size_t n;

	for (; *line != '\0'; line += n + (line[n] == '\n')) {
		n = strcspn(line, "\n");
		if (strncmp(line, NEEDS, sizeof(NEEDS) - 1) != 0)
			continue;
		what = mem_printf(m->ctx, "%.*s",
		    (int)(n - (sizeof(NEEDS) - 1)), line + sizeof(NEEDS) - 1);
		if (strstr(what, " ON ") == NULL ||
		    strpbrk(what, ";'\"") != NULL)
			return err_set(e, ERR_INVALID,
			    "gate/%s: not a need: %s", f->name, what);
		if (session_exec(m->pg,
			mem_printf(m->ctx, "GRANT %s TO sb_gate", what),
			f->name, e) != 0)
			return -1;
	}
	return 0;
}

static int
replace_gate_file(struct migration *m, const struct sql_file *f, struct err *e)
{
	const char *params[2];
	PGresult *r = NULL;
	char *sum = NULL;

	if (checksum(m, f->text, &sum, e) != 0)
		return -1;
	params[0] = f->name;
	params[1] = sum;
	if (session_query(m->pg, sql_gate_record, 2, params, f->name, &r, e) !=
	    0)
		return -1;
	PQclear(r);
	/* Functions made as sb_gate are its own. */
	if (session_exec(m->pg, "SET LOCAL ROLE sb_gate", f->name, e) != 0 ||
	    session_exec(
		m->pg, f->text, mem_printf(m->ctx, "gate/%s", f->name), e) != 0)
		return -1;
	return session_exec(m->pg, "SET LOCAL ROLE sb_owner", f->name, e);
}

static int
replace_gate(struct migration *m, struct err *e)
{
	size_t i;
	int rc;

	if (session_exec(m->pg, sql_begin, "gate", e) != 0)
		return -1;
	rc = session_exec(m->pg, sql_gate_begin, "gate", e);
	for (i = 0; rc == 0 && i < m->gate.n; i++)
		rc = grant_needs(m, &m->gate.file[i], e);
	if (rc == 0)
		rc = session_exec(m->pg, "SELECT control.protect_for_gate()",
		    "policies of sb_gate", e);
	for (i = 0; rc == 0 && i < m->gate.n; i++)
		rc = replace_gate_file(m, &m->gate.file[i], e);
	if (rc == 0)
		rc = session_exec(m->pg, sql_gate_end, "gate", e);
	if (finish(m, rc, "gate", e) != 0)
		return -1;
	tell(m, mem_printf(
		    m->ctx, "gate functions replaced (%zu files)", m->gate.n));
	return 0;
}

static int
migrate_locked(struct migration *m, struct migrate_report *out, struct err *e)
{
	bool changed = false;
	PGresult *r;
	size_t i;
	int rc;

	if (session_exec(m->pg, sql_own_tables, "schema control", e) != 0 ||
	    session_query(m->pg, sql_applied, 0, NULL, "versions", &r, e) != 0)
		return -1;
	rc = check_applied(m, r, e);
	PQclear(r);
	if (rc != 0)
		return -1;
	for (i = (size_t)m->applied; i < m->files.n; i++) {
		if (apply(m, &m->files.file[i], e) != 0)
			return -1;
		out->applied++;
	}
	out->version = (int)m->files.n;
	if (gate_changed(m, &changed, e) != 0)
		return -1;
	return changed ? replace_gate(m, e) : 0;
}

int
migrate_run(const char *conninfo, const char *dir,
    void (*progress)(void *arg, const char *text), void *arg,
    struct migrate_report *out, struct err *e)
{
	struct conn_opts opts = {
		.conninfo = conninfo, .user = "sb_owner", .lock_ms = LOCK_MS
	};
	struct migration m = { .progress = progress, .arg = arg };
	struct migrate_report report = { 0 };
	int rc;

	m.ctx = mem_root("migrate");
	rc = sql_files_read(dir, 4, true, m.ctx, &m.files, e);
	if (rc == 0)
		rc = sql_files_read(mem_printf(m.ctx, "%s/gate", dir), 2, false,
		    m.ctx, &m.gate, e);
	if (rc == 0)
		rc = check_numbers(&m.files, e);
	if (rc == 0) {
		m.pg =
		    conn_connect(&opts, clock_mono() + CONNECT_S * CLOCK_S, e);
		rc = m.pg == NULL ? -1 : 0;
	}
	if (rc == 0)
		rc = session_lock(m.pg, "switchboard migrate", LOCK_S, e);
	if (rc == 0)
		rc = migrate_locked(&m, &report, e);
	PQfinish(m.pg);
	mem_free(m.ctx);
	if (rc == 0)
		*out = report;
	return rc;
}

int
migrate_check(const char *conninfo, const char *user, struct err *e)
{
	struct conn_opts opts = { .conninfo = conninfo, .user = user };
	PGconn *pg;
	char *text = NULL;
	void *tmp;
	int rc, version;

	pg = conn_connect(&opts, clock_mono() + CONNECT_S * CLOCK_S, e);
	if (pg == NULL)
		return -1;
	tmp = mem_root("migrate check");
	rc = session_value(
	    pg, sql_version, 0, NULL, "schema version", tmp, &text, e);
	if (rc != 0) {
		err_prefix(e,
		    "the database is not ready for %s: run "
		    "`switchboard migrate`",
		    user);
	} else {
		version = (int)strtol(text, NULL, 10);
		if (version < SB_SCHEMA_VERSION)
			rc = err_set(e, ERR_CONFLICT,
			    "the database has schema version %d, this program "
			    "needs %d: run `switchboard migrate`",
			    version, SB_SCHEMA_VERSION);
		else if (version > SB_SCHEMA_VERSION)
			rc = err_set(e, ERR_CONFLICT,
			    "the database has schema version %d, this program "
			    "knows only %d: install the newer program",
			    version, SB_SCHEMA_VERSION);
	}
	PQfinish(pg);
	mem_free(tmp);
	return rc;
}
