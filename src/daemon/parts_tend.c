/* What a process does now and then with its parts, and tells of them. */
#include "daemon/parts.h"

#include "account/account.h"
#include "account/proof.h"
#include "agent/catalog.h"
#include "auth/key.h"
#include "auth/token.h"
#include "auth/used.h"
#include "cache/warm.h"
#include "chat/event_log.h"
#include "chat/used.h"
#include "daemon/preload.h"
#include "daemon/store.h"
#include "db/db.h"
#include "gateway/credential.h"
#include "knowledge/search.h"
#include "shm/epoch.h"
#include "shm/procs.h"
#include "telemetry/log.h"
#include "telemetry/metric.h"
#include "util/clock.h"

#include "util/banned.h"

#define USED_EVERY (60 * CLOCK_S)
#define PRELOAD_EVERY (3600 * CLOCK_S)

/* last_used_at: at once after a minute of quiet, then once a minute. */
static void
flush_used(struct parts *p)
{
	int64_t deadline = clock_mono() + 2 * CLOCK_S;
	struct err e = { 0 };
	int keys, agents = 0, credentials = 0;

	if (clock_mono() - p->used_flushed < USED_EVERY)
		return;
	keys = keys_used_flush(p->db, deadline, &e);
	if (p->process->kind == PROC_CHAT) {
		agents = chat_used_flush(p->db, deadline, &e);
		credentials = credential_used_flush(p->db, deadline, &e);
	}
	if (keys < 0 || agents < 0 || credentials < 0)
		log_event(LOG_WARN, "last_used_lost", "error", e.text, NULL);
	if (keys != 0 || agents != 0 || credentials != 0)
		p->used_flushed = clock_mono();
}

/* What belongs to the platform: prices, and the keys that sign tokens. */
static int
read_platform(struct parts *p, struct err *e)
{
	int64_t deadline = clock_mono() + 2 * CLOCK_S;

	if (tokens_read(p->app.tokens, deadline, e) != 0)
		return -1;
	return p->process->kind == PROC_CHAT ? store_prices(p->db, deadline, e)
	                                     : 0;
}

static void
refresh_platform(struct parts *p)
{
	struct err e = { 0 };
	uint64_t platform;

	/* While nobody hears of changes this one looks for them. */
	(void)proof_hold(
	    p->db, 0, true, p->tiers.max_stale, clock_mono() + CLOCK_S, NULL);
	platform = epoch_get(0);
	if (platform == p->platform)
		return;
	if (read_platform(p, &e) != 0) {
		log_event(LOG_WARN, "platform_not_read", "error", e.text, NULL);
		return;
	}
	p->platform = platform;
}

static void
preload(struct parts *p)
{
	struct err e = { 0 };

	if (p->preloaded != 0 && clock_mono() - p->preloaded < PRELOAD_EVERY)
		return;
	p->preloaded = clock_mono();
	if (preload_agents(p, &e) != 0)
		log_event(LOG_WARN, "not_preloaded", "error", e.text, NULL);
}

void
parts_refresh(struct parts *p)
{
	db_replica_look(p->db);
	if (p->app.tokens != NULL)
		refresh_platform(p);
	if (p->process->kind != PROC_LISTENER)
		flush_used(p);
	if (p->process->kind != PROC_CHAT)
		return;
	preload(p);
	event_log_tidy(p->turns_dir);
}

static void
tell_warm(struct warm *w)
{
	struct warm_stats s;

	if (w == NULL)
		return;
	warm_stats(w, &s);
	for (unsigned i = 0; i < WARM_KINDS; i++) {
		int64_t oldest = s.kind[i].oldest;

		metric_set(M_CACHE_ENTRIES_WARM + i, s.kind[i].entries);
		metric_set(M_CACHE_AGE_WARM + i,
		    oldest != 0 ? (clock_mono() - oldest) / CLOCK_S : 0);
	}
}

void
parts_tell(struct parts *p)
{
	struct proc *row = procs_self();

	metric_set(M_THREADS, atomic_load(&row->threads));
	metric_set(M_THREADS_BUSY, atomic_load(&row->busy));
	if (p->process->kind == PROC_LISTENER)
		return;
	accounts_tell(p->app.accounts);
	keys_tell(p->app.keys);
	if (p->catalog != NULL)
		catalog_tell(p->catalog);
	if (p->credentials != NULL)
		credentials_tell(p->credentials);
	if (p->knowledge != NULL)
		knowledge_tell(p->knowledge);
	tell_warm(p->tiers.warm);
}
