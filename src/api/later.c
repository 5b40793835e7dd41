/* A ring of what waits, and the thread, which begins with the first piece. */
#include "api/later.h"

#include <pthread.h>
#include <stdbool.h>
#include <time.h>

#include "telemetry/log.h"
#include "util/clock.h"
#include "util/id.h"
#include "util/mem.h"

#include "util/banned.h"

#define PAUSE_LEAST (50 * CLOCK_MS)
#define PAUSE_MORE_MS 250
#define WORK_MOST (10 * CLOCK_S)

struct piece {
	later_work *work;
	json_t *what;
};

struct later {
	struct app *app;
	pthread_mutex_t mu; /* guards what follows */
	pthread_cond_t cv, ended_cv;
	struct piece ring[LATER_MAX];
	unsigned first, n;
	pthread_t thread;
	bool begun, stop, ended;
	int64_t stop_at;
};

struct later *
later_new(struct app *app)
{
	struct later *l = mem_new(NULL, struct later);
	pthread_condattr_t attr;

	l->app = app;
	pthread_mutex_init(&l->mu, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&l->cv, &attr);
	pthread_cond_init(&l->ended_cv, &attr);
	pthread_condattr_destroy(&attr);
	return l;
}

static int
wait_to(pthread_cond_t *cv, pthread_mutex_t *mu, int64_t at)
{
	struct timespec ts = { .tv_sec = (time_t)(at / CLOCK_S),
		.tv_nsec = (long)(at % CLOCK_S) };

	return pthread_cond_timedwait(cv, mu, &ts);
}

/* With the lock held.  What has come lately waits a little with what comes
 * meanwhile, so that it falls on whoever asks then. */
static void
pause_for(struct later *l)
{
	unsigned r;
	int64_t at;

	id_random(&r, sizeof(r));
	at = clock_mono() + PAUSE_LEAST + r % PAUSE_MORE_MS * CLOCK_MS;
	while (!l->stop && clock_mono() < at)
		(void)wait_to(&l->cv, &l->mu, at);
}

/* With the lock held, which is given up meanwhile. */
static void
one(struct later *l)
{
	struct piece p = l->ring[l->first];
	int64_t deadline = clock_mono() + WORK_MOST;
	void *ctx;

	l->first = (l->first + 1) % LATER_MAX;
	l->n--;
	if (l->stop && l->stop_at < deadline)
		deadline = l->stop_at;
	pthread_mutex_unlock(&l->mu);
	ctx = mem_root("later");
	p.work(l->app, p.what, deadline, ctx);
	mem_free(ctx);
	json_decref(p.what);
	pthread_mutex_lock(&l->mu);
}

static void *
later_main(void *arg)
{
	struct later *l = arg;

	pthread_mutex_lock(&l->mu);
	while (!l->stop || l->n > 0) {
		if (l->n == 0) {
			pthread_cond_wait(&l->cv, &l->mu);
			continue;
		}
		pause_for(l);
		for (unsigned n = l->n; n > 0; n--)
			one(l);
	}
	l->ended = true;
	pthread_cond_signal(&l->ended_cv);
	pthread_mutex_unlock(&l->mu);
	return NULL;
}

/* With the lock held. */
static int
begin(struct later *l, struct err *e)
{
	if (l->begun)
		return 0;
	if (pthread_create(&l->thread, NULL, later_main, l) != 0)
		return err_set_kind(e, ERR_UNAVAILABLE, NULL, 5,
		    "no thread for what is done later");
	l->begun = true;
	return 0;
}

int
later_put(struct later *l, later_work *work, json_t *what, struct err *e)
{
	int rc = 0;

	pthread_mutex_lock(&l->mu);
	if (l->n == LATER_MAX || l->stop)
		rc = err_set_kind(
		    e, ERR_UNAVAILABLE, NULL, 5, "too much waits to be done");
	else
		rc = begin(l, e);
	if (rc == 0) {
		l->ring[(l->first + l->n) % LATER_MAX] =
		    (struct piece){ work, what };
		l->n++;
		pthread_cond_signal(&l->cv);
	}
	pthread_mutex_unlock(&l->mu);
	if (rc != 0)
		json_decref(what);
	return rc;
}

int
later_stop(struct later *l, int64_t deadline)
{
	bool ended;
	unsigned lost;

	if (l == NULL)
		return 0;
	pthread_mutex_lock(&l->mu);
	l->stop = true;
	l->stop_at = deadline;
	pthread_cond_signal(&l->cv);
	while (l->begun && !l->ended && clock_mono() < deadline)
		(void)wait_to(&l->ended_cv, &l->mu, deadline);
	ended = !l->begun || l->ended;
	lost = l->n;
	pthread_mutex_unlock(&l->mu);
	if (!ended) {
		log_event(
		    LOG_WARN, "not_done_later", "pieces", log_int(lost), NULL);
		pthread_detach(l->thread);
		return -1;
	}
	if (l->begun)
		pthread_join(l->thread, NULL);
	l->begun = false;
	return 0;
}

void
later_free(struct later *l)
{
	if (l == NULL)
		return;
	pthread_cond_destroy(&l->cv);
	pthread_cond_destroy(&l->ended_cv);
	pthread_mutex_destroy(&l->mu);
	mem_free(l);
}
