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

#include "db/writer_priv.h"

#include "util/banned.h"

#define QUEUE_BYTES_MAX (64 * 1024 * 1024)

struct writer *
writer_new(const struct writer_opts *o)
{
	struct writer *w = mem_new(NULL, struct writer);
	pthread_condattr_t mono;
	sigset_t all, before;

	w->conn = (struct conn_opts){
		.conninfo = mem_strdup(w, o->conninfo),
		.user = "sb_writer",
		.statement_ms = o->timeout_ms,
		.lock_ms = o->timeout_ms,
		.pooler = o->pooler,
		.prepared = o->prepared,
	};
	w->stmts = o->stmts;
	w->nstmts = o->nstmts < WRITER_STMTS ? o->nstmts : WRITER_STMTS;
	w->queue_max = o->queue_max;
	w->batch_max = o->batch_max > 0 ? o->batch_max : 1;
	w->timeout_ms = o->timeout_ms;
	w->dead_file = mem_strdup(w, o->dead_letter_file);
	w->last = &w->first;
	w->batch = batch_new(w, w->stmts, w->nstmts);
	w->pieces = mem_array(w, struct piece *, w->batch_max);
	pthread_mutex_init(&w->lock, NULL);
	pthread_condattr_init(&mono);
	pthread_condattr_setclock(&mono, CLOCK_MONOTONIC);
	pthread_cond_init(&w->wake, &mono);
	pthread_condattr_destroy(&mono);
	/* Signals are one other thread's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (pthread_create(&w->thread, NULL, writer_main, w) != 0) {
		log_event(LOG_ERROR, "writer_no_thread", NULL);
		abort();
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return w;
}

void
writer_free(struct writer *w, int64_t deadline)
{
	if (w == NULL)
		return;
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	w->stop_deadline = deadline != 0 ? deadline : INT64_MAX;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	pthread_cond_destroy(&w->wake);
	pthread_mutex_destroy(&w->lock);
	mem_free(w);
}

bool
writer_has_room(struct writer *w)
{
	bool room;

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
