/* Turns, messages and feedback as their readers see them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "chat/session.h"
#include "unit/chat/world.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

#define WAIT (clock_mono() + 5 * CLOCK_S)
#define NEEDS_DB                                                               \
	do {                                                                   \
		if (!world.deps.db)                                            \
			skip();                                                \
	} while (0)

static struct {
	void *ctx;
	const struct account *acme, *globex;
	struct uuid turn[3], reply[3];
	char key[132]; /* of the widget's session with three turns */
} t;

static int
all_begin(void **state)
{
	struct listener l = { .told = "" };
	struct chat_turn *turn;
	struct err e;

	(void)state;
	if (!world_begin())
		return 0;
	t.ctx = mem_root("test");
	t.acme = world_account("acme");
	t.globex = world_account("globex");
	for (int i = 0; i < 3; i++) {
		static const char *const asked[] = { "one", "two", "three" };

		world.script = (struct script){ .says = { asked[i], "!" },
			.usage = { .input = 10, .output = 2 },
			.fails = i == 2 ? ERR_TIMEOUT : ERR_NONE };
		world_say(t.ctx, &world.widget, "acme/one",
		    i == 0 ? NULL : t.key, asked[i], &l, &turn, &e);
		assert_true(turn->durable);
		snprintf(t.key, sizeof(t.key), "%s", turn->session_key);
		t.turn[i] = turn->id;
		t.reply[i] = turn->reply_id;
	}
	return 0;
}

static int
all_end(void **state)
{
	(void)state;
	if (t.acme)
		account_unref(t.acme);
	if (t.globex)
		account_unref(t.globex);
	mem_free(t.ctx);
	world_end();
	return 0;
}

static enum err_code
get(const struct account *account, const struct key *key,
    const struct uuid *turn, const char *session, json_t **ret)
{
	struct err e = { 0 };

	chat_turn_get(&world.deps, account, key, turn, session, WAIT, ret, &e);
	return e.code;
}

static const char *
text_of(const json_t *o, const char *name)
{
	return json_string_value(json_object_get(o, name));
}

static void
a_stored_turn_is_told(void **state)
{
	json_t *turn;

	(void)state;
	NEEDS_DB;
	assert_int_equal(
	    get(t.acme, &world.api, &t.turn[0], NULL, &turn), ERR_NONE);
	assert_string_equal(text_of(turn, "state"), "completed");
	assert_string_equal(text_of(turn, "reply"), "one!");
	assert_string_equal(text_of(turn, "session_key"), t.key);
	assert_string_equal(text_of(turn, "finish_reason"), "stop");
	assert_string_equal(
	    text_of(json_object_get(turn, "agent"), "name"), "one");
	json_t *usage = json_object_get(turn, "usage");

	assert_int_equal(
	    json_integer_value(json_object_get(usage, "input_tokens")), 10);
	assert_true(
	    json_real_value(json_object_get(usage, "cost_usd")) > 0.0000139);
	assert_true(
	    json_real_value(json_object_get(usage, "cost_usd")) < 0.0000141);
	json_decref(turn);

	assert_int_equal(
	    get(t.acme, &world.api, &t.turn[2], NULL, &turn), ERR_NONE);
	assert_string_equal(text_of(turn, "state"), "failed");
	assert_string_equal(text_of(turn, "error"), "timeout");
	json_decref(turn);
}

static void
only_its_own_may_see_it(void **state)
{
	const struct uuid nothing = { { 1 } };
	json_t *turn;

	(void)state;
	NEEDS_DB;
	assert_int_equal(
	    get(t.acme, &world.widget, &t.turn[0], NULL, &turn), ERR_NONE);
	json_decref(turn);
	assert_int_equal(
	    get(t.acme, &world.widget, &t.turn[0], t.key, &turn), ERR_NONE);
	json_decref(turn);
	assert_int_equal(get(t.acme, &world.widget, &t.turn[0], "s_x", &turn),
	    ERR_NOT_FOUND);
	assert_int_equal(
	    get(t.acme, &world.two_widget, &t.turn[0], NULL, &turn),
	    ERR_NOT_FOUND);
	assert_int_equal(
	    get(t.globex, &world.other_api, &t.turn[0], NULL, &turn),
	    ERR_NOT_FOUND);
	assert_int_equal(
	    get(t.acme, &world.api, &nothing, NULL, &turn), ERR_NOT_FOUND);
}

static void
an_ended_turn_is_left_as_it_is(void **state)
{
	struct err e = { 0 };
	json_t *turn;
	bool asked = true;

	(void)state;
	NEEDS_DB;
	assert_int_equal(chat_turn_stop(&world.deps, t.acme, &world.widget,
			     &t.turn[0], NULL, WAIT, &turn, &asked, &e),
	    0);
	assert_false(asked);
	assert_string_equal(text_of(turn, "state"), "completed");
	json_decref(turn);
	assert_int_equal(chat_turn_stop(&world.deps, t.acme, &world.two_widget,
			     &t.turn[0], NULL, WAIT, &turn, &asked, &e),
	    -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
}

/* Contents from ${after} on, ${limit} a page, as one text. */
static void
expect_pages(
    const struct key *key, const char *session, int limit, const char *contents)
{
	char all[512] = "";
	struct uuid after;
	bool more = false;

	do {
		struct err e = { 0 };
		json_t *page, *m;
		size_t i;

		if (chat_messages_list(&world.deps, t.acme, key, session, limit,
			more ? &after : NULL, WAIT, &page, &e) < 0)
			fail_msg("%s", e.text);
		assert_true((int)json_array_size(
				json_object_get(page, "data")) <= limit);
		json_array_foreach(json_object_get(page, "data"), i, m)
		{
			size_t at = strlen(all);

			snprintf(all + at, sizeof(all) - at, "%s%s",
			    strcmp(text_of(m, "role"), "user") == 0 ? "<" : ">",
			    text_of(m, "content"));
		}
		const char *next = text_of(page, "next");

		snprintf(all + strlen(all), sizeof(all) - strlen(all), "|");
		more = next != NULL;
		if (more)
			assert_int_equal(id_parse(next, 36, &after), 0);
		json_decref(page);
	} while (more);
	assert_string_equal(all, contents);
}

static void
messages_come_in_pages(void **state)
{
	(void)state;
	NEEDS_DB;
	expect_pages(
	    &world.widget, t.key, 50, "<one>one!<two>two!<three>three!|");
	expect_pages(
	    &world.widget, t.key, 6, "<one>one!<two>two!<three>three!|");
	expect_pages(&world.api, t.key, 5, "<one>one!<two>two!<three|>three!|");
	expect_pages(
	    &world.api, t.key, 2, "<one>one!|<two>two!|<three>three!|");
	expect_pages(
	    &world.api, t.key, 1, "<one|>one!|<two|>two!|<three|>three!|");
}

static void
messages_are_their_sessions_own(void **state)
{
	struct err e = { 0 };
	json_t *page;

	(void)state;
	NEEDS_DB;
	assert_int_equal(
	    chat_messages_list(&world.deps, t.acme, &world.two_widget, t.key,
		10, NULL, WAIT, &page, &e),
	    -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	assert_int_equal(
	    chat_messages_list(&world.deps, t.globex, &world.other_api, t.key,
		10, NULL, WAIT, &page, &e),
	    -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	assert_int_equal(chat_messages_list(&world.deps, t.acme, &world.api,
			     "unknown-name", 10, NULL, WAIT, &page, &e),
	    -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	assert_int_equal(chat_messages_list(&world.deps, t.acme, &world.api,
			     t.key, 10, &t.turn[0], WAIT, &page, &e),
	    -1);
	assert_int_equal(e.code, ERR_INVALID);
}

static enum err_code
judge(const struct key *key, const struct uuid *message, int rating,
    const char *comment, bool *first)
{
	struct err e = { 0 };

	chat_feedback(&world.deps, key == &world.other_api ? t.globex : t.acme,
	    key, t.key, message, rating, comment, WAIT, first, &e);
	return e.code;
}

static void
the_last_word_counts(void **state)
{
	struct uuid user;
	bool first = false;

	(void)state;
	NEEDS_DB;
	assert_int_equal(
	    judge(&world.widget, &t.reply[0], -1, "hm", &first), ERR_NONE);
	assert_true(first);
	assert_int_equal(
	    judge(&world.api, &t.reply[0], 1, NULL, &first), ERR_NONE);
	assert_false(first);
	assert_string_equal(
	    world_sql("SELECT (rating, comment)::text FROM data.feedback"),
	    "(1,)");
	id_user_message(&t.turn[0], &user);
	assert_int_equal(
	    judge(&world.widget, &user, 1, NULL, &first), ERR_NOT_FOUND);
	assert_int_equal(judge(&world.two_widget, &t.reply[1], 1, NULL, &first),
	    ERR_NOT_FOUND);
	assert_int_equal(judge(&world.other_api, &t.reply[1], 1, NULL, &first),
	    ERR_NOT_FOUND);
	assert_string_equal(
	    world_sql("SELECT count(*) FROM data.feedback"), "1");

	struct err e = { 0 };
	json_t *page;

	assert_int_equal(chat_messages_list(&world.deps, t.acme, &world.api,
			     t.key, 2, NULL, WAIT, &page, &e),
	    0);
	assert_int_equal(
	    json_integer_value(json_object_get(
		json_array_get(json_object_get(page, "data"), 1), "rating")),
	    1);
	json_decref(page);
}

/* Row security holds even where a query forgets the account. */
static void
another_account_sees_no_row(void **state)
{
	static const char *const tables[] = { "sessions", "session_names",
		"turns", "turns_open", "messages", "agent_usage_log",
		"agent_performance_metrics", "feedback", "products", "chunks" };

	(void)state;
	NEEDS_DB;
	for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++) {
		char sql[400];

		snprintf(sql, sizeof(sql),
		    "BEGIN; SET LOCAL ROLE sb_chat; SET LOCAL app.account_id ="
		    " '00000000-0000-7000-8000-00000000000b';"
		    " SELECT count(*) FROM data.%s",
		    tables[i]);
		assert_string_equal(world_sql(sql), "0");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stored_turn_is_told),
		cmocka_unit_test(only_its_own_may_see_it),
		cmocka_unit_test(an_ended_turn_is_left_as_it_is),
		cmocka_unit_test(messages_come_in_pages),
		cmocka_unit_test(messages_are_their_sessions_own),
		cmocka_unit_test(the_last_word_counts),
		cmocka_unit_test(another_account_sees_no_row),
	};
	return cmocka_run_group_tests(tests, all_begin, all_end);
}
