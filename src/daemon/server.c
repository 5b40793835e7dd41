/*
 * The first thread: it takes orders and never waits for anything else.
 */
#include "daemon/server.h"

#include <poll.h>
#include <unistd.h>

#include "chat/live.h"
#include "conf/conf.h"
#include "daemon/keeper.h"
#include "daemon/parts.h"
#include "daemon/pool.h"
#include "daemon/process.h"
#include "telemetry/log.h"
#include "util/clock.h"
#include "util/err.h"

#include "util/banned.h"

#define TICK_MS 100
/* How long callers wait for a start that hears nothing from the database. */
#define SILENT_LONGEST CLOCK_S
/* How long before the drain's limit turns are told to end. */
#define LAST_WORDS_MS 2000
/* With the master gone everything is over in two seconds. */
#define ORPHAN_MS 1000
#define ORPHAN_FUSE_S 2
#define WRITER_MS 500
#define KEEPER_MS 500
#define LATER_MS 2000
#define EXIT_SCHEMA 78 /* EX_CONFIG */

struct server {
	struct process *process;
	struct parts *parts;
	const struct server_opts *o;
	struct pool *pool;
	struct keeper *keeper;
	bool listening, ready, leaving;
	int64_t began, leave_limit;
};

static void
server_listen(struct server *s)
{
	if (s->listening || s->leaving)
		return;
	s->listening = true;
	pool_listen(s->pool);
}

/* Health is told at once; and to refuse is better than to be silent, when the
 * database is away and nobody else serves. */
static bool
server_may_refuse(const struct server *s)
{
	if (s->process->kind == PROC_LISTENER)
		return true;
	return (keeper_away(s->keeper) ||
		   clock_mono() - s->began > SILENT_LONGEST) &&
	       !process_others_ready(s->process);
}

/*
 * Serve when the database has been found good.  Before, requests are left to
 * others, or wait a moment in the socket's queue: a worker that took them would
 * answer 503 while its neighbour is ready.
 */
static void
server_come_up(struct server *s)
{
	bool open = atomic_load(&s->parts->open);

	if (s->ready || s->leaving)
		return;
	if (open || server_may_refuse(s))
		server_listen(s);
	if (open) {
		s->ready = true;
		process_ready(s->process);
		log_event(LOG_INFO, "worker_ready", "generation",
		    log_int(s->process->generation), NULL);
	}
}

static void
server_leave(struct server *s)
{
	const struct conf *c = s->process->conf;

	if (s->leaving)
		return;
	s->leaving = true;
	atomic_store(&procs_self()->leaving, true);
	pool_leave(s->pool);
	s->leave_limit = clock_mono() + c->reload_drain_limit * CLOCK_MS;
	log_event(LOG_INFO, "worker_leaves", "connections",
	    log_int(pool_connections(s->pool)), NULL);
}

/* Serve until it is time to drain; how long that may take, in ms. */
static int
server_serve(struct server *s)
{
	const struct conf *c = s->process->conf;

	for (;;) {
		server_come_up(s);
		switch (process_wait(s->process, TICK_MS)) {
		case ORDER_WAKE:
			live_wake_cancelled();
			break;
		case ORDER_LEAVE:
			server_leave(s);
			break;
		case ORDER_STOP:
			return (int)c->drain_limit;
		case ORDER_ORPHAN:
			process_fuse(ORPHAN_FUSE_S);
			return ORPHAN_MS;
		case ORDER_NONE:
			break;
		}
		if (keeper_hopeless(s->keeper))
			return 0;
		if (s->leaving && pool_connections(s->pool) == 0)
			return 0;
		if (s->leaving && clock_mono() >= s->leave_limit)
			return (int)c->drain_limit;
	}
}

/*
 * Finish what runs.  Shortly before the limit the turns are told to stop, so
 * that each ends with its last event.  True when nothing runs any more.
 */
static bool
server_drain(struct server *s, int limit_ms)
{
	int64_t limit = clock_mono() + limit_ms * CLOCK_MS, words;
	bool done = false;

	words = limit -
	        (limit_ms / 4 < LAST_WORDS_MS ? limit_ms / 4 : LAST_WORDS_MS) *
	            CLOCK_MS;
	atomic_store(&procs_self()->leaving, true);
	while (!done) {
		done = pool_drain(s->pool, clock_mono() + 50 * CLOCK_MS) == 0;
		if (done || clock_mono() >= limit)
			break;
		if (clock_mono() >= words)
			live_cancel_all();
		switch (process_wait(s->process, 0)) {
		case ORDER_WAKE:
			live_wake_cancelled();
			break;
		case ORDER_ORPHAN:
			process_fuse(ORPHAN_FUSE_S);
			if (limit > clock_mono() + ORPHAN_MS * CLOCK_MS) {
				words = clock_mono();
				limit = words + ORPHAN_MS * CLOCK_MS;
			}
			break;
		default:
			break;
		}
	}
	return done;
}

int
server_run(struct process *p, struct parts *parts, const struct server_opts *o)
{
	struct server s = {
		.process = p, .parts = parts, .o = o, .began = clock_mono()
	};
	bool done, hopeless;
	struct err e = { 0 };
	int limit_ms;

	s.pool = parts_pool(parts, o->fd, o->hand, o->threads, &e);
	s.keeper = s.pool != NULL ? keeper_new(parts) : NULL;
	if (s.keeper == NULL) {
		log_event(LOG_ERROR, "worker_refused", "error", e.text, NULL);
		_exit(1);
	}
	limit_ms = server_serve(&s);
	hopeless = keeper_hopeless(s.keeper);
	done = server_drain(&s, limit_ms);
	if (!done)
		log_event(LOG_WARN, "drain_limit", "connections",
		    log_int(pool_connections(s.pool)), NULL);
	done = pool_free(s.pool, 0) == 0 && done;
	done =
	    keeper_free(s.keeper, clock_mono() + KEEPER_MS * CLOCK_MS) == 0 &&
	    done;
	done = parts_finish(parts, clock_mono() + LATER_MS * CLOCK_MS) == 0 &&
	       done;
	if (!done) {
		/* Threads still use everything: leave it as it is, and give the
		 * writer a moment for what was finished last. */
		poll(NULL, 0, WRITER_MS);
		_exit(0);
	}
	if (o->end != NULL)
		o->end(o->arg);
	parts_free(parts, clock_mono() + 2 * CLOCK_S);
	log_event(LOG_INFO, "worker_ended", NULL);
	return hopeless ? EXIT_SCHEMA : 0;
}
