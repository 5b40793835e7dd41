/*
 * The listener moves the epochs in shared memory as the database tells of
 * changes, and serves the health socket with a few threads of its own, so that
 * it answers whatever the workers do.  What a notification that was missed
 * might have said is read from the database when it hears again; and several
 * times a second it says until when it has heard all, which is what everything
 * cached relies on (account/proof.h).  It also cares for the journals of
 * dead workers.
 */
#include "daemon/worker.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "account/proof.h"
#include "auth/token.h"
#include "conf/conf.h"
#include "daemon/journals.h"
#include "daemon/ledger.h"
#include "daemon/parts.h"
#include "daemon/process.h"
#include "daemon/server.h"
#include "daemon/shares.h"
#include "daemon/sockets.h"
#include "db/listen.h"
#include "shm/change.h"
#include "shm/epoch.h"
#include "shm/person.h"
#include "telemetry/log.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

#define CHANNEL "sb_config"
#define HEALTH_THREADS 16
#define HEAR_MS 250
#define PING_MS 2000
#define READ_NS (2 * CLOCK_S)

struct listener {
	struct process *process;
	struct parts *parts;
	struct journals *journals;
	struct ledger *ledger;
	struct shares *shares;
	pthread_t thread;
	atomic_bool stop;
	bool known;         /* the epochs were read since it began to hear */
	pthread_mutex_t mu; /* guards what follows */
	bool listening;     /* the LISTEN connection stands */
	char away[160];     /* why the database is not there; "" when it is */
};

/* Two numbers or three, separated by spaces; how many there are. */
static int
numbers(const char *s, unsigned long long n[3])
{
	int count = 0;
	char *end;

	while (count < 3 && *s >= '0' && *s <= '9') {
		n[count++] = strtoull(s, &end, 10);
		s = *end == ' ' ? end + 1 : end;
	}
	return *s == '\0' ? count : 0;
}

/* "SLOT EPOCH [MICROSECONDS]" of a configuration, "kSLOT EPOCH" of what an
 * account knows, "uSLOT VERSION" of a person's tokens. */
static void
changed(void *arg, const char *payload)
{
	bool knowledge = payload[0] == 'k', person = payload[0] == 'u';
	unsigned long long n[3] = { 0 };
	struct listener *l = arg;
	int count = numbers(payload + (knowledge || person ? 1 : 0), n);

	if (count < 2 || n[0] >= epoch_max_slots()) {
		log_event(
		    LOG_WARN, "config_change_unread", "payload", payload, NULL);
		l->known = false;
		return;
	}
	if (knowledge) {
		epoch_knowledge_raise((uint32_t)n[0], n[1]);
		return;
	}
	if (person) {
		person_raise((uint32_t)n[0], n[1]);
		return;
	}
	epoch_raise((uint32_t)n[0], n[1]);
	if (count == 3)
		change_note((uint32_t)n[0], n[1], (int64_t)n[2]);
	log_event(LOG_DEBUG, "config_changed", "slot", log_int((long long)n[0]),
	    "epoch", log_int((long long)n[1]), NULL);
}

static void
set_state(struct listener *l, bool on, const char *why)
{
	bool was;

	pthread_mutex_lock(&l->mu);
	was = l->listening;
	l->listening = on;
	snprintf(l->away, sizeof(l->away), "%s", on ? "" : why);
	pthread_mutex_unlock(&l->mu);
	if (on && !was)
		log_event(LOG_INFO, "listening", NULL);
	if (!on && was)
		log_event(LOG_WARN, "listen_lost", "error", why, NULL);
}

/*
 * Hear for a while, then make sure, by a round trip, that all there was to hear
 * has been heard: a connection may be dead without anybody having said so.
 */
static int
listen_once(struct listener *l, struct db_listen *dl, struct err *e)
{
	bool reconnected = false;
	int64_t sure;

	if (db_listen_wait(
		dl, l->known ? HEAR_MS : 0, changed, l, &reconnected, e) != 0)
		return -1;
	if (reconnected)
		l->known = false;
	if (!l->known) {
		if (proof_read_all(l->parts->db, clock_mono() + READ_NS, e) !=
			0 ||
		    person_read_all(l->parts->db, clock_mono() + READ_NS, e) !=
			0)
			return -1;
		l->known = true;
	}
	sure = clock_mono();
	if (db_listen_ping(dl, PING_MS, e) != 0 ||
	    db_listen_wait(dl, 0, changed, l, &reconnected, e) != 0)
		return -1;
	if (l->known && !reconnected)
		epoch_heard(sure);
	return 0;
}

static void *
listen_main(void *arg)
{
	struct listener *l = arg;
	const struct conf *c = l->process->conf;
	bool direct = c->database_direct_url[0] != '\0';
	struct db_listen *dl =
	    db_listen_new(direct ? c->database_direct_url : c->database_url,
		l->parts->role, CHANNEL, (int)c->database_connect_timeout);
	struct err e = { 0 };

	while (!atomic_load(&l->stop)) {
		if (listen_once(l, dl, &e) == 0)
			set_state(l, true, NULL);
		else
			set_state(l, false, e.text);
	}
	db_listen_free(dl);
	return NULL;
}

static unsigned
chat_workers_ready(void)
{
	const struct proc *row;
	unsigned i, n = 0;

	for (i = 0; i < PROCS_MAX; i++) {
		row = procs_row(i);
		if (atomic_load(&row->pid) != 0 &&
		    atomic_load(&row->kind) == PROC_CHAT &&
		    atomic_load(&row->ready) && !atomic_load(&row->leaving))
			n++;
	}
	return n;
}

/* For /readyz. */
static int
ready(void *arg, char *out, size_t max)
{
	struct listener *l = arg;
	unsigned chat = chat_workers_ready();
	char away[160], waiting[160];
	bool listening;

	journals_say(l->journals, waiting, sizeof(waiting));
	pthread_mutex_lock(&l->mu);
	listening = l->listening;
	memcpy(away, l->away, sizeof(away));
	pthread_mutex_unlock(&l->mu);
	snprintf(out, max, "%s%s%s%s\n%s",
	    listening ? "" : "database: ", listening ? "" : away,
	    listening || chat > 0 ? "" : "\n",
	    chat > 0 ? "" : "chat: no worker is ready", waiting);
	return listening && chat > 0 ? 0 : -1;
}

static void
listener_stop(void *arg)
{
	struct listener *l = arg;

	atomic_store(&l->stop, true);
	pthread_join(l->thread, NULL);
	shares_free(l->shares);
	journals_free(l->journals);
	ledger_free(l->ledger);
}

int
listener_run(struct process *p)
{
	struct listener *l = mem_new(NULL, struct listener);
	struct server_opts o = { .fd = p->sockets->fd[SOCKET_HEALTH],
		.threads = HEALTH_THREADS,
		.end = listener_stop,
		.arg = l };
	struct err e = { 0 };
	int rc;

	process_begin(p, SOCKET_HEALTH);
	l->process = p;
	l->parts = mem_new(l, struct parts);
	pthread_mutex_init(&l->mu, NULL);
	snprintf(l->away, sizeof(l->away), "not connected yet");
	if (parts_build(l->parts, p, &e) != 0) {
		log_event(LOG_ERROR, "worker_refused", "error", e.text, NULL);
		return 1;
	}
	l->parts->app.ready = ready;
	l->parts->app.ready_arg = l;
	l->journals = journals_new(p);
	l->ledger = ledger_new(l->parts->db);
	l->shares = shares_new(l->parts);
	if (l->shares == NULL ||
	    pthread_create(&l->thread, NULL, listen_main, l) != 0) {
		log_event(LOG_ERROR, "worker_refused", "error",
		    "no thread to listen with", NULL);
		return 1;
	}
	rc = server_run(p, l->parts, &o);
	mem_free(l);
	return rc;
}
