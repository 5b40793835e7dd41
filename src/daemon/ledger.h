/*
 * The listener's care of budgets: a thread that tells the database, once a
 * second, what the host's workers have used of them, and gives alerts.
 */
#ifndef DAEMON_LEDGER_H
#define DAEMON_LEDGER_H

struct db_pool;
struct ledger;

/* Starts the thread; the pool (sb_job) must outlive it. */
struct ledger *ledger_new(struct db_pool *);
/* After a last word to the database, if that answers. */
void ledger_free(struct ledger *);

#endif
