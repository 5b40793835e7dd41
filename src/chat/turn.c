/*
 * A turn's story: a list of steps, and turn_settle() after the last one,
 * whatever happened, to give back what was reserved and not used.
 */
#include "chat/turn.h"

#include <stdio.h>
#include <string.h>

#include "account/account.h"
#include "account/tiers.h"
#include "agent/catalog.h"
#include "agent/spec.h"
#include "auth/key.h"
#include "chat/event_log.h"
#include "chat/turn_priv.h"
#include "chat/used.h"
#include "db/writer.h"
#include "llm/price.h"
#include "shm/unstored.h"
#include "telemetry/metric.h"
#include "usage/budget.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

#define STORE_WAIT (4 * CLOCK_S)
/* For a connection and what is read by it together: who came last in a long
 * line need not begin to read when the others have given up. */
#define HISTORY_WAIT (2 * CLOCK_S)

static const char no_agent[] = "there is nothing here for this caller";

static int
turn_account(struct chat_turn *t, struct err *e)
{
	const struct chat_ask *ask = t->priv->ask;

	if (accounts_by_slug(t->priv->deps->accounts, ask->slug,
		t->priv->deadline, &t->account, e) < 0)
		return -1;
	t->priv->why.account_tier = tier_from();
	if (!t->account->active ||
	    !id_eq(&t->account->id, &ask->key->account_id))
		return err_set(e, ERR_NOT_FOUND, no_agent);
	return 0;
}

/* Can the agent and its model do what the caller brings? */
static int
check_given(const struct chat_turn *t, struct err *e)
{
	const struct agent_given *g = t->priv->ask->given;
	const char *taken;

	if (!g)
		return 0;
	taken = agent_tool_taken(t->spec, g);
	if (taken)
		return err_set_kind(e, ERR_INVALID, "tool-name-taken", 0,
		    "the agent has a tool of its own that is called %s", taken);
	if (json_object_get(g->options, "response_format") &&
	    !llm_takes_format(t->priv->wanted))
		return err_set_kind(e, ERR_INVALID, "format-unsupported", 0,
		    "the agent's model takes no response_format");
	return 0;
}

/* Another model would make vectors that compare with nobody's: no fallback. */
static int
choose_embedding(struct chat_turn *t, struct err *e)
{
	if (!t->spec->embedding_model)
		return err_set_kind(e, ERR_INVALID, "embeddings-unsupported", 0,
		    "the agent has no embedding_model");
	t->priv->why.wanted = t->spec->embedding_model;
	t->priv->why.used = t->spec->embedding_model;
	t->priv->why.rule = "agent";
	return gateway_choose(t->priv->deps->gateway, t->account,
	    t->spec->embedding_model, false, t->priv->deadline,
	    &t->priv->wanted, e);
}

static int
turn_agent(struct chat_turn *t, struct err *e)
{
	struct chat_turn_priv *p = t->priv;
	const struct chat_ask *ask = p->ask;

	if (catalog_get(p->deps->catalog, t->account, ask->agent_type,
		ask->agent_name, p->deadline, &t->spec, e) < 0)
		return e->code == ERR_NOT_FOUND
		           ? err_set(e, ERR_NOT_FOUND, no_agent)
		           : -1;
	p->why.agent_tier = tier_from();
	if (ask->key->kind == KEY_WIDGET && !id_is_nil(&ask->key->agent_id) &&
	    !id_eq(&ask->key->agent_id, &t->spec->id))
		return err_set(e, ERR_NOT_FOUND, no_agent);
	p->finish = ask->on_disconnect ? ask->on_disconnect == 'f'
	                               : t->spec->finish_on_disconnect;
	if (history_session(
		t->account, ask->key, ask->session_key, &p->history, e) < 0)
		return -1;
	if (ask->embed)
		return choose_embedding(t, e);
	if (gateway_choose(p->deps->gateway, t->account, t->spec->model,
		t->spec->model_fallback, p->deadline, &p->wanted, e) < 0)
		return -1;
	p->why.drill = ask->fault;
	p->why.wanted = t->spec->model;
	p->why.used = p->wanted;
	p->why.rule = p->wanted == t->spec->model ? "agent" : "default";
	return check_given(t, e);
}

/* A widget key is public: who uses it is limited by address and session. */
static void
limit_visitor(struct chat_turn *t, struct quota_ask *q)
{
	struct chat_turn_priv *p = t->priv;
	char key[UUID_TEXT];

	id_format(&p->ask->key->id, key);
	snprintf(p->address, sizeof(p->address), "%s %s", key,
	    p->ask->client_address ? p->ask->client_address : "");
	snprintf(p->session, sizeof(p->session), "%.90s", p->history.key);
	q->address = p->address;
	q->session = p->session;
	q->per_address = (struct quota_limit){ p->deps->widget_per_minute, 60 };
	q->per_session =
	    (struct quota_limit){ p->deps->widget_session_per_minute, 60 };
}

/* What is reserved: the most the answer may be, and what goes with it. */
static int64_t
estimate(const struct chat_turn *t)
{
	const struct chat_ask *ask = t->priv->ask;
	const struct agent_spec *spec = t->spec;
	int most = spec->max_tokens;

	if (ask->embed)
		return ask->given_tokens;
	if (ask->given && ask->given->max_tokens > 0 &&
	    ask->given->max_tokens < most)
		most = ask->given->max_tokens;
	return most + ask->given_tokens +
	       llm_estimate_tokens(
		   spec->system_prompt, strlen(spec->system_prompt)) +
	       llm_estimate_tokens(ask->message, ask->message_len);
}

static int
turn_quota(struct chat_turn *t, struct err *e)
{
	struct chat_turn_priv *p = t->priv;
	struct quota_ask *q = &p->quota;
	const struct agent_spec *spec = t->spec;

	/* What could not be stored is not begun. */
	if (!writer_has_room(p->deps->writer))
		return err_set_kind(e, ERR_UNAVAILABLE, NULL, 2,
		    "too many answers wait to be stored; try again");
	q->account_slot = t->account->slot;
	q->agent_slot = spec->slot;
	q->account_requests =
	    (struct quota_limit){ t->account->requests_per_hour, 3600 };
	q->agent_requests =
	    (struct quota_limit){ spec->requests_per_minute, 60 };
	q->agent_tokens = (struct quota_limit){ spec->tokens_per_hour, 3600 };
	q->tokens = estimate(t);
	if (p->ask->key->kind == KEY_WIDGET)
		limit_visitor(t, q);
	if (quota_take(q, &t->quota, e) < 0)
		return -1;
	p->taken = true;
	if (t->quota.any) {
		struct why_limit *l = &p->why.limit;

		memcpy(l->name, t->quota.name, sizeof(l->name));
		l->limit = t->quota.limit;
		l->remaining = t->quota.remaining;
		l->reset_s = t->quota.reset_s;
	}
	return 0;
}

static int
turn_history(struct chat_turn *t, struct err *e)
{
	struct chat_turn_priv *p = t->priv;
	struct history_ask ask = {
		.db = p->deps->db,
		.recall = p->deps->recall,
		.account = t->account,
		.key = p->ask->key,
		.agent = t->spec->id,
		.idle_us = p->deps->session_idle_us,
		.tokens = p->deps->history_tokens,
		.turns =
		    p->ask->given || p->ask->embed ? 0 : p->deps->history_turns,
		.now_us = t->started_us,
		.deadline = clock_mono() + HISTORY_WAIT,
	};

	if (ask.deadline > p->deadline)
		ask.deadline = p->deadline;
	if (history_load(&ask, t, &p->history, e) < 0)
		return -1;
	t->session_id = p->history.session;
	snprintf(t->session_key, sizeof(t->session_key), "%s", p->history.key);
	return 0;
}

/* What the turn is expected to use, in all budgets that it counts in: as quota,
 * and the history, which is known now. */
static int
turn_budget(struct chat_turn *t, struct err *e)
{
	struct chat_turn_priv *p = t->priv;
	struct budget_ask ask = { .account = t->account,
		.agent = t->spec->id,
		.key = p->ask->key->id,
		.tokens = p->quota.tokens };
	struct llm_usage u = { .output = t->spec->max_tokens };

	if (t->account->nbudgets == 0)
		return 0;
	for (int i = 0; i < p->history.n; i++)
		ask.tokens += llm_estimate_tokens(
		    p->history.messages[i].text, p->history.messages[i].len);
	u.input = ask.tokens - u.output;
	if (!price_cost(p->wanted, &u, t->started_us, &ask.cost_nano))
		ask.cost_nano = 0;
	return budget_reserve(
	    p->deps->db, &ask, t, p->deadline, &p->budgets, e);
}

/* From the opener's thread, which sees a turn that waits for its model: what
 * it reads here changes no more. */
static void
turn_open_late(struct opener_item *item)
{
	struct chat_turn_priv *p = (struct chat_turn_priv *)item;

	writer_post(p->deps->writer, piece_of_open(p->turn));
}

static int
turn_open(struct chat_turn *t, struct err *e)
{
	struct chat_turn_priv *p = t->priv;

	if (!p->claimed)
		id_new(&t->id);
	id_reply_message(&t->id, &t->reply_id);
	if (p->live) /* entered with its key */
		live_session(p->live, &t->session_id);
	else
		p->live = live_enter(&t->id, &t->account->id, &t->session_id);
	if (!p->live)
		return err_set_kind(e, ERR_UNAVAILABLE, "overloaded", 1,
		    "all places for running turns are taken; try again");
	if (p->ask->key->kind == KEY_WIDGET) {
		struct uuid owner = key_owner(p->ask->key);

		live_owner(p->live, &owner);
	}
	t->counted = true;
	chat_used_add(&t->account->id, &t->spec->id);
	opener_add(&p->open, p->claimed ? 0 : p->deps->turn_open_after_ms);
	if (p->ask->stream)
		t->log = event_log_begin(t);
	p->opened = true;
	if (p->sink->opened(p->sink, t) < 0)
		turn_reader_left(p);
	return 0;
}

/* Null before the run has made them. */
static void
fill_lists(struct chat_turn *t)
{
	if (!t->answer.tool_calls)
		t->answer.tool_calls = json_array();
	if (!t->answer.tool_offsets)
		t->answer.tool_offsets = json_array();
	if (!t->answer.citations)
		t->answer.citations = json_array();
}

bool
turn_answered(const struct chat_turn *t)
{
	return strcmp(t->status, "completed") == 0 ||
	       (strcmp(t->status, "cancelled") == 0 && t->priv->stopped);
}

static int
turn_store(struct chat_turn *t, struct err *e)
{
	struct chat_turn_priv *p = t->priv;
	int rc;

	fill_lists(t);
	opener_remove(&p->open);
	rc = writer_commit(
	    p->deps->writer, piece_of_turn(t), clock_mono() + STORE_WAIT, e);
	if (rc < 0)
		return -1;
	if (rc == 1) /* durable, but nobody can read it yet */
		unstored_add(&t->session_id);
	t->durable = true;
	return 0;
}

static const struct {
	const char *name;
	int (*step)(struct chat_turn *, struct err *);
} steps[] = {
	{ "account", turn_account },
	{ "agent", turn_agent },
	{ "claim", turn_claim },
	{ "quota", turn_quota },
	{ "history", turn_history },
	{ "budget", turn_budget },
	{ "open", turn_open },
	{ "run", turn_run },
	{ "store", turn_store },
};

static void
turn_settle(struct chat_turn *t)
{
	struct chat_turn_priv *p = t->priv;
	const struct llm_usage *used = &t->answer.reply.usage;

	opener_remove(&p->open);
	if (p->claimed && !t->durable)
		writer_post(p->deps->writer, piece_of_free_key(t));
	if (p->taken && p->asked)
		quota_settle(&p->quota, used->input + used->output);
	else if (p->taken)
		quota_give_back(&p->quota);
	if (p->asked)
		budget_settle(p->budgets, used->input + used->output,
		    t->cost_nano, t->priced);
	else
		budget_release(p->budgets);
	if (!t->status)
		return;
	metric_add(M_TURNS, 1);
	if (strcmp(t->status, "failed") == 0)
		metric_add(M_TURNS_FAILED, 1);
	if (strcmp(t->status, "cancelled") == 0)
		metric_add(M_TURNS_CANCELLED, 1);
}

static int
turn_drop(struct chat_turn *t)
{
	json_decref(t->replay);
	json_decref(t->tool_offsets);
	json_decref(t->answer.tool_calls);
	json_decref(t->answer.tool_offsets);
	json_decref(t->answer.citations);
	if (t->spec)
		agent_spec_unref(t->spec);
	if (t->account)
		account_unref(t->account);
	return 0;
}

static struct chat_turn *
turn_new(const struct chat_deps *deps, const struct chat_ask *ask,
    struct chat_sink *sink, const void *ctx)
{
	struct chat_turn *t = mem_new(ctx, struct chat_turn);

	t->priv = mem_new(t, struct chat_turn_priv);
	talloc_set_destructor(t, turn_drop);
	t->priv->turn = t;
	t->priv->open.open = turn_open_late;
	t->priv->deps = deps;
	t->priv->ask = ask;
	t->priv->sink = sink;
	t->priv->begun = clock_mono();
	t->priv->deadline = t->priv->begun + deps->total_ms * CLOCK_MS;
	t->started_us = clock_wall_us();
	return t;
}

/* What the caller of a stored turn is told. */
static int
outcome(const struct chat_turn *t, struct err *e)
{
	const struct chat_turn_priv *p = t->priv;

	if (t->replay || t->attach)
		return 0;
	if (p->failure.code != ERR_NONE) {
		*e = p->failure;
		return -1;
	}
	if (strcmp(t->status, "cancelled") == 0 && !p->stopped)
		return err_set(e, ERR_GONE, "the reader left");
	return 0;
}

int
chat_turn_run(const struct chat_deps *deps, const struct chat_ask *ask,
    struct chat_sink *sink, const void *ctx, struct chat_turn **ret,
    struct err *e)
{
	struct chat_turn *t = turn_new(deps, ask, sink, ctx);
	int rc = 0;

	*ret = t;
	for (size_t i = 0; rc == 0 && !t->replay && !t->attach &&
			   i < sizeof(steps) / sizeof(*steps);
	     i++) {
		t->step = steps[i].name;
		rc = steps[i].step(t, e);
	}
	turn_settle(t);
	if (rc == 0)
		rc = outcome(t, e);
	if (t->priv->opened && sink->ended)
		sink->ended(sink, t, rc, e);
	live_leave(t->priv->live);
	t->priv->live = NULL;
	return rc;
}
