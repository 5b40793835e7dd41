/*
 * One connection to PostgreSQL: opened, used and waited for with deadlines,
 * never longer.  A connection whose state is not certain after a call is marked
 * broken and only good for conn_free().
 */
#ifndef DB_CONN_PRIV_H
#define DB_CONN_PRIV_H

#include <libpq-fe.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "db/db.h"

/* Parameters of one statement, as PQsendQueryParams wants them. */
struct conn_params {
	int n;
	const Oid *types; /* NULL: the server knows */
	const char *const *values;
	const int *lengths, *formats; /* NULL: all text */
};

struct conn_opts {
	const char *conninfo;
	const char *user, *dbname; /* NULL: what conninfo says */
	int statement_ms, lock_ms; /* 0: the role's own */
	const char *settings;      /* struct db_opts' */
	bool pooler;               /* limits by SET LOCAL, not at start-up */
	bool prepared;             /* named prepared statements */
	atomic_int *answered;      /* host to begin with; NULL: the first */
};

#define HOSTS_MAX 8

/* The hosts of a connection string; n is 0 where libpq shall choose. */
struct hosts {
	int n;
	const char *host[HOSTS_MAX], *addr[HOSTS_MAX], *port[HOSTS_MAX];
};

struct conn {
	PGconn *pg;
	const struct conn_opts *opts; /* the owner's, outlives it */
	int host;                     /* of several: which */
	bool broken;
	bool unnamed; /* prepared statements got lost: none from now on */
	/* Names of the statements this connection has prepared. */
	const struct db_stmt **names;
	unsigned nnames, names_cap;
};

/*
 * Where a transaction failed: SQLSTATE ("" when the connection was lost or too
 * slow), the failing statement (index below, -1 none of them), and whether the
 * server can be known to have rolled back.
 */
struct conn_failure {
	char sqlstate[6];
	int stmt;
	bool rolled_back;
	char constraint[64];
	char message[160]; /* primary; may hold values */
};

/* Several hosts become single ones, below ${ctx}. */
void hosts_split(const char *conninfo, const void *ctx, struct hosts *);
/* A plain connection, neither non-blocking nor in pipeline mode.  NULL with
 * e. */
PGconn *conn_connect(
    const struct conn_opts *opts, int64_t deadline, struct err *e);
/* Connect as ${opts} say until ${deadline}.  NULL with e. */
struct conn *conn_open(
    const struct conn_opts *opts, int64_t deadline, struct err *e);
void conn_free(struct conn *);
/* It did not answer in time: broken, and another host is to be tried first. */
void conn_silent(struct conn *);
/* Has it died while idle?  No round trip. */
bool conn_alive(struct conn *);

#define CONN_STEPS 48 /* of a transaction, at most */
#define CONN_SETTINGS 4

struct conn_step {
	const struct db_stmt *stmt;
	struct conn_params params;
	PGresult *result; /* out; the caller's to clear */
};

/*
 * Run ${steps} as one pipelined transaction: BEGIN [READ ONLY], each of the
 * ${settings} (whole SET LOCAL statements) as a message of its own, the steps,
 * COMMIT.  0; or -1 with e and *f, and no results.  Where a pooler has lost
 * this connection's prepared statements it is run again without any.
 */
int conn_transaction(struct conn *, bool read_only, const char *const *settings,
    int nsettings, struct conn_step *steps, int nsteps, int64_t deadline,
    struct conn_failure *f, struct err *e);
/* Send nothing and wait for the answer. */
int conn_ping(struct conn *, int64_t deadline, struct err *e);
/* Wait for the socket: until readable, or also writable.  0, or -1 when
 * ${deadline} passed. */
int conn_wait(PGconn *, bool also_write, int64_t deadline);

/* The one place where SQLSTATE becomes an error. */
int sqlstate_err(const struct conn_failure *, const char *stmt, struct err *e);

#endif
