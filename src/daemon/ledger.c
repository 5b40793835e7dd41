/* Budgets, once a second.  During a reload two listeners may do it. */
#include "daemon/ledger.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "daemon/store.h"
#include "telemetry/log.h"
#include "telemetry/metric.h"
#include "usage/budget.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

#define EVERY (CLOCK_S)
#define MOST (10 * CLOCK_S) /* of one round */
#define LAST (CLOCK_S)      /* of the last one */

struct ledger {
	struct db_pool *db;
	pthread_t thread;
	pthread_mutex_t mu;
	pthread_cond_t wake; /* stop */
	bool stop;           /* under the lock */
	bool away;           /* the database, as far as the log knows */
};

/* Once in a period, whichever host sees it first. */
static int
alert(void *arg, const struct budget_alert *a, struct err *e)
{
	struct ledger *l = arg;
	char account[UUID_TEXT], budget[UUID_TEXT];
	int rc = store_budget_alert(l->db, &a->account, &a->budget,
	    a->starts_us, clock_mono() + MOST, e);

	if (rc <= 0)
		return rc;
	id_format(&a->account, account);
	id_format(&a->budget, budget);
	log_event(LOG_WARN, "budget_alert", "account", account, "budget",
	    budget, NULL);
	metric_add(M_BUDGET_ALERTS, 1);
	return 0;
}

static void
flush(struct ledger *l, int64_t wait)
{
	struct err e = { 0 };
	bool away = budget_flush(l->db, clock_mono() + wait, alert, l, &e) != 0;

	if (away && !l->away)
		log_event(LOG_WARN, "budgets_not_told", "error", e.text, NULL);
	if (!away && l->away)
		log_event(LOG_INFO, "budgets_told", NULL);
	l->away = away;
}

static void *
ledger_main(void *arg)
{
	struct ledger *l = arg;
	struct timespec ts;
	int64_t until;

	pthread_mutex_lock(&l->mu);
	while (!l->stop) {
		pthread_mutex_unlock(&l->mu);
		until = clock_mono() + EVERY;
		flush(l, MOST);
		ts.tv_sec = (time_t)(until / CLOCK_S);
		ts.tv_nsec = (long)(until % CLOCK_S);
		pthread_mutex_lock(&l->mu);
		if (!l->stop)
			pthread_cond_timedwait(&l->wake, &l->mu, &ts);
	}
	pthread_mutex_unlock(&l->mu);
	if (!l->away)
		flush(l, LAST);
	return NULL;
}

struct ledger *
ledger_new(struct db_pool *db)
{
	struct ledger *l = mem_new(NULL, struct ledger);
	pthread_condattr_t mono;

	l->db = db;
	pthread_mutex_init(&l->mu, NULL);
	pthread_condattr_init(&mono);
	pthread_condattr_setclock(&mono, CLOCK_MONOTONIC);
	pthread_cond_init(&l->wake, &mono);
	pthread_condattr_destroy(&mono);
	if (pthread_create(&l->thread, NULL, ledger_main, l) != 0) {
		log_event(LOG_ERROR, "ledger_no_thread", NULL);
		abort();
	}
	return l;
}

void
ledger_free(struct ledger *l)
{
	if (l == NULL)
		return;
	pthread_mutex_lock(&l->mu);
	l->stop = true;
	pthread_cond_signal(&l->wake);
	pthread_mutex_unlock(&l->mu);
	pthread_join(l->thread, NULL);
	mem_free(l);
}
