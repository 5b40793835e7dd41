/* What is answered whole besides a talk: models, embeddings, counts. */
#include <jansson.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "simulate/answer_priv.h"
#include "util/str.h"

#include "util/banned.h"

#define DIMENSIONS 256
#define DIMENSIONS_MOST 4096
#define INPUTS_MOST 2048
#define CREATED 1735689600 /* 2025-01-01 */

static const char *const models[] = { "mock", "mock-tool", "mock-echo",
	"mock-words-200", "embed-mock" };
#define MODELS (sizeof models / sizeof models[0])

static void
add_model(struct script *s, const char *id)
{
	struct buf *out = &s->whole;

	if (s->anthropic)
		buf_addf(out,
		    "{\"type\":\"model\",\"id\":\"%s\",\"display_name\":"
		    "\"%s\",\"created_at\":\"2025-01-01T00:00:00Z\"}",
		    id, id);
	else
		buf_addf(out,
		    "{\"id\":\"%s\",\"object\":\"model\",\"created\":%d,"
		    "\"owned_by\":\"mock\"}",
		    id, CREATED);
}

bool
lists_models(struct script *s, const char *path)
{
	const char *at = strstr(path, "/models");

	if (!at)
		return false;
	s->plan.in = s->plan.cached = s->plan.out = 0;
	at += strlen("/models");
	if (*at == '/') {
		for (size_t i = 0; i < MODELS; i++)
			if (strcmp(at + 1, models[i]) == 0) {
				add_model(s, models[i]);
				return true;
			}
		return false;
	}
	buf_adds(&s->whole,
	    s->anthropic ? "{\"data\":[" : "{\"object\":\"list\",\"data\":[");
	for (size_t i = 0; i < MODELS; i++) {
		buf_adds(&s->whole, i > 0 ? "," : "");
		add_model(s, models[i]);
	}
	buf_adds(&s->whole, "]");
	if (s->anthropic)
		buf_addf(&s->whole,
		    ",\"has_more\":false,\"first_id\":\"%s\",\"last_id\":"
		    "\"%s\"",
		    models[0], models[MODELS - 1]);
	buf_adds(&s->whole, "}");
	return true;
}

/* Four bytes of text are a token, as good as any other guess. */
static int
tokens_of(size_t bytes)
{
	return (int)((bytes + 3) / 4);
}

static uint64_t
mix(uint64_t x)
{
	x ^= x >> 33;
	x *= UINT64_C(0xff51afd7ed558ccd);
	x ^= x >> 33;
	x *= UINT64_C(0xc4ceb9fe1a85ec53);
	return x ^ x >> 33;
}

/*
 * The vector of a text: each word has a direction of its own, made from its
 * letters, and the text points where its words do; so the same text has the
 * same vector, and texts that share words lie near each other.
 */
static void
embed(const char *text, size_t n, float *v, size_t dim)
{
	double sum = 0;

	memset(v, 0, dim * sizeof *v);
	for (size_t i = 0; i < n;) {
		uint64_t h = UINT64_C(0xcbf29ce484222325);
		size_t from = i;

		for (; i < n && text[i] != ' ' && text[i] != '\n'; i++)
			h = (h ^ ((unsigned char)text[i] | 0x20u)) *
			    UINT64_C(0x100000001b3);
		if (i > from)
			for (size_t k = 0; k < 8; k++) {
				uint64_t x = mix(h + k);

				v[x % dim] += x >> 63 ? 1.0F : -1.0F;
			}
		i++;
	}
	for (size_t i = 0; i < dim; i++)
		sum += (double)v[i] * (double)v[i];
	if (sum <= 0) {
		v[0] = 1;
		sum = 1;
	}
	for (size_t i = 0; i < dim; i++)
		v[i] = (float)((double)v[i] / sqrt(sum));
}

/* RFC 4648 section 4. */
static void
add_base64(struct buf *out, const unsigned char *p, size_t n)
{
	static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "abcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < n; i += 3) {
		unsigned b = (unsigned)p[i] << 16 |
		             (i + 1 < n ? (unsigned)p[i + 1] << 8 : 0) |
		             (i + 2 < n ? (unsigned)p[i + 2] : 0);

		buf_addc(out, set[b >> 18]);
		buf_addc(out, set[b >> 12 & 63]);
		buf_addc(out, i + 1 < n ? set[b >> 6 & 63] : '=');
		buf_addc(out, i + 2 < n ? set[b & 63] : '=');
	}
}

static void
add_vector(struct buf *out, const float *v, size_t dim, bool base64)
{
	if (base64) {
		unsigned char raw[DIMENSIONS_MOST * 4];

		for (size_t i = 0; i < dim; i++) {
			uint32_t bits;

			memcpy(&bits, &v[i], sizeof bits);
			for (size_t k = 0; k < 4; k++)
				raw[i * 4 + k] =
				    (unsigned char)(bits >> (8 * k));
		}
		buf_addc(out, '"');
		add_base64(out, raw, dim * 4);
		buf_addc(out, '"');
		return;
	}
	for (size_t i = 0; i < dim; i++)
		buf_addf(out, "%c%.8g", i > 0 ? ',' : '[', (double)v[i]);
	buf_addc(out, ']');
}

/* One input: a text, or a list of tokens; false: neither. */
static bool
add_input(struct script *s, const json_t *input, size_t index, size_t dim,
    bool base64, int *tokens)
{
	float v[DIMENSIONS_MOST];

	if (json_is_string(input) && json_string_length(input) > 0) {
		embed(json_string_value(input), json_string_length(input), v,
		    dim);
		*tokens += tokens_of(json_string_length(input));
	} else if (json_is_array(input) && json_array_size(input) > 0 &&
		   json_is_integer(json_array_get(input, 0))) {
		struct buf b;

		buf_init(&b, s->whole.ctx, WIRE_MOST);
		for (size_t i = 0; i < json_array_size(input); i++)
			buf_addf(&b, "%lld ",
			    (long long)json_integer_value(
				json_array_get(input, i)));
		embed(b.data, b.len, v, dim);
		buf_free(&b);
		*tokens += (int)json_array_size(input);
	} else {
		return false;
	}
	buf_addf(&s->whole,
	    "%s{\"object\":\"embedding\",\"index\":%zu,\"embedding\":",
	    index > 0 ? "," : "", index);
	add_vector(&s->whole, v, dim, base64);
	buf_adds(&s->whole, "}");
	return true;
}

bool
lists_embeddings(struct script *s, const struct ask *a)
{
	json_auto_t *root = json_loadb(a->body, a->body_len, 0, NULL);
	const json_t *input = json_object_get(root, "input"),
		     *dim = json_object_get(root, "dimensions");
	const char *form =
	    json_string_value(json_object_get(root, "encoding_format"));
	json_int_t dims = dim ? json_integer_value(dim) : DIMENSIONS;
	bool base64 = form && strcmp(form, "base64") == 0;
	/* A list of numbers is one input. */
	bool many =
	    json_is_array(input) && !json_is_integer(json_array_get(input, 0));
	size_t n = many ? json_array_size(input) : 1;
	int tokens = 0;
	bool ok =
	    dims >= 1 && dims <= DIMENSIONS_MOST && n > 0 && n <= INPUTS_MOST;

	buf_adds(&s->whole, "{\"object\":\"list\",\"data\":[");
	for (size_t i = 0; ok && i < n; i++)
		ok = add_input(s, many ? json_array_get(input, i) : input, i,
		    (size_t)dims, base64, &tokens);
	if (!ok) {
		s->plan.status = 400;
		return false;
	}
	buf_adds(&s->whole, "],\"model\":");
	buf_json_str(&s->whole, s->model, strlen(s->model));
	buf_addf(&s->whole,
	    ",\"usage\":{\"prompt_tokens\":%d,\"total_tokens\":%d}}", tokens,
	    tokens);
	s->plan.in = tokens;
	s->plan.cached = s->plan.out = 0;
	return true;
}

void
lists_count(struct script *s, const struct ask *a)
{
	buf_addf(&s->whole, "{\"input_tokens\":%d}", tokens_of(a->body_len));
	s->plan.in = s->plan.cached = s->plan.out = 0;
}
