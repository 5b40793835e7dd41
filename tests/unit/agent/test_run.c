/*
 * The loop of an agent, with a model and a catalogue that follow a script:
 * both are defined here and take the place of the libraries' own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "account/account.h"
#include "agent/run.h"
#include "agent/spec.h"
#include "knowledge/search.h"
#include "util/json.h"
#include "util/mem.h"

#include "util/banned.h"

/* What the model does, round by round. */
struct round {
	const char *says;
	const char *tool, *arguments; /* one call, or none */
	enum llm_finish finish;
	enum err_code fails;
};

static struct {
	const struct round *script;
	int rounds, asked;
	char seen[8][4096]; /* the talk of each round as one text */
	char instructions[8][4096];
	bool tools[8];
	char queries[8][256];
	int searches;
	enum err_code search_fails;
} fake;

int
gateway_complete(struct gateway *g, const struct account *a,
    const struct llm_request *rq, struct llm_sink *sink, const void *ctx,
    struct llm_reply *reply, struct gateway_story *story, struct err *e)
{
	const struct round *r = &fake.script[fake.asked];
	char *seen = fake.seen[fake.asked];

	(void)g, (void)a, (void)story;
	assert_true(fake.asked < fake.rounds);
	seen[0] = '\0';
	for (int i = 0; i < rq->nmessages; i++) {
		size_t at = strlen(seen);

		snprintf(seen + at, sizeof(fake.seen[0]) - at, "%d:%s%s\n",
		    rq->messages[i].role,
		    rq->messages[i].text ? rq->messages[i].text : "-",
		    rq->messages[i].is_error ? "!" : "");
	}
	snprintf(fake.instructions[fake.asked], sizeof(fake.instructions[0]),
	    "%s", rq->system);
	fake.tools[fake.asked++] = json_array_size(rq->tools) > 0;

	buf_init(&reply->text, ctx, 4096);
	snprintf(reply->model, sizeof(reply->model), "fake:%d", fake.asked);
	reply->usage = (struct llm_usage){ .input = 10,
		.cached = 1,
		.output = 5,
		.estimated = fake.asked == 2 };
	reply->attempts = 1;
	reply->finish = r->finish;
	if (r->says) {
		buf_adds(&reply->text, r->says);
		if (sink->text(sink, r->says, strlen(r->says)) < 0) {
			reply->finish = LLM_CANCELLED;
			return err_set(e, ERR_GONE, "gone");
		}
	}
	if (r->tool) {
		reply->calls = mem_array(ctx, struct llm_tool_call, 1);
		reply->calls[0].id = mem_printf(ctx, "c%d", fake.asked);
		reply->calls[0].name = mem_strdup(ctx, r->tool);
		reply->calls[0].arguments = mem_strdup(ctx, r->arguments);
		reply->ncalls = 1;
	}
	return r->fails ? err_set(e, r->fails, "scripted") : 0;
}

int
knowledge_search(struct knowledge *k, const struct knowledge_ask *ask,
    int64_t deadline, const void *ctx, struct hit **ret, int *n, struct err *e)
{
	static const char *const titles[] = { "CardioCheck", "GlucoTrack",
		"Gloves" };
	(void)k, (void)deadline;
	snprintf(fake.queries[fake.searches], sizeof(fake.queries[0]), "%s/%d",
	    ask->question, ask->limit);
	fake.searches++;
	if (fake.search_fails)
		return err_set(e, fake.search_fails, "no database");
	*ret = mem_array(ctx, struct hit, 3);
	*n = 0;
	for (int i = 0; i < 3; i++) {
		if (!strstr(ask->question, titles[i]))
			continue;
		(*ret)[*n].kind = "product";
		(*ret)[*n].id.b[15] = (uint8_t)i;
		(*ret)[*n].title = titles[i];
		(*ret)[(*n)++].text = "about it";
	}
	return 0;
}

/* A reader that writes down what it is told. */
struct reader {
	struct agent_sink agent;
	char told[4096];
	int leaves_after; /* events; 0 never */
	int events;
};

static int
hear(struct reader *r, const char *what)
{
	size_t at = strlen(r->told);

	snprintf(r->told + at, sizeof(r->told) - at, "%s", what);
	return ++r->events == r->leaves_after ? -1 : 0;
}

static int
on_text(struct llm_sink *s, const char *piece, size_t len)
{
	char text[1024];

	snprintf(text, sizeof(text), "%.*s", (int)len, piece);
	return hear((struct reader *)s, text);
}

static int
on_call(struct agent_sink *s, const char *id, const char *name,
    const char *arguments)
{
	char text[1024];

	snprintf(text, sizeof(text), "{%s %s %s}", id, name, arguments);
	return hear((struct reader *)s, text);
}

static int
on_result(struct agent_sink *s, const char *id, const char *name, bool ok,
    const char *summary)
{
	char text[1024];

	(void)name;
	snprintf(
	    text, sizeof(text), "{%s %s %s}", id, ok ? "ok" : "bad", summary);
	return hear((struct reader *)s, text);
}

static struct {
	void *ctx;
	struct agent_spec spec;
	struct spec_tool tool;
	struct account account;
	struct agent_deps deps;
	struct agent_ask ask;
	struct reader reader;
	struct agent_answer out;
	struct err e;
} t;

static int
run(const struct round *script, int rounds, const char *message)
{
	fake.script = script;
	fake.rounds = rounds;
	t.ask.message = message;
	return agent_run(&t.deps, &t.ask, &t.reader.agent, t.ctx, &t.out, &t.e);
}

static int
begin(void **state)
{
	(void)state;
	memset(&fake, 0, sizeof(fake));
	memset(&t, 0, sizeof(t));
	t.ctx = mem_root("test");
	t.tool.name = mem_strdup(t.ctx, "product_search");
	t.tool.available = true;
	t.tool.settings = json_pack("{s:i}", "max_results", 7);
	t.spec.system_prompt = mem_strdup(t.ctx, "You sell.");
	t.spec.search_results = 4;
	t.spec.tools = &t.tool;
	t.spec.ntools = 1;
	t.deps.tool_rounds = 2;
	t.ask.account = &t.account;
	t.ask.spec = &t.spec;
	t.ask.model = "fake:x";
	t.reader.agent.llm.text = on_text;
	t.reader.agent.llm.gone_fd = -1;
	t.reader.agent.tool_call = on_call;
	t.reader.agent.tool_result = on_result;
	return 0;
}

static int
end(void **state)
{
	(void)state;
	json_decref(t.out.tool_calls);
	json_decref(t.out.tool_offsets);
	json_decref(t.out.citations);
	json_decref(t.tool.settings);
	mem_free(t.ctx);
	return 0;
}

static void
one_round(void **state)
{
	const struct round script[] = { { .says = "It is good [1]." } };

	(void)state;
	assert_int_equal(run(script, 1, "Tell me of the CardioCheck"), 0);
	assert_string_equal(fake.queries[0], "Tell me of the CardioCheck/4");
	assert_int_equal(fake.searches, 1);
	assert_string_equal(fake.seen[0], "0:Tell me of the CardioCheck\n");
	assert_non_null(strstr(fake.instructions[0], "You sell."));
	assert_non_null(strstr(fake.instructions[0], "title=\"CardioCheck\""));
	assert_true(fake.tools[0]);
	assert_string_equal(t.reader.told, "It is good [1].");
	assert_string_equal(t.out.reply.text.data, "It is good [1].");
	assert_string_equal(t.out.reply.model, "fake:1");
	assert_int_equal(t.out.reply.finish, LLM_STOP);
	assert_true(t.out.reply.first_token_ns > 0);
	assert_int_equal(json_array_size(t.out.citations), 1);
	assert_int_equal(json_array_size(t.out.tool_calls), 0);
	assert_int_equal(t.out.steps, 1);
}

static void
a_tool_and_its_answer(void **state)
{
	const struct round script[] = {
		{ .says = "Let me look.",
		    .tool = "product_search",
		    .arguments = "{\"query\":\"GlucoTrack CardioCheck\"}",
		    .finish = LLM_TOOL_CALLS },
		{ .says = "Here [2]." },
	};

	(void)state;
	assert_int_equal(run(script, 2, "CardioCheck or another?"), 0);
	assert_string_equal(fake.queries[1], "GlucoTrack CardioCheck/7");
	assert_string_equal(t.reader.told,
	    "Let me look.{c1 product_search "
	    "{\"query\":\"GlucoTrack CardioCheck\"}}{c1 ok 2 passages}\n\n"
	    "Here [2].");
	assert_string_equal(t.out.reply.text.data, "Let me look.\n\nHere [2].");
	/* what is known keeps its number; the instructions never change */
	assert_non_null(
	    strstr(fake.seen[1], "2:<passage n=\"1\" title=\"CardioCheck\">"));
	assert_non_null(
	    strstr(fake.seen[1], "<passage n=\"2\" title=\"GlucoTrack\">"));
	assert_non_null(strstr(fake.seen[1], "1:Let me look.\n"));
	assert_string_equal(fake.instructions[0], fake.instructions[1]);

	assert_int_equal(t.out.reply.usage.input, 20);
	assert_int_equal(t.out.reply.usage.cached, 2);
	assert_int_equal(t.out.reply.usage.output, 10);
	assert_true(t.out.reply.usage.estimated);
	assert_int_equal(t.out.reply.attempts, 2);
	assert_int_equal(t.out.steps, 2);

	json_t *call = json_array_get(t.out.tool_calls, 0);

	assert_true(json_is_object(json_object_get(call, "arguments")));
	assert_true(json_is_true(json_object_get(call, "ok")));
	assert_string_equal(json_string_value(json_object_get(
				json_array_get(t.out.citations, 0), "title")),
	    "GlucoTrack");
}

static void
bad_arguments_are_an_answer(void **state)
{
	static const struct {
		const char *arguments, *summary;
	} cases[] = {
		{ "{\"query\":", "bad arguments: line" },
		{ "[]", "bad arguments: the arguments must be" },
		{ "{}", "bad arguments: query is missing" },
		{ "{\"query\":\"\"}", "bad arguments: query must" },
		{ "{\"query\":3}", "bad arguments: query must" },
		{ "{\"query\":\"x\",\"max_results\":0}",
		    "bad arguments: max_results" },
		{ "{\"query\":\"x\",\"account_id\":\"y\"}",
		    "bad arguments: there are no arguments but" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct round script[] = {
			{ .tool = "product_search",
			    .arguments = cases[i].arguments,
			    .finish = LLM_TOOL_CALLS },
			{ .says = "Sorry." },
		};

		assert_int_equal(run(script, 2, "CardioCheck"), 0);
		assert_int_equal(fake.searches, 1);
		json_t *call = json_array_get(t.out.tool_calls, 0);

		assert_true(json_is_false(json_object_get(call, "ok")));
		assert_non_null(
		    strstr(json_string_value(json_object_get(call, "summary")),
			cases[i].summary));
		assert_non_null(strstr(fake.seen[1], "2:Error: "));
		assert_non_null(strstr(fake.seen[1], "!\n"));
		/* nothing was said before: no paragraph to end */
		assert_string_equal(t.out.reply.text.data, "Sorry.");
		end(NULL);
		begin(NULL);
	}
}

static void
a_tool_that_is_none(void **state)
{
	const struct round script[] = {
		{ .tool = "delete_everything",
		    .arguments = "{}",
		    .finish = LLM_TOOL_CALLS },
		{ .says = "Well." },
	};

	(void)state;
	assert_int_equal(run(script, 2, "CardioCheck"), 0);
	assert_non_null(strstr(t.reader.told, "{c1 bad unknown tool}"));
	assert_int_equal(fake.searches, 1);
}

static void
without_the_tool_none_is_offered(void **state)
{
	const struct round script[] = {
		{ .tool = "product_search",
		    .arguments = "{\"query\":\"Gloves\"}",
		    .finish = LLM_TOOL_CALLS },
		{ .says = "Well." },
	};

	(void)state;
	t.tool.available = false;
	assert_int_equal(run(script, 2, "CardioCheck"), 0);
	assert_false(fake.tools[0]);
	assert_non_null(strstr(t.reader.told, "{c1 bad unknown tool}"));
	assert_int_equal(fake.searches, 1);
}

static void
rounds_are_limited(void **state)
{
	const struct round again = { .tool = "product_search",
		.arguments = "{\"query\":\"Gloves\"}",
		.finish = LLM_TOOL_CALLS };
	const struct round script[] = { again, again, again };

	(void)state;
	assert_int_equal(run(script, 3, "CardioCheck"), 0);
	assert_int_equal(fake.asked, 3);
	assert_int_equal(t.out.reply.finish, LLM_TOOL_CALLS);
	assert_int_equal(json_array_size(t.out.tool_calls), 2);
}

static void
a_failure_keeps_what_was_said(void **state)
{
	const struct round script[] = {
		{ .says = "It is [1]", .fails = ERR_UPSTREAM },
	};

	(void)state;
	assert_int_equal(run(script, 1, "CardioCheck"), -1);
	assert_int_equal(t.e.code, ERR_UPSTREAM);
	assert_string_equal(t.out.reply.text.data, "It is [1]");
	assert_int_equal(json_array_size(t.out.citations), 1);
	assert_int_equal(t.out.reply.usage.input, 10);
}

static void
a_reader_that_leaves_stops_the_run(void **state)
{
	const struct round script[] = {
		{ .says = "Let me look.",
		    .tool = "product_search",
		    .arguments = "{\"query\":\"Gloves\"}",
		    .finish = LLM_TOOL_CALLS },
		{ .says = "Never said." },
	};

	(void)state;
	t.reader.leaves_after = 2;
	assert_int_equal(run(script, 2, "CardioCheck"), -1);
	assert_int_equal(t.e.code, ERR_GONE);
	assert_int_equal(fake.asked, 1);
	assert_int_equal(fake.searches, 1);
}

static void
a_cancel_between_rounds_is_seen(void **state)
{
	const struct round script[] = {
		{ .tool = "product_search",
		    .arguments = "{\"query\":\"Gloves\"}",
		    .finish = LLM_TOOL_CALLS },
	};
	atomic_bool cancel = true;

	(void)state;
	t.reader.agent.llm.cancel = &cancel;
	assert_int_equal(run(script, 1, "CardioCheck"), -1);
	assert_int_equal(t.e.code, ERR_CANCELLED);
}

/* The turn goes on, and the model knows that nothing was looked up. */
static void
no_search_is_no_failure(void **state)
{
	const struct round script[] = { { .says = "I cannot look it up." } };

	(void)state;
	fake.search_fails = ERR_UNAVAILABLE;
	assert_int_equal(run(script, 1, "CardioCheck"), 0);
	assert_int_equal(fake.asked, 1);
	assert_non_null(
	    strstr(fake.instructions[0], "cannot be searched at the moment"));
	assert_null(strstr(fake.instructions[0], "<passage"));
}

static void
a_follow_up_is_searched_with_its_subject(void **state)
{
	const struct llm_message talk[] = {
		{ .role = LLM_USER, .text = "About the GlucoTrack", .len = 20 },
		{ .role = LLM_ASSISTANT, .text = "Good.", .len = 5 },
	};
	const struct round script[] = { { .says = "49 USD [1]" } };

	(void)state;
	t.ask.history = talk;
	t.ask.nhistory = 2;
	assert_int_equal(run(script, 1, "How much is it?"), 0);
	assert_string_equal(
	    fake.queries[0], "How much is it? About the GlucoTrack/4");
	assert_null(strstr(fake.instructions[0], "cannot be searched"));
	assert_string_equal(fake.seen[0],
	    "0:About the GlucoTrack\n1:Good.\n0:How much is it?\n");
	assert_int_equal(json_array_size(t.out.citations), 1);
}

int
main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		CASE(one_round),
		CASE(a_tool_and_its_answer),
		CASE(bad_arguments_are_an_answer),
		CASE(a_tool_that_is_none),
		CASE(without_the_tool_none_is_offered),
		CASE(rounds_are_limited),
		CASE(a_failure_keeps_what_was_said),
		CASE(a_reader_that_leaves_stops_the_run),
		CASE(a_cancel_between_rounds_is_seen),
		CASE(no_search_is_no_failure),
		CASE(a_follow_up_is_searched_with_its_subject),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
