/*
 * The job worker: what the database needs now and then, and word of who lives.
 * Every job may run at any time and any number of times, so that two job
 * workers, of two hosts or during a reload, do no harm.
 */
#include "daemon/worker.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "audit/sign.h"
#include "chat/event_log.h"
#include "conf/conf.h"
#include "daemon/lost.h"
#include "daemon/mailbox.h"
#include "daemon/parts.h"
#include "daemon/process.h"
#include "daemon/purge.h"
#include "daemon/retain.h"
#include "daemon/shares.h"
#include "daemon/store.h"
#include "db/db.h"
#include "db/journal.h"
#include "mail/sender.h"
#include "secret/secret.h"
#include "telemetry/log.h"
#include "util/clock.h"
#include "util/id.h"
#include "util/json.h"
#include "util/mem.h"

#include "util/banned.h"

#define TICK_MS 500
#define SEEN_EVERY (5 * CLOCK_S)
#define STATEMENT_MS 300000
/* A job that takes long rests for this many times as long. */
#define REST_FACTOR 20
#define RETRY (5 * CLOCK_S)
/* So many checkpoints of the audit log at a time. */
#define SIGN_MOST 100
#define SIGN_EVERY (600 * CLOCK_S)
#define SIGN_RETRY (60 * CLOCK_S)
#define SWEEP_EVERY (30 * CLOCK_S)
/* How long the journals of a database that is back may take. */
#define JOURNAL_WAIT (30 * CLOCK_S)

static const struct {
	enum store_job job;
	int64_t every;
} timers[JOB_COUNT] = {
	[JOB_PARTITIONS] = { JOB_PARTITIONS, 3600 * CLOCK_S },
	[JOB_ROLLUPS] = { JOB_ROLLUPS, 60 * CLOCK_S },
	[JOB_LOST_TURNS] = { JOB_LOST_TURNS, 15 * CLOCK_S },
	[JOB_BATCHES] = { JOB_BATCHES, 3600 * CLOCK_S },
	[JOB_KEYS] = { JOB_KEYS, 600 * CLOCK_S },
	[JOB_SIGN_INS] = { JOB_SIGN_INS, 3600 * CLOCK_S },
};

struct jobs {
	const struct process *process;
	struct db_pool *db;
	pthread_t thread;
	atomic_bool stop;
	pthread_mutex_t mu;
	pthread_cond_t cv;
	char host[SHARES_HOST];
	char turns_dir[256];
	int64_t swept;
	char journal_dir[256];
	int64_t journals_since; /* 0: none wait */
	int64_t due[JOB_COUNT];
	struct retain retain;
	struct purge purge;
	struct vault *vault;
	int64_t sign_at;
	/* Who was told to the database, and when; by slot. */
	struct uuid seen[PROCS_MAX];
	int64_t seen_at[PROCS_MAX];
	atomic_bool away; /* the database, as far as the log knows */
	struct mail_conf mail;
	struct mail_sender *sender; /* NULL: no mail server */
};

/* Success or failure of a call, in the log when it changes. */
static void
jobs_note(struct jobs *j, const char *what, const struct err *e)
{
	if (e == NULL) {
		if (atomic_exchange(&j->away, false))
			log_event(LOG_INFO, "database_back", NULL);
		return;
	}
	if (e->code != ERR_UNAVAILABLE)
		log_event(LOG_ERROR, "job_failed", "job", what, "error",
		    e->text, NULL);
	else if (!atomic_exchange(&j->away, true))
		log_event(LOG_WARN, "database_away", "error", e->text, NULL);
}

static int64_t
jobs_deadline(void)
{
	return clock_mono() + (STATEMENT_MS + 5000) * CLOCK_MS;
}

/*
 * Do ends of turns wait in a journal?  Their workers may be dead, and a turn is
 * not lost, nor its key free, before it is known how it ended.  Not for ever: a
 * journal that cannot be replayed keeps nobody from marking what is lost.
 */
static bool
jobs_wait_for_journals(struct jobs *j)
{
	int64_t now = clock_mono();
	struct journal_state state;

	if (journal_look(j->journal_dir, &state, NULL) != 0 ||
	    state.files == 0) /* damaged ones are counted apart */
		j->journals_since = 0;
	else if (j->journals_since == 0 || atomic_load(&j->away))
		j->journals_since = now;
	return j->journals_since != 0 && now - j->journals_since < JOURNAL_WAIT;
}

/* Ended workers first: the row of a place may be somebody else's already. */
static int
jobs_gone(struct jobs *j)
{
	struct err e = { 0 };
	struct uuid id;
	int64_t n = 0;

	if (!lost_peek(&id) || jobs_wait_for_journals(j))
		return 0;
	while (!atomic_load(&j->stop) && lost_peek(&id)) {
		if (store_worker_gone(j->db, &id, jobs_deadline(), &n, &e) !=
		    0) {
			jobs_note(j, "worker_gone", &e);
			return -1;
		}
		lost_done(&id);
		if (n > 0)
			log_event(LOG_WARN, "turns_failed", "turns", log_int(n),
			    "why", "their worker has died", NULL);
	}
	return 0;
}

/* Only processes that run turns matter to the database. */
static int
jobs_seen(struct jobs *j)
{
	int64_t now = clock_mono();
	const struct proc *row;
	struct err e = { 0 };
	struct uuid id;
	unsigned i;

	for (i = 0; i < PROCS_MAX && !atomic_load(&j->stop); i++) {
		row = procs_row(i);
		if (atomic_load(&row->pid) == 0 ||
		    atomic_load(&row->kind) != PROC_CHAT)
			continue;
		id = row->id;
		if (id_eq(&id, &j->seen[i]) && now - j->seen_at[i] < SEEN_EVERY)
			continue;
		if (store_worker_seen(j->db, &id, j->host,
			procs_kind_name(PROC_CHAT), jobs_deadline(), &e) != 0) {
			jobs_note(j, "worker_seen", &e);
			return -1;
		}
		j->seen[i] = id;
		j->seen_at[i] = now;
	}
	return 0;
}

static int
jobs_timers(struct jobs *j)
{
	int64_t began, took, n;
	struct err e = { 0 };
	int i;

	for (i = 0; i < JOB_COUNT && !atomic_load(&j->stop); i++) {
		began = clock_mono();
		if (began < j->due[i] || (timers[i].job == JOB_LOST_TURNS &&
					     jobs_wait_for_journals(j)))
			continue;
		n = 0;
		if (store_job_run(
			j->db, timers[i].job, jobs_deadline(), &n, &e) != 0) {
			j->due[i] = clock_mono() + RETRY;
			jobs_note(j, store_job_name(timers[i].job), &e);
			return -1;
		}
		took = clock_mono() - began;
		j->due[i] = clock_mono() + (took * REST_FACTOR > timers[i].every
						   ? took * REST_FACTOR
						   : timers[i].every);
		log_event(n > 0 && timers[i].job != JOB_ROLLUPS ? LOG_INFO
								: LOG_DEBUG,
		    "job_done", "job", store_job_name(timers[i].job), "rows",
		    log_int(n), "ms", log_int(took / CLOCK_MS), NULL);
	}
	return 0;
}

/* Logs of streams whose workers have died. */
static void
jobs_sweep(struct jobs *j)
{
	int64_t now = clock_mono();
	unsigned n;

	if (now - j->swept < SWEEP_EVERY)
		return;
	j->swept = now;
	n = event_log_sweep(j->turns_dir);
	if (n > 0)
		log_event(
		    LOG_INFO, "event_logs_swept", "files", log_int(n), NULL);
}

static int
jobs_retain(struct jobs *j)
{
	struct err e = { 0 };
	const char *what;

	if (retain_tend(&j->retain, j->db, j->process->conf, &what, &e) == 0)
		return 0;
	jobs_note(j, what, &e);
	return -1;
}

/* Accounts whose time of grace is over. */
static int
jobs_purge(struct jobs *j)
{
	struct err e = { 0 };

	if (purge_tend(&j->purge, j->db, &e) == 0)
		return 0;
	jobs_note(j, "accounts_ended", &e);
	return -1;
}

/* What was recorded since is signed, so that nobody can make it anew. */
static int
jobs_sign(struct jobs *j)
{
	struct err e = { 0 };
	int64_t n = 0;

	if (clock_mono() < j->sign_at)
		return 0;
	if (audit_checkpoints_due(j->db, j->vault, &n, &e) != 0) {
		j->sign_at = clock_mono() + SIGN_RETRY;
		jobs_note(j, "audit_checkpoints", &e);
		return -1;
	}
	j->sign_at = clock_mono() + (n < SIGN_MOST ? SIGN_EVERY : 0);
	if (n > 0)
		log_event(LOG_DEBUG, "job_done", "job", "audit_checkpoints",
		    "rows", log_int(n), NULL);
	return 0;
}

static void *
jobs_main(void *arg)
{
	struct jobs *j = arg;
	struct timespec ts;
	int64_t at;

	while (!atomic_load(&j->stop)) {
		if (jobs_gone(j) == 0 && jobs_seen(j) == 0 &&
		    jobs_timers(j) == 0 && jobs_retain(j) == 0 &&
		    jobs_purge(j) == 0 && jobs_sign(j) == 0)
			jobs_note(j, NULL, NULL);
		jobs_sweep(j);
		at = clock_mono() + TICK_MS * CLOCK_MS;
		ts.tv_sec = (time_t)(at / CLOCK_S);
		ts.tv_nsec = (long)(at % CLOCK_S);
		pthread_mutex_lock(&j->mu);
		if (!atomic_load(&j->stop))
			pthread_cond_timedwait(&j->cv, &j->mu, &ts);
		pthread_mutex_unlock(&j->mu);
	}
	return NULL;
}

static int
jobs_start(struct jobs *j)
{
	const struct conf *c = j->process->conf;
	struct db_opts o = { .conninfo = c->database_url,
		.user = "sb_job",
		.size = 2,
		.wait_ms = (int)c->database_wait,
		.connect_ms = (int)c->database_connect_timeout,
		.statement_ms = STATEMENT_MS,
		.prepared = c->database_prepared,
		.pooler = parts_behind_pooler(c) };
	pthread_condattr_t attr;

	json_setup();
	pthread_mutex_init(&j->mu, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&j->cv, &attr);
	pthread_condattr_destroy(&attr);
	shares_host(j->host);
	snprintf(j->turns_dir, sizeof(j->turns_dir), "%s/turns", c->run_dir);
	snprintf(
	    j->journal_dir, sizeof(j->journal_dir), "%s/journal", c->state_dir);
	j->db = db_pool_new(&o);
	j->vault = vault_new(j->db, c->master_key_file);
	/* One of them on a host is enough for the timers. */
	if (j->process->index != 1)
		return 0;
	mailbox_conf(j, c, &j->mail);
	if (*c->mail_url != '\0') {
		j->sender = mail_sender_start(&j->mail, NULL);
		if (j->sender == NULL)
			return -1;
	}
	return pthread_create(&j->thread, NULL, jobs_main, j);
}

/* Until told to end; how long the statement that runs may still take. */
static int64_t
jobs_serve(struct process *p)
{
	for (;;) {
		switch (process_wait(p, 60000)) {
		case ORDER_LEAVE:
			atomic_store(&procs_self()->leaving, true);
			return p->conf->reload_drain_limit;
		case ORDER_STOP:
			return p->conf->drain_limit;
		case ORDER_ORPHAN:
			process_fuse(1);
			return 0;
		default:
			break;
		}
	}
}

/* Wait for the thread to finish its statement, and still take orders. */
static void
jobs_end(struct jobs *j, struct process *p, int64_t limit_ms)
{
	int64_t limit = clock_mono() + limit_ms * CLOCK_MS;
	struct timespec now = { 0, 0 };
	enum order o;

	if (p->index != 1)
		return;
	mail_sender_stop(j->sender);
	pthread_mutex_lock(&j->mu);
	atomic_store(&j->stop, true);
	pthread_cond_signal(&j->cv);
	pthread_mutex_unlock(&j->mu);
	while (pthread_timedjoin_np(j->thread, NULL, &now) != 0) {
		/* A connection that is not there is not worth waiting for. */
		if (clock_mono() >= limit || atomic_load(&j->away))
			_exit(0);
		o = process_wait(p, 20);
		if (o == ORDER_ORPHAN)
			_exit(0);
		if (o == ORDER_STOP)
			limit = clock_mono() + p->conf->drain_limit * CLOCK_MS;
	}
}

int
job_run(struct process *p)
{
	struct jobs *j = mem_new(NULL, struct jobs);

	process_begin(p, -1);
	j->process = p;
	if (jobs_start(j) != 0) {
		log_event(
		    LOG_ERROR, "worker_refused", "error", "no thread", NULL);
		return 1;
	}
	process_ready(p);
	log_event(LOG_INFO, "worker_ready", "generation",
	    log_int(p->generation), NULL);
	jobs_end(j, p, jobs_serve(p));
	vault_free(j->vault);
	db_pool_free(j->db);
	mem_free(j);
	log_event(LOG_INFO, "worker_ended", NULL);
	return 0;
}
