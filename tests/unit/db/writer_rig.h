/* What the tests of the writer share: parents, children that need them, and
 * sums; pieces of one row each; threads that commit them. */
#ifndef TESTS_UNIT_DB_WRITER_RIG_H
#define TESTS_UNIT_DB_WRITER_RIG_H

#include <pthread.h>

#include "db/writer.h"

enum { S_PARENT, S_CHILD, S_SUM, STMTS };

extern const struct writer_stmt stmts[STMTS];
extern char *db;    /* conninfo */
extern char dead[]; /* the dead-letter file */

int rig_set_up(void **state);
int rig_tear_down(void **state);

struct writer *writer(
    unsigned queue, unsigned batch, bool prepared, bool pooler);
/* Fail unless ${sql}, as superuser, gives ${want}. */
void expect(const char *sql, const char *want);
/* Empty the tables and the dead-letter file. */
void wipe(void);

void add_parent(
    struct piece *, const struct uuid *account, const struct uuid *id);
void add_child(struct piece *, const struct uuid *account,
    const struct uuid *parent, const char *body);
void add_sum(struct piece *, const struct uuid *account, const char *name,
    int64_t n, int64_t most);
/* A piece of one row each; the child stands before its parent, which must not
 * matter.  The database refuses the body "bad". */
struct piece *whole(const struct uuid *account, const char *body, int64_t most);
/* Lines of the dead-letter file, each checked. */
int dead_lines(void);

struct caller {
	pthread_t thread;
	struct writer *w;
	struct uuid account;
	int pieces, ok, refused, late;
	int bad_every; /* every n-th piece is bad; 0 none */
	int number;
};

/* ${n} threads that commit ${pieces} each. */
void start(struct caller *, int n, struct writer *, int pieces, int bad_every);

#endif
