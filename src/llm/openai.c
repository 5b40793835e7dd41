/*
 * OpenAI chat completions, and the servers that say they are compatible: what
 * they send back.  The request is made in openai_body.c.
 *
 * Differences between servers are met by believing only what is there: usage
 * may come in any chunk or never, a tool call whole or in pieces, with an index
 * from 0 or 1 or none, with a name or an id that later fragments repeat empty.
 */
#include <string.h>

#include "llm/openai_priv.h"
#include "llm/provider_priv.h"
#include "net/call.h"

#include "util/banned.h"

#define INDEX_MOST 1e9

static void
take_usage(struct llm_stream *s, const struct json_val *u)
{
	const struct json_val *in, *out;
	struct llm_usage *to = &s->reply->usage;

	if (!json_val_is(json_val_get(u, "prompt_tokens"), '0') ||
	    !json_val_is(json_val_get(u, "completion_tokens"), '0'))
		return;
	in = json_val_get(u, "prompt_tokens_details");
	out = json_val_get(u, "completion_tokens_details");
	to->input = event_count(u, "prompt_tokens");
	to->output = event_count(u, "completion_tokens");
	to->cached = event_count(in, "cached_tokens");
	if (to->cached == 0) /* DeepSeek's older name */
		to->cached = event_count(u, "prompt_cache_hit_tokens");
	to->cache_write = event_count(in, "cache_write_tokens");
	to->reasoning = event_count(out, "reasoning_tokens");
	s->usage_seen = true;
	s->usage_final = true;
}

/* Text, or parts of which some are text. */
static int
take_content(struct llm_stream *s, const struct json_val *v)
{
	const struct json_val *part = NULL;
	size_t n;
	const char *t = json_val_str(v, &n);
	int rc = stream_text(s, t, n);

	if (!json_val_is(v, '['))
		return rc;
	while (rc == 0 && (part = json_val_next(v, part))) {
		t = event_text(part, "text", &n);
		rc = stream_text(s, t, n);
	}
	return rc;
}

/*
 * Which call a fragment belongs to.  A server that gives each call of a reply
 * the index 0, or none, begins a new one with a new id and name.
 */
static int64_t
fragment_index(struct llm_stream *s, const struct json_val *v, const char *id,
    size_t idn, bool named)
{
	double index;
	bool numbered = json_val_number(json_val_get(v, "index"), &index) &&
	                index >= 0 && index <= INDEX_MOST;
	int64_t last = s->ncalls > 0 ? s->call[s->ncalls - 1].index : -1;
	int64_t at = numbered ? (int64_t)index : last;

	for (int i = 0; i < s->ncalls; i++) {
		const struct stream_call *c = &s->call[i];
		if (idn > 0 && c->id.len == idn &&
		    memcmp(c->id.data, id, idn) == 0)
			return c->index;
	}
	for (int i = 0; i < s->ncalls; i++) {
		const struct stream_call *c = &s->call[i];
		if (c->index == at && named && c->name.len > 0 &&
		    (idn > 0 || !numbered))
			return last + 1;
	}
	return at < 0 ? last + 1 : at;
}

static int
take_calls(struct llm_stream *s, const struct json_val *list)
{
	const struct json_val *v = NULL;
	size_t idn, namen, argn;

	if (!json_val_is(list, '['))
		return 0;
	while ((v = json_val_next(list, v))) {
		const struct json_val *fn = json_val_get(v, "function");
		const char *id = event_text(v, "id", &idn);
		const char *name = event_text(fn, "name", &namen);
		const struct json_val *args = json_val_get(fn, "arguments");
		const char *arg = json_val_str(args, &argn);
		struct stream_call *c =
		    stream_call(s, fragment_index(s, v, id, idn, namen > 0));
		if (!c)
			return stream_garbled(s);
		stream_call_id(c, id, idn);
		stream_call_name(c, name, namen);
		if (argn > 0)
			stream_call_args(c, arg, argn);
		else if (json_val_is(args, '{'))
			/* Some send the object instead of its text. */
			stream_call_args(c, args->text, args->len);
	}
	return 0;
}

static void
take_finish(struct llm_stream *s, const struct json_val *v)
{
	static const struct {
		const char *word;
		enum llm_finish f;
	} words[] = { { "stop", LLM_STOP }, { "length", LLM_LENGTH },
		{ "tool_calls", LLM_TOOL_CALLS },
		{ "function_call", LLM_TOOL_CALLS },
		{ "content_filter", LLM_CONTENT_FILTER } };
	enum llm_finish f = LLM_STOP;

	if (!json_val_is(v, '"') || v->len == 0)
		return;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (json_val_eq(v, words[i].word))
			f = words[i].f;
	stream_finish(s, f);
}

/* A delta, or the message of a whole answer. */
static int
take_message(struct llm_stream *s, const struct json_val *m)
{
	size_t n;
	const char *t;
	int rc;

	event_text(m, "reasoning_content", &n);
	if (n == 0)
		event_text(m, "reasoning", &n);
	stream_hidden(s, n);
	rc = take_content(s, json_val_get(m, "content"));
	/* A refusal is what the model says to the visitor. */
	t = event_text(m, "refusal", &n);
	if (rc == 0 && n > 0) {
		s->refused = true;
		rc = stream_text(s, t, n);
	}
	if (rc == 0)
		rc = take_calls(s, json_val_get(m, "tool_calls"));
	return rc;
}

static bool
take_error(struct llm_stream *s, const struct json_val *root)
{
	const struct json_val *e = json_val_get(root, "error");

	if (!e || json_val_is(e, 'n'))
		return false;
	stream_fail(s, json_val_get(e, "type"), json_val_get(e, "code"));
	return true;
}

static int
take_chunk(struct llm_stream *s, const struct json_val *root, const char *part)
{
	const struct json_val *choice =
	    json_val_next(json_val_get(root, "choices"), NULL);
	int rc;

	take_usage(s, json_val_get(root, "usage"));
	if (!s->usage_seen)
		take_usage(
		    s, json_val_get(json_val_get(root, "x_groq"), "usage"));
	rc = take_message(s, json_val_get(choice, part));
	take_finish(s, json_val_get(choice, "finish_reason"));
	return rc;
}

int
openai_event(
    struct llm_stream *s, const char *event, const char *data, size_t len)
{
	const struct json_val *root;

	(void)event; /* this format names none */
	if (len == 6 && memcmp(data, "[DONE]", 6) == 0) {
		s->done = true;
		return NET_ENOUGH;
	}
	root = event_read(s, data, len);
	if (!json_val_is(root, '{'))
		return stream_garbled(s);
	if (take_error(s, root))
		return NET_STOP;
	return take_chunk(s, root, "delta");
}

int
openai_whole(struct llm_stream *s, const struct json_val *root)
{
	if (take_error(s, root))
		return -1;
	if (!json_val_next(json_val_get(root, "choices"), NULL)) {
		stream_garbled(s);
		return -1;
	}
	s->done = true;
	return take_chunk(s, root, "message") == 0 ? 0 : -1;
}
