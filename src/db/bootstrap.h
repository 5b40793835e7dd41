/*
 * What only a superuser of the cluster can do for an installation, once: its
 * roles and its database.  Run by `switchboard init` and by tests.
 */
#ifndef DB_BOOTSTRAP_H
#define DB_BOOTSTRAP_H

#include <stdbool.h>

#include "util/err.h"

struct db_role_password {
	const char *role; /* sb_owner, sb_chat, sb_admin, sb_writer, sb_job */
	const char *password; /* sent as a SCRAM verifier; NULL: as it is */
};

/* What of an installation is in a cluster already. */
struct db_found {
	bool database;
	const char *roles; /* "sb_owner, sb_chat", "" none; below ctx */
};

/*
 * Look, and change nothing.  0, or -1 with ERR_UNAVAILABLE (no connection),
 * ERR_DENIED (no superuser), ERR_INVALID (a PostgreSQL that is too old).
 */
int db_bootstrap_look(const void *ctx, const char *super_conninfo,
    const char *dbname, struct db_found *found, struct err *e);

/*
 * How to reach the server of ${conninfo} (a URL or a list): everything it says
 * but user, password and database, as a list, below ctx.  ERR_INVALID.
 */
int db_server_of(
    const void *ctx, const char *conninfo, const char **ret, struct err *e);

/*
 * As ${super_conninfo} (its database is only connected to) make the roles that
 * are missing, with no more rights than they need, and the database ${dbname}
 * owned by sb_owner; pin the roles' search_path and limits in it; take from
 * PUBLIC what it has there.  May be run again at any time, and by several at
 * once.  0, or -1 with ERR_UNAVAILABLE, ERR_INVALID (an unknown role),
 * ERR_INTERNAL (refused by the server).
 */
int db_bootstrap(const char *super_conninfo, const char *dbname,
    const struct db_role_password *pw, int n, struct err *e);

#endif
