/* What the tests of the schema share: two accounts with the same names in them,
 * an agent, a session and two turns each, and questions as any role. */
#ifndef TESTS_UNIT_DB_SCHEMA_H
#define TESTS_UNIT_DB_SCHEMA_H

#include <libpq-fe.h>

#define A "0192f3a0-0000-7000-8000-00000000000a"
#define B "0192f3a0-0000-7000-8000-00000000000b"
#define AS_A "SET LOCAL app.account_id = '" A "';"

extern char *db; /* its conninfo */

int schema_set_up(void **state);
int schema_tear_down(void **state);

PGconn *login(const char *role);
/* SQLSTATE of ${sql} run as ${role} in a transaction, "00000" for none. */
const char *outcome(const char *role, const char *sql);
/* Fail unless ${sql} gives ${want}, or ends with SQLSTATE ${want}. */
void expect(const char *role, const char *sql, const char *want);
void expect_state(const char *role, const char *sql, const char *want);
/* Run ${sql} as sb_owner. */
void owner(const char *sql);
char *read_file(const char *path); /* free() */
char *turn_id(void);               /* a new id's text; mem_free() */

#endif
