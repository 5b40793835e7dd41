/* A thread of its own, so that a slow answer delays no epoch. */
#include "daemon/shares.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "daemon/parts.h"
#include "gateway/share.h"
#include "telemetry/log.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

#define TICK_NS (2 * CLOCK_S)

struct shares {
	struct parts *parts;
	char host[SHARES_HOST];
	pthread_t thread;
	pthread_mutex_t mu;
	pthread_cond_t wake; /* stop */
	bool stop;           /* under the lock */
};

void
shares_host(char out[SHARES_HOST])
{
	out[SHARES_HOST - 1] = '\0';
	if (gethostname(out, SHARES_HOST - 1) != 0)
		snprintf(out, SHARES_HOST, "localhost");
}

/* False: it is to stop. */
static bool
pause_for(struct shares *s, int64_t ns)
{
	struct timespec until;
	bool stop;

	clock_gettime(CLOCK_MONOTONIC, &until);
	ns += until.tv_nsec;
	until.tv_sec += (time_t)(ns / CLOCK_S);
	until.tv_nsec = (long)(ns % CLOCK_S);
	pthread_mutex_lock(&s->mu);
	while (
	    !s->stop && pthread_cond_timedwait(&s->wake, &s->mu, &until) == 0)
		continue;
	stop = s->stop;
	pthread_mutex_unlock(&s->mu);
	return !stop;
}

static void *
shares_main(void *arg)
{
	struct shares *s = arg;
	bool all = true, well = true;

	while (pause_for(s, SHARE_MS * CLOCK_MS)) {
		struct err e = { 0 };
		bool told = share_tick(s->parts->db, s->host, &all,
				clock_mono() + TICK_NS, &e) == 0;

		if (!told && well)
			log_event(LOG_WARN, "credentials_not_shared", "error",
			    e.text, NULL);
		well = told;
	}
	return NULL;
}

struct shares *
shares_new(struct parts *parts)
{
	struct shares *s = mem_new(NULL, struct shares);
	pthread_condattr_t attr;

	s->parts = parts;
	shares_host(s->host);
	pthread_mutex_init(&s->mu, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->wake, &attr);
	pthread_condattr_destroy(&attr);
	if (pthread_create(&s->thread, NULL, shares_main, s) == 0)
		return s;
	mem_free(s);
	return NULL;
}

void
shares_free(struct shares *s)
{
	pthread_mutex_lock(&s->mu);
	s->stop = true;
	pthread_cond_broadcast(&s->wake);
	pthread_mutex_unlock(&s->mu);
	pthread_join(s->thread, NULL);
	pthread_cond_destroy(&s->wake);
	pthread_mutex_destroy(&s->mu);
	mem_free(s);
}
