/*
 * The thread that stores what journals hold, in order, under the ids the
 * batches had: one that was stored before is told by its id.  Batches go
 * together in one transaction as far as they fit; where that is refused they go
 * one by one, and a batch that is refused by itself is halved until its bad
 * piece stands alone, for the dead-letter file.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "telemetry/log.h"
#include "telemetry/metric.h"
#include "util/auto.h"
#include "util/clock.h"
#include "util/mem.h"

#include "db/journal_priv.h"
#include "db/sender_priv.h"

#include "util/banned.h"

#define LOOK_EVERY (1 * CLOCK_S)
#define GROUP_RECORDS 64
/* A transaction that ended by the time limit so often is too large. */
#define TOO_SLOW 5

struct replayer {
	struct sender sender;
	const struct writer_stmt *stmts;
	int nstmts;
	unsigned group_max; /* pieces */
	char *dir, *dead_file;
	struct journal *journal; /* its writer's, or NULL */
	unsigned slot;
	bool (*owned)(unsigned slot);
	bool work; /* under the sender's lock */
	pthread_t thread;
};

/* Batches that go in one transaction. */
struct group {
	struct record record[GROUP_RECORDS];
	struct uuid id[GROUP_RECORDS];
	size_t records;
	struct piece **piece; /* of all records, in order */
	size_t pieces;
};

/* Until it is stored; REFUSED, or GIVE_UP when it is time to stop. */
static enum outcome
store(struct replayer *r, const struct uuid *ids, size_t nids,
    struct piece *const *pieces, size_t n, struct conn_failure *f)
{
	enum outcome o;
	int slow = 0;

	for (;;) {
		o = sender_try(&r->sender, ids, nids, pieces, n, f);
		if (o == STORED)
			sender_well(&r->sender);
		if (o == STORED || o == REFUSED || o == GIVE_UP)
			return o;
		slow += o == BUSY && !strcmp(f->sqlstate, "57014");
		if (slow >= TOO_SLOW && n > 1)
			return REFUSED;
		/* Who stood in a lock's queue all the time stands there again
		 * at once, so as to be there when it is released. */
		if (o != BUSY || strcmp(f->sqlstate, "55P03") != 0)
			sender_pause(&r->sender);
	}
}

/* A dead letter is not let go before it is written.  False: time to stop. */
static bool
bury_surely(struct replayer *r, const struct piece *p,
    const struct writer_stmt *stmts, const struct uuid *id,
    const struct conn_failure *why)
{
	int64_t stop_at;

	while (bury(r->dead_file, p, stmts, id, why) != 0) {
		if (sender_stopping(&r->sender, &stop_at) &&
		    clock_mono() >= stop_at)
			return false;
		sender_pause(&r->sender);
	}
	return true;
}

static bool
store_batch(struct replayer *r, const struct uuid *id,
    struct piece *const *pieces, size_t n)
{
	struct conn_failure f;
	struct uuid half;
	enum outcome o;

	if (n == 0)
		return true;
	o = store(r, id, 1, pieces, n, &f);
	if (o != REFUSED)
		return o == STORED;
	if (n == 1)
		return bury_surely(r, pieces[0], r->stmts, id, &f);
	batch_half(id, 0, &half);
	if (!store_batch(r, &half, pieces, n / 2))
		return false;
	batch_half(id, 1, &half);
	return store_batch(r, &half, pieces + n / 2, n - n / 2);
}

static bool
store_group(struct replayer *r, struct group *g)
{
	struct conn_failure f;
	struct piece **at = g->piece;
	enum outcome o = REFUSED;
	size_t i;

	if (g->records > 1 && g->pieces > 0)
		o = store(r, g->id, g->records, g->piece, g->pieces, &f);
	for (i = 0; o == REFUSED && i < g->records; i++) {
		if (!store_batch(r, &g->id[i], at, g->record[i].n))
			return false;
		at += g->record[i].n;
	}
	if (o == GIVE_UP)
		return false;
	metric_add(M_JOURNAL_REPLAYED, (int64_t)g->records);
	return true;
}

static void
group_clear(struct group *g)
{
	while (g->records > 0)
		record_free(&g->record[--g->records]);
	g->pieces = 0;
}

/* Rows of statements that this program does not have: for a human. */
static bool
sort_out(struct replayer *r, const struct journal_file *f, struct record *rec)
{
	struct conn_failure why = { .stmt = -1 };
	const char *unknown;
	size_t i, kept = 0;

	for (i = 0; i < rec->n; i++) {
		unknown = journal_file_map(f, rec->pieces[i]);
		if (unknown == NULL) {
			rec->pieces[kept++] = rec->pieces[i];
			continue;
		}
		snprintf(why.message, sizeof(why.message),
		    "this version does not store %.60s as it was written",
		    unknown);
		if (!bury_surely(r, rec->pieces[i], f->stmts, &rec->id, &why)) {
			while (i < rec->n)
				rec->pieces[kept++] = rec->pieces[i++];
			rec->n = kept;
			return false;
		}
		piece_free(rec->pieces[i]);
	}
	rec->n = kept;
	return true;
}

/* Read the next batches before ${end}; false: time to stop. */
static bool
group_read(struct replayer *r, struct journal_file *f, off_t end,
    struct group *g, const void *ctx)
{
	struct record *rec = &g->record[0];
	size_t room = 0, i, n;

	group_clear(g);
	while (g->records < GROUP_RECORDS && g->pieces < r->group_max &&
	       journal_file_next(f, end, ctx, rec)) {
		g->id[g->records++] = rec->id;
		if (!sort_out(r, f, rec))
			return false;
		g->pieces += rec->n;
		rec++;
	}
	for (room = 0, i = 0; i < g->records; i++)
		room += g->record[i].n;
	mem_free(g->piece);
	g->piece = mem_array(ctx, struct piece *, room + 1);
	for (room = 0, i = 0; i < g->records; i++)
		for (n = 0; n < g->record[i].n; n++)
			g->piece[room++] = g->record[i].pieces[n];
	return true;
}

/* All of ${f} until ${end}; false: time to stop. */
static bool
replay(struct replayer *r, struct journal_file *f, off_t end, int64_t *batches)
{
	void *ctx = mem_root("replay");
	struct group *g = mem_new(ctx, struct group);
	bool on = true;

	while (on) {
		on = group_read(r, f, end, g, ctx);
		if (!on || g->records == 0)
			break;
		on = store_group(r, g);
		*batches += (int64_t)g->records;
	}
	group_clear(g);
	mem_free(ctx);
	return on;
}

static void
tell(const char *path, int64_t batches, int64_t began)
{
	log_event(LOG_INFO, "journal_replayed", "file", path, "batches",
	    log_int(batches), "ms", log_int((clock_mono() - began) / CLOCK_MS),
	    NULL);
}

/* --- files of dead processes --------------------------------------------- */

static bool
mine(const struct replayer *r, const char *name)
{
	size_t n = strlen(name), m = strlen(JOURNAL_SUFFIX);
	char *end;
	unsigned long slot = strtoul(name, &end, 10);

	if (end == name || *end != '-')
		return false;
	if (n > strlen(JOURNAL_NEW) &&
	    !strcmp(name + n - strlen(JOURNAL_NEW), JOURNAL_NEW))
		n -= strlen(JOURNAL_NEW);
	if (n <= m || strncmp(name + n - m, JOURNAL_SUFFIX, m) != 0)
		return false;
	return r->owned != NULL ? !r->owned((unsigned)slot) : slot == r->slot;
}

/* Never shown under its name: its maker died, nothing is in it. */
static void
remove_unborn(const char *dir, const char *name)
{
	char *path = mem_printf(NULL, "%s/%s", dir, name);
	auto_fd fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
		unlink(path);
	mem_free(path);
}

/* False: time to stop. */
static bool
adopt(struct replayer *r, const char *name)
{
	int64_t batches = 0, began = clock_mono();
	void *ctx = mem_root("journal");
	struct journal_file f;
	struct err e = { 0 };
	bool on = true;
	int rc;

	rc = journal_file_open(&f, ctx, r->dir, name, r->stmts, r->nstmts, &e);
	if (rc < 0)
		sender_complain(&r->sender, "journal_unread", e.text);
	if (rc == 1) {
		log_event(LOG_WARN, "journal_found", "file", f.path, NULL);
		on = replay(r, &f, lseek(f.fd, 0, SEEK_END), &batches);
		if (on) {
			tell(f.path, batches, began);
			journal_file_done(&f, r->dir);
		}
		journal_file_close(&f);
	}
	mem_free(ctx);
	return on;
}

/* Their names begin with slot and time: sorted, a slot's oldest comes first. */
static bool
adopt_all(struct replayer *r)
{
	struct dirent **d = NULL;
	int n = scandir(r->dir, &d, NULL, alphasort), i;
	bool on = true;

	for (i = 0; i < n; i++) {
		size_t len = strlen(d[i]->d_name), tail = strlen(JOURNAL_NEW);

		if (on && mine(r, d[i]->d_name)) {
			if (!strcmp(d[i]->d_name + len - tail, JOURNAL_NEW))
				remove_unborn(r->dir, d[i]->d_name);
			else
				on = adopt(r, d[i]->d_name);
		}
		free(d[i]);
	}
	free(d);
	return on;
}

/* --- the writer's own ---------------------------------------------------- */

static bool
replay_own(struct replayer *r)
{
	int64_t batches = 0, began = clock_mono();
	void *ctx = mem_root("journal");
	struct journal_file f;
	struct err e = { 0 };
	bool on = true, done = false;
	off_t end;
	int fd;

	end = journal_end(r->journal, &fd);
	if (end >= 0 &&
	    journal_file_head(&f, ctx, fd, r->stmts, r->nstmts, &e) != 0) {
		/* We wrote it a moment ago: the disk does not read. */
		sender_complain(&r->sender, "journal_unread", e.text);
		end = -1;
		sender_pause(&r->sender);
	}
	f.path = r->journal->path;
	while (end >= 0 && on && !done) {
		on = replay(r, &f, end, &batches);
		if (on) {
			done = journal_finish(r->journal, end, f.damaged);
			end = journal_end(r->journal, &fd);
		}
	}
	if (done)
		tell("its own", batches, began);
	mem_free(ctx);
	return on;
}

/* --- the thread ---------------------------------------------------------- */

/* Until there is something to do; false: stop. */
static bool
wait_for_work(struct replayer *r)
{
	struct sender *s = &r->sender;
	int64_t until = clock_mono() + LOOK_EVERY;
	struct timespec ts = { .tv_sec = (time_t)(until / CLOCK_S),
		.tv_nsec = (long)(until % CLOCK_S) };
	bool on;

	pthread_mutex_lock(&s->lock);
	while (!s->stop && !r->work) {
		if (r->journal != NULL)
			pthread_cond_wait(&s->wake, &s->lock);
		else if (pthread_cond_timedwait(&s->wake, &s->lock, &ts) != 0)
			break;
	}
	r->work = false;
	on = !s->stop;
	pthread_mutex_unlock(&s->lock);
	return on;
}

static void *
replayer_main(void *arg)
{
	struct replayer *r = arg;
	bool on = adopt_all(r);

	while (on) {
		sender_disconnect(&r->sender);
		on = wait_for_work(r);
		if (on)
			on = r->journal != NULL ? replay_own(r) : adopt_all(r);
		if (on && r->journal != NULL && journal_active(r->journal))
			replayer_wake(r);
	}
	return NULL;
}

static struct replayer *
create(const struct writer_opts *o, struct journal *j,
    bool (*owned)(unsigned slot))
{
	struct replayer *r = mem_new(NULL, struct replayer);
	sigset_t all, before;

	sender_init(&r->sender, r, o);
	r->stmts = o->stmts;
	r->nstmts = o->nstmts;
	r->group_max = o->batch_max > 0 ? o->batch_max : 1;
	r->dir = mem_strdup(r, o->journal_dir);
	r->dead_file = mem_strdup(r, o->dead_letter_file);
	r->journal = j;
	r->slot = o->journal_slot;
	r->owned = owned;
	/* Signals are one other thread's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (pthread_create(&r->thread, NULL, replayer_main, r) != 0) {
		log_event(LOG_ERROR, "replayer_no_thread", NULL);
		abort();
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r;
}

struct replayer *
replayer_of_writer(const struct writer_opts *o, struct journal *j)
{
	return create(o, j, NULL);
}

struct replayer *
replayer_new(const struct writer_opts *o, bool (*owned)(unsigned slot))
{
	return create(o, NULL, owned);
}

void
replayer_wake(struct replayer *r)
{
	pthread_mutex_lock(&r->sender.lock);
	r->work = true;
	pthread_cond_signal(&r->sender.wake);
	pthread_mutex_unlock(&r->sender.lock);
}

void
replayer_free(struct replayer *r)
{
	if (r == NULL)
		return;
	sender_stop(&r->sender, clock_mono());
	pthread_join(r->thread, NULL);
	sender_release(&r->sender);
	mem_free(r);
}
