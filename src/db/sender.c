/*
 * One attempt to store a batch, with every wait bounded, and what its outcome
 * means.
 */
#include "db/sender_priv.h"

#include <stdio.h>
#include <string.h>

#include "telemetry/log.h"
#include "telemetry/metric.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

#define COMPLAIN_S 30 /* between two log lines about one trouble */
/* Beyond the server's own limit, so that its answer, which says that nothing
 * was stored, comes first. */
#define SLACK_MS 500
#define SETTING_SIZE 64

static int
lock_ms(int timeout_ms)
{
	return timeout_ms - timeout_ms / 10;
}

void
sender_init(struct sender *s, const void *ctx, const struct writer_opts *o)
{
	pthread_condattr_t mono;

	s->conn = (struct conn_opts){
		.conninfo = mem_strdup(ctx, o->conninfo),
		.user = "sb_writer",
		.statement_ms = o->timeout_ms,
		/* Less: who only waits for a lock is told from what is too
		 * much work for one statement. */
		.lock_ms = lock_ms(o->timeout_ms),
		.pooler = o->pooler,
		.prepared = o->prepared,
		.answered = &s->answered,
	};
	s->timeout_ms = o->timeout_ms;
	s->batch = batch_new(ctx, o->stmts, o->nstmts);
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&mono);
	pthread_condattr_setclock(&mono, CLOCK_MONOTONIC);
	pthread_cond_init(&s->wake, &mono);
	pthread_condattr_destroy(&mono);
}

void
sender_release(struct sender *s)
{
	sender_disconnect(s);
	pthread_cond_destroy(&s->wake);
	pthread_mutex_destroy(&s->lock);
}

void
sender_stop(struct sender *s, int64_t deadline)
{
	pthread_mutex_lock(&s->lock);
	s->stop = true;
	s->stop_deadline = deadline != 0 ? deadline : INT64_MAX;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
}

bool
sender_stopping(struct sender *s, int64_t *deadline)
{
	bool stop;

	pthread_mutex_lock(&s->lock);
	stop = s->stop;
	*deadline = s->stop_deadline;
	pthread_mutex_unlock(&s->lock);
	return stop;
}

void
sender_complain(struct sender *s, const char *event, const char *why)
{
	int64_t now = clock_mono();
	size_t i = 0;

	while (i < COMPLAINTS - 1 && s->complained[i].event != NULL &&
	       strcmp(s->complained[i].event, event) != 0)
		i++;
	if (s->complained[i].event != NULL &&
	    strcmp(s->complained[i].event, event) == 0 &&
	    now - s->complained[i].at < COMPLAIN_S * CLOCK_S)
		return;
	s->complained[i].event = event;
	s->complained[i].at = now;
	log_event(LOG_ERROR, event, "error", why, NULL);
}

void
sender_well(struct sender *s)
{
	backoff_reset(&s->backoff);
	memset(s->complained, 0, sizeof(s->complained));
}

void
sender_disconnect(struct sender *s)
{
	conn_free(s->c);
	s->c = NULL;
}

void
sender_pause(struct sender *s)
{
	struct timespec ts;
	int64_t until;

	backoff_failed(&s->backoff);
	until = s->backoff.retry_at;
	pthread_mutex_lock(&s->lock);
	while (clock_mono() < until) {
		if (s->stop && s->stop_deadline < until)
			until = s->stop_deadline;
		ts.tv_sec = (time_t)(until / CLOCK_S);
		ts.tv_nsec = (long)(until % CLOCK_S);
		pthread_cond_timedwait(&s->wake, &s->lock, &ts);
	}
	pthread_mutex_unlock(&s->lock);
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

bool
sender_there(const struct conn_failure *f)
{
	return f->stmt == 0 && !strcmp(f->sqlstate, "23505");
}

static int
send_batch(struct sender *s, const struct uuid *ids, size_t nids,
    struct piece *const *pieces, size_t n, int64_t deadline,
    struct conn_failure *f, struct err *e)
{
	struct conn_step steps[WRITER_STMTS + 1];
	char statement[SETTING_SIZE], lock[SETTING_SIZE];
	const char *settings[3];
	int nsteps, i, nsettings = 0;

	if (batch_build(s->batch, ids, nids, pieces, n, steps, &nsteps, e) !=
	    0) {
		f->rolled_back = true;
		snprintf(f->sqlstate, sizeof(f->sqlstate), "54000");
		return -1;
	}
	settings[nsettings++] = batch_accounts(s->batch, pieces, n);
	if (s->conn.pooler) {
		snprintf(statement, sizeof(statement),
		    "SET LOCAL statement_timeout = %d", s->timeout_ms);
		snprintf(lock, sizeof(lock), "SET LOCAL lock_timeout = %d",
		    s->conn.lock_ms);
		settings[nsettings++] = statement;
		settings[nsettings++] = lock;
	}
	if (conn_transaction(s->c, false, settings, nsettings, steps, nsteps,
		deadline, f, e) != 0)
		return -1;
	for (i = 0; i < nsteps; i++)
		PQclear(steps[i].result);
	return 0;
}

/* Stop or not: the connection, as far as it takes until ${deadline}. */
static int
connect_until(struct sender *s, int64_t deadline)
{
	int64_t most = clock_mono() + s->timeout_ms * CLOCK_MS;
	struct err e = { 0 };

	if (s->c != NULL && !conn_alive(s->c)) /* died while idle */
		sender_disconnect(s);
	if (s->c != NULL)
		return 0;
	s->c = conn_open(&s->conn, deadline < most ? deadline : most, &e);
	if (s->c != NULL)
		return 0;
	sender_complain(s, "writer_no_database", e.text);
	return -1;
}

enum outcome
sender_try(struct sender *s, const struct uuid *ids, size_t nids,
    struct piece *const *pieces, size_t n, struct conn_failure *f)
{
	int64_t stop_at, now = clock_mono();
	int64_t deadline = now + (s->timeout_ms + SLACK_MS) * CLOCK_MS;
	struct err e = { 0 };
	int rc;

	memset(f, 0, sizeof(*f));
	f->stmt = -1;
	if (sender_stopping(s, &stop_at) && stop_at < deadline)
		deadline = stop_at;
	if (now >= deadline)
		return GIVE_UP;
	if (connect_until(s, deadline) != 0)
		return AWAY;
	rc = send_batch(s, ids, nids, pieces, n, deadline, f, &e);
	if (s->c->broken)
		sender_disconnect(s);
	if (rc == 0 || (nids == 1 && sender_there(f)))
		return STORED;
	if (f->rolled_back && data_failure(f->sqlstate))
		return REFUSED;
	sender_complain(s, "writer_failed", e.text);
	return f->rolled_back ? BUSY : LOST;
}
