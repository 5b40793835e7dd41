/*
 * Signals are blocked in every thread and read from a descriptor by the first
 * one, so that no call anywhere is interrupted and no handler runs.
 */
#include "daemon/process.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "daemon/limits.h"
#include "daemon/sockets.h"
#include "daemon/title.h"
#include "telemetry/log.h"
#include "telemetry/metric.h"
#include "util/clock.h"

#include "util/banned.h"

#define ARENAS 2
#define FULL_LONG (20 * CLOCK_MS)
/* The kernel sends it when the master dies. */
#define SIG_ORPHAN SIGQUIT

static void
signals_take(struct process *p)
{
	sigset_t set;

	/* The master's terminal signals reach the whole group; its orders come
	 * by others. */
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, SIG_ORPHAN);
	p->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	sigaddset(&set, SIGALRM);
	sigaddset(&set, SIGCHLD);
	pthread_sigmask(SIG_SETMASK, &set, NULL);
}

/*
 * glibc keeps freed pieces below 128 bytes apart, ready to be used again, and
 * joins them all to their neighbours whenever something large is wanted: at
 * each request, since FastCGI's buffers are.  Each thread has its own store of
 * such pieces anyway.  Few arenas, because each fills up with holes by itself.
 */
static void
memory_tune(void)
{
	(void)mallopt(M_MXFAST, 0);
	(void)mallopt(M_ARENA_MAX, ARENAS);
}

void
process_begin(struct process *p, int keep)
{
	char what[64];

	memory_tune();
	p->master = getppid();
	procs_set_self(p->slot);
	metric_slot(p->slot);
	snprintf(
	    what, sizeof(what), "%s %u", procs_kind_name(p->kind), p->index);
	title_set(p->kind == PROC_LISTENER ? procs_kind_name(p->kind) : what);
	log_process(p->kind == PROC_LISTENER ? procs_kind_name(p->kind) : what);
	sockets_close(p->sockets, keep);
	signals_take(p);
	limits_seal();
	prctl(PR_SET_PDEATHSIG, SIG_ORPHAN, 0, 0, 0);
	/* The pipe tells of a master that died before this line. */
}

void
process_ready(struct process *p)
{
	uint64_t one = 1;
	ssize_t n;

	atomic_store(&procs_self()->ready, true);
	do
		n = write(p->tell_fd, &one, sizeof(one));
	while (n < 0 && errno == EINTR);
}

static enum order
signal_order(const struct process *p)
{
	struct signalfd_siginfo si;
	struct err e = { 0 };

	while (read(p->signal_fd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		switch (si.ssi_signo) {
		case SIGTERM:
			return ORDER_STOP;
		case SIGUSR2:
			return ORDER_LEAVE;
		case SIG_ORPHAN:
			return ORDER_ORPHAN;
		case SIGUSR1:
			if (log_reopen(&e) != 0)
				log_event(LOG_ERROR, "log_reopen_failed",
				    "error", e.text, NULL);
			break;
		default:
			break;
		}
	}
	return ORDER_NONE;
}

enum order
process_wait(struct process *p, int timeout_ms)
{
	int64_t until = clock_mono() + timeout_ms * CLOCK_MS;
	struct pollfd pf[3] = { { .fd = p->signal_fd, .events = POLLIN },
		{ .fd = p->alive_fd, .events = POLLIN },
		{ .fd = procs_self()->wake_fd, .events = POLLIN } };
	enum order o;
	uint64_t n;

	for (;;) {
		if (poll(pf, 3, clock_left_ms(until, timeout_ms)) == 0)
			return ORDER_NONE;
		if (pf[1].revents != 0)
			return ORDER_ORPHAN;
		if (pf[0].revents != 0) {
			o = signal_order(p);
			if (o != ORDER_NONE)
				return o;
		}
		if (pf[2].revents != 0 &&
		    read(pf[2].fd, &n, sizeof(n)) == (ssize_t)sizeof(n))
			return ORDER_WAKE;
	}
}

void
process_fuse(unsigned seconds)
{
	sigset_t set;

	signal(SIGALRM, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	alarm(seconds);
}

bool
process_others_ready(const struct process *p)
{
	const struct proc *row;
	unsigned i;

	for (i = 0; i < PROCS_MAX; i++) {
		row = procs_row(i);
		if (i != p->slot && atomic_load(&row->pid) != 0 &&
		    atomic_load(&row->kind) == (int)p->kind &&
		    atomic_load(&row->ready) && !atomic_load(&row->leaving))
			return true;
	}
	return false;
}

bool
process_all_full(enum proc_kind kind)
{
	int64_t full, now = clock_mono();
	const struct proc *row;
	unsigned i;

	for (i = 0; i < PROCS_MAX; i++) {
		row = procs_row(i);
		if (atomic_load(&row->pid) == 0 ||
		    atomic_load(&row->kind) != (int)kind ||
		    !atomic_load(&row->ready) || atomic_load(&row->leaving))
			continue;
		full = atomic_load(&row->full_since);
		if (full == 0 || now - full < FULL_LONG)
			return false;
	}
	return true;
}
