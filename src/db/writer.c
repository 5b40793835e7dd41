/*
 * The writer as its callers see it: a bounded queue, and the wait for one's own
 * piece.
 */
#include "db/writer.h"

#include <signal.h>
#include <stdlib.h>

#include "telemetry/log.h"
#include "telemetry/metric.h"
#include "util/clock.h"
#include "util/mem.h"

#include "db/journal_priv.h"
#include "db/sender_priv.h"
#include "db/writer_priv.h"

#include "util/banned.h"

#define QUEUE_BYTES_MAX (64 * 1024 * 1024)

/* Signals are one other thread's. */
static void
start(struct writer *w)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (pthread_create(&w->thread, NULL, writer_main, w) != 0) {
		log_event(LOG_ERROR, "writer_no_thread", NULL);
		abort();
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

struct writer *
writer_new(const struct writer_opts *given)
{
	struct writer *w = mem_new(NULL, struct writer);
	struct writer_opts o = *given;

	if (o.nstmts > WRITER_STMTS)
		o.nstmts = WRITER_STMTS;
	if (o.batch_max == 0)
		o.batch_max = 1;
	w->stmts = o.stmts;
	w->nstmts = o.nstmts;
	w->queue_max = o.queue_max;
	w->batch_max = o.batch_max;
	w->lane = o.lane;
	w->dead_file = mem_strdup(w, o.dead_letter_file);
	w->last = &w->first;
	w->pieces = mem_array(w, struct piece *, w->batch_max);
	w->sender = mem_new(w, struct sender);
	sender_init(w->sender, w, &o);
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->wake, NULL);
	if (o.journal_dir != NULL) {
		w->journal = journal_new(NULL, &o);
		w->replayer = replayer_of_writer(&o, w->journal);
	}
	start(w);
	return w;
}

void
writer_free(struct writer *w, int64_t deadline)
{
	if (w == NULL)
		return;
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
	sender_stop(w->sender, deadline);
	pthread_join(w->thread, NULL);
	replayer_free(w->replayer);
	journal_free(w->journal);
	sender_release(w->sender);
	pthread_cond_destroy(&w->wake);
	pthread_mutex_destroy(&w->lock);
	mem_free(w);
}

bool
writer_has_room(struct writer *w)
{
	bool room;

	if (w->journal != NULL && atomic_load(&w->journal->full))
		return false;
	pthread_mutex_lock(&w->lock);
	room = w->queued < w->queue_max && w->bytes < QUEUE_BYTES_MAX;
	pthread_mutex_unlock(&w->lock);
	return room;
}

static void
enqueue(struct writer *w, struct piece *p)
{
	bool wake;

	p->next = NULL;
	pthread_mutex_lock(&w->lock);
	*w->last = p;
	w->last = &p->next;
	w->queued++;
	w->bytes += p->cells.len;
	metric_set(M_WRITER_QUEUE, w->queued);
	wake = w->idle;
	w->idle = false; /* one call is enough */
	pthread_mutex_unlock(&w->lock);
	/* Without the lock, which the writer would only wait for. */
	if (wake)
		pthread_cond_signal(&w->wake);
}

int
writer_commit(
    struct writer *w, struct piece *p, int64_t deadline, struct err *e)
{
	enum piece_state state;

	if (piece_check(p, w->stmts, w->nstmts, e) != 0) {
		piece_free(p);
		return -1;
	}
	atomic_store(&p->refs, 2);
	enqueue(w, p);
	state = piece_wait(p, deadline);
	piece_unref(p);
	if (state == PIECE_STORED)
		return 0;
	if (state == PIECE_JOURNALED)
		return 1;
	if (state == PIECE_REFUSED)
		return err_set(
		    e, ERR_INTERNAL, "the database refused what was written");
	return err_set_kind(e, ERR_UNAVAILABLE, NULL, 1,
	    "the database did not store it in time");
}

void
writer_post(struct writer *w, struct piece *p)
{
	struct err e = { 0 };

	if (piece_check(p, w->stmts, w->nstmts, &e) != 0) {
		log_event(LOG_ERROR, "piece_wrong", "error", e.text, NULL);
		piece_free(p);
		return;
	}
	enqueue(w, p);
}
