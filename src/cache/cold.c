/* A counting semaphore with a time limit on the monotonic clock. */
#include "cache/cold.h"

#include <pthread.h>
#include <time.h>

#include "telemetry/metric.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

struct cold {
	pthread_mutex_t mu;
	pthread_cond_t left;
	unsigned most, in;
	int wait_ms;
};

struct cold *
cold_new(unsigned most, int wait_ms)
{
	struct cold *c = mem_new(NULL, struct cold);
	pthread_condattr_t attr;

	c->most = most > 0 ? most : 1;
	c->wait_ms = wait_ms;
	pthread_mutex_init(&c->mu, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&c->left, &attr);
	pthread_condattr_destroy(&attr);
	return c;
}

void
cold_free(struct cold *c)
{
	if (c == NULL)
		return;
	pthread_cond_destroy(&c->left);
	pthread_mutex_destroy(&c->mu);
	mem_free(c);
}

int
cold_enter(struct cold *c, int64_t deadline, struct err *e)
{
	int64_t at = clock_mono() + c->wait_ms * CLOCK_MS;
	struct timespec ts;
	bool in;

	if (deadline != 0 && deadline < at)
		at = deadline;
	ts = (struct timespec){ .tv_sec = (time_t)(at / CLOCK_S),
		.tv_nsec = (long)(at % CLOCK_S) };
	pthread_mutex_lock(&c->mu);
	while (c->in >= c->most &&
	       pthread_cond_timedwait(&c->left, &c->mu, &ts) == 0)
		continue;
	in = c->in < c->most;
	if (in)
		c->in++;
	pthread_mutex_unlock(&c->mu);
	if (in) {
		metric_add(M_CACHE_COLD, 1);
		return 0;
	}
	metric_add(M_CACHE_COLD_REFUSED, 1);
	return err_set_kind(e, ERR_UNAVAILABLE, "overloaded", 1,
	    "too many configurations are being read at once");
}

void
cold_leave(struct cold *c)
{
	pthread_mutex_lock(&c->mu);
	c->in--;
	pthread_cond_signal(&c->left);
	pthread_mutex_unlock(&c->mu);
}
