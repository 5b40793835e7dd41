/* Turns with the built-in model: what it finds it cites, all the way to the
 * rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "unit/chat/world.h"
#include "util/mem.h"

#include "util/banned.h"

static struct {
	void *ctx;
	struct chat_turn *turn;
	struct listener l;
	struct err e;
} t;

static int
begin(void **state)
{
	(void)state;
	t.ctx = mem_root("test");
	if (!world_begin())
		return 0;
	world_sql("UPDATE control.agent_instances SET configuration ="
		  " '{\"model_override\": \"builtin:concierge\"}';"
		  "INSERT INTO data.products (account_id, id, name,"
		  " description, price_text, url) VALUES"
		  " ('00000000-0000-7000-8000-00000000000a',"
		  " gen_random_uuid(), 'CardioCheck blood pressure monitor',"
		  " 'Upper-arm monitor with a large display.', '89 USD',"
		  " 'https://acme.test/bp'),"
		  " ('00000000-0000-7000-8000-00000000000b',"
		  " gen_random_uuid(), 'Globex blood pressure widget',"
		  " 'Theirs alone.', '1 USD', NULL)");
	return 0;
}

static int
end(void **state)
{
	(void)state;
	mem_free(t.ctx);
	world_end();
	return 0;
}

static void
say(const char *session, const char *message)
{
	memset(&t.l, 0, sizeof(t.l));
	if (world_say(t.ctx, &world.api, "acme/one", session, message, &t.l,
		&t.turn, &t.e) < 0)
		fail_msg("%s: %s", t.turn->step, t.e.text);
	assert_string_equal(t.turn->status, "completed");
	assert_string_equal(t.l.told, t.turn->answer.reply.text.data);
	assert_string_equal(t.turn->model, "builtin:concierge");
	assert_null(strstr(t.l.told, "Globex"));
}

static const char *
cited(void)
{
	const char *title = json_string_value(json_object_get(
	    json_array_get(t.turn->answer.citations, 0), "title"));

	return title ? title : "";
}

static void
what_is_known_is_cited(void **state)
{
	(void)state;
	if (!world.deps.db)
		skip();
	say("talk", "Do you have a blood pressure monitor?");
	assert_non_null(strstr(t.l.told, "CardioCheck"));
	assert_string_equal(cited(), "CardioCheck blood pressure monitor");
	assert_string_equal(
	    world_sql("SELECT citations -> 0 ->> 'url' FROM data.turns"),
	    "https://acme.test/bp");
	/* what "it" is stands in the turn before */
	say("talk", "How much is it?");
	assert_non_null(strstr(t.l.told, "89 USD"));
	assert_string_equal(cited(), "CardioCheck blood pressure monitor");
}

static void
what_is_not_known_is_said(void **state)
{
	(void)state;
	if (!world.deps.db)
		skip();
	say(NULL, "Who won the football match yesterday?");
	assert_string_equal(cited(), "");
	assert_true(strlen(t.l.told) > 0);
	say(NULL, "Hello!");
	assert_string_equal(cited(), "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_known_is_cited),
		cmocka_unit_test(what_is_not_known_is_said),
	};
	return cmocka_run_group_tests(tests, begin, end);
}
