/*
 * The writer's thread: take all there is, store it in one transaction, wake who
 * waits; again until it is stored.  A batch whose outcome is not known is sent
 * again under the same id; one that the database refuses for its data is
 * halved until the bad piece stands alone.
 */
#include <stdio.h>
#include <string.h>

#include "telemetry/log.h"
#include "telemetry/metric.h"
#include "util/clock.h"

#include "db/writer_priv.h"

#include "util/banned.h"

#define BATCH_BYTES_MAX (16 * 1024 * 1024)
#define COMPLAIN_S 30 /* between two log lines about one trouble */
#define SLACK_MS 2000
#define SETTING_SIZE 64

/* The outcome of one attempt to store a batch. */
enum outcome {
	STORED,
	REFUSED, /* for its data: known not to be stored */
	AGAIN,   /* not stored, or not known */
	GIVE_UP, /* AGAIN, but the time to stop has come */
};

/* How a batch ended before it was tried at all. */
static const struct conn_failure at_shutdown = { .message =
						     "shut down meanwhile" };

static bool
stopping(struct writer *w, int64_t *deadline)
{
	bool stop;

	pthread_mutex_lock(&w->lock);
	stop = w->stop;
	*deadline = w->stop_deadline;
	pthread_mutex_unlock(&w->lock);
	return stop;
}

/* One line now and then about a trouble that lasts. */
static void
complain(struct writer *w, const char *event, const char *why)
{
	int64_t now = clock_mono();

	if (w->complained != 0 && now - w->complained < COMPLAIN_S * CLOCK_S)
		return;
	w->complained = now;
	log_event(LOG_ERROR, event, "error", why, NULL);
}

/* Pause as the back-off says; cut short when the writer shall end. */
static void
pause_awhile(struct writer *w)
{
	struct timespec ts;
	int64_t until = w->backoff.retry_at;

	pthread_mutex_lock(&w->lock);
	while (clock_mono() < until) {
		if (w->stop && w->stop_deadline < until)
			until = w->stop_deadline;
		ts.tv_sec = (time_t)(until / CLOCK_S);
		ts.tv_nsec = (long)(until % CLOCK_S);
		pthread_cond_timedwait(&w->wake, &w->lock, &ts);
	}
	pthread_mutex_unlock(&w->lock);
}

/* Is it the rows' fault?  Then no later attempt will go better. */
static bool
data_failure(const char *state)
{
	static const char *const classes[] = { "21", "22", "23", "44", "54",
		"42501", /* row security: not a row of its account */
		"P0" };
	size_t i;

	for (i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
		if (!strncmp(state, classes[i], strlen(classes[i])))
			return true;
	return false;
}

static int
send_batch(struct writer *w, const struct uuid *id, size_t from, size_t n,
    int64_t deadline, struct conn_failure *f, struct err *e)
{
	struct conn_step steps[WRITER_STMTS + 1];
	char statement[SETTING_SIZE], lock[SETTING_SIZE];
	const char *settings[3];
	int nsteps, i, nsettings = 0;

	if (batch_build(w->batch, id, w->pieces + from, n, steps, &nsteps, e)) {
		f->rolled_back = true;
		snprintf(f->sqlstate, sizeof(f->sqlstate), "54000");
		return -1;
	}
	settings[nsettings++] = batch_accounts(w->batch, w->pieces + from, n);
	if (w->conn.pooler) {
		snprintf(statement, sizeof(statement),
		    "SET LOCAL statement_timeout = %d", w->timeout_ms);
		snprintf(lock, sizeof(lock), "SET LOCAL lock_timeout = %d",
		    w->timeout_ms);
		settings[nsettings++] = statement;
		settings[nsettings++] = lock;
	}
	if (conn_transaction(w->c, false, settings, nsettings, steps, nsteps,
		deadline, f, e) != 0)
		return -1;
	for (i = 0; i < nsteps; i++)
		PQclear(steps[i].result);
	return 0;
}

/*
 * Try once.  ${sent}: an earlier attempt under this id may have been committed,
 * which the unique id then tells.
 */
static enum outcome
attempt(struct writer *w, const struct uuid *id, size_t from, size_t n,
    bool *sent, struct conn_failure *f)
{
	int64_t stop_at, now = clock_mono();
	int64_t deadline = now + (w->timeout_ms + SLACK_MS) * CLOCK_MS;
	struct err e = { 0 };
	int rc;

	memset(f, 0, sizeof(*f));
	if (stopping(w, &stop_at) && stop_at < deadline)
		deadline = stop_at;
	if (now >= deadline)
		return GIVE_UP;
	if (w->c != NULL && !conn_alive(w->c)) { /* died while idle */
		conn_free(w->c);
		w->c = NULL;
	}
	if (w->c == NULL) {
		w->c = conn_open(&w->conn, deadline, &e);
		if (w->c == NULL) {
			complain(w, "writer_no_database", e.text);
			return AGAIN;
		}
	}
	rc = send_batch(w, id, from, n, deadline, f, &e);
	if (w->c->broken) {
		conn_free(w->c);
		w->c = NULL;
	}
	if (rc == 0 || (*sent && f->stmt == 0 && !strcmp(f->sqlstate, "23505")))
		return STORED;
	if (!f->rolled_back)
		*sent = true;
	else if (data_failure(f->sqlstate))
		return REFUSED;
	complain(w, "writer_failed", e.text);
	return AGAIN;
}

/* Until it is stored, refused, or time to stop. */
static enum outcome
store(struct writer *w, const struct uuid *id, size_t from, size_t n,
    struct conn_failure *f)
{
	int64_t began = clock_mono();
	bool sent = false;
	enum outcome o;

	while ((o = attempt(w, id, from, n, &sent, f)) == AGAIN) {
		backoff_failed(&w->backoff);
		pause_awhile(w);
		if (sent)
			metric_add(M_WRITER_RESENT, 1);
	}
	backoff_reset(&w->backoff);
	if (o == STORED) {
		w->complained = 0;
		metric_add(M_WRITER_BATCHES, 1);
		metric_add(M_WRITER_PIECES, (int64_t)n);
		metric_time(M_WRITER_TIME, clock_mono() - began);
	}
	return o;
}

static void
bury(struct writer *w, const struct uuid *id, struct piece *p,
    const struct conn_failure *why)
{
	char account[UUID_TEXT];
	struct err e = { 0 };

	metric_add(M_WRITER_DEAD, 1);
	id_format(&p->account, account);
	log_event(LOG_ERROR, "dead_letter", "account_id", account, "sqlstate",
	    why->sqlstate, "constraint", why->constraint, "file", w->dead_file,
	    NULL);
	if (dead_letter(w->dead_file, p, w->stmts, id, why, &e) != 0)
		log_event(LOG_ERROR, "dead_letter_lost", "error", e.text, NULL);
	piece_done(p, PIECE_REFUSED);
}

/* Store pieces [from, from + n): whole, or in halves. */
static void
store_range(struct writer *w, size_t from, size_t n)
{
	struct conn_failure f;
	struct uuid id;
	size_t i;

	id_new(&id);
	switch (store(w, &id, from, n, &f)) {
	case STORED:
		for (i = from; i < from + n; i++)
			piece_done(w->pieces[i], PIECE_STORED);
		return;
	case REFUSED:
		if (n > 1) {
			store_range(w, from, n / 2);
			store_range(w, from + n / 2, n - n / 2);
			return;
		}
		bury(w, &id, w->pieces[from], &f);
		return;
	case AGAIN:
	case GIVE_UP:
		for (i = from; i < from + n; i++)
			bury(w, &id, w->pieces[i], &at_shutdown);
		return;
	}
}

/* Wait for pieces and take what fits one batch; 0 when it is time to end. */
static size_t
take(struct writer *w, size_t *bytes)
{
	size_t n = 0;

	*bytes = 0;
	pthread_mutex_lock(&w->lock);
	while (w->first == NULL && !w->stop) {
		w->idle = true;
		pthread_cond_wait(&w->wake, &w->lock);
	}
	w->idle = false;
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
	size_t n, bytes;

	while ((n = take(w, &bytes)) > 0) {
		store_range(w, 0, n);
		pthread_mutex_lock(&w->lock);
		w->queued -= (unsigned)n;
		w->bytes -= bytes;
		metric_set(M_WRITER_QUEUE, w->queued);
		pthread_mutex_unlock(&w->lock);
	}
	conn_free(w->c);
	w->c = NULL;
	return NULL;
}
