/*
 * One database and one pool for a test program (dbtemp.h makes the database),
 * and what the listener would do there.  Needs libsb_shm, libsb_cache beside
 * libsb_testdb.
 */
#ifndef TESTS_LIB_DBFIX_H
#define TESTS_LIB_DBFIX_H

#include <stdint.h>

struct db_pool;
struct tiers;

/* A migrated database and a pool that connects to it as ${role}. */
struct db_pool *dbfix_open(const char *role);
void dbfix_close(void);
/* How to connect to it, without a user. */
const char *dbfix_conninfo(void);
/* A pool of a database that nobody answers for. */
struct db_pool *dbfix_away(void);

/* Tiers of configuration over ${pool}, without a warm one; they live for ever,
 * one for each pool. */
struct tiers *dbfix_tiers(struct db_pool *pool);

/* As the owner of the tables; ends the program when it fails. */
void dbfix_sql(const char *sql);
/* The first value, to be freed with mem_free(); as a number. */
char *dbfix_text(const char *sql);
int64_t dbfix_number(const char *sql);

/* A listener hears, for ever: what is cached needs no other proof. */
void dbfix_listen(void);
/* Raise the epochs of all accounts and of the platform to what the database
 * says. */
void dbfix_hear(void);

#endif
