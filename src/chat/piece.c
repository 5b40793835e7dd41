/*
 * A turn as rows for the writer.  A piece is self-contained: the session's row
 * comes first, so that the order between workers does not matter.  Columns
 * follow the statements in store.c.
 */
#include <string.h>

#include "account/account.h"
#include "agent/spec.h"
#include "auth/key.h"
#include "chat/store_priv.h"
#include "chat/turn_priv.h"
#include "db/writer.h"
#include "shm/procs.h"
#include "util/json.h"
#include "util/mem.h"

#include "util/banned.h"

#define BUCKET_US (INT64_C(300) * 1000000)
#define JSON_MAX (1024 * 1024) /* a piece holds 8 MiB */

static void
add_json(struct piece *p, const json_t *value)
{
	struct buf b;

	if (json_is_array(value) && json_array_size(value) == 0) {
		piece_text(p, "[]", 2); /* most turns */
		return;
	}
	void *ctx = mem_root("json column");

	buf_init(&b, ctx, JSON_MAX);
	json_write(&b, value);
	if (buf_failed(&b))
		piece_str(p, "null");
	else
		piece_text(p, b.data, b.len);
	mem_free(ctx);
}

/* Who has asked, in the column of his kind; null in the others'. */
static void
add_caller(struct piece *p, const struct key *key, enum key_kind column)
{
	piece_uuid(p, key->kind == column ? &key->id : NULL);
}

static void
add_session(struct piece *p, const struct chat_turn *t, int64_t at_us)
{
	const struct chat_ask *ask = t->priv->ask;
	bool named = !id_is_nil(&ask->key->visitor);

	piece_row(p, WRITE_SESSIONS);
	piece_uuid(p, &t->account->id);
	piece_uuid(p, &t->session_id);
	piece_str(p, t->session_key);
	add_caller(p, ask->key, KEY_WIDGET);
	piece_str(p, ask->email);
	piece_int(p, ask->email == NULL && !named);
	piece_int(p, t->started_us);
	piece_int(p, at_us);
	piece_uuid(p, named ? &ask->key->visitor : NULL);
}

/* The columns that both kinds of turns begin with, to the channel. */
static void
add_head(struct piece *p, const struct chat_turn *t)
{
	const struct chat_ask *ask = t->priv->ask;

	piece_uuid(p, &t->account->id);
	piece_uuid(p, &t->id);
	piece_uuid(p, &t->session_id);
	piece_uuid(p, &t->spec->id);
	piece_str(p, t->spec->type);
	piece_str(p, t->spec->name);
	piece_int(p, t->spec->config_version);
	add_caller(p, ask->key, KEY_API);
	add_caller(p, ask->key, KEY_WIDGET);
	piece_str(p, ask->request_id);
	piece_str(p, ask->trace_id);
	piece_str(p, ask->channel  ? ask->channel
		     : ask->stream ? "stream"
				   : "chat");
}

static void
add_metadata(struct piece *p, const struct chat_ask *ask)
{
	if (ask->metadata)
		add_json(p, ask->metadata);
	else
		piece_null(p);
}

static void
add_worker(struct piece *p)
{
	static const struct uuid nobody;
	const struct proc *self = procs_self();

	piece_uuid(p, self ? &self->id : &nobody);
}

struct piece *
piece_of_open(const struct chat_turn *t)
{
	const struct chat_ask *ask = t->priv->ask;
	struct piece *p = piece_new(&t->account->id);

	add_session(p, t, t->started_us);
	piece_row(p, WRITE_OPEN);
	add_head(p, t);
	piece_text(p, ask->message, ask->message_len);
	piece_str(p, t->priv->wanted);
	add_metadata(p, ask);
	piece_int(p, t->started_us);
	add_worker(p);
	add_caller(p, ask->key, KEY_USER);
	return p;
}

static void
add_key_hash(struct piece *p, const struct chat_turn *t)
{
	piece_text(
	    p, (const char *)t->priv->key_hash, sizeof(t->priv->key_hash));
}

static void
add_key(struct piece *p, const struct chat_turn *t, enum chat_write what)
{
	piece_row(p, (int)what);
	piece_uuid(p, &t->account->id);
	add_key_hash(p, t);
	piece_uuid(p, &t->id);
}

/* The answer for who asks again; without its text, which is in turns.  One
 * that has none, or none that could be kept, leaves the key free. */
static void
add_answer(struct piece *p, const struct chat_turn *t)
{
	void *ctx = mem_root("answer");
	struct buf b;

	buf_init(&b, ctx, JSON_MAX);
	if (turn_answered(t))
		chat_turn_write(&b, t, false);
	if (b.len > 0 && !buf_failed(&b)) {
		add_key(p, t, WRITE_KEY_ANSWER);
		piece_text(p, (const char *)t->priv->ask->request_hash,
		    sizeof(t->priv->ask->request_hash));
		add_worker(p);
		piece_int(p, t->started_us);
		piece_text(p, b.data, b.len);
	} else {
		add_key(p, t, WRITE_KEY_FREE);
	}
	mem_free(ctx);
}

struct piece *
piece_of_free_key(const struct chat_turn *t)
{
	struct piece *p = piece_new(&t->account->id);

	add_key(p, t, WRITE_KEY_FREE);
	return p;
}

static void
add_turn(struct piece *p, const struct chat_turn *t)
{
	const struct chat_ask *ask = t->priv->ask;
	const struct llm_reply *reply = &t->answer.reply;
	const struct err *failure = &t->priv->failure;
	struct buf *b;
	size_t mark;

	piece_row(p, WRITE_TURNS);
	add_head(p, t);
	piece_str(p, t->status);
	piece_str(p, t->finish_reason);
	piece_str(p, failure->code == ERR_NONE ? NULL
		     : failure->kind           ? failure->kind
					       : err_name(failure->code));
	piece_text(p, ask->message, ask->message_len);
	piece_text(
	    p, reply->text.len > 0 ? reply->text.data : "", reply->text.len);
	piece_str(p, t->model);
	piece_int(p, reply->usage.input);
	piece_int(p, reply->usage.output);
	piece_int(p, reply->usage.cached);
	piece_int(p, reply->usage.cache_write);
	piece_int(p, reply->usage.reasoning);
	piece_int(p, reply->usage.estimated);
	if (t->priced)
		piece_int(p, t->cost_nano);
	else
		piece_null(p);
	piece_int(p, reply->attempts);
	piece_int(p, t->latency_us / 1000);
	if (reply->first_token_ns > 0)
		piece_int(p, reply->first_token_ns / 1000000);
	else
		piece_null(p);
	add_json(p, t->answer.tool_calls);
	add_json(p, t->answer.citations);
	add_metadata(p, ask);
	piece_int(p, t->started_us);
	piece_int(p, t->priv->finished_us);
	if (json_array_size(t->answer.tool_calls) > 0)
		add_json(p, t->answer.tool_offsets);
	else
		piece_null(p);
	if (t->priv->claimed)
		add_key_hash(p, t);
	else
		piece_null(p);
	add_caller(p, ask->key, KEY_USER);
	piece_uuid(
	    p, id_is_nil(&reply->credential) ? NULL : &reply->credential);
	b = piece_text_begin(p, &mark);
	why_write(&t->priv->why, &t->answer.story, b);
	piece_text_end(p, mark);
}

/* The columns that both roll-ups begin their sums with. */
static void
add_sums(struct piece *p, const struct chat_turn *t)
{
	const struct llm_usage *u = &t->answer.reply.usage;

	piece_int(p, t->priv->finished_us - t->priv->finished_us % BUCKET_US);
	piece_int(p, 1);
	piece_int(p, strcmp(t->status, "failed") == 0);
	piece_int(p, strcmp(t->status, "cancelled") == 0);
	piece_int(p, u->input);
	piece_int(p, u->output);
	piece_int(p, u->cached);
	piece_int(p, u->reasoning);
	piece_int(p, t->priced ? t->cost_nano : 0);
	piece_int(p, !t->priced && u->input + u->output > 0);
}

static void
add_by_caller(struct piece *p, const struct chat_turn *t)
{
	static const char *const kinds[] = { [KEY_API] = "api_key",
		[KEY_WIDGET] = "widget_key",
		[KEY_USER] = "user" };
	const struct key *key = t->priv->ask->key;

	piece_row(p, WRITE_BY_CALLER);
	piece_uuid(p, &t->account->id);
	piece_uuid(p, &t->spec->id);
	piece_str(p, kinds[key->kind]);
	piece_uuid(p, &key->id);
	piece_uuid(p, &t->answer.reply.credential);
	piece_str(p, t->model ? t->model : "");
	add_sums(p, t);
}

static void
add_rollup(struct piece *p, const struct chat_turn *t)
{
	static const int bounds[] = LATENCY_BOUNDS;
	int64_t ms = t->latency_us / 1000;
	int place = 0;

	while (place < LATENCY_PLACES - 1 && ms > bounds[place])
		place++;
	piece_row(p, WRITE_ROLLUPS);
	piece_uuid(p, &t->account->id);
	piece_uuid(p, &t->spec->id);
	piece_str(p, t->model ? t->model : "");
	add_sums(p, t);
	piece_int(p, ms);
	piece_int(p, ms);
	for (int i = 0; i < LATENCY_PLACES; i++)
		piece_int(p, i == place);
}

static void
add_id(struct piece *p, const struct chat_turn *t, int stmt)
{
	piece_row(p, stmt);
	piece_uuid(p, &t->account->id);
	piece_uuid(p, &t->id);
}

struct piece *
piece_of_turn(const struct chat_turn *t)
{
	struct piece *p = piece_new(&t->account->id);

	add_session(p, t, t->priv->finished_us);
	if (t->priv->claimed)
		add_answer(p, t);
	add_turn(p, t);
	if (t->priv->open.opened) {
		/* it may have been given up as its worker's last; where others
		 * have its key by now it is stored as superseded */
		add_id(p, t, WRITE_REVIVE);
		add_id(p, t, WRITE_OPEN_END);
	}
	add_by_caller(p, t);
	add_rollup(p, t);
	return p;
}
