/*
 * The writer's thread: take all there is, store it in one transaction, wake who
 * waits; again until it is stored.  A batch whose outcome is not known is sent
 * again under the same id; one that the database refuses for its data is
 * halved until the bad piece stands alone.  What the database cannot take now
 * goes to the journal, and then everything does until that has been replayed,
 * so that a turn's end never comes before its beginning.
 */
#include <string.h>

#include "telemetry/log.h"
#include "telemetry/metric.h"
#include "util/clock.h"

#include "db/journal_priv.h"
#include "db/lane.h"
#include "db/sender_priv.h"
#include "db/writer_priv.h"

#include "util/banned.h"

#define BATCH_BYTES_MAX (16 * 1024 * 1024)
/* How long an attempt may have taken to be worth another one at once. */
#define BRIEF (500 * CLOCK_MS)
#define BRIEF_TRIES 3

/* How a batch ended before it was tried at all. */
static const struct conn_failure at_shutdown = { .message =
						     "shut down meanwhile" };

static bool
journaling(struct writer *w)
{
	return w->journal != NULL && journal_active(w->journal);
}

/* A connection that broke, or a lost race: worth trying again at once? */
static bool
brief(enum outcome o, const struct conn_failure *f, int tries, int64_t began)
{
	return (o == LOST || (o == BUSY && !strncmp(f->sqlstate, "40", 2))) &&
	       tries < BRIEF_TRIES && clock_mono() - began < BRIEF;
}

/*
 * Until it is stored, refused or time to stop; where a journal is kept, BUSY,
 * LOST and AWAY when it is the journal's turn.
 */
static enum outcome
store(struct writer *w, const struct uuid *id, size_t from, size_t n,
    struct conn_failure *f)
{
	int64_t began = clock_mono();
	enum outcome o;
	int tries = 0;

	for (;;) {
		o = sender_try(w->sender, id, 1, w->pieces + from, n, f);
		if (o == STORED || o == REFUSED || o == GIVE_UP)
			break;
		if (o == LOST)
			metric_add(M_WRITER_RESENT, 1);
		if (w->journal == NULL)
			sender_pause(w->sender);
		else if (!brief(o, f, ++tries, began))
			return o;
	}
	if (o != STORED)
		return o;
	sender_well(w->sender);
	if (w->journal != NULL)
		atomic_store(&w->journal->full, false);
	metric_add(M_WRITER_BATCHES, 1);
	metric_add(M_WRITER_PIECES, (int64_t)n);
	metric_time(M_WRITER_TIME, clock_mono() - began);
	return o;
}

static void
finish(struct writer *w, size_t from, size_t n, enum piece_state state)
{
	size_t i;

	for (i = from; i < from + n; i++)
		piece_done(w->pieces[i], state);
}

/* Into the journal, and wake who replays it.  0 or -1. */
static int
spill(struct writer *w, const struct uuid *id, size_t from, size_t n)
{
	bool first = !journaling(w);
	struct err e = { 0 };

	if (journal_append(w->journal, id, w->pieces + from, n, &e) != 0) {
		metric_add(M_JOURNAL_REFUSED, 1);
		sender_complain(w->sender, "journal_full", e.text);
		return -1;
	}
	metric_add(M_JOURNAL_BATCHES, 1);
	if (first) {
		log_event(LOG_ERROR, "journal_began", "error",
		    "the database does not take what is finished", NULL);
		/* The replayer has the connection now. */
		sender_disconnect(w->sender);
		sender_well(w->sender);
		replayer_wake(w->replayer);
	}
	finish(w, from, n, PIECE_JOURNALED);
	return 0;
}

static void
bury_all(struct writer *w, const struct uuid *id, size_t from, size_t n,
    const struct conn_failure *why)
{
	size_t i;

	for (i = from; i < from + n; i++)
		(void)bury(w->dead_file, w->pieces[i], w->stmts, id, why);
	finish(w, from, n, PIECE_REFUSED);
}

/* Store pieces [from, from + n) under ${id}: whole, or in halves. */
static void
store_range(struct writer *w, const struct uuid *id, size_t from, size_t n)
{
	enum outcome o = AWAY;
	struct conn_failure f;
	struct uuid half;
	int64_t stop_at;

	for (;;) {
		if (!journaling(w))
			o = store(w, id, from, n, &f);
		if (o == STORED) {
			finish(w, from, n, PIECE_STORED);
			return;
		}
		if (o == REFUSED)
			break;
		if (w->journal != NULL && spill(w, id, from, n) == 0)
			return;
		if (sender_stopping(w->sender, &stop_at) &&
		    clock_mono() >= stop_at) {
			bury_all(w, id, from, n, &at_shutdown);
			return;
		}
		sender_pause(w->sender);
	}
	if (n == 1) {
		bury_all(w, id, from, n, &f);
		return;
	}
	batch_half(id, 0, &half);
	store_range(w, &half, from, n / 2);
	batch_half(id, 1, &half);
	store_range(w, &half, from + n / 2, n - n / 2);
}

/* Until there are pieces, or it is time to end. */
static void
wait_for_pieces(struct writer *w)
{
	pthread_mutex_lock(&w->lock);
	while (w->first == NULL && !w->stop) {
		w->idle = true;
		pthread_cond_wait(&w->wake, &w->lock);
	}
	w->idle = false;
	pthread_mutex_unlock(&w->lock);
}

/* Take what fits one batch; 0 when it is time to end. */
static size_t
take(struct writer *w, size_t *bytes)
{
	size_t n = 0;

	*bytes = 0;
	pthread_mutex_lock(&w->lock);
	while (w->first != NULL && n < w->batch_max &&
	       (n == 0 || *bytes + w->first->cells.len <= BATCH_BYTES_MAX)) {
		w->pieces[n] = w->first;
		*bytes += w->first->cells.len;
		w->first = w->first->next;
		n++;
	}
	if (w->first == NULL)
		w->last = &w->first;
	pthread_mutex_unlock(&w->lock);
	return n;
}

void *
writer_main(void *arg)
{
	struct writer *w = arg;
	struct uuid id;
	size_t n, bytes;
	bool turn;

	for (;;) {
		wait_for_pieces(w);
		turn = !journaling(w) && lane_enter(w->lane);
		n = take(w, &bytes);
		if (n > 0) {
			id_new(&id);
			store_range(w, &id, 0, n);
		}
		if (turn)
			lane_leave(w->lane);
		if (n == 0)
			break;
		pthread_mutex_lock(&w->lock);
		w->queued -= (unsigned)n;
		w->bytes -= bytes;
		metric_set(M_WRITER_QUEUE, w->queued);
		pthread_mutex_unlock(&w->lock);
	}
	sender_disconnect(w->sender);
	return NULL;
}
