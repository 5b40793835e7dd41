/*
 * Order: libraries, then what needs no thread, then what starts one.  The
 * master's memory holds no secret but the provider keys of its environment.
 */
#include "daemon/parts.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "account/account.h"
#include "agent/catalog.h"
#include "agent/template.h"
#include "api/later.h"
#include "auth/form_token.h"
#include "auth/key.h"
#include "auth/probe.h"
#include "auth/session_key.h"
#include "auth/token.h"
#include "cache/cold.h"
#include "chat/event_log.h"
#include "chat/live.h"
#include "chat/recall.h"
#include "chat/store.h"
#include "conf/conf.h"
#include "crypto/hash.h"
#include "daemon/keep.h"
#include "daemon/mailbox.h"
#include "daemon/models.h"
#include "daemon/shares.h"
#include "daemon/store.h"
#include "db/db.h"
#include "db/lane.h"
#include "db/migrate.h"
#include "db/writer.h"
#include "gateway/credential.h"
#include "gateway/share.h"
#include "knowledge/search.h"
#include "net/call.h"
#include "page/pages.h"
#include "secret/secret.h"
#include "shm/shm.h"
#include "sso/sso.h"
#include "telemetry/log.h"
#include "usage/quota.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/mem.h"

#include "util/banned.h"

/* Connections of a process that only looks whether the database is there. */
#define HEALTH_CONNECTIONS 2
/* A refused body is read to here before its connection is given up. */
#define BODY_DRAIN (4 << 20)
/* Longest pause of a request that is refused because all threads are taken; all
 * of its body may take fifteen. */
#define SHED_PAUSE_MS 20
/* What a turn may take beyond its model: to be stored and told. */
#define TURN_MARGIN_MS 5000
/* What was used is asked for so often, and all of it may take so long. */
#define SEED_TRIES 3
#define SEED_MOST (15 * CLOCK_S)
/* Of so many cores PostgreSQL has one busy with commits at a time. */
#define CORES_A_LANE 4
#define LANES 16
/* Pairs with the pool: half of its connections are for turns alone. */
#define COLD_SHARE 2

bool
parts_behind_pooler(const struct conf *c)
{
	return c->database_direct_url[0] != '\0' &&
	       strcmp(c->database_direct_url, c->database_url) != 0;
}

static struct lanes {
	unsigned n;
	struct lane lane[LANES];
} * lanes;

/*
 * Planning a read of a partitioned table costs more than the read.  A plan for
 * any parameters drops the other partitions when it runs; and made while a
 * partition is empty it is good still when that is full, for it may use nothing
 * but indexes.  As the role has it (db/bootstrap.c), for one made before.
 */
static const char chat_settings[] =
    "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off";

static const struct db_opts *
db_options(const struct parts *p, struct db_opts *o)
{
	const struct conf *c = p->process->conf;
	bool health = p->process->kind == PROC_LISTENER;

	*o = (struct db_opts){ .conninfo = c->database_url,
		.user = p->role,
		.size =
		    health ? HEALTH_CONNECTIONS : (unsigned)c->database_pool,
		.wait_ms = (int)c->database_wait,
		.connect_ms = (int)c->database_connect_timeout,
		.statement_ms = (int)c->database_statement_timeout,
		.settings =
		    p->process->kind == PROC_CHAT ? chat_settings : NULL,
		.prepared = c->database_prepared,
		.pooler = parts_behind_pooler(c) };
	return o;
}

void
parts_map(void)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned i;

	lanes = shm_map(sizeof(*lanes));
	lanes->n = cores > CORES_A_LANE ? (unsigned)(cores / CORES_A_LANE) : 1;
	if (lanes->n > LANES)
		lanes->n = LANES;
	for (i = 0; i < lanes->n; i++)
		lane_init(&lanes->lane[i]);
}

void
parts_writer_opts(
    const struct process *process, const void *ctx, struct writer_opts *o)
{
	const struct conf *c = process->conf;

	*o = (struct writer_opts){ .conninfo = c->database_url,
		.queue_max = (unsigned)c->writer_queue,
		.batch_max = (unsigned)c->writer_batch,
		.timeout_ms = (int)c->database_statement_timeout,
		.prepared = c->database_prepared,
		.pooler = parts_behind_pooler(c),
		.journal_slot = process->slot,
		.journal_max = c->journal_max,
		.lane = lanes != NULL ? &lanes->lane[process->slot % lanes->n]
		                      : NULL };
	o->dead_letter_file =
	    mem_printf(ctx, "%s/dead-letters.jsonl", c->state_dir);
	o->journal_dir = mem_printf(ctx, "%s/journal", c->state_dir);
	o->stmts = chat_store_stmts(&o->nstmts);
}

static void
build_writer(struct parts *p)
{
	struct writer_opts o;

	parts_writer_opts(p->process, p->app.accounts, &o);
	p->writer = writer_new(&o);
}

static void
build_chat(struct parts *p)
{
	const struct conf *c = p->process->conf;

	p->catalog =
	    catalog_new(&p->tiers, p->templates, (unsigned)c->cache_hot);
	p->knowledge = knowledge_new(p->db, (unsigned)c->cache_searches);
	build_writer(p);
	p->turns_dir = mem_printf(p->app.accounts, "%s/turns", c->run_dir);
	if (!event_log_setup(p->turns_dir))
		log_event(LOG_WARN, "no_event_logs", "dir", p->turns_dir, NULL);
	p->app.chat = (struct chat_deps){ .db = p->db,
		.turns_dir = p->turns_dir,
		.accounts = p->app.accounts,
		.catalog = p->catalog,
		.knowledge = p->knowledge,
		.recall = recall_new(),
		.writer = p->writer,
		.gateway = p->gateway,
		.session_idle_us = c->session_idle * 1000,
		.history_tokens = c->history_tokens,
		.history_turns = (int)c->history_turns,
		.turn_open_after_ms = (int)c->turn_open_after,
		.total_ms = (int)c->provider_total + TURN_MARGIN_MS,
		.tool_rounds = (int)c->tool_rounds,
		.widget_per_minute = c->widget_per_minute,
		.widget_session_per_minute = c->widget_session_per_minute,
		.spans = c->log_spans };
}

static void
build_tiers(struct parts *p)
{
	const struct conf *c = p->process->conf;
	struct err e = { 0 };
	char dir[256];

	p->tiers = (struct tiers){ .db = p->db,
		.cold = cold_new((unsigned)c->database_pool / COLD_SHARE,
		    (int)c->database_wait),
		.max_stale = c->cache_max_stale * CLOCK_MS };
	if (p->process->kind == PROC_LISTENER || c->cache_warm == 0)
		return;
	snprintf(dir, sizeof(dir), "%s/" PARTS_CACHE, c->run_dir);
	if (warm_open(dir, (unsigned)c->cache_warm, &p->tiers.warm, &e) != 0)
		log_event(LOG_WARN, "cache_away", "error", e.text, NULL);
}

/* Without pages the API still serves; a start without them is refused. */
static void
build_pages(struct parts *p)
{
	struct err e = { 0 };

	if (p->process->kind != PROC_ADMIN && p->process->kind != PROC_CHAT)
		return;
	if (keep_pages(p->process->conf, &p->pages, &e) != 0)
		log_event(LOG_ERROR, "no_pages", "error", e.text, NULL);
	p->app.pages = p->pages;
}

static void
build_app(struct parts *p)
{
	const struct conf *c = p->process->conf;
	unsigned n = (unsigned)c->cache_accounts;

	p->app.db = p->db;
	p->app.templates = p->templates;
	p->app.accounts = accounts_new(&p->tiers, n);
	p->app.keys = keys_new(&p->tiers, n);
	mailbox_conf(p->app.accounts, c, &p->app.mail);
	p->app.mail_templates = c->mail_templates_dir;
	p->app.later = later_new(&p->app);
	p->app.public_urls = c->public_urls;
	p->app.sso_per_minute = c->sso_per_minute;
	p->app.access_s = c->access_token_life / 1000;
	p->app.refresh_s = c->refresh_token_life / 1000;
	p->app.grace_days = c->account_grace_days;
	p->app.sign_up = c->sign_up;
	p->app.widget_s = c->widget_token_life / 1000;
	p->app.body_max_chat = (size_t)c->body_max_chat;
	p->app.body_max_admin = (size_t)c->body_max_admin;
	p->app.message_max = (size_t)c->message_max;
	p->app.beat_ms = (int)c->heartbeat;
	p->app.trusted_proxies = c->trusted_proxies;
	p->app.metrics_allow = c->metrics_allow;
	p->app.version = PACKAGE_VERSION;
	p->fcgi = (struct fcgi_opts){ .read_ms = (int)c->read_timeout,
		.write_ms = (int)c->write_timeout,
		.body_drain = BODY_DRAIN };
	p->fcgi_shed = (struct fcgi_opts){ .read_ms = SHED_PAUSE_MS,
		.write_ms = SHED_PAUSE_MS,
		.body_drain = BODY_DRAIN };
}

/* The way to identity providers. */
static int
build_sso(struct parts *p, struct err *e)
{
	const struct conf *c = p->process->conf;
	struct sso_opts o = { .egress_allow = c->egress_allow,
		.db = p->db,
		.master_key_file = c->master_key_file,
		.front_secret_file = c->front_sso_secret_file };

	p->net = net_new((unsigned)c->provider_warm);
	o.net = p->net;
	o.vault = p->app.vault;
	p->app.sso = sso_new(&o, e);
	return p->app.sso != NULL ? 0 : -1;
}

int
parts_build(struct parts *p, const struct process *process, struct err *e)
{
	struct db_opts o;

	p->process = process;
	switch (process->kind) {
	case PROC_CHAT:
		p->app.face = FACE_CHAT | FACE_TALK;
		p->role = "sb_chat";
		break;
	case PROC_ADMIN:
		p->app.face = FACE_ADMIN | FACE_PAGE;
		p->role = "sb_admin";
		break;
	default:
		/* /healthz asks nobody. */
		p->app.face = FACE_HEALTH | FACE_OWN;
		p->role = "sb_job";
		atomic_store(&p->open, true);
		break;
	}
	json_setup();
	if (crypto_setup(e) != 0)
		return -1;
	if (fcgi_setup() != 0)
		return err_set(e, ERR_INTERNAL, "libfcgi does not start");
	if (process->kind != PROC_LISTENER) {
		if (session_key_setup(process->conf->master_key_file, e) != 0 ||
		    probe_setup(process->conf->master_key_file, e) != 0)
			return -1;
		if (process->kind == PROC_ADMIN &&
		    form_token_setup(process->conf->master_key_file, e) != 0)
			return -1;
		if (keep_templates(process->conf, &p->templates, e) != 0)
			return -1;
	}
	p->db = db_pool_new(db_options(p, &o));
	if (process->conf->database_replica[0] != '\0' &&
	    process->kind != PROC_LISTENER) {
		o.conninfo = process->conf->database_replica;
		db_pool_replica(
		    p->db, &o, (int)process->conf->database_replica_lag);
	}
	if (process->kind != PROC_LISTENER &&
	    tokens_new(
		p->db, process->conf->master_key_file, &p->app.tokens, e) != 0)
		return -1;
	if (process->kind != PROC_LISTENER)
		p->app.vault = vault_new(p->db, process->conf->master_key_file);
	if (process->kind == PROC_ADMIN && build_sso(p, e) != 0)
		return -1;
	build_tiers(p);
	build_app(p);
	build_pages(p);
	if (process->kind != PROC_CHAT)
		return 0;
	if (models_build(p, e) != 0)
		return -1;
	build_chat(p);
	return 0;
}

/* --- serving ------------------------------------------------------------- */

static void
handle(void *arg, struct http_req *rq, struct http_resp *rs)
{
	struct parts *p = arg;

	if (atomic_load_explicit(&p->open, memory_order_acquire))
		app_serve(&p->app, rq, rs);
	else
		app_shed(&p->app, rq, rs);
}

static void
refuse(void *arg, struct http_req *rq, struct http_resp *rs)
{
	struct parts *p = arg;

	app_shed(&p->app, rq, rs);
}

static int
pool_serve(void *arg, void *state, int fd)
{
	struct parts *p = arg;

	return fcgi_serve(state, fd, &p->fcgi, handle, p);
}

/* The one thread that refuses waits for nobody: a web server that hands on a
 * slow sender's body as it comes would hold up everybody's refusal. */
static int
pool_shed(void *arg, void *state, int fd)
{
	struct parts *p = arg;

	fcgi_patience(fd, &p->fcgi_shed);
	fd = fcgi_serve(state, fd, &p->fcgi_shed, refuse, p);
	if (fd >= 0)
		fcgi_patience(fd, &p->fcgi);
	return fd;
}

static void *
pool_state_new(void *arg)
{
	(void)arg;
	return fcgi_new();
}

static void
pool_state_free(void *arg, void *state)
{
	(void)arg;
	fcgi_free(state);
}

static void
pool_accepted(void *arg, int fd)
{
	struct parts *p = arg;

	fcgi_accepted(fd, &p->fcgi);
}

static bool
pool_all_full(void *arg)
{
	struct parts *p = arg;

	return process_all_full(p->process->kind);
}

struct pool *
parts_pool(
    struct parts *p, int fd, const int *hand, unsigned threads, struct err *e)
{
	const struct conf *c = p->process->conf;
	struct pool_opts o = { .listen_fd = fd,
		.hand = hand,
		.threads = threads,
		.spare = (unsigned)c->threads_spare,
		.idle_ms = (int)c->thread_idle,
		.stack = (size_t)c->thread_stack,
		.serve = pool_serve,
		.shed = pool_shed,
		.state_new = pool_state_new,
		.state_free = pool_state_free,
		.accepted = pool_accepted,
		.all_full = pool_all_full,
		.arg = p,
		.row = procs_self() };

	return pool_new(&o, e);
}

/* --- upkeep -------------------------------------------------------------- */

/*
 * What was used before a restart.  The database has just answered two other
 * questions; when it does not answer this one again and again, limits begin
 * anew rather than keep everybody out.
 */
static int
open_limits(struct parts *p, struct err *e)
{
	if (quota_seed(p->db, clock_mono() + SEED_MOST, e) == 0)
		return 0;
	if (++p->seed_tries < SEED_TRIES)
		return err_set(e, ERR_UNAVAILABLE, "%s", e->text);
	log_event(LOG_ERROR, "limits_begin_anew", "error", e->text, NULL);
	quota_seed_skip();
	return 0;
}

/* The same of how credentials were found before it. */
static int
open_credentials(struct parts *p, struct err *e)
{
	char host[SHARES_HOST];

	shares_host(host);
	if (share_load(p->db, host, clock_mono() + SEED_MOST, e) == 0)
		return 0;
	if (++p->share_tries < SEED_TRIES)
		return err_set(e, ERR_UNAVAILABLE, "%s", e->text);
	log_event(LOG_ERROR, "credentials_begin_anew", "error", e->text, NULL);
	share_skip();
	return 0;
}

int
parts_open(struct parts *p, struct err *e)
{
	const struct conf *c = p->process->conf;
	int64_t deadline = clock_mono() + (c->database_connect_timeout +
					      c->database_statement_timeout) *
	                                      CLOCK_MS;

	if (migrate_check(c->database_url, p->role, e) != 0)
		return -1;
	if (p->app.tokens != NULL &&
	    tokens_read(p->app.tokens, deadline, e) != 0)
		return -1;
	if (p->process->kind == PROC_CHAT &&
	    (store_prices(p->db, deadline, e) != 0 || open_limits(p, e) != 0 ||
		open_credentials(p, e) != 0))
		return -1;
	atomic_store_explicit(&p->open, true, memory_order_release);
	return 0;
}

int
parts_finish(struct parts *p, int64_t deadline)
{
	return later_stop(p->app.later, deadline);
}

void
parts_free(struct parts *p, int64_t deadline)
{
	later_free(p->app.later);
	if (p->writer != NULL)
		writer_free(p->writer, deadline);
	if (p->catalog != NULL)
		catalog_free(p->catalog);
	knowledge_free(p->knowledge);
	recall_free(p->app.chat.recall);
	models_free(p);
	sso_free(p->app.sso);
	if (p->net != NULL)
		net_free(p->net);
	if (p->app.keys != NULL)
		keys_free(p->app.keys);
	tokens_free(p->app.tokens);
	vault_free(p->app.vault);
	if (p->app.accounts != NULL)
		accounts_free(p->app.accounts);
	warm_close(p->tiers.warm);
	cold_free(p->tiers.cold);
	if (p->db != NULL)
		db_pool_free(p->db);
	templates_free(p->templates);
	pages_free(p->pages);
}
