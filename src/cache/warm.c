/*
 * Look-ups.  A read transaction is taken from a small pool, renewed (no system
 * call, no lock of another process) and given back at once: none is held while
 * anything else is done, since an open one keeps old pages from being used
 * again.
 */
#include "cache/warm.h"

#include <stdlib.h>
#include <string.h>

#include "cache/row.h"
#include "cache/warm_priv.h"
#include "telemetry/log.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

int
warm_open(const char *dir, unsigned most, struct warm **ret, struct err *e)
{
	struct warm *w = mem_new(NULL, struct warm);
	pthread_condattr_t attr;

	w->dir = mem_strdup(w, dir);
	w->most = most > 0 ? most : 1;
	w->last = &w->first;
	if (warm_env_open(dir, w->most, false, &w->env, e) != 0) {
		mem_free(w);
		return -1;
	}
	pthread_mutex_init(&w->mu, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->cv, &attr);
	pthread_condattr_destroy(&attr);
	if (pthread_create(&w->thread, NULL, warm_main, w) != 0) {
		warm_env_close(&w->env);
		mem_free(w);
		return err_set(e, ERR_UNAVAILABLE, "no thread for the cache");
	}
	*ret = w;
	return 0;
}

void
warm_close(struct warm *w)
{
	if (w == NULL)
		return;
	pthread_mutex_lock(&w->mu);
	w->stop = true;
	pthread_cond_broadcast(&w->cv);
	pthread_mutex_unlock(&w->mu);
	pthread_join(w->thread, NULL);
	for (unsigned i = 0; i < w->nidle; i++)
		mdb_txn_abort(w->idle[i]);
	warm_env_close(&w->env);
	warm_drop_queue(w);
	pthread_cond_destroy(&w->cv);
	pthread_mutex_destroy(&w->mu);
	mem_free(w);
}

/*
 * Begin to read: 0 with a transaction.  -1: there is nothing to read, and
 * *ret, which may be NULL, has to be given back all the same unless *busy is
 * false.
 */
static int
reader_begin(struct warm *w, MDB_txn **ret, bool *busy)
{
	MDB_txn *txn = NULL;
	int rc;

	pthread_mutex_lock(&w->mu);
	while (!w->broken && w->nidle == 0 && w->nreaders == WARM_READERS)
		pthread_cond_wait(&w->cv, &w->mu);
	*busy = !w->broken && w->env.env != NULL;
	if (*busy) {
		w->busy++;
		if (w->nidle > 0)
			txn = w->idle[--w->nidle];
		else
			w->nreaders++;
	}
	pthread_mutex_unlock(&w->mu);
	if (!*busy)
		return -1;
	/* The file stays open while anybody is busy. */
	rc = txn != NULL ? mdb_txn_renew(txn)
	                 : mdb_txn_begin(w->env.env, NULL, MDB_RDONLY, &txn);
	*ret = txn;
	return rc == 0 ? 0 : -1;
}

static void
reader_end(struct warm *w, MDB_txn *txn, bool fit, bool broken)
{
	if (fit)
		mdb_txn_reset(txn);
	else if (txn != NULL)
		mdb_txn_abort(txn);
	pthread_mutex_lock(&w->mu);
	w->busy--;
	if (broken)
		w->broken = true;
	if (fit)
		w->idle[w->nidle++] = txn;
	else
		w->nreaders--;
	if (w->nreaders == WARM_READERS || w->broken)
		pthread_cond_broadcast(&w->cv);
	pthread_mutex_unlock(&w->mu);
}

bool
warm_get(struct warm *w, enum warm_kind kind, const char *key, const void *ctx,
    struct row *out)
{
	struct warm_head head;
	MDB_txn *txn = NULL;
	MDB_val k, v;
	uint64_t hash;
	bool busy, found = false;
	int rc;

	if (w == NULL)
		return false;
	if (reader_begin(w, &txn, &busy) != 0) {
		if (busy)
			reader_end(w, NULL, false, false);
		return false;
	}
	hash = warm_hash(&w->env, kind, key);
	k = (MDB_val){ sizeof(hash), &hash };
	rc = mdb_get(txn, w->env.kind[kind], &k, &v);
	if (rc == 0)
		found = warm_value_head(&w->env, &v, &head) &&
		        strcmp(warm_value_key(&v), key) == 0 &&
		        warm_value_row(&v, &head, ctx, out) == 0;
	reader_end(w, txn, true, rc != 0 && rc != MDB_NOTFOUND);
	return found;
}

void
warm_stats(struct warm *w, struct warm_stats *out)
{
	pthread_mutex_lock(&w->mu);
	*out = w->stats;
	out->readers = w->nreaders;
	pthread_mutex_unlock(&w->mu);
}
