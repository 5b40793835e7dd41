/* The listener's connection: plain asynchronous libpq, reconnected for ever. */
#include "db/listen.h"

#include <string.h>
#include <time.h>

#include "telemetry/metric.h"
#include "util/clock.h"
#include "util/mem.h"

#include "db/backoff.h"
#include "db/conn_priv.h"

#include "util/banned.h"

struct db_listen {
	struct conn_opts opts;
	atomic_int answered; /* host of the last connection */
	char *channel;
	int connect_ms;
	PGconn *pg; /* NULL: not connected */
	struct backoff backoff;
};

struct db_listen *
db_listen_new(
    const char *conninfo, const char *user, const char *channel, int connect_ms)
{
	struct db_listen *l = mem_new(NULL, struct db_listen);

	l->opts.conninfo = mem_strdup(l, conninfo);
	l->opts.user = mem_strdup(l, user);
	l->opts.answered = &l->answered;
	l->channel = mem_strdup(l, channel);
	l->connect_ms = connect_ms;
	return l;
}

void
db_listen_free(struct db_listen *l)
{
	if (l == NULL)
		return;
	PQfinish(l->pg);
	mem_free(l);
}

static int
lost(struct db_listen *l, struct err *e)
{
	const char *why = PQerrorMessage(l->pg);

	err_set_kind(e, ERR_UNAVAILABLE, NULL, 1,
	    "lost the listening connection: %.*s", (int)strcspn(why, "\n"),
	    why);
	PQfinish(l->pg);
	l->pg = NULL;
	metric_add(M_DB_LOST, 1);
	backoff_failed(&l->backoff);
	return -1;
}

/* Send ${sql} and read its answers until ${deadline}. */
static int
ask(struct db_listen *l, const char *sql, int64_t deadline, struct err *e)
{
	PGresult *r;
	bool bad = false;
	int more;

	if (!PQsendQuery(l->pg, sql))
		return lost(l, e);
	for (;;) {
		more = PQflush(l->pg);
		if (more < 0)
			return lost(l, e);
		if (PQisBusy(l->pg)) {
			if (conn_wait(l->pg, more > 0, deadline) != 0 ||
			    !PQconsumeInput(l->pg))
				return lost(l, e);
			continue;
		}
		r = PQgetResult(l->pg);
		if (r == NULL)
			break;
		if (PQresultStatus(r) == PGRES_FATAL_ERROR)
			bad = true;
		PQclear(r);
	}
	return bad ? lost(l, e) : 0;
}

static int
reconnect(struct db_listen *l, struct err *e)
{
	int64_t limit = clock_mono() + l->connect_ms * CLOCK_MS;
	char *quoted, *sql;
	int rc;

	l->pg = conn_connect(&l->opts, limit, e);
	if (l->pg == NULL) {
		backoff_failed(&l->backoff);
		return -1;
	}
	if (PQsetnonblocking(l->pg, 1) != 0)
		return lost(l, e);
	quoted = PQescapeIdentifier(l->pg, l->channel, strlen(l->channel));
	sql = mem_printf(l, "LISTEN %s", quoted);
	rc = ask(l, sql, limit, e);
	PQfreemem(quoted);
	mem_free(sql);
	if (rc == 0)
		backoff_reset(&l->backoff);
	return rc;
}

/* Hand out what has come; how many. */
static int
hand_out(
    struct db_listen *l, void (*cb)(void *arg, const char *payload), void *arg)
{
	PGnotify *n;
	int count = 0;

	while ((n = PQnotifies(l->pg)) != NULL) {
		cb(arg, n->extra);
		PQfreemem(n);
		count++;
	}
	return count;
}

static void
sleep_until(int64_t deadline)
{
	struct timespec ts = { .tv_sec = (time_t)(deadline / CLOCK_S),
		.tv_nsec = (long)(deadline % CLOCK_S) };

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

int
db_listen_wait(struct db_listen *l, int timeout_ms,
    void (*cb)(void *arg, const char *payload), void *arg, bool *reconnected,
    struct err *e)
{
	int64_t deadline = clock_mono() + timeout_ms * CLOCK_MS;

	*reconnected = false;
	if (l->pg == NULL) {
		if (l->backoff.retry_at > deadline) {
			sleep_until(deadline);
			return err_set_kind(e, ERR_UNAVAILABLE, NULL, 1,
			    "not listening: waiting to try again");
		}
		if (l->backoff.retry_at > clock_mono())
			sleep_until(l->backoff.retry_at);
		if (reconnect(l, e) != 0)
			return -1;
		*reconnected = true;
	}
	while (hand_out(l, cb, arg) == 0 && !*reconnected) {
		if (conn_wait(l->pg, false, deadline) != 0)
			return 0; /* quiet */
		if (!PQconsumeInput(l->pg))
			return lost(l, e);
	}
	return 0;
}

int
db_listen_ping(struct db_listen *l, int timeout_ms, struct err *e)
{
	if (l->pg == NULL)
		return err_set_kind(
		    e, ERR_UNAVAILABLE, NULL, 1, "not listening");
	return ask(l, "", clock_mono() + timeout_ms * CLOCK_MS, e);
}
