/*
 * Anthropic messages: what comes back.  The request is made in
 * anthropic_body.c.
 *
 * An answer is a list of blocks.  Text and tool calls go to the neutral side as
 * they come; where a block of thinking stands before a tool call, all blocks
 * are kept as well, since the tool loop must send them back unchanged.
 */
#include <string.h>

#include "llm/anthropic_priv.h"
#include "llm/provider_priv.h"
#include "net/call.h"
#include "util/json.h"
#include "util/mem.h"

#include "util/banned.h"

#define BLOCKS_MAX 256

enum block_type {
	BLOCK_OTHER, /* server tools and what is still unknown: skipped */
	BLOCK_TEXT,
	BLOCK_TOOL,
	BLOCK_THINKING,
	BLOCK_REDACTED,
};

struct block {
	int64_t index;
	enum block_type type;
	struct buf text;      /* text or thinking */
	struct buf signature; /* or the data of a redacted block */
	int call;             /* which of the stream's calls, -1 none */
};

struct blocks {
	struct block *v;
	int n, room;
	bool thinking;
};

static struct blocks *
blocks_of(struct llm_stream *s)
{
	if (!s->own)
		s->own = mem_new(s->tmp, struct blocks);
	return s->own;
}

static struct block *
block_at(struct llm_stream *s, int64_t index)
{
	struct blocks *bs = blocks_of(s);

	for (int i = bs->n; i-- > 0;)
		if (bs->v[i].index == index)
			return &bs->v[i];
	return NULL;
}

static struct block *
block_new(struct llm_stream *s, int64_t index)
{
	struct blocks *bs = blocks_of(s);

	if (bs->n == BLOCKS_MAX)
		return NULL;
	if (bs->n == bs->room) {
		struct block *more;
		bs->room = bs->room ? bs->room * 4 : 4;
		more = mem_array(s->tmp, struct block, (size_t)bs->room);
		if (bs->n > 0)
			memcpy(more, bs->v, (size_t)bs->n * sizeof(*more));
		mem_free(bs->v);
		bs->v = more;
	}
	struct block *b = &bs->v[bs->n++];
	b->index = index;
	b->call = -1;
	buf_init(&b->text, s->tmp, s->max);
	buf_init(&b->signature, s->tmp, s->max);
	return b;
}

static bool
is(const struct json_val *o, const char *type)
{
	return json_val_eq(json_val_get(o, "type"), type);
}

static void
overwrite(const struct json_val *u, const char *key, int64_t *to)
{
	if (json_val_is(json_val_get(u, key), '0'))
		*to = event_count(u, key);
}

/* Counts are totals so far: each replaces what was there, none is added.  The
 * whole input is three parts that do not overlap. */
static void
take_usage(struct llm_stream *s, const struct json_val *u)
{
	struct llm_usage *to = &s->reply->usage;
	int64_t plain = to->input - to->cached - to->cache_write;

	if (!json_val_is(json_val_get(u, "input_tokens"), '0') &&
	    !json_val_is(json_val_get(u, "output_tokens"), '0'))
		return;
	overwrite(u, "input_tokens", &plain);
	overwrite(u, "cache_read_input_tokens", &to->cached);
	overwrite(u, "cache_creation_input_tokens", &to->cache_write);
	overwrite(u, "output_tokens", &to->output);
	overwrite(json_val_get(u, "output_tokens_details"), "thinking_tokens",
	    &to->reasoning);
	to->input = plain + to->cached + to->cache_write;
	s->usage_seen = true;
}

static int
begin_tool(struct llm_stream *s, struct block *b, const struct json_val *v)
{
	size_t n;
	const char *t;
	const struct json_val *input = json_val_get(v, "input");
	struct stream_call *c = stream_call(s, b->index);

	if (!c)
		return stream_garbled(s);
	b->call = (int)(c - s->call);
	t = event_text(v, "id", &n);
	stream_call_id(c, t, n);
	t = event_text(v, "name", &n);
	stream_call_name(c, t, n);
	/* Streams begin with {} and send the rest in pieces; whole answers
	 * and some gateways have it all here. */
	if (json_val_is(input, '{') && json_val_next(input, NULL))
		stream_call_args(c, input->text, input->len);
	return 0;
}

static int
block_begin(struct llm_stream *s, int64_t index, const struct json_val *v)
{
	size_t n;
	const char *t;
	struct block *b = block_new(s, index);

	if (!b)
		return stream_garbled(s);
	if (is(v, "text")) {
		b->type = BLOCK_TEXT;
		t = event_text(v, "text", &n);
		buf_add(&b->text, t, n);
		return stream_text(s, t, n);
	}
	if (is(v, "tool_use")) {
		b->type = BLOCK_TOOL;
		return begin_tool(s, b, v);
	}
	if (is(v, "thinking")) {
		b->type = BLOCK_THINKING;
		blocks_of(s)->thinking = true;
		t = event_text(v, "thinking", &n);
		buf_add(&b->text, t, n);
		stream_hidden(s, n);
		t = event_text(v, "signature", &n);
		buf_add(&b->signature, t, n);
	} else if (is(v, "redacted_thinking")) {
		b->type = BLOCK_REDACTED;
		blocks_of(s)->thinking = true;
		t = event_text(v, "data", &n);
		buf_add(&b->signature, t, n);
	}
	return 0;
}

static int
block_delta(struct llm_stream *s, struct block *b, const struct json_val *d)
{
	size_t n;
	const char *t;

	if (b->type == BLOCK_TEXT && is(d, "text_delta")) {
		t = event_text(d, "text", &n);
		buf_add(&b->text, t, n);
		return stream_text(s, t, n);
	}
	if (b->type == BLOCK_TOOL && is(d, "input_json_delta")) {
		t = event_text(d, "partial_json", &n);
		stream_call_args(&s->call[b->call], t, n);
	} else if (b->type == BLOCK_THINKING && is(d, "thinking_delta")) {
		t = event_text(d, "thinking", &n);
		buf_add(&b->text, t, n);
		stream_hidden(s, n);
	} else if (b->type == BLOCK_THINKING && is(d, "signature_delta")) {
		t = event_text(d, "signature", &n);
		buf_add(&b->signature, t, n);
	}
	return 0;
}

static int
raw_drop(json_t **v)
{
	json_decref(*v);
	return 0;
}

static json_t *
raw_block(struct llm_stream *s, const struct block *b)
{
	struct json_limits lim = { 64, 20000 };
	const struct stream_call *c;
	json_t *input = NULL;

	switch (b->type) {
	case BLOCK_TEXT:
		if (b->text.len == 0)
			return NULL;
		return json_pack("{s:s, s:s%}", "type", "text", "text",
		    b->text.data, b->text.len);
	case BLOCK_THINKING:
		return json_pack("{s:s, s:s%, s:s%}", "type", "thinking",
		    "thinking", b->text.data, b->text.len, "signature",
		    b->signature.data, b->signature.len);
	case BLOCK_REDACTED:
		return json_pack("{s:s, s:s%}", "type", "redacted_thinking",
		    "data", b->signature.data, b->signature.len);
	case BLOCK_TOOL:
		c = &s->call[b->call];
		if (json_parse(c->args.data, c->args.len, &lim, &input, NULL) !=
		    0)
			input = json_object();
		return json_pack("{s:s, s:s%, s:s%, s:o}", "type", "tool_use",
		    "id", c->id.data, c->id.len, "name", c->name.data,
		    c->name.len, "input", input);
	case BLOCK_OTHER:
		break;
	}
	return NULL;
}

/* Keep the blocks as they came, where a tool loop needs them. */
static void
keep_raw(struct llm_stream *s)
{
	struct blocks *bs = blocks_of(s);
	json_t **owner;

	if (!bs->thinking || s->ncalls == 0 || s->reply->raw_blocks)
		return;
	owner = mem_new(s->ctx, json_t *);
	*owner = json_array();
	talloc_set_destructor(owner, raw_drop);
	for (int i = 0; i < bs->n; i++) {
		json_t *v = raw_block(s, &bs->v[i]);
		if (v)
			json_array_append_new(*owner, v);
	}
	s->reply->raw_blocks = *owner;
}

static void
take_stop(struct llm_stream *s, const struct json_val *v)
{
	static const struct {
		const char *word;
		enum llm_finish f;
	} words[] = { { "end_turn", LLM_STOP }, { "stop_sequence", LLM_STOP },
		{ "pause_turn", LLM_STOP }, { "max_tokens", LLM_LENGTH },
		{ "model_context_window_exceeded", LLM_LENGTH },
		{ "tool_use", LLM_TOOL_CALLS },
		{ "refusal", LLM_CONTENT_FILTER } };
	enum llm_finish f = LLM_STOP;

	if (!json_val_is(v, '"'))
		return;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (json_val_eq(v, words[i].word))
			f = words[i].f;
	stream_finish(s, f);
}

static int
take_event(struct llm_stream *s, const struct json_val *v)
{
	int64_t index = event_count(v, "index");
	struct block *b;

	if (is(v, "content_block_delta")) {
		b = block_at(s, index);
		return b ? block_delta(s, b, json_val_get(v, "delta")) : 0;
	}
	if (is(v, "content_block_start"))
		return block_begin(s, index, json_val_get(v, "content_block"));
	if (is(v, "message_start")) {
		/* Sent twice by some gateways: counts are replaced anyway. */
		take_usage(
		    s, json_val_get(json_val_get(v, "message"), "usage"));
		return 0;
	}
	if (is(v, "message_delta")) {
		take_usage(s, json_val_get(v, "usage"));
		s->usage_final = s->usage_seen;
		take_stop(
		    s, json_val_get(json_val_get(v, "delta"), "stop_reason"));
		return 0;
	}
	if (is(v, "message_stop")) {
		s->done = true;
		keep_raw(s);
		return NET_ENOUGH;
	}
	if (is(v, "error"))
		return stream_fail(
		    s, json_val_get(json_val_get(v, "error"), "type"), NULL);
	return 0; /* ping, content_block_stop, and what is yet to come */
}

int
anthropic_event(
    struct llm_stream *s, const char *event, const char *data, size_t len)
{
	const struct json_val *v = event_read(s, data, len);

	(void)event; /* repeats data.type */
	return json_val_is(v, '{') ? take_event(s, v) : stream_garbled(s);
}

int
anthropic_whole(struct llm_stream *s, const struct json_val *root)
{
	const struct json_val *v = NULL, *list = json_val_get(root, "content");
	int64_t i = 0;

	if (!is(root, "message") || !json_val_is(list, '[')) {
		stream_garbled(s);
		return -1;
	}
	while ((v = json_val_next(list, v)))
		if (block_begin(s, i++, v) != 0)
			return -1;
	take_usage(s, json_val_get(root, "usage"));
	s->usage_final = s->usage_seen;
	take_stop(s, json_val_get(root, "stop_reason"));
	s->done = true;
	keep_raw(s);
	return 0;
}
