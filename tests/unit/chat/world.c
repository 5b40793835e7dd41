/* A worker's world for tests of chat. */
#include "unit/chat/world.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "account/tiers.h"
#include "agent/catalog.h"
#include "agent/template.h"
#include "auth/session_key.h"
#include "cache/cold.h"
#include "chat/live.h"
#include "chat/store.h"
#include "crypto/hash.h"
#include "db/db.h"
#include "db/writer.h"
#include "knowledge/search.h"
#include "lib/dbtemp.h"
#include "llm/price.h"
#include "shm/epoch.h"
#include "shm/procs.h"
#include "shm/shm.h"
#include "telemetry/metric.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

struct world world;

static struct tiers tiers;
static struct templates *templates;
#ifdef WORLD_CONCIERGE
static struct llm *llm;
#endif

#ifndef WORLD_CONCIERGE
static pthread_mutex_t hearing = PTHREAD_MUTEX_INITIALIZER;
#endif
static char dead_letters[64], master_key[64];

#define ACME "00000000-0000-7000-8000-00000000000a"
#define GLOBEX "00000000-0000-7000-8000-00000000000b"

static const char rows[] =
    "INSERT INTO control.accounts (id, slug, name, tier) VALUES"
    " ('" ACME "', 'acme', 'Acme', 'enterprise'),"
    " ('" GLOBEX "', 'globex', 'Globex', 'standard');"
    "INSERT INTO control.agent_instances (account_id, id, agent_type,"
    " instance_name, display_name, configuration) VALUES"
    " ('" ACME "', '00000000-0000-7000-8000-0000000000a1', 'sales', 'one',"
    " 'One', '{\"model_override\": \"fake:model\"}'),"
    " ('" ACME "', '00000000-0000-7000-8000-0000000000a2', 'sales', 'two',"
    " 'Two', '{\"model_override\": \"fake:model\"}'),"
    " ('" ACME "', '00000000-0000-7000-8000-0000000000a3', 'sales', 'few',"
    " 'Few', '{\"model_override\": \"fake:model\", \"rate_limits\":"
    " {\"max_requests_per_minute\": 1}}'),"
    " ('" GLOBEX "', '00000000-0000-7000-8000-0000000000b1', 'sales', 'one',"
    " 'One', '{\"model_override\": \"fake:model\"}');";

#ifndef WORLD_CONCIERGE
/*
 * The model.  Each call takes a copy of the script, so that turns at once have
 * the same.
 */
const char *
llm_finish_name(enum llm_finish f)
{
	static const char *const names[] = { "stop", "length", "tool_calls",
		"content_filter", "cancelled", "error" };

	return names[f];
}

int
gateway_choose(struct gateway *g, const struct account *a, const char *wanted,
    bool fallback, int64_t deadline, const char **ret, struct err *e)
{
	(void)g, (void)a, (void)fallback, (void)deadline, (void)e;
	*ret = wanted;
	return 0;
}

bool
llm_known(const char *model)
{
	return strncmp(model, "no:", 3) != 0;
}

bool
llm_embeds(const char *model)
{
	(void)model;
	return false;
}

bool
llm_takes_format(const char *model)
{
	(void)model;
	return true;
}

int
gateway_complete(struct gateway *g, const struct account *a,
    const struct llm_request *rq, struct llm_sink *sink, const void *ctx,
    struct llm_reply *reply, struct gateway_story *story, struct err *e)
{
	const struct script s = world.script;
	char heard[sizeof(world.heard)] = "";

	(void)g, (void)a, (void)story;
	for (int i = 0; i < rq->nmessages; i++) {
		size_t at = strlen(heard);

		snprintf(heard + at, sizeof(heard) - at, "%s%s",
		    rq->messages[i].role == LLM_USER ? "<" : ">",
		    rq->messages[i].text);
	}
	pthread_mutex_lock(&hearing);
	memcpy(world.heard, heard, sizeof(heard));
	pthread_mutex_unlock(&hearing);
	buf_init(&reply->text, ctx, 65536);
	snprintf(reply->model, sizeof(reply->model), "%s", rq->model);
	reply->usage = s.usage;
	reply->credential = s.credential;
	reply->attempts = 1;
	reply->finish = LLM_STOP;
	for (int i = 0; i < 4 && s.says[i]; i++) {
		buf_adds(&reply->text, s.says[i]);
		if (sink->text(sink, s.says[i], strlen(s.says[i])) < 0)
			return err_set(e, ERR_GONE, "stopped");
		if (i == 0 && s.meanwhile)
			s.meanwhile(sink);
	}
	return s.fails ? err_set(e, s.fails, "scripted") : 0;
}
#endif

static void
report(void *arg, const char *text)
{
	(void)arg;
	fail_msg("%s", text);
}

static void
make_key(struct key *k, enum key_kind kind, const char *account, uint8_t n)
{
	memset(k, 0, sizeof(*k));
	k->kind = kind;
	k->role = kind == KEY_API ? ROLE_ACCOUNT_OWNER : ROLE_VISITOR;
	id_parse(account, 36, &k->account_id);
	k->id.b[0] = 1;
	k->id.b[15] = n;
}

static void
make_master_key(void)
{
	struct err e = { 0 };
	FILE *f;

	snprintf(master_key, sizeof(master_key), "/tmp/sb-chat-key-%d",
	    (int)getpid());
	f = fopen(master_key, "w");
	assert_non_null(f);
	fchmod(fileno(f), 0600);
	fputs("000102030405060708090a0b0c0d0e0f"
	      "101112131415161718191a1b1c1d1e1f\n",
	    f);
	fclose(f);
	if (session_key_setup(master_key, &e) < 0)
		fail_msg("%s", e.text);
}

static void
make_shared(void)
{
	procs_map();
	procs_set_self(0);
	id_new(&procs_self()->id);
	live_map(1, 32);
	epoch_map(1024);
	epoch_heard(INT64_MAX);
	quota_map(1024);
	metric_attach(shm_map(metric_size(1)), 1);
	metric_slot(0);
}

bool
world_begin(void)
{
	struct db_opts db = { .user = "sb_chat",
		.size = 4,
		.wait_ms = 5000,
		.connect_ms = 2000,
		.statement_ms = 5000,
		.prepared = true };
	struct writer_opts writer = { .queue_max = 256,
		.batch_max = 64,
		.timeout_ms = 2000,
		.dead_letter_file = dead_letters,
		.prepared = true };
	struct chat_deps *d = &world.deps;
	const struct price price = {
		.model = "fake:*", .input = 1000, .output = 2000, .cached = 500
	};
	struct err e = { 0 };

	if (!dbtemp_there())
		return false;
	make_shared();
	make_master_key();
	world.conninfo = dbtemp_new();
	mem_free(dbtemp_sql(world.conninfo, NULL, rows));
	if (templates_load(
		SB_TEST_TEMPLATES, NULL, report, NULL, &templates, &e) < 0)
		fail_msg("%s", e.text);
	snprintf(dead_letters, sizeof(dead_letters), "/tmp/sb-chat-dead-%d",
	    (int)getpid());
	price_set(&price, 1);
	db.conninfo = writer.conninfo = world.conninfo;
	writer.stmts = chat_store_stmts(&writer.nstmts);
	d->db = db_pool_new(&db);
	tiers = (struct tiers){ .db = d->db,
		.cold = cold_new(4, 5000),
		.max_stale = 3600 * CLOCK_S };
	d->accounts = accounts_new(&tiers, 16);
	d->catalog = catalog_new(&tiers, templates, 16);
	d->knowledge = knowledge_new(d->db, 16);
	d->writer = writer_new(&writer);
#ifdef WORLD_CONCIERGE
	static const char *const models[] = { "builtin:concierge", NULL };

	llm = llm_new(NULL, &(struct llm_opts){ .response_max = 1024 * 1024,
				.default_models = models });
	d->gateway = gateway_new(llm, NULL);
#endif
	d->session_idle_us = INT64_C(3600) * 1000000;
	d->history_tokens = 1000;
	d->history_turns = 10;
	d->turn_open_after_ms = 10000;
	d->total_ms = 20000;
	d->tool_rounds = 2;
	d->widget_per_minute = 1000;
	d->widget_session_per_minute = 1000;
	make_key(&world.api, KEY_API, ACME, 1);
	make_key(&world.other_api, KEY_API, GLOBEX, 2);
	make_key(&world.widget, KEY_WIDGET, ACME, 3);
	make_key(&world.two_widget, KEY_WIDGET, ACME, 4);
	id_parse("00000000-0000-7000-8000-0000000000a2", 36,
	    &world.two_widget.agent_id);
	return true;
}

void
world_end(void)
{
	struct chat_deps *d = &world.deps;

	if (!d->db)
		return;
#ifdef WORLD_CONCIERGE
	gateway_free(d->gateway);
	llm_free(llm);
#endif
	writer_free(d->writer, clock_mono() + 5 * CLOCK_S);
	catalog_free(d->catalog);
	knowledge_free(d->knowledge);
	accounts_free(d->accounts);
	cold_free(tiers.cold);
	db_pool_free(d->db);
	templates_free(templates);
	price_set(NULL, 0);
	dbtemp_drop(world.conninfo);
	unlink(master_key);
	unlink(dead_letters);
}

const char *
world_sql(const char *sql)
{
	static char value[8192];
	char *got = dbtemp_sql(world.conninfo, NULL, sql);

	snprintf(value, sizeof(value), "%s", got);
	mem_free(got);
	return value;
}

const struct account *
world_account(const char *slug)
{
	const struct account *a;
	struct err e = { 0 };

	if (accounts_by_slug(world.deps.accounts, slug,
		clock_mono() + 5 * CLOCK_S, &a, &e) < 0)
		fail_msg("%s", e.text);
	return a;
}

static int
on_opened(struct chat_sink *s, const struct chat_turn *t)
{
	struct listener *l = (struct listener *)s;

	l->opened++;
	assert_true(t->counted);
	assert_false(id_is_nil(&t->id));
	return l->leaves_after == -1 ? -1 : 0;
}

static int
on_text(struct chat_sink *s, const char *piece, size_t len)
{
	struct listener *l = (struct listener *)s;
	size_t at = strlen(l->told);

	snprintf(l->told + at, sizeof(l->told) - at, "%.*s", (int)len, piece);
	return l->leaves_after > 0 && --l->leaves_after == 0 ? -1 : 0;
}

static int
on_tool_call(struct chat_sink *s, const char *id, const char *name,
    const char *arguments)
{
	(void)s, (void)id, (void)name, (void)arguments;
	return 0;
}

static int
on_tool_result(struct chat_sink *s, const char *id, const char *name, bool ok,
    const char *summary)
{
	(void)s, (void)id, (void)name, (void)ok, (void)summary;
	return 0;
}

static int
on_beat(struct chat_sink *s)
{
	(void)s;
	return 0;
}

static int
on_wait(struct chat_sink *s, int ms)
{
	struct listener *l = (struct listener *)s;

	poll(NULL, 0, ms);
	return l->leaves_after == -1 ? -1 : 0;
}

int
world_say(const void *ctx, const struct key *key, const char *path,
    const char *session_key, const char *message, struct listener *l,
    struct chat_turn **t, struct err *e)
{
	char *slug = mem_strdup(ctx, path);
	char *name = strchr(slug, '/');
	/* the ask must outlive the turn */
	struct chat_ask *ask = mem_new(ctx, struct chat_ask);

	*name++ = '\0';
	ask->idempotency_key = l->key;
	crypto_sha256(message, strlen(message), ask->request_hash);
	ask->key = key;
	ask->slug = slug;
	ask->agent_type = "sales";
	ask->agent_name = name;
	ask->message = message;
	ask->message_len = strlen(message);
	ask->session_key = session_key;
	ask->client_address = "192.0.2.1";
	ask->request_id = "request-1";
	ask->trace_id = "0123456789abcdef0123456789abcdef";
	ask->traceparent = "";
	l->sink = (struct chat_sink){ .opened = on_opened,
		.text = on_text,
		.tool_call = on_tool_call,
		.tool_result = on_tool_result,
		.beat = on_beat,
		.wait = on_wait,
		.gone_fd = -1,
		.beat_ms = 1000 };
	memset(e, 0, sizeof(*e));
	return chat_turn_run(&world.deps, ask, &l->sink, ctx, t, e);
}

int
world_setup(void **state)
{
	(void)state;
	world_begin();
	return 0;
}

int
world_teardown(void **state)
{
	(void)state;
	world_end();
	return 0;
}

void
world_clear(void)
{
	world.script = (struct script){ .says = { "Hello ", "there." } };
	world.deps.session_idle_us = INT64_C(3600) * 1000000;
	world.deps.turn_open_after_ms = 10000;
	if (world.deps.db)
		world_sql("TRUNCATE data.feedback, data.turns, data.turns_open,"
			  " data.session_names, data.usage_rollups, "
			  "data.usage_by_caller,"
			  " data.idempotency_keys, data.sessions CASCADE");
}
