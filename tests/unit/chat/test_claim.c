/* Idempotency keys: one turn for each, in a real PostgreSQL. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "shm/procs.h"
#include "unit/chat/world.h"
#include "util/clock.h"
#include "util/json.h"
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
say(const char *key, const char *message)
{
	memset(&t.l, 0, offsetof(struct listener, leaves_after));
	t.l.key = key;
	return world_say(
	    t.ctx, &world.api, "acme/one", NULL, message, &t.l, &t.turn, &t.e);
}

static void
must_say(const char *key, const char *message)
{
	if (say(key, message) < 0)
		fail_msg("%s: %s", t.turn->step, t.e.text);
}

static void
expect_sql(const char *sql, const char *value)
{
	assert_string_equal(world_sql(sql), value);
}

/* What is posted without waiting is stored a moment later. */
static void
expect_sql_soon(const char *sql, const char *value)
{
	int64_t deadline = clock_mono() + 10 * CLOCK_S;

	while (strcmp(world_sql(sql), value) != 0)
		if (clock_mono() >= deadline)
			fail_msg("%s: %s", sql, world_sql(sql));
}

static char *
text_of(json_t *reply)
{
	struct buf b;

	buf_init(&b, t.ctx, 65536);
	json_write(&b, reply);
	return b.data;
}

static void
the_second_gets_the_first_ones_answer(void **state)
{
	(void)state;
	NEEDS_DB;
	must_say("plainly visible", "Hi?");
	assert_null(t.turn->replay);
	assert_int_equal(t.l.opened, 1);
	struct buf first;

	buf_init(&first, t.ctx, 65536);
	chat_turn_write(&first, t.turn, true);

	world.script = (struct script){ .says = { "Something else" } };
	for (int i = 0; i < 3; i++) {
		must_say("plainly visible", "Hi?");
		assert_non_null(t.turn->replay);
		assert_int_equal(t.l.opened, 0);
		assert_false(t.turn->counted);
		assert_string_equal(text_of(t.turn->replay), first.data);
	}
	must_say("k2", "Hi?");
	assert_null(t.turn->replay);
	must_say(NULL, "Hi?");
	expect_sql("SELECT count(*) FROM data.turns", "3");
	expect_sql("SELECT sum(requests) FROM data.usage_rollups", "3");
	/* what was said stands in one place only, and no key in clear */
	expect_sql("SELECT count(*) FROM data.idempotency_keys WHERE"
		   " row_to_json(idempotency_keys)::text LIKE '%there%' OR"
		   " row_to_json(idempotency_keys)::text LIKE '%visible%'",
	    "0");
}

static void
another_question_is_refused(void **state)
{
	(void)state;
	NEEDS_DB;
	must_say("k1", "Hi?");
	assert_int_equal(say("k1", "Ho?"), -1);
	assert_int_equal(t.e.code, ERR_INVALID);
	assert_string_equal(t.e.kind, "idempotency-key-reused");
	expect_sql("SELECT count(*) FROM data.turns", "1");
}

static void *
one_of_many(void *arg)
{
	void *ctx = mem_root("thread");
	struct listener l = { .told = "", .key = "shared" };
	struct chat_turn *turn;
	struct err e;

	(void)arg;
	if (world_say(ctx, &world.api, "acme/one", NULL, "Hi?", &l, &turn, &e) <
	    0)
		print_error("%s\n", e.text);
	intptr_t ran = turn->replay ? 0 : 1;

	mem_free(ctx);
	return (void *)ran;
}

static void
sleep_awhile(struct llm_sink *sink)
{
	int64_t until = clock_mono() + 100 * CLOCK_MS;

	(void)sink;
	while (clock_mono() < until)
		;
}

static void
of_many_at_once_one_runs(void **state)
{
	pthread_t thread[12];
	intptr_t ran = 0;
	void *got;

	(void)state;
	NEEDS_DB;
	world.script.meanwhile = sleep_awhile;
	for (int i = 0; i < 12; i++)
		pthread_create(&thread[i], NULL, one_of_many, NULL);
	for (int i = 0; i < 12; i++) {
		pthread_join(thread[i], &got);
		ran += (intptr_t)got;
	}
	assert_int_equal(ran, 1);
	expect_sql("SELECT count(*) || status FROM data.turns GROUP BY status",
	    "1completed");
}

static void
a_failure_gives_the_key_back(void **state)
{
	(void)state;
	NEEDS_DB;
	world.script.fails = ERR_UPSTREAM;
	assert_int_equal(say("k1", "Hi?"), -1);
	assert_int_equal(t.e.code, ERR_UPSTREAM);
	expect_sql("SELECT count(*) FROM data.idempotency_keys", "0");
	world.script.fails = ERR_NONE;
	must_say("k1", "Hi?");
	assert_null(t.turn->replay);
	expect_sql("SELECT string_agg(status, ' ' ORDER BY id) FROM data.turns",
	    "failed completed");
}

static void
a_refusal_gives_the_key_back(void **state)
{
	(void)state;
	NEEDS_DB;
	/* the session key is looked at after the claim */
	world_sql("ALTER TABLE data.session_names RENAME TO elsewhere");
	t.l.key = "k1";
	assert_int_equal(world_say(t.ctx, &world.api, "acme/one", "named",
			     "Hi?", &t.l, &t.turn, &t.e),
	    -1);
	world_sql("ALTER TABLE data.elsewhere RENAME TO session_names");
	assert_int_equal(t.l.opened, 0);
	expect_sql_soon("SELECT count(*) FROM data.idempotency_keys", "0");
	must_say("k1", "Hi?");
}

static void
who_leaves_gives_the_key_back(void **state)
{
	(void)state;
	NEEDS_DB;
	t.l.leaves_after = -1;
	assert_int_equal(say("k1", "Hi?"), -1);
	assert_int_equal(t.e.code, ERR_GONE);
	expect_sql("SELECT count(*) FROM data.idempotency_keys", "0");
	t.l.leaves_after = 0;
	must_say("k1", "Hi?");
	assert_null(t.turn->replay);
}

/* He is waited for, and this turn has ended by then. */
static void
who_comes_back_soon_gets_his_answer(void **state)
{
	(void)state;
	NEEDS_DB;
	t.l.leaves_after = 1;
	must_say("k1", "Hi?");
	assert_string_equal(t.turn->status, "completed");
	t.l.leaves_after = 0;
	must_say("k1", "Hi?");
	assert_non_null(t.turn->replay);
	expect_sql("SELECT count(*) FROM data.turns", "1");
}

/* The row of somebody on another host, who never answers. */
static void
waiting_has_an_end(void **state)
{
	int total = world.deps.total_ms;
	int64_t began;

	(void)state;
	NEEDS_DB;
	must_say("k1", "Hi?");
	world_sql("UPDATE data.idempotency_keys SET answer = NULL");
	began = clock_mono();
	world.deps.total_ms = 300;
	assert_int_equal(say("k1", "Hi?"), -1);
	world.deps.total_ms = total;
	assert_true(clock_mono() - began >= 300 * CLOCK_MS);
	assert_int_equal(t.e.code, ERR_CONFLICT);
	assert_string_equal(t.e.kind, "idempotency-key-in-use");
	assert_true(t.e.retry_after > 0);
	expect_sql("SELECT count(*) FROM data.idempotency_keys", "1");
}

static void
a_day_later_nobody_remembers(void **state)
{
	(void)state;
	NEEDS_DB;
	must_say("k1", "Hi?");
	world_sql("UPDATE data.idempotency_keys SET created_at = now() -"
		  " interval '24 hours 1 second'");
	must_say("k1", "Ho?");
	assert_null(t.turn->replay);
	must_say("k1", "Ho?");
	assert_non_null(t.turn->replay);
	expect_sql("SELECT count(*) || ' ' || count(answer) FROM"
		   " data.idempotency_keys",
	    "1 1");
}

/* While it runs, its worker is taken for dead. */
static void
declare_dead(struct llm_sink *sink)
{
	char id[UUID_TEXT];

	(void)sink;
	expect_sql_soon("SELECT count(*) FROM data.turns_open", "1");
	id_format(&procs_self()->id, id);
	world_sql(mem_printf(t.ctx, "SELECT gate.worker_gone('%s')", id));
	expect_sql("SELECT status FROM data.turns", "failed");
	expect_sql("SELECT count(*) FROM data.idempotency_keys", "0");
}

/* Its end is true all the same, and whoever asks again gets it. */
static void
a_turn_outlives_its_obituary(void **state)
{
	(void)state;
	NEEDS_DB;
	world.script.meanwhile = declare_dead;
	must_say("k1", "Hi?");
	expect_sql("SELECT status || reply_text FROM data.turns",
	    "completedHello there.");
	expect_sql("SELECT count(*) FROM data.turns_open", "0");
	expect_sql("SELECT sum(requests) || ' ' || sum(failed) FROM"
		   " data.usage_rollups",
	    "1 0");
	world.script.meanwhile = NULL;
	must_say("k1", "Hi?");
	assert_non_null(t.turn->replay);
	assert_int_equal(say("k1", "Ho?"), -1);
	assert_string_equal(t.e.kind, "idempotency-key-reused");
}

/* And somebody else has its key. */
static void
take_its_key(struct llm_sink *sink)
{
	(void)sink;
	world_sql("UPDATE data.idempotency_keys SET turn_id ="
		  " '00000000-0000-7000-8000-000000000001'");
}

static void
a_turn_without_its_key_is_no_second_answer(void **state)
{
	(void)state;
	NEEDS_DB;
	world.script.meanwhile = take_its_key;
	say("k1", "Hi?");
	expect_sql("SELECT status || finish_reason || error_kind || reply_text"
		   " FROM data.turns",
	    "failederrorsupersededHello there.");
	expect_sql("SELECT turn_id || coalesce(answer, ' none') FROM"
		   " data.idempotency_keys",
	    "00000000-0000-7000-8000-000000000001 none");
}

static void
widgets_are_told_apart(void **state)
{
	char session[132];

	(void)state;
	NEEDS_DB;
	t.l.key = "1";
	assert_int_equal(world_say(t.ctx, &world.widget, "acme/one", NULL,
			     "Hi?", &t.l, &t.turn, &t.e),
	    0);
	snprintf(session, sizeof(session), "%s", t.turn->session_key);
	/* the same visitor goes on, and asks the same */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(world_say(t.ctx, &world.widget, "acme/one",
				     session, "Hi?", &t.l, &t.turn, &t.e),
		    0);
		assert_int_equal(t.turn->replay != NULL, i);
	}
	/* and another kind of caller */
	must_say("1", "Hi?");
	assert_null(t.turn->replay);
	expect_sql("SELECT count(*) FROM data.turns", "3");
}

int
main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		CASE(the_second_gets_the_first_ones_answer),
		CASE(another_question_is_refused),
		CASE(of_many_at_once_one_runs),
		CASE(a_failure_gives_the_key_back),
		CASE(a_refusal_gives_the_key_back),
		CASE(who_leaves_gives_the_key_back),
		CASE(who_comes_back_soon_gets_his_answer),
		CASE(a_turn_outlives_its_obituary),
		CASE(a_turn_without_its_key_is_no_second_answer),
		CASE(waiting_has_an_end),
		CASE(a_day_later_nobody_remembers),
		CASE(widgets_are_told_apart),
	};
	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
