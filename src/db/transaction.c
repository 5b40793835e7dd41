/*
 * One transaction as one pipeline: everything is sent, then everything is
 * read, so that a transaction costs one round trip however many statements it
 * has.
 */
#include <stdatomic.h>
#include <string.h>

#include "db/conn_priv.h"

#include "telemetry/log.h"
#include "telemetry/metric.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

static const struct db_stmt stmt_begin = { "sb_begin", "BEGIN" };
static const struct db_stmt stmt_begin_read = { "sb_begin_read",
	"BEGIN READ ONLY" };
static const struct db_stmt stmt_commit = { "sb_commit", "COMMIT" };

/* What was sent, in order: an answer to each is to be read. */
enum sent_kind { SENT_PREPARE, SENT_CONTROL, SENT_STEP };

struct sent {
	enum sent_kind kind;
	const struct db_stmt *stmt;
	int step;
};

struct pipeline {
	struct conn *c;
	int64_t deadline;
	struct sent sent[2 * (CONN_STEPS + 3) + CONN_SETTINGS];
	int nsent;
};

static int
lost(struct conn *c, struct err *e)
{
	const char *why = PQerrorMessage(c->pg);

	c->broken = true;
	metric_add(M_DB_LOST, 1);
	return err_set_kind(e, ERR_UNAVAILABLE, NULL, 1,
	    "lost the database: %.*s", (int)strcspn(why, "\n"), why);
}

/* Store the next result (NULL between two statements) in *ret.  While the
 * server is busy, what has not been sent yet goes out. */
static int
next_result(struct pipeline *p, PGresult **ret, struct err *e)
{
	PGconn *pg = p->c->pg;
	int more = 0;

	while (PQisBusy(pg)) {
		more = PQflush(pg);
		if (more < 0)
			return lost(p->c, e);
		if (conn_wait(pg, more > 0, p->deadline) != 0) {
			conn_silent(p->c);
			return err_set_kind(e, ERR_UNAVAILABLE, NULL, 1,
			    "the database did not answer in time");
		}
		if (!PQconsumeInput(pg))
			return lost(p->c, e);
	}
	*ret = PQgetResult(pg);
	return 0;
}

static void
note(struct pipeline *p, enum sent_kind kind, const struct db_stmt *stmt,
    int step)
{
	p->sent[p->nsent].kind = kind;
	p->sent[p->nsent].stmt = stmt;
	p->sent[p->nsent].step = step;
	p->nsent++;
}

static bool
is_prepared(const struct conn *c, const struct db_stmt *stmt)
{
	unsigned i;

	for (i = 0; i < c->nnames; i++)
		if (c->names[i] == stmt)
			return true;
	return false;
}

static void
remember_prepared(struct conn *c, const struct db_stmt *stmt)
{
	const struct db_stmt **more;
	unsigned i;

	if (c->nnames == c->names_cap) {
		c->names_cap = c->names_cap * 2 + 16;
		more = mem_array(c, const struct db_stmt *, c->names_cap);
		for (i = 0; i < c->nnames; i++)
			more[i] = c->names[i];
		mem_free(c->names);
		c->names = more;
	}
	c->names[c->nnames++] = stmt;
}

static bool
was_sent(const struct pipeline *p, const struct db_stmt *stmt)
{
	int i;

	for (i = 0; i < p->nsent; i++)
		if (p->sent[i].kind == SENT_PREPARE && p->sent[i].stmt == stmt)
			return true;
	return false;
}

/* Append a statement to the pipeline; 1, or 0 as libpq does. */
static int
send_stmt(struct pipeline *p, const struct db_stmt *stmt,
    const struct conn_params *a, enum sent_kind kind, int step)
{
	static const struct conn_params none;
	PGconn *pg = p->c->pg;

	if (a == NULL)
		a = &none;
	if (!p->c->opts->prepared || p->c->unnamed || stmt->name == NULL) {
		note(p, kind, stmt, step);
		return PQsendQueryParams(pg, stmt->sql, a->n, a->types,
		    a->values, a->lengths, a->formats, 0);
	}
	if (!is_prepared(p->c, stmt) && !was_sent(p, stmt)) {
		note(p, SENT_PREPARE, stmt, step);
		if (!PQsendPrepare(pg, stmt->name, stmt->sql, a->n, a->types))
			return 0;
	}
	note(p, kind, stmt, step);
	return PQsendQueryPrepared(
	    pg, stmt->name, a->n, a->values, a->lengths, a->formats, 0);
}

/* A message of its own, never prepared. */
static int
send_text(struct pipeline *p, const char *text)
{
	note(p, SENT_CONTROL, NULL, -1);
	return PQsendQueryParams(p->c->pg, text, 0, NULL, NULL, NULL, NULL, 0);
}

static void
copy_field(char *out, size_t max, const PGresult *r, int field)
{
	const char *s = PQresultErrorField(r, field);
	size_t n = s == NULL ? 0 : strlen(s);

	if (n >= max)
		n = str_utf8_prefix(s, max - 1);
	if (n > 0)
		memcpy(out, s, n);
	out[n] = '\0';
}

static void
note_failure(const struct sent *s, const PGresult *r, struct conn_failure *f)
{
	copy_field(f->sqlstate, sizeof(f->sqlstate), r, PG_DIAG_SQLSTATE);
	copy_field(
	    f->constraint, sizeof(f->constraint), r, PG_DIAG_CONSTRAINT_NAME);
	copy_field(f->message, sizeof(f->message), r, PG_DIAG_MESSAGE_PRIMARY);
	f->stmt = s->step;
}

/* Take one statement's result.  0 or -1; what went wrong first stands in f. */
static int
take(struct pipeline *p, const struct sent *s, struct conn_step *steps,
    struct conn_failure *f, bool *failed, struct err *e)
{
	PGresult *r = NULL, *rest = NULL;
	ExecStatusType st;

	if (next_result(p, &r, e) != 0)
		return -1;
	if (r == NULL)
		return lost(p->c, e);
	st = PQresultStatus(r);
	if (PQstatus(p->c->pg) == CONNECTION_BAD) {
		note_failure(s, r, f);
		PQclear(r);
		return lost(p->c, e);
	}
	if (st == PGRES_TUPLES_OK || st == PGRES_COMMAND_OK ||
	    st == PGRES_EMPTY_QUERY) {
		if (s->kind == SENT_PREPARE)
			remember_prepared(p->c, s->stmt);
		else if (s->kind == SENT_STEP && steps != NULL) {
			steps[s->step].result = r;
			r = NULL;
		}
	} else if (!*failed) {
		*failed = true;
		note_failure(s, r, f);
		sqlstate_err(f,
		    s->stmt != NULL && s->stmt->name != NULL ? s->stmt->name
							     : "statement",
		    e);
	}
	PQclear(r);
	if (next_result(p, &rest, e) != 0)
		return -1;
	if (rest != NULL) { /* more than one result: nothing of ours */
		PQclear(rest);
		p->c->broken = true;
		return err_set(e, ERR_INTERNAL, "unexpected result");
	}
	return 0;
}

/* Read the answer to a sync. */
static int
take_sync(struct pipeline *p, struct err *e)
{
	PGresult *r = NULL;
	ExecStatusType st;

	if (next_result(p, &r, e) != 0)
		return -1;
	st = PQresultStatus(r);
	PQclear(r);
	if (st != PGRES_PIPELINE_SYNC)
		return lost(p->c, e);
	return 0;
}

/* After a failed statement the server still waits for the end of the
 * transaction.  e keeps the statement's error. */
static void
roll_back(struct pipeline *p, struct conn_failure *f)
{
	struct sent s = { .kind = SENT_CONTROL, .step = -1 };
	struct conn_failure ignored;
	bool failed = false;

	if (PQtransactionStatus(p->c->pg) != PQTRANS_IDLE &&
	    (!PQsendQueryParams(
		 p->c->pg, "ROLLBACK", 0, NULL, NULL, NULL, NULL, 0) ||
		!PQpipelineSync(p->c->pg) ||
		take(p, &s, NULL, &ignored, &failed, NULL) != 0 || failed ||
		take_sync(p, NULL) != 0))
		p->c->broken = true;
	/* Even without the ROLLBACK: nothing behind the error was run. */
	f->rolled_back = true;
	/* Plans that no longer fit: begin anew. */
	if (!strcmp(f->sqlstate, "0A000"))
		p->c->broken = true;
}

static int
send_all(struct pipeline *p, bool read_only, const char *const *settings,
    int nsettings, struct conn_step *steps, int nsteps)
{
	int i, ok;

	ok = send_stmt(p, read_only ? &stmt_begin_read : &stmt_begin, NULL,
	    SENT_CONTROL, -1);
	for (i = 0; ok && i < nsettings; i++)
		ok = send_text(p, settings[i]);
	for (i = 0; ok && i < nsteps; i++)
		ok =
		    send_stmt(p, steps[i].stmt, &steps[i].params, SENT_STEP, i);
	ok = ok && send_stmt(p, &stmt_commit, NULL, SENT_CONTROL, -1);
	return ok && PQpipelineSync(p->c->pg) && PQflush(p->c->pg) >= 0;
}

static int
run_once(struct conn *c, bool read_only, const char *const *settings,
    int nsettings, struct conn_step *steps, int nsteps, int64_t deadline,
    struct conn_failure *f, struct err *e)
{
	struct pipeline p = { .c = c, .deadline = deadline };
	bool failed = false;
	int i, rc;

	memset(f, 0, sizeof(*f));
	f->stmt = -1;
	if (nsteps > CONN_STEPS || nsettings > CONN_SETTINGS)
		return err_set(e, ERR_INTERNAL, "too many statements");
	for (i = 0; i < nsteps; i++)
		steps[i].result = NULL;
	if (!send_all(&p, read_only, settings, nsettings, steps, nsteps))
		rc = lost(c, e);
	else
		rc = 0;
	for (i = 0; rc == 0 && i < p.nsent; i++)
		rc = take(&p, &p.sent[i], steps, f, &failed, e);
	if (rc == 0)
		rc = take_sync(&p, failed ? NULL : e);
	if (rc == 0 && failed) {
		roll_back(&p, f);
		/* The server has become a standby: look for the primary. */
		if (!read_only && !strcmp(f->sqlstate, "25006"))
			c->broken = true;
		rc = -1;
	}
	if (rc != 0)
		for (i = 0; i < nsteps; i++) {
			PQclear(steps[i].result);
			steps[i].result = NULL;
		}
	return rc;
}

/* A statement that was prepared is not there, or is there already: a pooler
 * has put another server behind the connection. */
static bool
names_mixed(const struct conn_failure *f)
{
	return !strcmp(f->sqlstate, "26000") || !strcmp(f->sqlstate, "42P05");
}

int
conn_transaction(struct conn *c, bool read_only, const char *const *settings,
    int nsettings, struct conn_step *steps, int nsteps, int64_t deadline,
    struct conn_failure *f, struct err *e)
{
	static atomic_flag said = ATOMIC_FLAG_INIT;
	int rc;

	rc = run_once(
	    c, read_only, settings, nsettings, steps, nsteps, deadline, f, e);
	if (rc == 0 || !names_mixed(f) || !f->rolled_back || c->broken ||
	    c->unnamed)
		return rc;
	if (!atomic_flag_test_and_set(&said))
		log_event(LOG_WARN, "prepared_statements_lost", "sqlstate",
		    f->sqlstate, "advice", "set database_prepared = off", NULL);
	c->unnamed = true;
	return run_once(
	    c, read_only, settings, nsettings, steps, nsteps, deadline, f, e);
}

int
conn_ping(struct conn *c, int64_t deadline, struct err *e)
{
	struct pipeline p = { .c = c, .deadline = deadline };
	struct conn_failure f;
	bool failed = false;

	if (!send_text(&p, "") || !PQpipelineSync(c->pg) || PQflush(c->pg) < 0)
		return lost(c, e);
	if (take(&p, &p.sent[0], NULL, &f, &failed, e) != 0 ||
	    take_sync(&p, failed ? NULL : e) != 0 || failed) {
		c->broken = true;
		return -1;
	}
	return 0;
}
