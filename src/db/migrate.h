/* Schema versions: numbered SQL files, run in order, each recorded with its
 * checksum. */
#ifndef DB_MIGRATE_H
#define DB_MIGRATE_H

#include <stdbool.h>

#include "util/err.h"

struct migrate_report {
	int applied; /* now */
	int version; /* the newest */
};

/*
 * Run what is missing from ${dir} (NNNN_name.sql, and the functions in sql/gate
 * replaced whenever their text changed) as sb_owner under an advisory lock.
 * Refuses: a gap, a changed checksum of an applied file, a database that knows
 * versions this program does not, a file that locks a table for longer than
 * two seconds.  A table that is in use is waited for, a second at a time.
 * ${progress}(arg, text) is called per step.  What was applied before a failure
 * or a crash stays; run it again.
 */
int migrate_run(const char *conninfo, const char *dir,
    void (*progress)(void *arg, const char *text), void *arg,
    struct migrate_report *out, struct err *e);

struct migrate_pending {
	int files;
	const char *names; /* "0007_x, 0008_y" */
	bool gate;         /* the functions of sql/gate differ */
};

/* What migrate_run() would do; changes nothing.  Fails where it would. */
int migrate_look(const char *conninfo, const char *dir, const void *ctx,
    struct migrate_pending *out, struct err *e);

/*
 * Can this program work with the database: does it stand at the version the
 * program was built for, or at a newer one all of whose files leave programs of
 * this version working?  Called in a child of the master and by each worker.
 */
int migrate_check(const char *conninfo, const char *user, struct err *e);

#endif
