/*
 * The step "run": the agent answers, and what it says goes to whoever listens,
 * until the end, the deadline, or nobody wants more.
 */
#include <string.h>

#include "agent/spec.h"
#include "chat/turn_priv.h"
#include "llm/price.h"
#include "util/clock.h"

#include "util/banned.h"

/* How long a turn waits for a reader who broke off. */
#define GRACE_MS 1500

void
turn_reader_left(struct chat_turn_priv *p)
{
	if (p->reader_gone)
		return;
	p->reader_gone = true;
	p->gone_at = clock_mono();
}

/* The run's sink: what is said goes on to the face as long as it listens. */
struct told {
	struct agent_sink agent; /* first; its first is the model's sink */
	struct chat_turn_priv *p;
};

/*
 * Without its reader: until when the turn goes on at least.  Who broke off may
 * come back for a stream, or ask again with the same key; whoever follows the
 * turn is its reader meanwhile.
 */
static int64_t
grace_end(const struct chat_turn_priv *p)
{
	int64_t heard = live_heard(p->live);

	if (!p->ask->stream && !p->claimed)
		return 0;
	return (heard > p->gone_at ? heard : p->gone_at) + GRACE_MS * CLOCK_MS;
}

/* 0 go on, -1 stop: asked to, or nobody listens and nobody wants the end. */
static int
after_telling(struct chat_turn_priv *p, int rc)
{
	if (rc < 0)
		turn_reader_left(p);
	if (atomic_load(&p->live->cancel))
		return -1;
	return p->reader_gone && !p->finish && clock_mono() >= grace_end(p) ? -1
	                                                                    : 0;
}

/* The connection has broken: look again in so many ms, when the wait would be
 * over; 0 stop. */
static int
on_gone(struct llm_sink *s)
{
	struct chat_turn_priv *p = ((struct told *)s)->p;

	if (after_telling(p, -1) < 0)
		return 0;
	return clock_left_ms(grace_end(p), GRACE_MS) + 1;
}

/* UTF-8: all bytes but those that go on with a character. */
static unsigned
count_characters(const char *s, size_t n)
{
	unsigned count = 0;

	for (size_t i = 0; i < n; i++)
		count += ((unsigned char)s[i] & 0xc0) != 0x80;
	return count;
}

static int
on_text(struct llm_sink *s, const char *piece, size_t len)
{
	struct chat_turn_priv *p = ((struct told *)s)->p;

	live_spoke(p->live, count_characters(piece, len));
	return after_telling(p, p->sink->text(p->sink, piece, len));
}

static int
on_beat(struct llm_sink *s)
{
	struct chat_turn_priv *p = ((struct told *)s)->p;

	return after_telling(p, p->reader_gone ? 0 : p->sink->beat(p->sink));
}

static int
on_tool_call(struct agent_sink *s, const char *id, const char *name,
    const char *arguments)
{
	struct chat_turn_priv *p = ((struct told *)s)->p;

	live_doing(p->live, name);
	return after_telling(
	    p, p->sink->tool_call(p->sink, id, name, arguments));
}

static int
on_tool_result(struct agent_sink *s, const char *id, const char *name, bool ok,
    const char *summary)
{
	struct chat_turn_priv *p = ((struct told *)s)->p;

	return after_telling(
	    p, p->sink->tool_result(p->sink, id, name, ok, summary));
}

/* How it ended, in the words of the API and the tables. */
static void
turn_ended(struct chat_turn *t, int rc, const struct err *why)
{
	struct chat_turn_priv *p = t->priv;

	bool whole = rc == 0 && t->answer.reply.finish != LLM_CANCELLED;

	p->stopped = !whole && atomic_load(&p->live->cancel);
	if (whole && t->answer.reply.finish != LLM_ERROR) {
		t->status = "completed";
		t->finish_reason = llm_finish_name(t->answer.reply.finish);
		return;
	}
	if (p->stopped || (rc == 0 && !whole) || why->code == ERR_GONE ||
	    why->code == ERR_CANCELLED) {
		t->status = "cancelled";
		t->finish_reason = llm_finish_name(LLM_CANCELLED);
		return;
	}
	t->status = "failed";
	t->finish_reason = llm_finish_name(LLM_ERROR);
	if (rc < 0)
		p->failure = *why;
	else
		err_set(&p->failure, ERR_UPSTREAM, "the model failed");
}

static void
on_asking(void *arg, const struct uuid *credential)
{
	live_asking(arg, credential);
}

static int
make_vectors(struct chat_turn *t, struct llm_sink *sink, struct err *e)
{
	struct chat_turn_priv *p = t->priv;
	const struct llm_request rq = { .model = p->wanted,
		.embed = p->ask->embed,
		.vectors = &t->vectors,
		.traceparent = p->ask->traceparent,
		.deadline = p->deadline };
	int rc = gateway_complete(p->deps->gateway, t->account, &rq, sink, t,
	    &t->answer.reply, &t->answer.story, e);

	if (rc == 0 && t->answer.reply.usage.input == 0) {
		t->answer.reply.usage.input = p->ask->given_tokens;
		t->answer.reply.usage.estimated = true;
	}
	return rc;
}

static int
ask_agent(struct chat_turn *t, struct err *e)
{
	struct chat_turn_priv *p = t->priv;
	const struct gateway_watch watch = { .asking = on_asking,
		.arg = p->live,
		.fault = p->ask->fault,
		.faulty = p->ask->faulty };
	const struct agent_deps deps = { .gateway = p->deps->gateway,
		.knowledge = p->deps->knowledge,
		.tool_rounds = p->deps->tool_rounds };
	const struct agent_ask ask = { .account = t->account,
		.spec = t->spec,
		.model = p->wanted,
		.history = p->ask->given ? p->ask->before : p->history.messages,
		.nhistory = p->ask->given ? p->ask->nbefore : p->history.n,
		.message = p->ask->message,
		.given = p->ask->given,
		.traceparent = p->ask->traceparent,
		.deadline = p->deadline,
		.watch = &watch };
	struct told told = { .p = p };

	told.agent.llm.text = on_text;
	told.agent.llm.beat = on_beat;
	told.agent.llm.gone = on_gone;
	told.agent.llm.gone_fd = p->sink->gone_fd;
	told.agent.llm.ignore_gone = p->finish;
	told.agent.llm.beat_ms = p->sink->beat_ms;
	told.agent.llm.cancel = &p->live->cancel;
	told.agent.llm.wait = live_wait(p->live);
	told.agent.tool_call = on_tool_call;
	told.agent.tool_result = on_tool_result;
	int rc;

	p->asked = true;
	if (p->ask->embed)
		return make_vectors(t, &told.agent.llm, e);
	rc = agent_run(&deps, &ask, &told.agent, t, &t->answer, e);
	t->answer.story.watch = NULL;
	return rc;
}

/* A run that fails is no failed step: it is stored as what it was. */
int
turn_run(struct chat_turn *t, struct err *e)
{
	struct chat_turn_priv *p = t->priv;
	struct err why = { 0 };
	int rc;

	(void)e;
	if (p->reader_gone && !p->finish)
		rc = err_set(&why, ERR_GONE, "the reader left");
	else
		rc = ask_agent(t, &why);
	p->finished_us = clock_wall_us();
	t->latency_us = (clock_mono() - p->begun) / 1000;
	turn_ended(t, rc, &why);
	t->model = t->answer.reply.model[0] ? t->answer.reply.model : p->wanted;
	t->priced = price_cost(
	    t->model, &t->answer.reply.usage, t->started_us, &t->cost_nano);
	if (p->deps->spans)
		turn_spans(t);
	return 0;
}
