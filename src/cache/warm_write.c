/*
 * The thread that writes.  It alone takes LMDB's lock between processes, which
 * a process that is stopped in the middle would hold; who wants something kept
 * leaves it in a queue.  It also throws away a file that is damaged, and goes
 * over to a new one that another process has made.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "cache/row.h"
#include "cache/warm_priv.h"
#include "shm/epoch.h"
#include "telemetry/log.h"
#include "telemetry/metric.h"
#include "util/clock.h"
#include "util/id.h"
#include "util/mem.h"

#include "util/banned.h"

#define TICK_NS CLOCK_S
#define DEAD_EVERY 30 /* ticks */
#define SAMPLE 8      /* of which the oldest is evicted */
#define SAMPLE_STATS 500

/* A row that waits; the entry's texts and the row lie below it. */
struct warm_write {
	struct warm_write *next;
	struct warm_entry entry;
	struct row row;
};

static struct warm_write *
copy_of(const struct warm_entry *en)
{
	struct warm_write *q = mem_new(NULL, struct warm_write);

	q->entry = *en;
	q->entry.key = mem_strdup(q, en->key);
	q->entry.row = &q->row;
	q->row = *en->row;
	for (int i = 0; i < q->row.n; i++)
		if (q->row.text[i] != NULL)
			q->row.text[i] =
			    mem_strndup(q, en->row->text[i], q->row.len[i]);
	return q;
}

void
warm_put(struct warm *w, const struct warm_entry *en)
{
	struct warm_write *q;

	if (w == NULL)
		return;
	q = copy_of(en);
	pthread_mutex_lock(&w->mu);
	if (w->waiting < WARM_WAITING) {
		*w->last = q;
		w->last = &q->next;
		w->waiting++;
		w->put++;
		q = NULL;
		pthread_cond_broadcast(&w->cv);
	}
	pthread_mutex_unlock(&w->mu);
	mem_free(q);
}

void
warm_drop_queue(struct warm *w)
{
	struct warm_write *q;

	while ((q = w->first) != NULL) {
		w->first = q->next;
		mem_free(q);
	}
	w->last = &w->first;
	w->waiting = 0;
}

int
warm_flush(struct warm *w, int64_t deadline)
{
	struct timespec ts = { .tv_sec = (time_t)(deadline / CLOCK_S),
		.tv_nsec = (long)(deadline % CLOCK_S) };
	uint64_t upto;
	bool done;

	pthread_mutex_lock(&w->mu);
	upto = w->put;
	while (w->written < upto &&
	       pthread_cond_timedwait(&w->cv, &w->mu, &ts) == 0)
		continue;
	done = w->written >= upto;
	pthread_mutex_unlock(&w->mu);
	return done ? 0 : -1;
}

/* A cursor on some entry, wherever; the values of ${n} from there on go to
 * ${each}, which says when it is enough. */
static int
sample(struct warm *w, MDB_txn *txn, enum warm_kind kind, unsigned n,
    void (*each)(void *arg, const MDB_val *key, const struct warm_head *),
    void *arg)
{
	struct warm_head head;
	MDB_cursor *cursor;
	uint64_t random;
	MDB_val k, v;
	int rc = mdb_cursor_open(txn, w->env.kind[kind], &cursor);

	if (rc != 0)
		return rc;
	id_random(&random, sizeof(random));
	k = (MDB_val){ sizeof(random), &random };
	rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
	for (unsigned i = 0; i < n; i++) {
		if (rc == MDB_NOTFOUND)
			rc = mdb_cursor_get(cursor, &k, &v, MDB_FIRST);
		if (rc != 0)
			break;
		if (!warm_value_head(&w->env, &v, &head))
			head = (struct warm_head){ .written = 0 };
		each(arg, &k, &head);
		rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
	}
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

struct oldest {
	bool any;
	int64_t written;
	uint64_t hash;
};

/* What nobody may use any more goes before everything. */
static void
look_oldest(void *arg, const MDB_val *key, const struct warm_head *h)
{
	struct oldest *o = arg;
	int64_t written = epoch_current(h->slot, h->epoch) ? h->written : 0;

	if (key->mv_size != sizeof(o->hash) ||
	    (o->any && written >= o->written))
		return;
	o->any = true;
	o->written = written;
	memcpy(&o->hash, key->mv_data, sizeof(o->hash));
}

static int
evict(struct warm *w, MDB_txn *txn, enum warm_kind kind)
{
	struct oldest o = { .any = false };
	int rc = sample(w, txn, kind, SAMPLE, look_oldest, &o);
	MDB_val k = { sizeof(o.hash), &o.hash };

	if (rc != 0 || !o.any)
		return rc;
	metric_add(M_CACHE_EVICTIONS_WARM + (enum metric_id)kind, 1);
	return mdb_del(txn, w->env.kind[kind], &k, NULL);
}

/* Is what stands there newer than ${en}? */
static bool
newer(const struct warm *w, const MDB_val *v, const struct warm_entry *en)
{
	struct warm_head h;

	return warm_value_head(&w->env, v, &h) &&
	       strcmp(warm_value_key(v), en->key) == 0 &&
	       (h.epoch > en->epoch ||
		   (h.epoch == en->epoch && h.platform > en->platform));
}

static int
write_one(struct warm *w, MDB_txn *txn, const struct warm_entry *en)
{
	uint64_t hash = warm_hash(&w->env, en->kind, en->key);
	MDB_val k = { sizeof(hash), &hash }, v;
	MDB_dbi dbi = w->env.kind[en->kind];
	struct MDB_stat st;
	struct buf b;
	int rc = mdb_get(txn, dbi, &k, &v);

	if (rc == 0 && newer(w, &v, en))
		return 0;
	if (rc == MDB_NOTFOUND) {
		rc = mdb_stat(txn, dbi, &st);
		if (rc == 0 && st.ms_entries >= w->most)
			rc = evict(w, txn, en->kind);
	}
	if (rc != 0)
		return rc;
	buf_init(&b, NULL, WARM_VALUE_MAX);
	warm_value_pack(&w->env, en, &b);
	v = (MDB_val){ b.len, b.data };
	if (!buf_failed(&b))
		rc = mdb_put(txn, dbi, &k, &v, 0);
	buf_free(&b);
	return rc;
}

/* Empty the file: it is full, of what it is not worth while to choose from. */
static int
empty(struct warm *w)
{
	MDB_txn *txn;
	int rc;

	(void)mdb_reader_check(w->env.env, NULL);
	rc = mdb_txn_begin(w->env.env, NULL, 0, &txn);
	if (rc != 0)
		return rc;
	for (int i = 0; rc == 0 && i < WARM_KINDS; i++)
		rc = mdb_drop(txn, w->env.kind[i], 0);
	if (rc == 0)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return rc;
}

static int
write_all(struct warm *w, const struct warm_write *q)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(w->env.env, NULL, 0, &txn);

	if (rc != 0)
		return rc;
	for (; rc == 0 && q != NULL; q = q->next)
		rc = write_one(w, txn, &q->entry);
	if (rc == 0)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return rc;
}

/* What does not say that the file is damaged. */
static bool
passing(int rc)
{
	return rc == 0 || rc == ENOSPC || rc == ENOMEM || rc == EIO ||
	       rc == MDB_READERS_FULL;
}

static void
serve(struct warm *w, struct warm_write *q)
{
	int rc = write_all(w, q);

	if (rc == MDB_MAP_FULL || rc == MDB_TXN_FULL)
		rc = empty(w);
	if (rc != 0)
		log_event(LOG_WARN, "cache_not_written", "error",
		    mdb_strerror(rc), NULL);
	if (!passing(rc)) {
		pthread_mutex_lock(&w->mu);
		w->broken = true;
		pthread_mutex_unlock(&w->mu);
	}
	while (q != NULL) {
		struct warm_write *next = q->next;

		mem_free(q);
		q = next;
	}
}

/* --- upkeep -------------------------------------------------------------- */

static void
look_age(void *arg, const MDB_val *key, const struct warm_head *h)
{
	int64_t *oldest = arg;

	(void)key;
	if (h->written != 0 && (*oldest == 0 || h->written < *oldest))
		*oldest = h->written;
}

static int
count(struct warm *w)
{
	struct warm_stats now = { .remade = 0 };
	struct MDB_stat st;
	MDB_txn *txn;
	int rc = mdb_txn_begin(w->env.env, NULL, MDB_RDONLY, &txn);

	if (rc != 0)
		return rc;
	for (int i = 0; rc == 0 && i < WARM_KINDS; i++) {
		rc = mdb_stat(txn, w->env.kind[i], &st);
		now.kind[i].entries = (unsigned)st.ms_entries;
		if (rc == 0)
			rc = sample(w, txn, (enum warm_kind)i, SAMPLE_STATS,
			    look_age, &now.kind[i].oldest);
	}
	mdb_txn_abort(txn);
	pthread_mutex_lock(&w->mu);
	memcpy(w->stats.kind, now.kind, sizeof(now.kind));
	pthread_mutex_unlock(&w->mu);
	return rc;
}

/*
 * Close the file once nobody reads it, and open another: a new one when this
 * one is damaged, that of its name when somebody else has replaced it.
 */
static void
reopen(struct warm *w, bool damaged)
{
	struct warm_env fresh = { .env = NULL };
	struct err e = { 0 };

	pthread_mutex_lock(&w->mu);
	w->broken = true;
	pthread_cond_broadcast(&w->cv);
	while (w->busy > 0)
		pthread_cond_wait(&w->cv, &w->mu);
	for (unsigned i = 0; i < w->nidle; i++)
		mdb_txn_abort(w->idle[i]);
	w->nreaders = w->nidle = 0;
	pthread_mutex_unlock(&w->mu);
	warm_env_close(&w->env);
	if (warm_env_open(w->dir, w->most, damaged, &fresh, &e) != 0) {
		log_event(LOG_WARN, "cache_away", "error", e.text, NULL);
		return; /* broken as before: again at the next tick */
	}
	log_event(damaged ? LOG_WARN : LOG_INFO, "cache_remade", NULL);
	pthread_mutex_lock(&w->mu);
	w->env = fresh;
	w->broken = false;
	w->stats.remade += damaged;
	pthread_mutex_unlock(&w->mu);
}

static void
tend(struct warm *w, unsigned tick)
{
	bool broken;
	int rc = 0;

	pthread_mutex_lock(&w->mu);
	broken = w->broken;
	pthread_mutex_unlock(&w->mu);
	if (!broken && tick % DEAD_EVERY == 0)
		(void)mdb_reader_check(w->env.env, NULL);
	if (!broken)
		rc = count(w);
	broken = broken || !passing(rc);
	if (broken || !warm_env_there(w->dir, &w->env))
		reopen(w, broken && w->env.env != NULL);
}

/* What waits, or NULL when the tick is over or all ends. */
static struct warm_write *
next_batch(struct warm *w, int64_t tick_at, uint64_t *upto)
{
	struct timespec ts = { .tv_sec = (time_t)(tick_at / CLOCK_S),
		.tv_nsec = (long)(tick_at % CLOCK_S) };
	struct warm_write *q;

	pthread_mutex_lock(&w->mu);
	while (!w->stop && (w->broken || w->first == NULL) &&
	       pthread_cond_timedwait(&w->cv, &w->mu, &ts) == 0)
		continue;
	q = w->broken ? NULL : w->first;
	if (q != NULL) {
		w->first = NULL;
		w->last = &w->first;
		w->waiting = 0;
	}
	*upto = w->put;
	pthread_mutex_unlock(&w->mu);
	return q;
}

void *
warm_main(void *arg)
{
	struct warm *w = arg;
	int64_t tick_at = clock_mono() + TICK_NS;
	unsigned tick = 0;
	uint64_t upto;
	bool stop = false;

	while (!stop) {
		struct warm_write *q = next_batch(w, tick_at, &upto);

		if (q != NULL)
			serve(w, q);
		pthread_mutex_lock(&w->mu);
		if (q != NULL) {
			w->written = upto;
			pthread_cond_broadcast(&w->cv);
		}
		stop = w->stop;
		pthread_mutex_unlock(&w->mu);
		if (!stop && clock_mono() >= tick_at) {
			tend(w, ++tick);
			tick_at = clock_mono() + TICK_NS;
		}
	}
	return NULL;
}
