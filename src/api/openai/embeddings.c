/*
 * POST embeddings, by the model that the agent's configuration names for them.
 * A turn like any other to limits, budgets and usage; stored is its first text,
 * and no vector.
 */
#include <string.h>

#include "api/handlers.h"
#include "api/openai/openai.h"
#include "util/json.h"

#include "util/banned.h"

#define TEXTS_MAX 2048

static bool
is_tokens(const json_t *v)
{
	const json_t *n;
	size_t i;

	json_array_foreach((json_t *)(uintptr_t)v, i, n)
	{
		if (!json_is_integer(n) || json_integer_value(n) < 0)
			return false;
	}
	return json_array_size(v) > 0;
}

/* Count a text, or its tokens; -1: it is neither. */
static int
add_text(struct openai_ask *ask, const json_t *v)
{
	size_t n = json_string_length(v);

	if (is_tokens(v)) {
		ask->chat.given_tokens += (int64_t)json_array_size(v);
		return 0;
	}
	if (n == 0)
		return -1;
	ask->chat.given_tokens += llm_estimate_tokens(json_string_value(v), n);
	if (ask->chat.message_len == 0) {
		ask->chat.message = json_string_value(v);
		ask->chat.message_len = n;
	}
	return 0;
}

static int
read_input(struct openai_read *r, const char *name, const json_t *v)
{
	bool many = json_is_array(v) && !json_is_integer(json_array_get(v, 0));
	const json_t *text;
	size_t i;

	(void)name;
	r->ask->embed.input = v;
	if (json_array_size(v) > TEXTS_MAX && many)
		return openai_wrong(r->fault, "array_above_max_length", "input",
		    "input has at most %d texts", TEXTS_MAX);
	if (!many && add_text(r->ask, v) == 0)
		return 0;
	json_array_foreach((json_t *)(uintptr_t)(many ? v : NULL), i, text)
	{
		if (add_text(r->ask, text) < 0)
			break;
	}
	if (many && i > 0 && i == json_array_size(v))
		return 0;
	return openai_wrong(r->fault, "invalid_value", "input",
	    "input must be a text, or a list of texts or of tokens, none "
	    "empty");
}

static int
read_format(struct openai_read *r, const char *name, const json_t *v)
{
	const char *text = json_string_value(v);

	(void)name;
	if (json_is_null(v))
		return 0;
	if (!text ||
	    (strcmp(text, "float") != 0 && strcmp(text, "base64") != 0))
		return openai_wrong(r->fault, "invalid_value",
		    "encoding_format",
		    "encoding_format must be float or base64");
	r->ask->embed.format = text;
	return 0;
}

static int
read_dimensions(struct openai_read *r, const char *name, const json_t *v)
{
	return openai_read_count(r, name, v, &r->ask->embed.dimensions);
}

static const struct openai_member members[] = {
	{ "model", openai_read_model },
	{ "input", read_input },
	{ "encoding_format", read_format },
	{ "dimensions", read_dimensions },
	{ "user", NULL },
	{ NULL, NULL },
};

static int
read_body(struct openai_read *r, const json_t *body)
{
	static const char *const needed[] = { "model", "input", NULL };

	r->ask->chat.message = "";
	if (openai_read_members(r, body, members, needed) < 0)
		return -1;
	r->ask->embed.tokens = r->ask->chat.given_tokens;
	r->ask->chat.embed = &r->ask->embed;
	r->ask->chat.channel = "embeddings";
	return 0;
}

static void
whole(struct openai_talk *t, const struct openai_done *d, struct buf *out)
{
	out->max = d->vectors->len + 4096;
	buf_adds(out, "{\"object\":\"list\",\"data\":");
	buf_add(out, d->vectors->data, d->vectors->len);
	buf_adds(out, ",\"model\":");
	buf_json_str(out, t->ask->model, strlen(t->ask->model));
	buf_addf(out, ",\"usage\":{\"prompt_tokens\":%lld,",
	    (long long)d->usage.input);
	buf_addf(out, "\"total_tokens\":%lld}}", (long long)d->usage.input);
}

static const struct openai_form form = {
	.prefix = "embd-", .anew = true, .read = read_body, .whole = whole
};

void
api_openai_embeddings(struct app *app, struct http_req *req,
    struct http_resp *resp, struct caller *who)
{
	openai_serve(app, req, resp, who, &form);
}
