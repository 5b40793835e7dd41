/*
 * A member sits in a slot of shared memory: its row in shm/procs.h, its
 * metrics, its running turns.  What it held there is given back when it is
 * reaped, whatever instruction it died at.
 */
#include "daemon/family.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cache/warm.h"
#include "chat/live.h"
#include "conf/conf.h"
#include "daemon/limits.h"
#include "daemon/lost.h"
#include "daemon/parts.h"
#include "daemon/process.h"
#include "daemon/worker.h"
#include "gateway/health.h"
#include "telemetry/log.h"
#include "telemetry/metric.h"
#include "usage/budget.h"
#include "usage/quota.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

#define PAUSE_LEAST_MS 20
#define PAUSE_MOST_MS 800 /* and the start itself: within a second */
/* Who lived this long is started again at once. */
#define LIVED_WELL (10 * CLOCK_S)
/* Beyond its own limit a process is killed. */
#define KILL_AFTER_MS 5000
#define PATH_SIZE 512

struct member {
	pid_t pid; /* 0: the slot is free */
	struct generation *gen;
	int64_t started, limit;
	bool told; /* to leave or to stop: its end is no surprise */
};

struct family {
	struct member member[PROCS_MAX]; /* by slot; 0 is the master's own */
	struct sockets *sockets;
	int signal_fd, tell_fd, alive[2];
	unsigned count;
};

struct family *
family_new(
    struct sockets *sockets, int signal_fd, int tell_fd, const int alive[2])
{
	struct family *f = mem_new(NULL, struct family);

	f->sockets = sockets;
	f->signal_fd = signal_fd;
	f->tell_fd = tell_fd;
	f->alive[0] = alive[0];
	f->alive[1] = alive[1];
	return f;
}

static void
seats_add(struct generation *g, enum proc_kind kind, int64_t n)
{
	int64_t i;

	for (i = 1; i <= n && g->nseats < SEATS; i++)
		g->seat[g->nseats++] =
		    (struct seat){ .kind = kind, .index = (unsigned)i };
}

static unsigned
threads_allowed(const char *name, int64_t wanted, int64_t workers)
{
	const char *why;
	unsigned n = limits_threads((unsigned)wanted, (unsigned)workers, &why);

	if (why != NULL)
		log_event(LOG_WARN, "threads_cut", "parameter", name, "wanted",
		    log_int(wanted), "threads", log_int(n), "limit", why, NULL);
	return n;
}

struct generation *
family_generation(unsigned number, const struct conf *c, bool own)
{
	struct generation *g = mem_new(NULL, struct generation);

	g->number = number;
	g->conf = c;
	g->own_conf = own;
	g->began = clock_mono();
	g->chat_threads = threads_allowed(
	    "threads", c->threads, c->chat_workers + c->admin_workers);
	g->admin_threads =
	    threads_allowed("admin_threads", c->admin_threads, 1);
	seats_add(g, PROC_LISTENER, 1);
	seats_add(g, PROC_CHAT, c->chat_workers);
	seats_add(g, PROC_ADMIN, c->admin_workers);
	seats_add(g, PROC_JOB, c->job_workers);
	return g;
}

static void
generation_drop(struct generation *g)
{
	if (!g->released || g->members > 0)
		return;
	if (g->own_conf)
		mem_free((void *)(uintptr_t)g->conf);
	mem_free(g);
}

/* In the child; does not return. */
static void
member_main(
    struct family *f, struct generation *g, const struct seat *s, unsigned slot)
{
	struct process p = { .kind = s->kind,
		.index = s->index,
		.slot = slot,
		.generation = g->number,
		.threads =
		    s->kind == PROC_CHAT ? g->chat_threads : g->admin_threads,
		.conf = g->conf,
		.sockets = f->sockets,
		.alive_fd = f->alive[0],
		.tell_fd = f->tell_fd };

	close(f->alive[1]);
	close(f->signal_fd);
	switch (s->kind) {
	case PROC_CHAT:
	case PROC_ADMIN:
		exit(worker_run(&p));
	case PROC_JOB:
		exit(job_run(&p));
	default:
		exit(listener_run(&p));
	}
}

static void
row_clear(unsigned slot)
{
	struct proc *row = procs_row(slot);
	uint64_t n;

	atomic_store(&row->pid, 0);
	atomic_store(&row->ready, false);
	atomic_store(&row->leaving, false);
	atomic_store(&row->threads, 0);
	atomic_store(&row->busy, 0);
	atomic_store(&row->full_since, 0);
	atomic_store(&row->changes, 0);
	atomic_store(&row->kind, PROC_NONE);
	/* A wake that came too late is nobody's. */
	if (read(row->wake_fd, &n, sizeof(n)) < 0)
		return;
}

/* Start who is to sit in ${s}; 0 or -1. */
static int
member_start(struct family *f, struct generation *g, struct seat *s)
{
	struct proc *row;
	unsigned slot;
	pid_t pid;

	for (slot = 1; slot < PROCS_MAX && f->member[slot].pid != 0; slot++)
		continue;
	if (slot == PROCS_MAX) {
		log_event(LOG_ERROR, "no_slot", "role",
		    procs_kind_name(s->kind), NULL);
		return -1;
	}
	row = procs_row(slot);
	row_clear(slot);
	id_new(&row->id);
	atomic_store(&row->generation, g->number);
	atomic_store(&row->kind, (int)s->kind);
	pid = fork();
	if (pid == 0)
		member_main(f, g, s, slot);
	if (pid < 0) {
		log_event(
		    LOG_ERROR, "fork_failed", "error", strerror(errno), NULL);
		row_clear(slot);
		return -1;
	}
	atomic_store(&row->pid, pid);
	f->member[slot] =
	    (struct member){ .pid = pid, .gen = g, .started = clock_mono() };
	f->count++;
	g->members++;
	s->slot = slot;
	log_event(LOG_INFO, "worker_started", "role", procs_kind_name(s->kind),
	    "index", log_int(s->index), "child", log_int(pid), "generation",
	    log_int(g->number), NULL);
	return 0;
}

static void
seat_pause(struct seat *s, bool lived_well)
{
	if (lived_well)
		s->pause_ms = 0;
	else if (s->pause_ms == 0)
		s->pause_ms = PAUSE_LEAST_MS;
	else
		s->pause_ms = s->pause_ms * 2 < PAUSE_MOST_MS ? s->pause_ms * 2
		                                              : PAUSE_MOST_MS;
	s->due = clock_mono() + s->pause_ms * CLOCK_MS;
}

int64_t
family_fill(struct family *f, struct generation *g)
{
	int64_t next = 0, now = clock_mono();
	struct seat *s;

	for (s = g->seat; s < g->seat + g->nseats; s++) {
		if (s->slot != 0)
			continue;
		if (s->due <= now && member_start(f, g, s) == 0)
			continue;
		if (s->due <= now)
			seat_pause(s, false);
		if (next == 0 || s->due < next)
			next = s->due;
	}
	return next;
}

bool
family_ready(const struct generation *g)
{
	const struct seat *s;

	for (s = g->seat; s < g->seat + g->nseats; s++)
		if (s->slot == 0 || !atomic_load(&procs_row(s->slot)->ready))
			return false;
	return true;
}

static void
member_tell(struct member *m, int sig, int64_t limit_ms)
{
	int64_t limit = clock_mono() + (limit_ms + KILL_AFTER_MS) * CLOCK_MS;

	if (m->limit == 0 || limit < m->limit || !m->told)
		m->limit = limit;
	m->told = true;
	kill(m->pid, sig);
}

void
family_leave(struct family *f, struct generation *g)
{
	unsigned i;

	for (i = 1; i < PROCS_MAX; i++)
		if (f->member[i].pid != 0 && f->member[i].gen == g) {
			atomic_store(&procs_row(i)->leaving, true);
			member_tell(&f->member[i], SIGUSR2,
			    g->conf->reload_drain_limit + g->conf->drain_limit);
		}
	g->released = true;
	generation_drop(g);
}

void
family_stop(struct family *f, struct generation *g, int64_t limit_ms)
{
	unsigned i;

	for (i = 1; i < PROCS_MAX; i++)
		if (f->member[i].pid != 0 && f->member[i].gen == g)
			member_tell(&f->member[i], SIGTERM, limit_ms);
	g->released = true;
	generation_drop(g);
}

void
family_forget(struct generation *g)
{
	if (g == NULL)
		return;
	g->released = true;
	generation_drop(g);
}

void
family_stop_all(struct family *f, int64_t extra_ms)
{
	unsigned i;

	for (i = 1; i < PROCS_MAX; i++)
		if (f->member[i].pid != 0)
			member_tell(&f->member[i], SIGTERM,
			    f->member[i].gen->conf->drain_limit + extra_ms);
}

void
family_signal_all(struct family *f, int sig)
{
	unsigned i;

	for (i = 1; i < PROCS_MAX; i++)
		if (f->member[i].pid != 0)
			kill(f->member[i].pid, sig);
}

unsigned
family_count(const struct family *f)
{
	return f->count;
}

static void
turn_lost(void *arg, const struct uuid *turn, const struct uuid *account)
{
	unsigned *n = arg;

	(void)turn;
	(void)account;
	(*n)++;
}

static void
death_say(const struct member *m, unsigned slot, int status, unsigned turns)
{
	const struct proc *row = procs_row(slot);
	bool odd = !m->told || WIFSIGNALED(status) || WEXITSTATUS(status) != 0;

	log_event(odd ? LOG_ERROR : LOG_INFO,
	    odd ? "worker_died" : "worker_gone", "role",
	    procs_kind_name((enum proc_kind)atomic_load(&row->kind)), "child",
	    log_int(m->pid), "generation", log_int(m->gen->number), "signal",
	    WIFSIGNALED(status) ? log_int(WTERMSIG(status)) : NULL, "status",
	    WIFEXITED(status) ? log_int(WEXITSTATUS(status)) : NULL,
	    "turns_lost", turns > 0 ? log_int(turns) : NULL, NULL);
}

/* It may be what workers share that it could not bear. */
static void
distrust(const struct member *m, int status)
{
	char dir[PATH_SIZE];
	int sig = WIFSIGNALED(status) ? WTERMSIG(status) : 0;

	if (sig != SIGSEGV && sig != SIGBUS && sig != SIGABRT &&
	    sig != SIGFPE && sig != SIGILL)
		return;
	snprintf(dir, sizeof(dir), "%s/" PARTS_CACHE, m->gen->conf->run_dir);
	warm_discard(dir);
}

static void
member_bury(struct family *f, unsigned slot, int status)
{
	struct member *m = &f->member[slot];
	struct proc *row = procs_row(slot);
	struct generation *g = m->gen;
	bool ready = atomic_load(&row->ready);
	unsigned turns = 0;
	struct seat *s;

	metric_slot_reaped(slot);
	quota_reap(slot);
	health_reap(slot, clock_mono());
	budget_reap(slot);
	live_reap(slot, turn_lost, &turns);
	death_say(m, slot, status, turns);
	distrust(m, status);
	if (atomic_load(&row->kind) == PROC_CHAT)
		lost_put(&row->id);
	for (s = g->seat; s < g->seat + g->nseats; s++) {
		if (s->slot != slot)
			continue;
		s->slot = 0;
		seat_pause(s, clock_mono() - m->started > LIVED_WELL);
	}
	if (!m->told) {
		metric_add(M_RESPAWNS, 1);
		g->failed = g->failed || !ready;
	}
	row_clear(slot);
	f->count--;
	g->members--;
	*m = (struct member){ 0 };
	generation_drop(g);
}

void
family_reap(struct family *f)
{
	int status;
	unsigned i;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (i = 1; i < PROCS_MAX; i++)
			if (f->member[i].pid == pid) {
				member_bury(f, i, status);
				break;
			}
}

int64_t
family_limits(struct family *f)
{
	int64_t next = 0, now = clock_mono();
	struct member *m;
	unsigned i;

	for (i = 1; i < PROCS_MAX; i++) {
		m = &f->member[i];
		if (m->pid == 0 || m->limit == 0)
			continue;
		if (m->limit <= now) {
			log_event(LOG_ERROR, "worker_killed", "child",
			    log_int(m->pid), NULL);
			kill(m->pid, SIGKILL);
			m->limit = now + CLOCK_S;
		}
		if (next == 0 || m->limit < next)
			next = m->limit;
	}
	return next;
}
