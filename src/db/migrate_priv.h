/* The SQL files of a directory, read and in order, and how they are compared
 * with a database. */
#ifndef DB_MIGRATE_PRIV_H
#define DB_MIGRATE_PRIV_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>

#include "util/err.h"

struct sql_file {
	int number;
	char *name; /* without .sql: "0001_control" */
	char *text;
};

struct sql_files {
	struct sql_file *file; /* by number, then name */
	size_t n;
};

/*
 * Read all ${dir}/N..N_name.sql with ${digits} digits, below ${ctx}.  A missing
 * directory is an error only if ${must}.  Other names are passed over.
 */
int sql_files_read(const char *dir, int digits, bool must, const void *ctx,
    struct sql_files *out, struct err *e);

/* A look at a database and the folder beside each other. */
struct migration {
	PGconn *pg;
	void *ctx;
	void (*progress)(void *arg, const char *text);
	void *arg;
	struct sql_files files, gate;
	int applied; /* versions in the database */
};

/* Read the folder and connect as sb_owner; migrate_close() in any case. */
int migrate_open(
    struct migration *, const char *conninfo, const char *dir, struct err *);
void migrate_close(struct migration *);
/* Is what the database has what the first files say?  Sets ${applied}. */
int migrate_check_applied(struct migration *, struct err *);
/* Has a file of sql/gate changed, come or gone? */
int migrate_gate_changed(struct migration *, bool *changed, struct err *);

#endif
