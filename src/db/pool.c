/*
 * The pool: idle connections last in, first out (the others may rest), callers
 * first come, first served.  When the database refuses connections one caller
 * at a time tries again, after a pause that all share, so that an outage ends
 * without a storm.
 */
#include "db/pool_priv.h"

#include <pthread.h>
#include <stdatomic.h>

#include "telemetry/metric.h"
#include "util/clock.h"
#include "util/hold.h"
#include "util/mem.h"

#include "db/backoff.h"
#include "db/replica_priv.h"

#include "util/banned.h"

/* A caller in the queue; lies on its stack. */
struct waiter {
	struct waiter *next;
	pthread_cond_t wake;
	struct conn *given;
};

struct db_pool {
	struct conn_opts conn;
	atomic_int answered;     /* host of the last connection */
	struct replica *replica; /* NULL: none */
	unsigned size;
	int wait_ms, connect_ms;
	pthread_mutex_t lock;
	/* all below under the lock */
	struct conn **idle;
	unsigned nidle;
	unsigned open;       /* idle, in use, and being opened */
	unsigned connecting; /* being opened */
	struct waiter *first, **last;
	struct backoff backoff;
	struct err why; /* of the last failure to connect */
};

struct db_pool *
db_pool_new(const struct db_opts *o)
{
	struct db_pool *p = mem_new(NULL, struct db_pool);

	p->conn = (struct conn_opts){
		.conninfo = mem_strdup(p, o->conninfo),
		.user = mem_strdup(p, o->user),
		.statement_ms = o->statement_ms,
		.settings =
		    o->settings != NULL ? mem_strdup(p, o->settings) : NULL,
		.pooler = o->pooler,
		.prepared = o->prepared,
		.answered = &p->answered,
	};
	p->size = o->size > 0 ? o->size : 1;
	p->wait_ms = o->wait_ms;
	p->connect_ms = o->connect_ms;
	p->idle = mem_array(p, struct conn *, p->size);
	p->last = &p->first;
	pthread_mutex_init(&p->lock, NULL);
	return p;
}

void
db_pool_free(struct db_pool *p)
{
	if (p == NULL)
		return;
	replica_free(p->replica);
	while (p->nidle > 0)
		conn_free(p->idle[--p->nidle]);
	pthread_mutex_destroy(&p->lock);
	mem_free(p);
}

const struct conn_opts *
pool_conn_opts(const struct db_pool *p)
{
	return &p->conn;
}

void
db_pool_replica(struct db_pool *p, const struct db_opts *o, int max_lag_ms)
{
	p->replica = replica_new(p, o, max_lag_ms);
}

struct replica *
pool_replica(const struct db_pool *p)
{
	return p->replica;
}

/* Of two deadlines; 0 is none. */
static int64_t
sooner(int64_t a, int64_t b)
{
	if (a == 0 || (b != 0 && b < a))
		return b;
	return a;
}

static void
enqueue(struct db_pool *p, struct waiter *w)
{
	pthread_condattr_t mono;

	pthread_condattr_init(&mono);
	pthread_condattr_setclock(&mono, CLOCK_MONOTONIC);
	pthread_cond_init(&w->wake, &mono);
	pthread_condattr_destroy(&mono);
	w->next = NULL;
	*p->last = w;
	p->last = &w->next;
}

/* Take ${w} out of the queue, wherever it stands. */
static void
dequeue(struct db_pool *p, struct waiter *w)
{
	struct waiter **i = &p->first;

	while (*i != NULL && *i != w)
		i = &(*i)->next;
	if (*i == w) {
		*i = w->next;
		if (p->last == &w->next)
			p->last = i;
	}
}

static void
wake_first(struct db_pool *p)
{
	if (p->first != NULL)
		pthread_cond_signal(&p->first->wake);
}

/* May the caller that is next in line open a connection now? */
static bool
may_connect(const struct db_pool *p, int64_t now)
{
	if (p->open >= p->size)
		return false;
	return p->backoff.failures == 0 ||
	       (p->connecting == 0 && now >= p->backoff.retry_at);
}

/* ${c} serves the next in line, or rests.  With the lock held. */
static void
hand_on(struct db_pool *p, struct conn *c)
{
	struct waiter *w = p->first;

	if (w == NULL) {
		p->idle[p->nidle++] = c;
		return;
	}
	dequeue(p, w);
	w->given = c;
	pthread_cond_signal(&w->wake);
}

/* With the lock held, which is given up meanwhile; NULL: p->why says why. */
static struct conn *
connect_one(struct db_pool *p, int64_t until)
{
	int64_t limit = clock_mono() + p->connect_ms * CLOCK_MS;
	struct err e = { 0 };
	struct conn *c;

	p->open++;
	p->connecting++;
	pthread_mutex_unlock(&p->lock);
	c = conn_open(&p->conn, sooner(until, limit), &e);
	pthread_mutex_lock(&p->lock);
	p->connecting--;
	if (c != NULL) {
		backoff_reset(&p->backoff);
	} else {
		p->open--;
		p->why = e;
		/* A caller in a hurry says nothing about the database. */
		if (until >= limit || clock_mono() < until)
			backoff_failed(&p->backoff);
	}
	/* Who is next may connect too, or must look at the new pause. */
	wake_first(p);
	return c;
}

/* Wait until something may have changed.  False when ${until} has come. */
static bool
wait_turn(struct db_pool *p, struct waiter *w, int64_t until)
{
	int64_t wake = until, now = clock_mono();
	struct timespec ts;

	if (now >= until)
		return false;
	if (p->first == w && p->backoff.failures > 0 && p->open < p->size &&
	    p->connecting == 0)
		wake = sooner(until, p->backoff.retry_at);
	ts.tv_sec = (time_t)(wake / CLOCK_S);
	ts.tv_nsec = (long)(wake % CLOCK_S);
	pthread_cond_timedwait(&w->wake, &p->lock, &ts);
	return true;
}

/* Stand in line; the lock is held. */
static struct conn *
take_in_turn(struct db_pool *p, int64_t until, bool *fresh)
{
	struct waiter w = { 0 };
	struct conn *c = NULL;

	metric_add(M_POOL_WAITS, 1);
	enqueue(p, &w);
	while (c == NULL && w.given == NULL) {
		int64_t now = clock_mono();

		if (now >= until)
			break;
		if (p->first == &w && may_connect(p, now)) {
			c = connect_one(p, until);
			*fresh = c != NULL;
		} else if (!wait_turn(p, &w, until))
			break;
	}
	if (w.given == NULL)
		dequeue(p, &w);
	else if (c == NULL)
		c = w.given;
	else /* both at once */
		hand_on(p, w.given);
	wake_first(p);
	pthread_cond_destroy(&w.wake);
	return c;
}

static void
say_why_not(struct db_pool *p, const struct err *why, struct err *e)
{
	metric_add(M_POOL_TIMEOUTS, 1);
	if (why->code != ERR_NONE)
		err_set_kind(e, ERR_UNAVAILABLE, NULL, 1, "%s", why->text);
	else
		err_set_kind(e, ERR_UNAVAILABLE, NULL, 1,
		    "all %u database connections are in use", p->size);
}

/* An idle connection, else a new one, else wait. */
static struct conn *
take_any(struct db_pool *p, int64_t until, bool *fresh, struct err *e)
{
	struct err why = { 0 };
	struct conn *c = NULL;

	pthread_mutex_lock(&p->lock);
	if (p->first == NULL && p->nidle > 0) {
		c = p->idle[--p->nidle];
	} else if (p->first == NULL && may_connect(p, clock_mono())) {
		c = connect_one(p, until);
		*fresh = c != NULL;
	}
	if (c == NULL)
		c = take_in_turn(p, until, fresh);
	if (c == NULL && p->backoff.failures > 0)
		why = p->why;
	pthread_mutex_unlock(&p->lock);
	if (c == NULL)
		say_why_not(p, &why, e);
	return c;
}

/* A place is free again. */
static void
drop(struct db_pool *p, struct conn *c)
{
	conn_free(c);
	pthread_mutex_lock(&p->lock);
	p->open--;
	wake_first(p);
	pthread_mutex_unlock(&p->lock);
}

struct conn *
pool_take(struct db_pool *p, int64_t deadline, bool *fresh, struct err *e)
{
	int64_t until = clock_mono() + p->wait_ms * CLOCK_MS;
	struct conn *c;

	until = sooner(deadline, until);
	for (;;) {
		*fresh = false;
		c = take_any(p, until, fresh, e);
		if (c == NULL)
			return NULL;
		if (*fresh || conn_alive(c))
			break;
		drop(p, c); /* it died while idle; so may others have */
	}
	hold_enter();
	metric_add(M_POOL_BUSY, 1);
	return c;
}

void
pool_give(struct db_pool *p, struct conn *c)
{
	hold_leave();
	metric_add(M_POOL_BUSY, -1);
	if (c->broken) {
		drop(p, c);
		return;
	}
	pthread_mutex_lock(&p->lock);
	hand_on(p, c);
	pthread_mutex_unlock(&p->lock);
}

struct conn *
pool_renew(struct db_pool *p, struct conn *c, int64_t deadline, struct err *e)
{
	int64_t limit = clock_mono() + p->connect_ms * CLOCK_MS;
	struct conn *fresh;

	fresh = conn_open(&p->conn, sooner(deadline, limit), e);
	if (fresh != NULL) {
		conn_free(c);
		return fresh;
	}
	pool_give(p, c);
	return NULL;
}
