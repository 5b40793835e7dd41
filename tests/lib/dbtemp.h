/*
 * A fresh, migrated database on the cluster of SB_TEST_PG (tests/lib/pgtemp),
 * for one test program.  All five roles log in without a password.
 */
#ifndef TESTS_LIB_DBTEMP_H
#define TESTS_LIB_DBTEMP_H

#include <stdbool.h>

/* Is there a cluster?  If not, says so; the test skips. */
bool dbtemp_there(void);
/*
 * Make the roles and a database; its conninfo without user, to be freed with
 * dbtemp_drop().  Ends the program with a message when that fails.
 */
char *dbtemp_new(void);
/* The same without tables. */
char *dbtemp_new_empty(void);
/* Drop the database and free ${conninfo}; NULL does nothing. */
void dbtemp_drop(char *conninfo);
/* "${conninfo} user=${role}" below the talloc context NULL. */
char *dbtemp_as(const char *conninfo, const char *role);
/* Run ${sql} as ${role} (NULL: superuser); the first value, "" for none.  Ends
 * the program when it fails.  Freed with mem_free(). */
char *dbtemp_sql(const char *conninfo, const char *role, const char *sql);
/* Where the SQL files lie: SB_SQL_SRC, else the source tree. */
const char *dbtemp_sql_dir(void);

#endif
