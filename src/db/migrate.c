/*
 * Schema versions.  Numbered files run once each, in a transaction with the
 * row that records them; the functions of sql/gate are replaced as a whole
 * whenever one of their texts changed, together with the grants they need.
 */
#include "db/migrate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

#include "db/conn_priv.h"
#include "db/migrate_priv.h"
#include "db/session_priv.h"

#include "util/banned.h"

#define CONNECT_S 10
#define LOCK_S 120
/*
 * Whoever wants a table waits behind a migration that waits for it, so waiting
 * and holding together stay within two seconds: the first is cut by the
 * server and tried again, the second is refused.
 */
#define LOCK_MS 1000
#define LOCK_TRIES 60
#define HELD_MS 2000
#define NEEDS "-- needs: "
#define CONTRACT "-- contract: "

static const char sql_own_tables[] =
    "CREATE SCHEMA IF NOT EXISTS control;"
    "CREATE TABLE IF NOT EXISTS control.schema_migrations ("
    "	version integer PRIMARY KEY,"
    "	name text NOT NULL,"
    "	checksum text NOT NULL,"
    "	applied_at timestamptz NOT NULL DEFAULT now());"
    "ALTER TABLE control.schema_migrations"
    "	ADD COLUMN IF NOT EXISTS oldest integer;"
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
    "INSERT INTO control.schema_migrations (version, name, checksum, oldest) "
    "VALUES ($1, $2, $3, $4)";
/* Tables of ours that are there, and those of them that this transaction has
 * locked against everybody. */
static const char sql_tables[] =
    "SELECT coalesce(array_agg(c.oid)::text, '{}') FROM pg_class c "
    "JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE n.nspname IN ('control', 'data') AND c.relkind IN ('r', 'p') "
    "AND c.relname NOT IN ('schema_migrations', 'schema_gate')";
static const char sql_held[] =
    "SELECT string_agg(DISTINCT l.relation::regclass::text, ', ') "
    "FROM pg_locks l WHERE l.pid = pg_backend_pid() AND l.granted "
    "AND l.mode = 'AccessExclusiveLock' AND l.relation = ANY ($1::oid[])";
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
compare(struct migration *m, const PGresult *r, struct err *e)
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

int
migrate_check_applied(struct migration *m, struct err *e)
{
	PGresult *r;
	int rc;

	if (session_query(m->pg, sql_applied, 0, NULL, "versions", &r, e) != 0)
		return -1;
	rc = compare(m, r, e);
	PQclear(r);
	return rc;
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

/*
 * The oldest schema version whose programs go on working with what the file
 * makes.  0: all; a file that takes something away says so in a line
 * "-- contract: N".
 */
static int
oldest_of(const struct sql_file *f, int *oldest, struct err *e)
{
	const char *line = f->text;
	char number[12];
	int64_t n;

	*oldest = 0;
	while (line != NULL && !str_starts(line, CONTRACT)) {
		line = strchr(line, '\n');
		if (line != NULL)
			line++;
	}
	if (line == NULL)
		return 0;
	line += sizeof(CONTRACT) - 1;
	snprintf(
	    number, sizeof(number), "%.*s", (int)strcspn(line, " \n"), line);
	if (str_int(number, 1, f->number, &n) != 0)
		return err_set(e, ERR_INVALID,
		    "%s: \"-- contract: N\" names the oldest schema version "
		    "whose programs still work, 1 to %d",
		    f->name, f->number);
	*oldest = (int)n;
	return 0;
}

static int
record(struct migration *m, const struct sql_file *f, const char *sum,
    int oldest, struct err *e)
{
	char number[12], least[12];
	const char *params[] = { number, f->name, sum, least };
	PGresult *r = NULL;
	int rc;

	snprintf(number, sizeof(number), "%d", f->number);
	snprintf(least, sizeof(least), "%d", oldest);
	rc = session_query(m->pg, sql_record, 4, params, f->name, &r, e);
	PQclear(rc == 0 ? r : NULL);
	return rc;
}

/* Did the transaction that began at ${began} lock a table of ${tables} for
 * longer than anybody should wait?  A database that was empty has nobody. */
static int
check_held(struct migration *m, const struct sql_file *f, const char *tables,
    int64_t began, struct err *e)
{
	char *held = NULL;
	int64_t ms;

	if (m->applied == 0)
		return 0;
	if (session_value(
		m->pg, sql_held, 1, &tables, f->name, m->ctx, &held, e) != 0)
		return -1;
	ms = (clock_mono() - began) / CLOCK_MS;
	if (held[0] == '\0' || ms <= HELD_MS)
		return 0;
	return err_set(e, ERR_CONFLICT,
	    "%s locked %s for %lld ms, %d are allowed; nothing of it was kept: "
	    "change tables in one file, rows in another",
	    f->name, held, (long long)ms, HELD_MS);
}

static int
apply_once(struct migration *m, const struct sql_file *f, const char *sum,
    int oldest, struct err *e)
{
	int64_t began;
	char *tables = NULL;
	int rc;

	if (session_value(
		m->pg, sql_tables, 0, NULL, f->name, m->ctx, &tables, e) != 0 ||
	    session_exec(m->pg, sql_begin, f->name, e) != 0)
		return -1;
	began = clock_mono();
	rc = session_exec(m->pg, f->text, f->name, e);
	if (rc == 0 && PQtransactionStatus(m->pg) == PQTRANS_INTRANS)
		rc = record(m, f, sum, oldest, e);
	if (rc == 0 && PQtransactionStatus(m->pg) == PQTRANS_INTRANS)
		rc = check_held(m, f, tables, began, e);
	return finish(m, rc, f->name, e);
}

/* Is it worth another try?  Says so and waits a moment. */
static bool
again(struct migration *m, const char *what, int tries, const struct err *e)
{
	const struct timespec pause = { .tv_nsec = 300 * 1000 * 1000 };

	if (e->code != ERR_TIMEOUT || tries >= LOCK_TRIES)
		return false;
	if (tries == 1)
		tell(m, mem_printf(m->ctx,
			    "%s waits for a table that is in use", what));
	clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
	return true;
}

static int
apply(struct migration *m, const struct sql_file *f, struct err *e)
{
	int oldest, tries = 1;
	char *sum = NULL;

	if (checksum(m, f->text, &sum, e) != 0 || oldest_of(f, &oldest, e) != 0)
		return -1;
	while (apply_once(m, f, sum, oldest, e) != 0)
		if (!again(m, f->name, tries++, e))
			return -1;
	tell(m, mem_printf(m->ctx, "%s applied", f->name));
	return 0;
}

/* Has a file of sql/gate changed, come or gone? */
int
migrate_gate_changed(struct migration *m, bool *changed, struct err *e)
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
replace_gate_once(struct migration *m, struct err *e)
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
	return finish(m, rc, "gate", e);
}

static int
replace_gate(struct migration *m, struct err *e)
{
	int tries = 1;

	while (replace_gate_once(m, e) != 0)
		if (!again(m, "gate", tries++, e))
			return -1;
	tell(m, mem_printf(
		    m->ctx, "gate functions replaced (%zu files)", m->gate.n));
	return 0;
}

static int
migrate_locked(struct migration *m, struct migrate_report *out, struct err *e)
{
	bool changed = false;
	size_t i;

	if (session_exec(m->pg, sql_own_tables, "schema control", e) != 0 ||
	    migrate_check_applied(m, e) != 0)
		return -1;
	for (i = (size_t)m->applied; i < m->files.n; i++) {
		if (apply(m, &m->files.file[i], e) != 0)
			return -1;
		out->applied++;
	}
	out->version = (int)m->files.n;
	if (migrate_gate_changed(m, &changed, e) != 0)
		return -1;
	return changed ? replace_gate(m, e) : 0;
}

int
migrate_open(
    struct migration *m, const char *conninfo, const char *dir, struct err *e)
{
	struct conn_opts opts = {
		.conninfo = conninfo, .user = "sb_owner", .lock_ms = LOCK_MS
	};

	m->ctx = mem_root("migrate");
	if (sql_files_read(dir, 4, true, m->ctx, &m->files, e) != 0 ||
	    sql_files_read(mem_printf(m->ctx, "%s/gate", dir), 2, false, m->ctx,
		&m->gate, e) != 0 ||
	    check_numbers(&m->files, e) != 0)
		return -1;
	m->pg = conn_connect(&opts, clock_mono() + CONNECT_S * CLOCK_S, e);
	return m->pg != NULL ? 0 : -1;
}

void
migrate_close(struct migration *m)
{
	PQfinish(m->pg);
	mem_free(m->ctx);
}

int
migrate_run(const char *conninfo, const char *dir,
    void (*progress)(void *arg, const char *text), void *arg,
    struct migrate_report *out, struct err *e)
{
	struct migration m = { .progress = progress, .arg = arg };
	struct migrate_report report = { 0 };
	int rc = migrate_open(&m, conninfo, dir, e);

	if (rc == 0)
		rc = session_lock(m.pg, "switchboard migrate", LOCK_S, e);
	if (rc == 0)
		rc = migrate_locked(&m, &report, e);
	migrate_close(&m);
	if (rc == 0)
		*out = report;
	return rc;
}
