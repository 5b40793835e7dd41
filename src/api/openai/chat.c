/* POST chat/completions: how an answer looks, whole and in chunks. */
#include <string.h>

#include "api/handlers.h"
#include "api/openai/openai.h"
#include "util/json.h"

#include "util/banned.h"

/* Of our words for an end those that the format has.  The agent's own tools
 * are no business of the caller's. */
static const char *
finish_of(const struct openai_done *d)
{
	if (openai_handed(d->calls) > 0)
		return "tool_calls";
	if (strcmp(d->finish, "length") == 0 ||
	    strcmp(d->finish, "content_filter") == 0)
		return d->finish;
	return "stop";
}

static void
add_count(struct buf *b, const char *before, int64_t n)
{
	buf_adds(b, before);
	buf_addi(b, n);
}

static void
write_usage(struct buf *b, const struct llm_usage *u)
{
	add_count(b, "{\"prompt_tokens\":", u->input);
	add_count(b, ",\"completion_tokens\":", u->output);
	add_count(b, ",\"total_tokens\":", u->input + u->output);
	add_count(
	    b, ",\"prompt_tokens_details\":{\"cached_tokens\":", u->cached);
	buf_adds(b, ",\"audio_tokens\":0}");
	add_count(b, ",\"completion_tokens_details\":{\"reasoning_tokens\":",
	    u->reasoning);
	buf_adds(b, ",\"audio_tokens\":0,\"accepted_prediction_tokens\":0,"
		    "\"rejected_prediction_tokens\":0}}");
}

/* One call; in a chunk it has its place in the list. */
static void
write_call(struct buf *b, const json_t *call, long long index)
{
	buf_addc(b, '{');
	if (index >= 0)
		buf_addf(b, "\"index\":%lld,", index);
	buf_adds(b, "\"id\":");
	json_write(b, json_object_get(call, "id"));
	buf_adds(b, ",\"type\":\"function\",\"function\":{\"name\":");
	json_write(b, json_object_get(call, "name"));
	buf_adds(b, ",\"arguments\":");
	openai_write_arguments(b, call);
	buf_adds(b, "}}");
}

static void
write_calls(struct buf *b, const json_t *calls, bool indexed)
{
	long long n = 0;
	json_t *call;
	size_t i;

	buf_adds(b, "\"tool_calls\":[");
	json_array_foreach((json_t *)(uintptr_t)calls, i, call)
	{
		if (!openai_is_handed(call))
			continue;
		buf_adds(b, n > 0 ? "," : "");
		write_call(b, call, indexed ? n : -1);
		n++;
	}
	buf_addc(b, ']');
}

static void
write_head(struct buf *b, const struct openai_talk *t, const char *object)
{
	buf_adds(b, "{\"id\":");
	buf_json_str(b, t->id, strlen(t->id));
	buf_addf(b, ",\"object\":\"%s\",\"created\":%lld,\"model\":", object,
	    (long long)t->created);
	buf_json_str(b, t->ask->model, strlen(t->ask->model));
}

static void
chat_whole(struct openai_talk *t, const struct openai_done *d, struct buf *b)
{
	bool calls = openai_handed(d->calls) > 0;

	write_head(b, t, "chat.completion");
	buf_adds(b, ",\"choices\":[{\"index\":0,\"message\":{\"role\":"
		    "\"assistant\",\"content\":");
	if (calls && d->len == 0)
		buf_adds(b, "null");
	else
		buf_json_str(b, d->text ? d->text : "", d->len);
	buf_adds(b, ",\"refusal\":null");
	if (calls) {
		buf_addc(b, ',');
		write_calls(b, d->calls, false);
	}
	buf_addf(b, "},\"logprobs\":null,\"finish_reason\":\"%s\"}],\"usage\":",
	    finish_of(d));
	write_usage(b, &d->usage);
	buf_addc(b, '}');
}

/* A chunk around what a delta has and how it ends. */
static void
chunk_open(struct openai_talk *t)
{
	buf_clear(&t->out);
	buf_add(&t->out, t->head.data, t->head.len);
}

static int
chunk_send(struct openai_talk *t, const char *finish)
{
	buf_adds(&t->out, "},\"logprobs\":null,\"finish_reason\":");
	if (finish)
		buf_json_str(&t->out, finish, strlen(finish));
	else
		buf_adds(&t->out, "null");
	buf_adds(&t->out, t->ask->usage ? "}],\"usage\":null}" : "}]}");
	return openai_send(t, NULL);
}

static int
chat_begin(struct openai_talk *t)
{
	write_head(&t->head, t, "chat.completion.chunk");
	buf_adds(&t->head, ",\"choices\":[{\"index\":0,\"delta\":{");
	chunk_open(t);
	buf_adds(&t->out, "\"role\":\"assistant\",\"content\":\"\","
			  "\"refusal\":null");
	return chunk_send(t, NULL);
}

static int
chat_text(struct openai_talk *t, const char *piece, size_t len)
{
	chunk_open(t);
	buf_adds(&t->out, "\"content\":");
	buf_json_str(&t->out, piece, len);
	return chunk_send(t, NULL);
}

static int
chat_end(struct openai_talk *t, const struct openai_done *d)
{
	if (openai_handed(d->calls) > 0) {
		chunk_open(t);
		write_calls(&t->out, d->calls, true);
		if (chunk_send(t, NULL) < 0)
			return -1;
	}
	chunk_open(t);
	if (chunk_send(t, finish_of(d)) < 0)
		return -1;
	if (t->ask->usage) {
		buf_clear(&t->out);
		write_head(&t->out, t, "chat.completion.chunk");
		buf_adds(&t->out, ",\"choices\":[],\"usage\":");
		write_usage(&t->out, &d->usage);
		buf_addc(&t->out, '}');
		if (openai_send(t, NULL) < 0)
			return -1;
	}
	buf_clear(&t->out);
	buf_adds(&t->out, "[DONE]");
	return openai_send(t, NULL);
}

/* Without the [DONE], so that nobody takes it for whole. */
static int
chat_fail(struct openai_talk *t, const struct err *e)
{
	json_auto_t *error = openai_error_json(e, NULL, NULL);

	buf_clear(&t->out);
	json_write(&t->out, error);
	return openai_send(t, NULL);
}

static const struct openai_form form = { .prefix = "chatcmpl-",
	.read = openai_read_chat,
	.whole = chat_whole,
	.begin = chat_begin,
	.text = chat_text,
	.end = chat_end,
	.fail = chat_fail };

void
api_openai_chat(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who)
{
	openai_serve(app, req, resp, who, &form);
}
