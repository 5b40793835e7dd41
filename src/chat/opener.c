/*
 * One list in order of time, one thread.  The delay is the same for all turns,
 * so a new item belongs at the end.  The thread ticks while there is something
 * in the list, and a little longer, so that a busy process wakes it never and
 * an idle one sleeps.
 */
#include "chat/opener.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "telemetry/log.h"
#include "util/clock.h"

#include "util/banned.h"

#define STACK (64 * 1024)
#define LINGER (2 * CLOCK_S)
#define TICK_MAX (25 * CLOCK_MS)
#define TICK_MIN CLOCK_MS

static struct {
	pthread_mutex_t mu;
	pthread_cond_t more;
	struct opener_item *first, *last;
	int64_t tick;
	bool started, asleep;
} list = { .mu = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER };

static void
take_out(struct opener_item *i)
{
	*(i->prev ? &i->prev->next : &list.first) = i->next;
	*(i->next ? &i->next->prev : &list.last) = i->prev;
	i->listed = false;
}

/* Open what is due; the time to look again. */
static int64_t
open_due(int64_t now)
{
	while (list.first && list.first->due <= now) {
		struct opener_item *i = list.first;

		take_out(i);
		i->opened = true;
		i->open(i);
	}
	return now + list.tick;
}

static void *
opener_thread(void *arg)
{
	int64_t busy = clock_mono();

	(void)arg;
	pthread_mutex_lock(&list.mu);
	for (;;) {
		int64_t now = clock_mono(), next = open_due(now);

		if (list.first)
			busy = now;
		while (!list.first && now - busy >= LINGER) {
			list.asleep = true;
			pthread_cond_wait(&list.more, &list.mu);
			now = busy = clock_mono();
			next = now + list.tick;
		}
		list.asleep = false;
		pthread_mutex_unlock(&list.mu);
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME,
		    &(struct timespec){
			.tv_sec = next / CLOCK_S, .tv_nsec = next % CLOCK_S },
		    NULL);
		pthread_mutex_lock(&list.mu);
	}
	return NULL;
}

/* With the lock held.  Signals belong to the thread that waits for them. */
static void
start(void)
{
	sigset_t all, old;
	pthread_attr_t attr;
	pthread_t thread;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK);
	list.started = pthread_create(&thread, &attr, opener_thread, NULL) == 0;
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!list.started)
		log_event(LOG_ERROR, "turn_opener_failed", NULL);
}

void
opener_add(struct opener_item *i, int after_ms)
{
	if (after_ms <= 0) {
		i->opened = true;
		i->open(i);
		return;
	}
	i->due = clock_mono() + after_ms * CLOCK_MS;

	pthread_mutex_lock(&list.mu);
	int64_t tick = after_ms * CLOCK_MS / 4;

	list.tick = tick < TICK_MIN   ? TICK_MIN
	            : tick > TICK_MAX ? TICK_MAX
	                              : tick;
	/* After a reload of the delay an item may be due before the last. */
	struct opener_item *after = list.last;

	while (after && after->due > i->due)
		after = after->prev;
	i->prev = after;
	i->next = after ? after->next : list.first;
	*(i->prev ? &i->prev->next : &list.first) = i;
	*(i->next ? &i->next->prev : &list.last) = i;
	i->listed = true;
	if (!list.started)
		start();
	else if (list.asleep)
		pthread_cond_signal(&list.more);
	pthread_mutex_unlock(&list.mu);
}

bool
opener_remove(struct opener_item *i)
{
	pthread_mutex_lock(&list.mu);
	if (i->listed)
		take_out(i);
	bool opened = i->opened;
	pthread_mutex_unlock(&list.mu);
	return opened;
}
