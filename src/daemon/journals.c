/*
 * A thread that looks into the directory of journals, and the replayer.  During
 * a reload two listeners live; the directory's lock says whose look counts.
 */
#include "daemon/journals.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "conf/conf.h"
#include "daemon/parts.h"
#include "daemon/process.h"
#include "db/journal.h"
#include "shm/procs.h"
#include "shm/unstored.h"
#include "telemetry/log.h"
#include "telemetry/metric.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

/* How often to look while something waits, and otherwise. */
#define LOOK_BUSY (100 * CLOCK_MS)
#define LOOK_CALM (1 * CLOCK_S)

struct journals {
	const char *dir;
	int64_t max;
	int fd; /* of the directory, for its lock */
	bool locked;
	struct replayer *replayer;
	pthread_t thread;

	pthread_mutex_t mu;
	pthread_cond_t wake; /* stop */
	/* under the lock */
	bool stop;
	struct journal_state state;
};

/* Whose journals are a living worker's to replay. */
static bool
owned(unsigned slot)
{
	const struct proc *row = procs_row(slot);

	return row != NULL && atomic_load(&row->pid) != 0 &&
	       atomic_load(&row->kind) == PROC_CHAT;
}

/* How long until the next look. */
static int64_t
look(struct journals *j)
{
	struct journal_state state;
	int64_t age = 0;
	bool calm;

	if (!j->locked && flock(j->fd, LOCK_EX | LOCK_NB) == 0)
		j->locked = true;
	if (!j->locked || journal_look(j->dir, &state, NULL) != 0)
		return LOOK_CALM;
	if (state.oldest_us != 0)
		age = (clock_wall_us() - state.oldest_us) / 1000000;
	metric_set(M_JOURNAL_BYTES, state.bytes);
	metric_set(M_JOURNAL_AGE, age > 0 ? age : 0);
	calm = unstored_looked(state.files == 0);
	pthread_mutex_lock(&j->mu);
	j->state = state;
	pthread_mutex_unlock(&j->mu);
	return calm && state.files == 0 ? LOOK_CALM : LOOK_BUSY;
}

static void *
journals_main(void *arg)
{
	struct journals *j = arg;
	struct timespec ts;
	int64_t until;

	pthread_mutex_lock(&j->mu);
	while (!j->stop) {
		pthread_mutex_unlock(&j->mu);
		until = clock_mono() + look(j);
		ts.tv_sec = (time_t)(until / CLOCK_S);
		ts.tv_nsec = (long)(until % CLOCK_S);
		pthread_mutex_lock(&j->mu);
		if (!j->stop)
			pthread_cond_timedwait(&j->wake, &j->mu, &ts);
	}
	pthread_mutex_unlock(&j->mu);
	return NULL;
}

struct journals *
journals_new(const struct process *p)
{
	struct journals *j = mem_new(NULL, struct journals);
	struct writer_opts o;
	pthread_condattr_t mono;

	parts_writer_opts(p, j, &o);
	j->dir = o.journal_dir;
	j->max = o.journal_max;
	(void)mkdir(j->dir, S_IRWXU);
	j->fd = open(j->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	pthread_mutex_init(&j->mu, NULL);
	pthread_condattr_init(&mono);
	pthread_condattr_setclock(&mono, CLOCK_MONOTONIC);
	pthread_cond_init(&j->wake, &mono);
	pthread_condattr_destroy(&mono);
	j->replayer = replayer_new(&o, owned);
	if (pthread_create(&j->thread, NULL, journals_main, j) != 0) {
		log_event(LOG_ERROR, "journals_no_thread", NULL);
		abort();
	}
	return j;
}

void
journals_free(struct journals *j)
{
	if (j == NULL)
		return;
	pthread_mutex_lock(&j->mu);
	j->stop = true;
	pthread_cond_signal(&j->wake);
	pthread_mutex_unlock(&j->mu);
	pthread_join(j->thread, NULL);
	replayer_free(j->replayer);
	if (j->fd >= 0)
		close(j->fd);
	pthread_cond_destroy(&j->wake);
	pthread_mutex_destroy(&j->mu);
	mem_free(j);
}

void
journals_say(struct journals *j, char *out, size_t max)
{
	struct journal_state s;

	pthread_mutex_lock(&j->mu);
	s = j->state;
	pthread_mutex_unlock(&j->mu);
	if (s.files == 0)
		out[0] = '\0';
	else
		snprintf(out, max,
		    "%lld bytes in %u journals wait for the database, of "
		    "%lld that may",
		    (long long)s.bytes, s.files, (long long)j->max);
}
