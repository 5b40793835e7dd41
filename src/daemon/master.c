/*
 * One loop around a signal descriptor.  A reload is a second generation beside
 * the one that serves; only when all of the new one is ready does the old one
 * leave, so that at no moment nobody listens.
 */
#include "daemon/master.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/app.h"
#include "auth/pwhash.h"
#include "auth/throttle.h"
#include "cache/warm.h"
#include "chat/live.h"
#include "conf/conf.h"
#include "daemon/check.h"
#include "daemon/family.h"
#include "daemon/limits.h"
#include "daemon/lost.h"
#include "daemon/notify.h"
#include "daemon/parts.h"
#include "daemon/sockets.h"
#include "daemon/title.h"
#include "db/journal.h"
#include "gateway/health.h"
#include "gateway/retry.h"
#include "shm/change.h"
#include "shm/epoch.h"
#include "shm/pace.h"
#include "shm/person.h"
#include "shm/procs.h"
#include "shm/shm.h"
#include "shm/unstored.h"
#include "telemetry/log.h"
#include "telemetry/metric.h"
#include "usage/budget.h"
#include "usage/quota.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

/* Turns a process may run at once, at most: the table is sparse. */
#define LIVE_PLACES 16384

struct master {
	const struct conf *boot; /* for what only a restart changes */
	struct sockets sockets;
	int signal_fd, tell_fd, alive[2];
	struct family *family;
	struct generation *now;  /* serves; NULL until the first is ready */
	struct generation *next; /* comes up; NULL when none does */
	unsigned number;
	bool reload; /* asked for while another start is under way */
	bool stopping;
};

/* --- the configuration --------------------------------------------------- */

static enum log_level
level_of(const char *name)
{
	if (strcmp(name, "debug") == 0)
		return LOG_DEBUG;
	if (strcmp(name, "warn") == 0)
		return LOG_WARN;
	if (strcmp(name, "error") == 0)
		return LOG_ERROR;
	return LOG_INFO;
}

/* Put back what only a restart changes. */
static void
conf_keep(struct conf *c, const struct conf *boot)
{
#define KEEP_RELOAD(name)
#define KEEP_RESTART(name) c->name = boot->name;
#define PARAM(name, type, def, min, max, when, text) KEEP_##when(name)
#include "conf/params.def"
#undef PARAM
#undef KEEP_RELOAD
#undef KEEP_RESTART
}

/* What a person sees who asks the service manager. */
static void
tell_ready(const struct master *m, const char *note)
{
	const struct conf *c = m->now->conf;

	notify_send("READY=1\nSTATUS=%sGeneration %u: %lld chat, %lld admin, "
		    "%lld job workers.",
	    note, m->now->number, (long long)c->chat_workers,
	    (long long)c->admin_workers, (long long)c->job_workers);
}

/* Read the file again; NULL when it is refused. */
static const struct conf *
conf_again(struct master *m)
{
	const struct conf *fresh = NULL;
	struct err e = { 0 };
	struct conf *c;
	const char *name;

	if (conf_read(NULL, m->boot->file, &fresh, &e) != 0) {
		log_event(LOG_ERROR, "config_refused", "error", e.text, NULL);
		return NULL;
	}
	name = conf_needs_restart(m->boot, fresh);
	if (name != NULL)
		log_event(
		    LOG_WARN, "config_needs_restart", "parameter", name, NULL);
	c = (struct conf *)(uintptr_t)fresh;
	conf_keep(c, m->boot);
	if (log_open(c->log_file, level_of(c->log_level), &e) != 0)
		log_event(
		    LOG_ERROR, "log_reopen_failed", "error", e.text, NULL);
	return fresh;
}

/* --- generations --------------------------------------------------------- */

static void
reload_begin(struct master *m)
{
	const struct conf *c;

	m->reload = false;
	if (m->now != NULL)
		notify_send("RELOADING=1\nMONOTONIC_USEC=%lld\n"
			    "STATUS=Reloading.",
		    (long long)(clock_mono() / 1000));
	c = conf_again(m);
	if (c == NULL) {
		if (m->now != NULL)
			tell_ready(m, "The new configuration was refused, see "
				      "the log. ");
		return;
	}
	m->next = family_generation(++m->number, c, true);
	log_event(
	    LOG_INFO, "reload_begun", "generation", log_int(m->number), NULL);
}

/* SIGHUP.  A start that goes well is waited for; one that does not is given
 * up, since the new file may be the cure. */
static void
reload_ask(struct master *m)
{
	m->reload = true;
	if (m->next == NULL || !m->next->failed)
		return;
	log_event(LOG_ERROR, "reload_given_up", "generation",
	    log_int(m->next->number), NULL);
	family_stop(m->family, m->next, m->boot->drain_limit);
	m->next = NULL;
}

static void
reload_done(struct master *m)
{
	struct generation *old = m->now;

	m->now = m->next;
	m->next = NULL;
	log_event(LOG_INFO, old == NULL ? "started" : "reload_done",
	    "generation", log_int(m->now->number), "ms",
	    log_int((clock_mono() - m->now->began) / CLOCK_MS), NULL);
	tell_ready(m, "");
	if (old != NULL)
		family_leave(m->family, old);
}

/* --- the loop ------------------------------------------------------------ */

static void
master_stop(struct master *m, int sig)
{
	log_event(LOG_INFO, "stopping", "signal", log_int(sig), NULL);
	notify_send("STOPPING=1\nSTATUS=Finishing what runs.");
	if (m->stopping || sig == SIGQUIT) {
		/* Asked twice: the requests that run are not waited for. */
		m->stopping = true;
		sockets_unlink(m->boot);
		family_signal_all(m->family, SIGQUIT);
		return;
	}
	m->stopping = true;
	/* First, so that nobody connects to what will not be answered. */
	sockets_unlink(m->boot);
	family_stop_all(m->family, 0);
}

static void
master_signals(struct master *m)
{
	struct signalfd_siginfo si;
	struct err e = { 0 };

	while (read(m->signal_fd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		switch (si.ssi_signo) {
		case SIGTERM:
		case SIGINT:
		case SIGQUIT:
			master_stop(m, (int)si.ssi_signo);
			break;
		case SIGHUP:
			if (!m->stopping)
				reload_ask(m);
			break;
		case SIGUSR1:
			if (log_reopen(&e) != 0)
				log_event(LOG_ERROR, "log_reopen_failed",
				    "error", e.text, NULL);
			family_signal_all(m->family, SIGUSR1);
			break;
		default:
			break;
		}
	}
}

static void
sooner(int64_t *at, int64_t other)
{
	if (other != 0 && (*at == 0 || other < *at))
		*at = other;
}

/* Everything that may have become due; when to look again, 0 never. */
static int64_t
master_tend(struct master *m)
{
	int64_t at = 0;

	family_reap(m->family);
	sooner(&at, family_limits(m->family));
	if (m->stopping)
		return at;
	if (m->reload && m->next == NULL)
		reload_begin(m);
	if (m->now != NULL)
		sooner(&at, family_fill(m->family, m->now));
	if (m->next != NULL) {
		sooner(&at, family_fill(m->family, m->next));
		if (family_ready(m->next)) {
			reload_done(m);
			if (m->reload)
				at = clock_mono();
		}
	}
	return at;
}

static void
master_loop(struct master *m)
{
	struct pollfd pf[2] = { { .fd = m->signal_fd, .events = POLLIN },
		{ .fd = m->tell_fd, .events = POLLIN } };
	int64_t at;
	uint64_t n;

	for (;;) {
		at = master_tend(m);
		sooner(&at, notify_watchdog());
		if (m->stopping && family_count(m->family) == 0)
			return;
		poll(pf, 2, at == 0 ? -1 : clock_left_ms(at, 60000));
		if (pf[1].revents != 0 &&
		    read(m->tell_fd, &n, sizeof(n)) != (ssize_t)sizeof(n))
			continue;
		master_signals(m);
	}
}

/* --- start and end ------------------------------------------------------- */

static int
signals_block(void)
{
	sigset_t set;
	int fd;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a write that is too much fails */
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGQUIT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGCHLD);
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	/* Orders to children, which inherit the mask and read them later. */
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	return fd;
}

static bool
journals_left(const struct conf *c)
{
	char *dir = mem_printf(NULL, "%s/journal", c->state_dir);
	struct journal_state s;
	bool left = journal_look(dir, &s, NULL) == 0 && s.files > 0;

	mem_free(dir);
	return left;
}

static void
budgets_map(const struct conf *c)
{
	char host[256], *place;

	if (gethostname(host, sizeof(host)) != 0)
		snprintf(host, sizeof(host), "localhost");
	host[sizeof(host) - 1] = '\0';
	place = mem_printf(NULL, "%s:%s", host, c->run_dir);
	budget_map((uint32_t)c->max_slots, place);
	mem_free(place);
}

static void
gateway_tune(const struct conf *c)
{
	const struct health_params p = { .failures = (int)c->breaker_failures,
		.open_ms = (int)c->breaker_pause,
		.open_max_ms = (int)c->breaker_pause_max,
		.probe_ms = (int)c->breaker_probe,
		.out_ms = (int)c->credential_out,
		.out_max_ms = (int)c->credential_out_max,
		.cool_ms = (int)c->limit_pause,
		.cool_max_ms = (int)c->limit_pause_max };

	health_tune(&p);
}

static void
memory_map(const struct conf *c)
{
	procs_map();
	epoch_map((uint32_t)c->max_slots);
	person_map((uint32_t)c->max_slots);
	pace_map();
	change_map();
	quota_map((uint32_t)c->max_slots);
	gateway_tune(c);
	health_map((uint32_t)c->max_slots);
	retry_map();
	budgets_map(c);
	pwhash_map((unsigned)c->password_hashes, (unsigned)c->password_waiting,
	    (int)c->password_wait);
	throttle_map();
	live_map(PROCS_MAX, LIVE_PLACES);
	lost_map();
	parts_map();
	unstored_map(journals_left(c));
	metric_attach(shm_map(metric_size(PROCS_MAX)), PROCS_MAX);
	metric_slot(0);
	app_setup_metrics();
}

/* Epochs begin anew with us; what an earlier server cached has none. */
static void
cache_discard(const struct conf *c)
{
	char dir[256];

	snprintf(dir, sizeof(dir), "%s/" PARTS_CACHE, c->run_dir);
	warm_discard(dir);
}

static int
pid_write(const struct conf *c, struct err *e)
{
	char text[32];
	int fd, n;

	if (c->pid_file[0] == '\0')
		return 0;
	fd = open(c->pid_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	if (fd < 0 || write(fd, text, (size_t)n) != n) {
		err_set(e, ERR_UNAVAILABLE, "pid_file: %s: %s", c->pid_file,
		    strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	close(fd);
	return 0;
}

static int
master_open(struct master *m, const struct conf *c, struct err *e)
{
	if (sockets_open(c, &m->sockets, e) != 0)
		return -1;
	if (log_open(c->log_file, level_of(c->log_level), e) != 0 ||
	    pid_write(c, e) != 0 || sockets_give(c, c->log_file, e) != 0 ||
	    sockets_give(c, c->pid_file, e) != 0 ||
	    sockets_become_user(c, e) != 0)
		return -1;
	limits_seal();
	m->signal_fd = signals_block();
	m->tell_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (m->signal_fd < 0 || m->tell_fd < 0 ||
	    pipe2(m->alive, O_CLOEXEC) != 0)
		return err_set(e, ERR_UNAVAILABLE, "%s", strerror(errno));
	return 0;
}

static void
master_close(struct master *m)
{
	sockets_unlink(m->boot);
	if (m->boot->pid_file[0] != '\0' && unlink(m->boot->pid_file) != 0 &&
	    truncate(m->boot->pid_file, 0) != 0)
		log_event(LOG_WARN, "pid_file_stays", "file", m->boot->pid_file,
		    NULL);
	sockets_close(&m->sockets, -1);
	family_forget(m->now);
	family_forget(m->next);
	mem_free(m->family);
	mem_free(m);
}

int
master_run(const struct conf *c)
{
	struct master *m;
	struct err e = { 0 };
	char title[256];

	snprintf(title, sizeof(title), "master (%s)", c->file);
	title_set(title);
	log_process("master");
	limits_setup();
	notify_setup();
	m = mem_new(NULL, struct master);
	m->boot = c;
	if (master_open(m, c, &e) != 0) {
		fprintf(stderr, "switchboardd: %s\n", e.text);
		mem_free(m);
		return 1;
	}
	if (check_start(c) != 0) {
		master_close(m);
		return 1;
	}
	memory_map(c);
	cache_discard(c);
	m->family = family_new(&m->sockets, m->signal_fd, m->tell_fd, m->alive);
	m->next = family_generation(++m->number, c, false);
	log_event(LOG_INFO, "starting", "version", PACKAGE_VERSION, "config",
	    c->file, NULL);
	master_loop(m);
	log_event(LOG_INFO, "stopped", NULL);
	master_close(m);
	return 0;
}
