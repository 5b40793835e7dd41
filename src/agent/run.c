/*
 * The loop of an agent: retrieve once, then model, tools, model ... until the
 * model is done, the step limit or the deadline is reached, or the reader is
 * gone.  No database connection is held while the model talks.
 */
#include "agent/run.h"

#include <stdio.h>
#include <string.h>

#include "account/account.h"
#include "agent/lookup.h"
#include "agent/prompt.h"
#include "agent/spec.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/mem.h"

#include "util/banned.h"

#define CALLS_PER_ROUND 16
#define REPLY_MAX (4 * 1024 * 1024) /* what can be stored */
#define RESULT_MAX (256 * 1024)

struct run {
	struct llm_sink llm; /* first: what the model's side sees of us */
	const struct agent_deps *deps;
	const struct agent_ask *ask;
	struct agent_sink *sink;
	const void *ctx;
	struct agent_answer *out;
	struct lookup lookup;
	const char *instructions;     /* system content, of all rounds */
	const json_t *tools;          /* offered to the model */
	json_t *all_tools;            /* ours, or NULL */
	struct llm_message *messages; /* the whole talk so far */
	int nmessages, room;
	bool own_tools; /* some of those are the agent's */
	bool parted;    /* the next text begins a new paragraph */
	bool too_long;  /* more was said than can be stored */
	int64_t started;
};

static int
pass_on(struct run *r, const char *piece, size_t len)
{
	if (r->too_long || len >= REPLY_MAX - r->out->reply.text.len) {
		r->too_long = true;
		return -1;
	}
	buf_add(&r->out->reply.text, piece, len);
	if (r->out->reply.first_token_ns == 0)
		r->out->reply.first_token_ns = clock_mono() - r->started;
	r->out->reply.started = true;
	return r->sink->llm.text(&r->sink->llm, piece, len);
}

static int
on_text(struct llm_sink *s, const char *piece, size_t len)
{
	struct run *r = (struct run *)s;

	/* What was said before a tool was called ends its paragraph. */
	if (r->parted && r->out->reply.text.len > 0 &&
	    pass_on(r, "\n\n", 2) < 0)
		return -1;
	r->parted = false;
	return pass_on(r, piece, len);
}

static int
on_beat(struct llm_sink *s)
{
	struct run *r = (struct run *)s;

	return r->sink->llm.beat ? r->sink->llm.beat(&r->sink->llm) : 0;
}

static int
on_gone(struct llm_sink *s)
{
	struct run *r = (struct run *)s;

	return r->sink->llm.gone(&r->sink->llm);
}

static void
add_message(struct run *r, const struct llm_message *m)
{
	if (r->nmessages == r->room) {
		int room = r->room * 2 + 8;
		struct llm_message *more =
		    mem_array(r->ctx, struct llm_message, (size_t)room);

		if (r->nmessages > 0)
			memcpy(more, r->messages,
			    sizeof(*more) * (size_t)r->nmessages);
		mem_free(r->messages);
		r->messages = more;
		r->room = room;
	}
	r->messages[r->nmessages++] = *m;
}

/* Is it a function of the caller's? */
static bool
is_given(const struct agent_given *g, const char *name)
{
	const json_t *t;
	size_t i;

	json_array_foreach((json_t *)(uintptr_t)(g ? g->tools : NULL), i, t)
	{
		if (strcmp(json_string_value(json_object_get(t, "name")),
			name) == 0)
			return true;
	}
	return false;
}

const char *
agent_tool_taken(const struct agent_spec *spec, const struct agent_given *given)
{
	const json_t *t;
	size_t i;

	json_array_foreach((json_t *)(uintptr_t)given->tools, i, t)
	{
		const char *name =
		    json_string_value(json_object_get(t, "name"));

		if (lookup_offers(spec, name))
			return name;
	}
	return NULL;
}

/* What the model is offered: the agent's own tools, then the caller's. */
static void
offer_tools(struct run *r)
{
	const struct agent_given *g = r->ask->given;

	if (r->deps->tool_rounds > 0 && !(g && g->only_tools))
		r->tools = lookup_declare(r->ask->spec);
	r->own_tools = r->tools != NULL;
	if (!g || json_array_size(g->tools) == 0)
		return;
	r->all_tools = json_array();
	json_array_extend(r->all_tools, (json_t *)(uintptr_t)r->tools);
	json_array_extend(r->all_tools, (json_t *)(uintptr_t)g->tools);
	r->tools = r->all_tools;
}

static void
begin(struct run *r)
{
	const struct agent_ask *ask = r->ask;
	const struct llm_sink *up = &r->sink->llm;

	r->started = clock_mono();
	r->llm.text = on_text;
	r->llm.beat = on_beat;
	r->llm.gone = up->gone ? on_gone : NULL;
	r->llm.gone_fd = up->gone_fd;
	r->llm.ignore_gone = up->ignore_gone;
	r->llm.beat_ms = up->beat_ms;
	r->llm.cancel = up->cancel;
	r->llm.wait = up->wait;

	memset(r->out, 0, sizeof(*r->out));
	buf_init(&r->out->reply.text, r->ctx, REPLY_MAX);
	r->out->reply.finish = LLM_ERROR;
	r->out->story.watch = ask->watch;
	r->out->tool_calls = json_array();
	r->out->tool_offsets = json_array();
	r->out->citations = json_array();

	for (int i = 0; i < ask->nhistory; i++)
		add_message(r, &ask->history[i]);
	add_message(r, &(struct llm_message){ .role = LLM_USER,
			   .text = ask->message,
			   .len = strlen(ask->message) });
	for (int i = 0; ask->given && i < ask->given->nafter; i++)
		add_message(r, &ask->given->after[i]);
	offer_tools(r);
}

static void
add_usage(struct llm_usage *sum, const struct llm_usage *u)
{
	sum->input += u->input;
	sum->cached += u->cached;
	sum->cache_write += u->cache_write;
	sum->output += u->output;
	sum->reasoning += u->reasoning;
	sum->estimated |= u->estimated;
}

/* The caller's limits, as far as they are not above the agent's. */
static void
apply_given(struct llm_request *rq, const struct agent_given *g)
{
	if (!g)
		return;
	rq->options = g->options;
	if (g->max_tokens > 0 &&
	    (rq->max_tokens <= 0 || g->max_tokens < rq->max_tokens))
		rq->max_tokens = g->max_tokens;
	if (g->temperature >= 0)
		rq->temperature = g->temperature;
}

/* Ask the model once; *reply is that of this round. */
static int
ask_model(struct run *r, struct llm_reply *reply, struct err *e)
{
	const struct agent_ask *ask = r->ask;
	struct llm_reply *all = &r->out->reply;
	struct llm_request rq = {
		.model = ask->model,
		.system = r->instructions,
		.system_stable = strlen(r->ask->spec->system_prompt),
		.messages = r->messages,
		.nmessages = r->nmessages,
		.tools = r->tools,
		.max_tokens = ask->spec->max_tokens,
		.temperature = ask->spec->temperature,
		.passages = r->lookup.passages,
		.npassages = r->lookup.n,
		.search_away = r->lookup.away,
		.agent_name = ask->spec->display_name,
		.account_name = ask->account->name,
		.traceparent = ask->traceparent,
		.deadline = ask->deadline,
	};
	int rc;

	apply_given(&rq, ask->given);
	memset(reply, 0, sizeof(*reply));
	rc = gateway_complete(r->deps->gateway, ask->account, &rq, &r->llm,
	    r->ctx, reply, &r->out->story, e);
	r->out->steps++;
	add_usage(&all->usage, &reply->usage);
	all->attempts += reply->attempts;
	all->finish = reply->finish;
	all->status = reply->status;
	if (reply->model[0])
		memcpy(all->model, reply->model, sizeof(all->model));
	memcpy(all->upstream_id, reply->upstream_id, sizeof(all->upstream_id));
	all->credential = reply->credential;
	return rc;
}

/* What the model wrote as arguments, for people: an object, else its text. */
static json_t *
arguments_json(const char *text)
{
	json_t *v;

	if (json_parse(text, strlen(text), &(struct json_limits){ 16, 1000 },
		&v, NULL) == 0)
		return v;
	v = json_string(text);
	return v ? v : json_string("");
}

/* One call of a tool, from its event to its answer.  Each call that was told
 * of has a result that was told of, so that events can be told again from what
 * is stored. */
static int
call_tool(struct run *r, const struct llm_tool_call *call, bool too_many,
    struct err *e)
{
	const char *arguments = call->arguments ? call->arguments : "";
	struct agent_sink *sink = r->sink;
	char summary[160];
	struct buf result;
	bool ok = false;
	bool stop =
	    sink->tool_call(sink, call->id, call->name, arguments) < 0 &&
	    !r->llm.ignore_gone;

	buf_init(&result, r->ctx, RESULT_MAX);
	if (stop) {
		snprintf(summary, sizeof(summary), "not called");
	} else if (too_many) {
		buf_adds(&result, "Error: too many calls at once.");
		snprintf(summary, sizeof(summary), "too many calls");
	} else if (r->own_tools && lookup_offers(r->ask->spec, call->name)) {
		ok = lookup_call(
		    &r->lookup, call->name, arguments, &result, summary);
	} else {
		buf_adds(&result, "Error: there is no tool of that name.");
		snprintf(summary, sizeof(summary), "unknown tool");
	}
	add_message(r, &(struct llm_message){ .role = LLM_TOOL,
			   .text = result.data,
			   .len = result.len,
			   .call_id = call->id,
			   .is_error = !ok });
	json_array_append_new(r->out->tool_calls,
	    json_pack("{s:s, s:s, s:o, s:b, s:s}", "id", call->id, "name",
		call->name, "arguments", arguments_json(arguments), "ok", ok,
		"summary", summary));
	json_array_append_new(r->out->tool_offsets,
	    json_integer((json_int_t)r->out->reply.text.len));
	if (sink->tool_result(sink, call->id, call->name, ok, summary) < 0 &&
	    !r->llm.ignore_gone)
		stop = true;
	return stop ? err_set(e, ERR_GONE, "the reader left") : 0;
}

/* The calls of the caller's functions, for him to make: the run ends; false:
 * there are none. */
static bool
hand_over(struct run *r, const struct llm_reply *reply)
{
	const struct agent_given *g = r->ask->given;
	bool any = false;

	for (int i = 0; i < reply->ncalls; i++) {
		const struct llm_tool_call *c = &reply->calls[i];

		if (!is_given(g, c->name))
			continue;
		any = true;
		json_array_append_new(r->out->tool_calls,
		    json_pack("{s:s, s:s, s:o, s:b, s:s, s:b}", "id", c->id,
			"name", c->name, "arguments",
			arguments_json(c->arguments ? c->arguments : ""), "ok",
			1, "summary", "handed to the caller", "caller", 1));
		json_array_append_new(r->out->tool_offsets,
		    json_integer((json_int_t)r->out->reply.text.len));
	}
	return any;
}

static int
call_tools(struct run *r, const struct llm_reply *reply, struct err *e)
{
	add_message(
	    r, &(struct llm_message){ .role = LLM_ASSISTANT,
		   .text = reply->text.len > 0 ? reply->text.data : NULL,
		   .len = reply->text.len,
		   .calls = reply->calls,
		   .ncalls = reply->ncalls,
		   .raw_blocks = reply->raw_blocks });
	for (int i = 0; i < reply->ncalls; i++) {
		if (r->llm.cancel && atomic_load(r->llm.cancel))
			return err_set(e, ERR_CANCELLED, "stopped");
		if (call_tool(r, &reply->calls[i], i >= CALLS_PER_ROUND, e) < 0)
			return -1;
	}
	r->parted = true;
	return 0;
}

/* Find what there is to say, and tell the model how to say it.  Later finds of
 * its tools come as their answers, so that this part never changes. */
static int
prepare(struct run *r, struct err *e)
{
	const struct agent_ask *ask = r->ask;

	lookup_init(
	    &r->lookup, r->ctx, r->deps->knowledge, ask->spec, ask->deadline);
	lookup_message(&r->lookup, ask->history, ask->nhistory, ask->message);
	r->instructions = prompt_system(r->ctx, ask->spec->system_prompt,
	    r->lookup.passages, r->lookup.n, r->lookup.away, clock_wall_us());
	if (r->instructions && ask->given && ask->given->system)
		r->instructions = mem_printf(
		    r->ctx, "%s\n\n%s", r->instructions, ask->given->system);
	if (!r->instructions)
		return err_set(
		    e, ERR_INTERNAL, "the system content is too long");
	return 0;
}

static int
talk(struct run *r, struct err *e)
{
	for (int round = 0;; round++) {
		struct llm_reply reply;

		int rc = ask_model(r, &reply, e);

		if (r->too_long)
			return err_set_kind(e, ERR_UPSTREAM,
			    "upstream-too-large", 0,
			    "the model said more than can be stored");
		if (rc < 0)
			return -1;
		/* A call that was asked for by name may end with "stop". */
		if ((reply.finish == LLM_TOOL_CALLS ||
			reply.finish == LLM_STOP) &&
		    hand_over(r, &reply)) {
			r->out->reply.finish = LLM_TOOL_CALLS;
			return 0;
		}
		if (reply.finish != LLM_TOOL_CALLS || reply.ncalls == 0 ||
		    round >= r->deps->tool_rounds)
			return 0;
		if (call_tools(r, &reply, e) < 0)
			return -1;
	}
}

int
agent_run(const struct agent_deps *deps, const struct agent_ask *ask,
    struct agent_sink *sink, const void *ctx, struct agent_answer *out,
    struct err *e)
{
	struct run *r = mem_new(ctx, struct run);
	int rc;

	r->deps = deps;
	r->ask = ask;
	r->sink = sink;
	r->ctx = ctx;
	r->out = out;
	begin(r);
	rc = prepare(r, e);
	if (rc == 0)
		rc = talk(r, e);
	if (out->reply.text.len > 0) {
		json_decref(out->citations);
		out->citations = prompt_citations(
		    out->reply.text.data, r->lookup.passages, r->lookup.n);
	}
	json_decref(r->all_tools);
	return rc;
}
