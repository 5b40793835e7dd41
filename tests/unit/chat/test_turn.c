/* Whole turns, from the question to the rows, in a real PostgreSQL. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "auth/session_key.h"
#include "chat/live.h"
#include "chat/session.h"
#include "chat/used.h"
#include "shm/unstored.h"
#include "unit/chat/world.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

static struct {
	void *ctx;
	struct chat_turn *turn;
	struct listener l;
	struct err e;
} t;

#define NEEDS_DB                                                               \
	do {                                                                   \
		if (!world.deps.db)                                            \
			skip();                                                \
	} while (0)

static int
begin(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	t.ctx = mem_root("test");
	world_clear();
	world.script.usage = (struct llm_usage){ .input = 100,
		.cached = 40,
		.cache_write = 7,
		.output = 20,
		.reasoning = 5 };
	return 0;
}

static int
end(void **state)
{
	(void)state;
	mem_free(t.ctx);
	return 0;
}

static int
say(const struct key *key, const char *path, const char *session,
    const char *message)
{
	memset(&t.l, 0, offsetof(struct listener, leaves_after));
	return world_say(
	    t.ctx, key, path, session, message, &t.l, &t.turn, &t.e);
}

static void
must_say(const struct key *key, const char *path, const char *session,
    const char *message)
{
	if (say(key, path, session, message) < 0)
		fail_msg("%s: %s", t.turn->step, t.e.text);
}

static void
expect_sql(const char *sql, const char *value)
{
	assert_string_equal(world_sql(sql), value);
}

static void
a_turn_is_written_exactly(void **state)
{
	char sql[512], turn[UUID_TEXT], key[UUID_TEXT];

	(void)state;
	NEEDS_DB;
	must_say(&world.api, "acme/one", NULL, "Hi?");
	assert_string_equal(t.l.told, "Hello there.");
	assert_int_equal(t.l.opened, 1);
	assert_true(t.turn->durable);
	assert_string_equal(world.heard, "<Hi?");
	id_format(&t.turn->id, turn);

	expect_sql("SELECT count(*) FROM data.sessions", "1");
	snprintf(sql, sizeof(sql),
	    "SELECT session_key = '%s' AND is_anonymous AND email IS NULL AND"
	    " widget_key_id IS NULL AND last_activity_at >= created_at"
	    " FROM data.sessions",
	    t.turn->session_key);
	expect_sql(sql, "t");
	expect_sql("SELECT (id, status, finish_reason, error_kind, user_text,"
		   " reply_text, model, input_tokens, output_tokens,"
		   " cached_input_tokens, cache_write_tokens,"
		   " reasoning_tokens, usage_estimated, attempts, channel,"
		   " tool_calls, citations, metadata, widget_key_id,"
		   " request_id, instance_name)::text FROM data.turns",
	    mem_printf(t.ctx,
		"(%s,completed,stop,,Hi?,\"Hello there.\",fake:model,100,20,"
		"40,7,5,f,1,chat,[],[],,,request-1,one)",
		turn));
	/* 60 x 1000 + 40 x 500 + 20 x 2000 nano-dollars, and what was written
	 * to the provider's cache, which costs nothing here */
	assert_true(t.turn->priced);
	expect_sql("SELECT cost_usd FROM data.turns",
	    mem_printf(t.ctx, "0.000%06lld", (long long)t.turn->cost_nano));
	expect_sql("SELECT count(*) FROM data.turns_open", "0");

	expect_sql("SELECT string_agg(role || '=' || content, ' ' ORDER BY id)"
		   " FROM data.messages",
	    "user=Hi? assistant=Hello there.");
	expect_sql("SELECT (input_tokens, output_tokens, cached_input_tokens,"
		   " reasoning_tokens, request_count)::text"
		   " FROM data.agent_usage_log",
	    "(100,20,40,5,1)");
	expect_sql("SELECT (status, request_type, model)::text"
		   " FROM data.agent_performance_metrics",
	    "(completed,chat,fake:model)");
	expect_sql("SELECT (model, grain, requests, failed, cancelled,"
		   " input_tokens, output_tokens, cached_input_tokens,"
		   " reasoning_tokens, cost_nano_usd, unpriced,"
		   " (SELECT sum(h) FROM unnest(latency_hist) h))::text"
		   " FROM data.usage_rollups",
	    mem_printf(t.ctx, "(fake:model,5,1,0,0,100,20,40,5,%lld,0,1)",
		(long long)t.turn->cost_nano));
	expect_sql("SELECT extract(epoch FROM bucket)::int8 % 300 FROM"
		   " data.usage_rollups",
	    "0");
	id_format(&world.api.id, key);
	/* the same by who asked; the mock has no credential of the pool */
	expect_sql("SELECT (caller_kind, caller_id, credential_id, model,"
		   " grain, requests, failed, cancelled, input_tokens,"
		   " output_tokens, cached_input_tokens, reasoning_tokens,"
		   " cost_nano_usd, unpriced)::text FROM data.usage_by_caller",
	    mem_printf(t.ctx,
		"(api_key,%s,00000000-0000-0000-0000-000000000000,fake:model,"
		"5,1,0,0,100,20,40,5,%lld,0)",
		key, (long long)t.turn->cost_nano));
	expect_sql("SELECT b.bucket = r.bucket FROM data.usage_by_caller b,"
		   " data.usage_rollups r",
	    "t");
	expect_sql("SELECT credential_id IS NULL FROM data.turns", "t");
}

/* Whoever asks and whichever credential answers: both roll-ups add up to the
 * same. */
static void
callers_are_counted(void **state)
{
	const struct key *const keys[] = { &world.api, &world.widget,
		&world.two_widget, &world.api };
	char sql[512], cred[UUID_TEXT];

	(void)state;
	NEEDS_DB;
	world.script.usage = (struct llm_usage){ .input = 100, .output = 20 };
	for (int i = 0; i < 4; i++) {
		if (i == 1)
			id_new(&world.script.credential);
		must_say(keys[i], "acme/two", NULL, "Hi?");
	}
	id_format(&world.script.credential, cred);
	expect_sql("SELECT (count(*), sum(requests), sum(input_tokens))::text"
		   " FROM data.usage_by_caller",
	    "(4,4,400)");
	expect_sql("SELECT (sum(requests), sum(input_tokens))::text FROM"
		   " data.usage_rollups",
	    "(4,400)");
	snprintf(sql, sizeof(sql),
	    "SELECT string_agg(caller_kind || ' ' || requests, ',' ORDER BY"
	    " caller_kind) FROM data.usage_by_caller WHERE credential_id ="
	    " '%s'",
	    cred);
	expect_sql(sql, "api_key 1,widget_key 1,widget_key 1");
	snprintf(sql, sizeof(sql),
	    "SELECT count(*) || ' ' || (SELECT count(*) FROM"
	    " data.agent_usage_log WHERE credential_id IS NULL) FROM"
	    " data.turns WHERE credential_id = '%s'",
	    cred);
	expect_sql(sql, "3 1");
}

static void
a_talk_goes_on(void **state)
{
	char key[132];

	(void)state;
	NEEDS_DB;
	must_say(&world.api, "acme/one", NULL, "one");
	snprintf(key, sizeof(key), "%s", t.turn->session_key);
	must_say(&world.api, "acme/one", key, "two");
	assert_string_equal(t.turn->session_key, key);
	assert_string_equal(world.heard, "<one>Hello there.<two");
	must_say(&world.api, "acme/one", key, "three");
	assert_string_equal(
	    world.heard, "<one>Hello there.<two>Hello there.<three");
	expect_sql("SELECT count(*) FROM data.sessions", "1");
	expect_sql("SELECT requests FROM data.usage_rollups", "3");

	/* another agent hears only what was said to it */
	must_say(&world.api, "acme/two", key, "four");
	assert_string_equal(world.heard, "<four");
	expect_sql("SELECT count(DISTINCT session_id) FROM data.turns", "1");
}

static void
a_name_is_a_session_of_its_account(void **state)
{
	(void)state;
	NEEDS_DB;
	must_say(&world.api, "acme/one", "order-17", "one");
	assert_string_equal(t.turn->session_key, "order-17");
	must_say(&world.api, "acme/one", "order-17", "two");
	assert_string_equal(world.heard, "<one>Hello there.<two");
	must_say(&world.other_api, "globex/one", "order-17", "three");
	assert_string_equal(world.heard, "<three");
	expect_sql("SELECT count(*) FROM data.sessions", "2");
	expect_sql("SELECT count(*) FROM data.session_names", "2");

	assert_int_equal(say(&world.api, "acme/one", "no name!", "x"), -1);
	assert_int_equal(t.e.code, ERR_INVALID);
}

/* Both are in the model at once: so neither saw the other's session. */
static pthread_barrier_t both;

static void
wait_for_both(struct llm_sink *sink)
{
	(void)sink;
	pthread_barrier_wait(&both);
}

static void *
one_of_two(void *arg)
{
	void *ctx = mem_root("thread");
	struct listener l = { .told = "" };
	struct chat_turn *turn;
	struct err e;

	if (world_say(ctx, &world.api, "acme/one", "shared", "hi", &l, &turn,
		&e) == 0)
		*(struct uuid *)arg = turn->session_id;
	mem_free(ctx);
	return NULL;
}

static void
two_first_turns_share_a_session(void **state)
{
	struct uuid session[2] = { { { 0 } } };
	pthread_t thread[2];

	(void)state;
	NEEDS_DB;
	pthread_barrier_init(&both, NULL, 2);
	world.script.meanwhile = wait_for_both;
	for (int i = 0; i < 2; i++)
		pthread_create(&thread[i], NULL, one_of_two, &session[i]);
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	pthread_barrier_destroy(&both);
	assert_false(id_is_nil(&session[0]));
	assert_true(id_eq(&session[0], &session[1]));
	expect_sql("SELECT count(*) FROM data.sessions", "1");
	expect_sql("SELECT count(*) FROM data.turns", "2");
	expect_sql("SELECT sum(requests) FROM data.usage_rollups", "2");
}

/* What the database says of a session whose last turn lies in a journal is not
 * its memory: better no answer for a moment. */
static void
never_without_its_memory(void **state)
{
	char key[132];

	(void)state;
	NEEDS_DB;
	unstored_map(false);
	must_say(&world.api, "acme/one", NULL, "one");
	snprintf(key, sizeof(key), "%s", t.turn->session_key);
	must_say(&world.api, "acme/one", "mine", "one");
	unstored_add(&t.turn->session_id);
	assert_int_equal(say(&world.api, "acme/one", "mine", "two"), -1);
	assert_int_equal(t.e.code, ERR_UNAVAILABLE);
	assert_int_equal(t.e.retry_after, 1);
	must_say(&world.api, "acme/one", key, "two");
	session_key_check(key, &world.api.account_id, &(struct uuid){ 0 },
	    &t.turn->session_id);
	unstored_add(&t.turn->session_id);
	assert_int_equal(say(&world.api, "acme/one", key, "three"), -1);
	(void)unstored_looked(true);
	assert_true(unstored_looked(true));
	must_say(&world.api, "acme/one", "mine", "two");
	assert_string_equal(world.heard, "<one>Hello there.<two");
}

static void
an_idle_session_is_closed(void **state)
{
	char key[132];
	struct uuid named;

	(void)state;
	NEEDS_DB;
	must_say(&world.api, "acme/one", NULL, "one");
	snprintf(key, sizeof(key), "%s", t.turn->session_key);
	must_say(&world.api, "acme/one", "mine", "one");
	named = t.turn->session_id;
	world_sql("UPDATE data.sessions SET last_activity_at ="
		  " last_activity_at - interval '2 hours'");

	must_say(&world.api, "acme/one", key, "two");
	assert_string_not_equal(t.turn->session_key, key);
	assert_string_equal(world.heard, "<two");
	must_say(&world.api, "acme/one", "mine", "two");
	assert_string_equal(t.turn->session_key, "mine");
	assert_false(id_eq(&t.turn->session_id, &named));
	assert_string_equal(world.heard, "<two");
	must_say(&world.api, "acme/one", "mine", "three");
	assert_string_equal(world.heard, "<two>Hello there.<three");
	expect_sql("SELECT count(*) FROM data.sessions", "4");
}

static void
a_widget_has_its_own_sessions_only(void **state)
{
	char ours[132], apis[132];

	(void)state;
	NEEDS_DB;
	must_say(&world.widget, "acme/two", NULL, "one");
	snprintf(ours, sizeof(ours), "%s", t.turn->session_key);
	must_say(&world.widget, "acme/two", ours, "two");
	assert_string_equal(world.heard, "<one>Hello there.<two");
	must_say(&world.api, "acme/two", NULL, "one");
	snprintf(apis, sizeof(apis), "%s", t.turn->session_key);
	must_say(&world.api, "acme/two", "a-name", "one");

	assert_int_equal(say(&world.widget, "acme/two", apis, "x"), -1);
	assert_int_equal(t.e.code, ERR_NOT_FOUND);
	assert_int_equal(say(&world.widget, "acme/two", "a-name", "x"), -1);
	assert_int_equal(t.e.code, ERR_NOT_FOUND);
	assert_int_equal(say(&world.widget, "acme/two", "b\"d!", "x"), -1);
	assert_int_equal(t.e.code, ERR_NOT_FOUND);
	assert_int_equal(say(&world.two_widget, "acme/two", ours, "x"), -1);
	assert_int_equal(t.e.code, ERR_NOT_FOUND);
	assert_int_equal(t.l.opened, 0);
	/* the account's own people may take the talk over */
	must_say(&world.api, "acme/two", ours, "three");
	assert_string_equal(
	    world.heard, "<one>Hello there.<two>Hello there.<three");
	expect_sql("SELECT count(*) FROM data.sessions WHERE widget_key_id"
		   " IS NOT NULL",
	    "1");
	expect_sql("SELECT count(*) FROM data.turns WHERE widget_key_id"
		   " IS NOT NULL",
	    "2");
}

static void
what_is_not_there_looks_the_same(void **state)
{
	static const struct {
		const struct key *key;
		const char *path;
	} cases[] = {
		{ &world.api, "acme/nobody" },
		{ &world.api, "globex/one" },
		{ &world.api, "nothing/one" },
		{ &world.two_widget, "acme/one" },
	};

	(void)state;
	NEEDS_DB;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(
		    say(cases[i].key, cases[i].path, NULL, "x"), -1);
		assert_int_equal(t.e.code, ERR_NOT_FOUND);
		assert_int_equal(t.l.opened, 0);
		assert_false(t.turn->counted);
	}
	expect_sql("SELECT count(*) FROM data.turns", "0");
}

static void
a_failure_is_kept(void **state)
{
	(void)state;
	NEEDS_DB;
	world.script.fails = ERR_UPSTREAM;
	assert_int_equal(say(&world.api, "acme/one", "s", "one"), -1);
	assert_int_equal(t.e.code, ERR_UPSTREAM);
	assert_true(t.turn->durable);
	expect_sql("SELECT (status, finish_reason, error_kind,"
		   " reply_text)::text FROM data.turns",
	    "(failed,error,upstream,\"Hello there.\")");
	expect_sql("SELECT (requests, failed, cancelled)::text"
		   " FROM data.usage_rollups",
	    "(1,1,0)");
	world.script.fails = ERR_NONE;
	must_say(&world.api, "acme/one", "s", "two");
	assert_string_equal(world.heard, "<one>Hello there.<two");

	/* where nothing was said, there is no answer to remember */
	world.script.says[0] = NULL;
	world.script.fails = ERR_TIMEOUT;
	assert_int_equal(say(&world.api, "acme/one", "u", "one"), -1);
	world.script.fails = ERR_NONE;
	must_say(&world.api, "acme/one", "u", "two");
	assert_string_equal(world.heard, "<one<two");
}

static void
a_reader_that_leaves(void **state)
{
	(void)state;
	NEEDS_DB;
	t.l.leaves_after = 1;
	assert_int_equal(say(&world.api, "acme/one", NULL, "one"), -1);
	assert_int_equal(t.e.code, ERR_GONE);
	expect_sql("SELECT (status, finish_reason, error_kind,"
		   " reply_text)::text FROM data.turns",
	    "(cancelled,cancelled,,\"Hello \")");

	/* gone before the model was asked */
	world.heard[0] = '\0';
	t.l.leaves_after = -1;
	assert_int_equal(say(&world.api, "acme/one", NULL, "two"), -1);
	assert_int_equal(t.e.code, ERR_GONE);
	assert_string_equal(world.heard, "");
	expect_sql("SELECT count(*) FROM data.turns WHERE status ="
		   " 'cancelled'",
	    "2");
	expect_sql("SELECT sum(cancelled) FROM data.usage_rollups", "2");
}

static void
stop_it(struct llm_sink *sink)
{
	struct uuid account;

	(void)sink;
	id_parse("00000000-0000-7000-8000-00000000000a", 36, &account);
	assert_true(live_find(&t.turn->id, &account, NULL));
	assert_true(live_cancel(&t.turn->id, &account));
	live_wake_cancelled(); /* what the worker does when it is woken */
}

static void
a_turn_is_stopped(void **state)
{
	(void)state;
	NEEDS_DB;
	world.script.meanwhile = stop_it;
	must_say(&world.api, "acme/one", NULL, "one");
	assert_string_equal(t.turn->status, "cancelled");
	assert_string_equal(t.turn->finish_reason, "cancelled");
	assert_true(t.turn->durable);
	assert_string_equal(t.turn->answer.reply.text.data, "Hello there.");
	expect_sql("SELECT status FROM data.turns", "cancelled");
}

/* How the turn looks to one who asks for it while it runs. */
static char running[512];

static void
look_at_it(struct llm_sink *sink)
{
	const struct account *acme = world_account("acme");
	struct err e = { 0 };
	json_t *turn;

	(void)sink;
	if (chat_turn_get(&world.deps, acme, &world.api, &t.turn->id, NULL,
		clock_mono() + 10 * CLOCK_S, &turn, &e) < 0)
		fail_msg("%s", e.text);
	char *text = json_dumps(turn, JSON_COMPACT);

	snprintf(running, sizeof(running), "%s", text);
	free(text);
	json_decref(turn);
	account_unref(acme);
}

static void
look_when_written_down(struct llm_sink *sink)
{
	int64_t deadline = clock_mono() + 10 * CLOCK_S;

	while (
	    strcmp(world_sql("SELECT count(*) FROM data.turns_open"), "0") == 0)
		assert_true(clock_mono() < deadline);
	look_at_it(sink);
}

static void
expect_running(const char *session)
{
	char turn[UUID_TEXT];

	id_format(&t.turn->id, turn);
	assert_string_equal(
	    running, mem_printf(t.ctx,
			 "{\"turn_id\":\"%s\",\"session_key\":%s,"
			 "\"state\":\"running\",\"reply\":null}",
			 turn, session));
}

static void
a_long_turn_is_written_down(void **state)
{
	(void)state;
	NEEDS_DB;
	world.script.meanwhile = look_at_it;
	must_say(&world.api, "acme/one", "named", "one");
	expect_running("null"); /* too short so far to be written down */

	world.deps.turn_open_after_ms = 30;
	world.script.meanwhile = look_when_written_down;
	must_say(&world.api, "acme/one", "named", "two");
	expect_running("\"named\"");
	expect_sql("SELECT count(*) FROM data.turns_open", "0");
	expect_sql("SELECT count(*) FROM data.turns", "2");
	expect_sql("SELECT count(*) FROM data.sessions", "1");

	/* at once, when so configured */
	world.deps.turn_open_after_ms = 0;
	must_say(&world.api, "acme/one", "named", "three");
	expect_sql("SELECT count(*) FROM data.turns_open", "0");
	expect_sql("SELECT count(*) FROM data.turns", "3");
}

/* The turn's worker is taken for dead while it runs. */
static void
give_up(struct llm_sink *sink)
{
	look_when_written_down(sink);
	world_sql("SELECT gate.worker_gone(worker_id) FROM data.turns_open");
	snprintf(running, sizeof(running), "%s",
	    world_sql("SELECT status || error_kind FROM data.turns"));
}

/* ... and yet tells how it ended: that is what counts, and counts once. */
static void
an_end_that_comes_late(void **state)
{
	(void)state;
	NEEDS_DB;
	world.deps.turn_open_after_ms = 0;
	world.script.meanwhile = give_up;
	must_say(&world.api, "acme/one", NULL, "one");
	assert_string_equal(running, "failedworker-lost");
	expect_sql("SELECT status || reply_text FROM data.turns",
	    "completedHello there.");
	expect_sql("SELECT sum(requests) || ' ' || sum(failed) FROM "
		   "data.usage_rollups",
	    "1 0");
	expect_sql("SELECT count(*) FROM data.turns_open", "0");
}

static void
a_limit_refuses(void **state)
{
	(void)state;
	NEEDS_DB;
	must_say(&world.api, "acme/few", NULL, "one");
	assert_true(t.turn->quota.any);
	assert_int_equal(t.turn->quota.limit, 1);
	assert_int_equal(t.turn->quota.remaining, 0);
	assert_int_equal(say(&world.api, "acme/few", NULL, "two"), -1);
	assert_int_equal(t.e.code, ERR_LIMIT);
	assert_true(t.turn->quota.retry_after_s > 0);
	assert_false(t.turn->counted);
	assert_int_equal(t.l.opened, 0);
	expect_sql("SELECT count(*) FROM data.turns", "1");
}

static void
a_refused_turn_gives_its_place_back(void **state)
{
	const struct account *acme = NULL;
	struct quota_limit limit = { 0, 3600 };
	int64_t before;

	(void)state;
	NEEDS_DB;
	must_say(&world.api, "acme/one", NULL, "one");
	acme = world_account("acme");
	limit.limit = acme->requests_per_hour;
	before = quota_remaining(acme->slot, &limit);
	/* The bucket fills while the test runs, so never fewer than before. */
	for (int i = 0; i < 20; i++) {
		/* an agent's limit is asked beside the account's: both or
		 * none */
		say(&world.api, "acme/few", NULL, "two");
		assert_int_equal(t.e.code, ERR_LIMIT);
		/* a reader gone before the provider was asked costs nothing */
		t.l.leaves_after = -1;
		say(&world.api, "acme/one", NULL, "three");
		assert_int_equal(t.e.code, ERR_GONE);
		t.l.leaves_after = 0;
		must_say(&world.other_api, "globex/one", NULL, "four");
	}
	assert_true(quota_remaining(acme->slot, &limit) >= before);
	account_unref(acme);
}

static void
use_is_noted(void **state)
{
	struct err e = { 0 };

	(void)state;
	NEEDS_DB;
	world_sql("UPDATE control.agent_instances SET last_used_at = NULL");
	chat_used_flush(world.deps.db, clock_mono() + 5 * CLOCK_S, &e);
	world_sql("UPDATE control.agent_instances SET last_used_at = NULL");
	must_say(&world.api, "acme/two", NULL, "one");
	must_say(&world.api, "acme/two", NULL, "two");
	must_say(&world.other_api, "globex/one", NULL, "one");
	if (chat_used_flush(world.deps.db, clock_mono() + 5 * CLOCK_S, &e) < 0)
		fail_msg("%s", e.text);
	expect_sql("SELECT string_agg(right(id::text, 2), ',' ORDER BY id)"
		   " FROM control.agent_instances WHERE last_used_at IS NOT"
		   " NULL",
	    "a2,b1");
	assert_int_equal(
	    chat_used_flush(world.deps.db, clock_mono() + 5 * CLOCK_S, &e), 0);
}

static void
an_email_is_a_note(void **state)
{
	struct chat_ask ask = { .key = &world.api,
		.slug = "acme",
		.agent_type = "sales",
		.agent_name = "one",
		.message = "hi",
		.message_len = 2,
		.session_key = "with-mail",
		.email = "a@b.test",
		.request_id = "r",
		.trace_id = "t",
		.stream = true,
		.on_disconnect = 'f' };

	(void)state;
	NEEDS_DB;
	must_say(&world.api, "acme/one", "with-mail", "one");
	json_auto_t *metadata = json_pack("{s:s}", "page", "/x");

	ask.metadata = metadata;
	t.l.leaves_after = 1; /* and finishes all the same */
	assert_int_equal(
	    chat_turn_run(&world.deps, &ask, &t.l.sink, t.ctx, &t.turn, &t.e),
	    0);
	expect_sql("SELECT (email, is_anonymous)::text FROM data.sessions",
	    "(a@b.test,f)");
	expect_sql("SELECT (status, reply_text, channel, metadata)::text FROM"
		   " data.turns WHERE channel = 'stream'",
	    "(completed,\"Hello there.\",stream,\"{\"\"page\"\": "
	    "\"\"/x\"\"}\")");
	ask.metadata = NULL;
}

int
main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		CASE(a_turn_is_written_exactly),
		CASE(callers_are_counted),
		CASE(a_talk_goes_on),
		CASE(a_name_is_a_session_of_its_account),
		CASE(two_first_turns_share_a_session),
		CASE(never_without_its_memory),
		CASE(an_idle_session_is_closed),
		CASE(a_widget_has_its_own_sessions_only),
		CASE(what_is_not_there_looks_the_same),
		CASE(a_failure_is_kept),
		CASE(a_reader_that_leaves),
		CASE(a_turn_is_stopped),
		CASE(a_long_turn_is_written_down),
		CASE(an_end_that_comes_late),
		CASE(a_limit_refuses),
		CASE(a_refused_turn_gives_its_place_back),
		CASE(use_is_noted),
		CASE(an_email_is_a_note),
	};
	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
