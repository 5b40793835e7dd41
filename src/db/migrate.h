/* Schema versions: numbered SQL files, run in order, each recorded with its
 * checksum. */
#ifndef DB_MIGRATE_H
#define DB_MIGRATE_H

#include "util/err.h"

struct migrate_report {
	int applied; /* now */
	int version; /* the newest */
};

/*
 * Run what is missing from ${dir} (NNNN_name.sql, and the functions in sql/gate
 * replaced whenever their text changed) as sb_owner under an advisory lock.
 * Refuses: a gap, a changed checksum of an applied file, a database that knows
 * versions this program does not.  ${progress}(arg, text) is called per step.
 */
int migrate_run(const char *conninfo, const char *dir,
    void (*progress)(void *arg, const char *text), void *arg,
    struct migrate_report *out, struct err *e);

/* Does the database stand at exactly the version this program was built for?
 * Called in a child of the master and by each worker. */
int migrate_check(const char *conninfo, const char *user, struct err *e);

#endif
