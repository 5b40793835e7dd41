/*
 * The threads of a pool.  One mutex guards the counts, which change twice a
 * request; the wait itself (conns.c) takes no lock.
 */
#include "daemon/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "daemon/conns.h"
#include "shm/procs.h"
#include "telemetry/log.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

/* After a thread could not be made, the ceiling is what there is, so long. */
#define CREATE_REST (1 * CLOCK_S)
/* How often the reserve looks while this process is full, and otherwise. */
#define LOOK_FULL (5 * CLOCK_MS)
#define LOOK_CALM (1 * CLOCK_S)
/* A request on a kept connection has come to this process: when that has been
 * full for so long, others may have it. */
#define HAND_WAIT (20 * CLOCK_MS)
/* Where it could not be handed over it is refused after this. */
#define KEPT_WAIT (1 * CLOCK_S)
/* Most that is refused before the reserve looks around again. */
#define SHED_ROUND 64

struct pool {
	struct pool_opts o;
	struct conns *conns;

	pthread_mutex_t mu; /* guards what follows */
	pthread_cond_t reserve_cv, ended_cv;
	unsigned total, free, busy, ceiling;
	int64_t ceiling_until; /* when the ceiling is o.threads again */
	int64_t full_since;
	bool draining, stop, reserve_runs;
};

static void *thread_main(void *);

static void
wait_until(pthread_cond_t *cv, pthread_mutex_t *mu, int64_t at)
{
	struct timespec ts = { .tv_sec = (time_t)(at / CLOCK_S),
		.tv_nsec = (long)(at % CLOCK_S) };

	pthread_cond_timedwait(cv, mu, &ts);
}

/* --- counts; with the lock held ------------------------------------------ */

static void
counts_show(struct pool *p)
{
	int64_t full = 0;

	if (p->busy >= p->ceiling)
		full = p->full_since != 0 ? p->full_since : clock_mono();
	if (full != p->full_since) {
		atomic_store(&p->o.row->full_since, full);
		if (p->full_since == 0)
			pthread_cond_signal(&p->reserve_cv);
		p->full_since = full;
	}
	atomic_store_explicit(
	    &p->o.row->threads, p->total, memory_order_relaxed);
	atomic_store_explicit(&p->o.row->busy, p->busy, memory_order_relaxed);
}

static int
thread_start(struct pool *p, void *(*run)(void *))
{
	pthread_attr_t attr;
	pthread_t id;
	int rc;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (p->o.stack != 0)
		pthread_attr_setstacksize(&attr, p->o.stack);
	rc = pthread_create(&id, &attr, run, p);
	pthread_attr_destroy(&attr);
	return rc;
}

/* One more free thread; the lock is given up meanwhile.  0 or errno. */
static int
pool_grow(struct pool *p)
{
	int rc;

	p->total++;
	p->free++;
	pthread_mutex_unlock(&p->mu);
	rc = thread_start(p, thread_main);
	pthread_mutex_lock(&p->mu);
	if (rc != 0) {
		p->total--;
		p->free--;
		p->ceiling = p->total;
		p->ceiling_until = clock_mono() + CREATE_REST;
	}
	return rc;
}

/* --- a thread ------------------------------------------------------------ */

static void
thread_busy(struct pool *p)
{
	unsigned total;
	int rc = 0;

	pthread_mutex_lock(&p->mu);
	p->free--;
	p->busy++;
	if (p->free < p->o.spare && p->total < p->ceiling && !p->stop)
		rc = pool_grow(p);
	counts_show(p);
	total = p->total;
	pthread_mutex_unlock(&p->mu);
	if (rc != 0)
		log_event(LOG_WARN, "thread_refused", "errno", log_int(rc),
		    "threads", log_int(total), NULL);
}

static void
thread_unbusy(struct pool *p)
{
	pthread_mutex_lock(&p->mu);
	p->free++;
	p->busy--;
	counts_show(p);
	if (p->draining)
		pthread_cond_broadcast(&p->ended_cv);
	pthread_mutex_unlock(&p->mu);
}

/* May this free thread end?  Then it is no longer counted as free. */
static bool
thread_resigns(struct pool *p, bool stop)
{
	bool yes;

	pthread_mutex_lock(&p->mu);
	yes = stop || p->free > p->o.spare;
	if (yes)
		p->free--;
	pthread_mutex_unlock(&p->mu);
	return yes;
}

static void
conn_serve(struct pool *p, void *state, int fd,
    int (*how)(void *arg, void *state, int fd))
{
	while (fd >= 0) {
		fd = how(p->o.arg, state, fd);
		if (fd < 0)
			conns_gone(p->conns);
		else
			fd = conns_return(p->conns, fd);
	}
}

/*
 * Serve ${fd}, and at the ceiling what waits already: a process is full as long
 * as its threads go from one request to the next, however often one of them is
 * between two.  Returns what the last wait said, or CONNS_AGAIN.
 */
static int
thread_serve(struct pool *p, void *state, int fd)
{
	thread_busy(p);
	do {
		conn_serve(p, state, fd, p->o.serve);
		fd = atomic_load(&p->o.row->full_since) != 0
		         ? conns_next(p->conns, 0)
		         : CONNS_AGAIN;
	} while (fd >= 0);
	thread_unbusy(p);
	return fd == CONNS_TIMEOUT ? CONNS_AGAIN : fd;
}

static void *
thread_main(void *arg)
{
	struct pool *p = arg;
	void *state = p->o.state_new(p->o.arg);
	int fd;

	for (;;) {
		fd = conns_next(p->conns, p->o.idle_ms);
		if (fd >= 0)
			fd = thread_serve(p, state, fd);
		if (fd == CONNS_REST)
			pthread_cond_signal(&p->reserve_cv);
		if ((fd == CONNS_STOP || fd == CONNS_TIMEOUT) &&
		    thread_resigns(p, fd == CONNS_STOP))
			break;
	}
	p->o.state_free(p->o.arg, state);
	pthread_mutex_lock(&p->mu);
	p->total--;
	counts_show(p);
	pthread_cond_broadcast(&p->ended_cv);
	pthread_mutex_unlock(&p->mu);
	return NULL;
}

/* --- the reserve --------------------------------------------------------- */

/*
 * Refuse what waits when all processes are full.  When this one is, and another
 * is not, what came on this one's kept connections is handed to the others, and
 * refused only when that has not been possible for a while.  Below that the
 * reserve takes nothing.
 */
static void
reserve_shed(struct pool *p, void *state, int64_t full)
{
	bool all;
	int fd, n;

	for (n = 0; n < SHED_ROUND; n++) {
		all = p->o.all_full(p->o.arg);
		if (!all && clock_mono() - full < HAND_WAIT)
			return;
		fd = all ? conns_next(p->conns, 0) : conns_next_kept(p->conns);
		if (fd == CONNS_AGAIN)
			continue;
		if (fd < 0)
			return;
		if (!all && conns_hand_over(p->conns, fd) == 0)
			continue;
		if (!all && clock_mono() - full < KEPT_WAIT) {
			/* It waits on; in a drain it is now or never. */
			fd = conns_return(p->conns, fd);
			if (fd < 0)
				return;
		}
		conn_serve(p, state, fd, p->o.shed);
		full = atomic_load(&p->o.row->full_since);
		if (full == 0)
			return;
	}
}

/* With the lock held: wait until there may be something to do. */
static void
reserve_wait(struct pool *p)
{
	int64_t rest, now = clock_mono();
	int64_t at = now + (p->full_since != 0 ? LOOK_FULL : LOOK_CALM);

	rest = conns_tend(p->conns);
	if (rest != 0 && rest < at)
		at = rest;
	wait_until(&p->reserve_cv, &p->mu, at);
	if (p->ceiling_until != 0 && clock_mono() >= p->ceiling_until) {
		p->ceiling_until = 0;
		p->ceiling = p->o.threads;
		counts_show(p);
	}
}

static void *
reserve_main(void *arg)
{
	struct pool *p = arg;
	void *state = p->o.state_new(p->o.arg);
	int64_t full, swept = clock_mono();
	unsigned owed;

	pthread_mutex_lock(&p->mu);
	while (!p->stop) {
		reserve_wait(p);
		full = p->full_since;
		owed = p->draining ? 0 : p->free;
		pthread_mutex_unlock(&p->mu);
		conns_tend(p->conns);
		if (full != 0) {
			reserve_shed(p, state, full);
		} else if (clock_mono() - swept >= LOOK_CALM) {
			conns_fetch(p->conns, owed);
			swept = clock_mono();
		}
		pthread_mutex_lock(&p->mu);
	}
	pthread_mutex_unlock(&p->mu);
	p->o.state_free(p->o.arg, state);
	pthread_mutex_lock(&p->mu);
	p->reserve_runs = false;
	pthread_cond_broadcast(&p->ended_cv);
	pthread_mutex_unlock(&p->mu);
	return NULL;
}

/* --- the whole ----------------------------------------------------------- */

static void
pool_destroy(struct pool *p)
{
	conns_free(p->conns);
	pthread_cond_destroy(&p->reserve_cv);
	pthread_cond_destroy(&p->ended_cv);
	pthread_mutex_destroy(&p->mu);
	mem_free(p);
}

static struct pool *
pool_make(const struct pool_opts *o)
{
	struct pool *p = mem_new(NULL, struct pool);
	pthread_condattr_t attr;

	p->o = *o;
	if (p->o.threads < 1)
		p->o.threads = 1;
	if (p->o.spare < 1)
		p->o.spare = 1;
	p->ceiling = p->o.threads;
	pthread_mutex_init(&p->mu, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&p->reserve_cv, &attr);
	pthread_cond_init(&p->ended_cv, &attr);
	pthread_condattr_destroy(&attr);
	p->conns = conns_new(o->listen_fd, o->hand, o->accepted, o->arg);
	return p;
}

struct pool *
pool_new(const struct pool_opts *o, struct err *e)
{
	struct pool *p = pool_make(o);
	int rc = 0;

	if (p->conns == NULL) {
		err_set(e, ERR_UNAVAILABLE, "no descriptors for the wait");
		pool_destroy(p);
		return NULL;
	}
	pthread_mutex_lock(&p->mu);
	rc = thread_start(p, reserve_main);
	p->reserve_runs = rc == 0;
	while (rc == 0 && p->total < p->o.spare && p->total < p->o.threads)
		rc = pool_grow(p);
	rc = p->total > 0 ? 0 : rc;
	counts_show(p);
	pthread_mutex_unlock(&p->mu);
	if (rc != 0) {
		err_set(e, ERR_UNAVAILABLE, "no thread: errno %d", rc);
		pool_free(p, 0);
		return NULL;
	}
	return p;
}

void
pool_listen(struct pool *p)
{
	conns_join(p->conns);
}

void
pool_leave(struct pool *p)
{
	unsigned owed;

	/* A process without a free thread is not woken, so that it owes at most
	 * as many as it has. */
	pthread_mutex_lock(&p->mu);
	owed = p->free;
	pthread_mutex_unlock(&p->mu);
	conns_leave(p->conns, owed);
}

unsigned
pool_connections(const struct pool *p)
{
	return conns_count(p->conns);
}

int
pool_drain(struct pool *p, int64_t deadline)
{
	int rc = -1;

	pool_leave(p);
	pthread_mutex_lock(&p->mu);
	p->draining = true;
	for (;;) {
		pthread_mutex_unlock(&p->mu);
		conns_drain(p->conns);
		pthread_mutex_lock(&p->mu);
		if (conns_count(p->conns) == 0 && p->busy == 0)
			rc = 0;
		if (rc == 0 || clock_mono() >= deadline)
			break;
		wait_until(&p->ended_cv, &p->mu, clock_mono() + 20 * CLOCK_MS);
	}
	pthread_mutex_unlock(&p->mu);
	return rc;
}

int
pool_free(struct pool *p, int64_t deadline)
{
	bool ended;

	if (p == NULL)
		return 0;
	conns_stop(p->conns);
	/* Free threads are gone in a moment; be patient with those whatever the
	 * deadline says. */
	if (deadline < clock_mono() + CLOCK_S)
		deadline = clock_mono() + CLOCK_S;
	pthread_mutex_lock(&p->mu);
	p->stop = true;
	pthread_cond_signal(&p->reserve_cv);
	while ((p->total > 0 || p->reserve_runs) && clock_mono() < deadline)
		wait_until(&p->ended_cv, &p->mu, deadline);
	ended = p->total == 0 && !p->reserve_runs;
	pthread_mutex_unlock(&p->mu);
	if (!ended)
		return -1;
	pool_destroy(p);
	return 0;
}
