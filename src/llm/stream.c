/*
 * The neutral side of an answer: text in whole characters, tool calls put
 * together from fragments, usage, and why it ended.
 */
#include "llm/stream_priv.h"

#include <stdio.h>
#include <string.h>

#include "llm/provider_priv.h"
#include "net/call.h"
#include "util/clock.h"
#include "util/id.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

static int
on_event(void *arg, const char *event, const char *data, size_t len)
{
	struct llm_stream *s = arg;

	return s->provider->event(s, event, data, len);
}

void
stream_init(struct llm_stream *s, const struct llm_provider *p,
    struct llm_reply *reply, struct llm_sink *sink, const void *ctx,
    const void *tmp, size_t max)
{
	memset(s, 0, sizeof(*s));
	s->provider = p;
	s->reply = reply;
	s->sink = sink;
	s->ctx = ctx;
	s->tmp = tmp;
	s->max = max;
	s->start = clock_mono();
	json_doc_init(&s->doc, tmp);
	buf_init(&s->mended, tmp, 0);
	sse_init(&s->sse, tmp, max, on_event, s);
}

int
stream_feed(struct llm_stream *s, const char *p, size_t n)
{
	int rc = sse_feed(&s->sse, p, n);

	if (rc < 0 && !s->gone && !s->failed)
		return stream_garbled(s);
	return rc;
}

int
stream_garbled(struct llm_stream *s)
{
	s->garbled = true;
	return NET_STOP;
}

static void
copy_text(const struct json_val *v, char out[64])
{
	size_t n;
	const char *text = json_val_str(v, &n);

	snprintf(out, 64, "%.*s", n < 64 ? (int)n : 63, text);
}

int
stream_fail(struct llm_stream *s, const struct json_val *type,
    const struct json_val *code)
{
	char type_text[64], code_text[64];

	copy_text(type, type_text);
	copy_text(code, code_text);
	s->failed = true;
	errors_stream(&s->fault, type_text, code_text);
	return NET_STOP;
}

/* Text. */

static int
say(struct llm_stream *s, const char *p, size_t n)
{
	struct llm_reply *r = s->reply;

	if (n == 0)
		return 0;
	buf_add(&r->text, p, n);
	if (buf_failed(&r->text))
		return stream_garbled(s);
	s->text_at = clock_mono();
	if (!r->started) {
		r->started = true;
		r->first_token_ns = s->text_at - s->start;
	}
	if (s->sink && s->sink->text(s->sink, p, n) != 0 &&
	    !s->sink->ignore_gone) {
		s->gone = true;
		return NET_STOP;
	}
	return 0;
}

/* Bytes a character takes by its first one; 0: none begins so. */
static size_t
char_length(unsigned char c)
{
	if (c < 0x80)
		return 1;
	if (c >= 0xc2 && c <= 0xdf)
		return 2;
	if (c >= 0xe0 && c <= 0xef)
		return 3;
	return c >= 0xf0 && c <= 0xf4 ? 4 : 0;
}

/* Could p[0..n) grow into a character? */
static bool
char_begun(const char *p, size_t n)
{
	unsigned char a = (unsigned char)p[0];
	size_t want = char_length(a);

	if (want <= n)
		return false;
	for (size_t i = 1; i < n; i++)
		if (((unsigned char)p[i] & 0xc0) != 0x80)
			return false;
	if (n >= 2) { /* too long, surrogate, beyond the end */
		unsigned char b = (unsigned char)p[1];
		if ((a == 0xe0 && b < 0xa0) || (a == 0xed && b > 0x9f) ||
		    (a == 0xf0 && b < 0x90) || (a == 0xf4 && b > 0x8f))
			return false;
	}
	return true;
}

/* Valid text without NULs: the longest such start of p[0..n). */
static size_t
clean_prefix(const char *p, size_t n)
{
	const char *nul = memchr(p, '\0', n);

	return str_utf8_prefix(p, nul ? (size_t)(nul - p) : n);
}

/* What follows a clean start: keep it if it may still become a character,
 * else replace its first byte.  How much of it was used. */
static size_t
mend_or_hold(struct llm_stream *s, const char *p, size_t n, int *rc)
{
	if (n < 4 && char_begun(p, n)) {
		memcpy(s->held, p, n);
		s->nheld = n;
		return n;
	}
	*rc = say(s, REPLACEMENT, 3);
	return 1;
}

int
stream_text(struct llm_stream *s, const char *p, size_t n)
{
	int rc = 0;

	/* Finish the held character, byte by byte: three at the most. */
	while (s->nheld > 0 && n > 0 && rc == 0) {
		char part[4];
		size_t k = s->nheld;
		memcpy(part, s->held, k);
		part[k] = *p;
		s->nheld = 0;
		if (clean_prefix(part, k + 1) == k + 1) {
			rc = say(s, part, k + 1);
		} else if (k + 1 < 4 && char_begun(part, k + 1)) {
			memcpy(s->held, part, k + 1);
			s->nheld = k + 1;
		} else {
			/* It never became one; the new byte stands alone. */
			rc = say(s, REPLACEMENT, 3);
			break;
		}
		p++;
		n--;
	}
	while (n > 0 && rc == 0) {
		size_t good = clean_prefix(p, n);
		rc = say(s, p, good);
		p += good;
		n -= good;
		if (n > 0 && rc == 0) {
			size_t used = mend_or_hold(s, p, n, &rc);
			p += used;
			n -= used;
		}
	}
	return rc;
}

void
stream_hidden(struct llm_stream *s, size_t n)
{
	s->hidden += n;
}

/* Tool calls. */

struct stream_call *
stream_call(struct llm_stream *s, int64_t index)
{
	struct stream_call *c;

	for (int i = 0; i < s->ncalls; i++)
		if (s->call[i].index == index)
			return &s->call[i];
	if (s->ncalls == STREAM_CALLS)
		return NULL;
	if (s->ncalls == s->call_room) {
		s->call_room = s->call_room ? s->call_room * 2 : 4;
		c = mem_array(s->tmp, struct stream_call, (size_t)s->call_room);
		if (s->ncalls > 0)
			memcpy(c, s->call, (size_t)s->ncalls * sizeof(*c));
		mem_free(s->call);
		s->call = c;
	}
	c = &s->call[s->ncalls++];
	c->index = index;
	buf_init(&c->id, s->tmp, 256);
	buf_init(&c->name, s->tmp, 256);
	buf_init(&c->args, s->tmp, s->max);
	return c;
}

void
stream_call_id(struct stream_call *c, const char *p, size_t n)
{
	if (c->id.len == 0)
		buf_add(&c->id, p, n);
}

void
stream_call_name(struct stream_call *c, const char *p, size_t n)
{
	if (c->name.len == 0)
		buf_add(&c->name, p, n);
}

void
stream_call_args(struct stream_call *c, const char *p, size_t n)
{
	buf_add(&c->args, p, n);
}

/* The end. */

void
stream_finish(struct llm_stream *s, enum llm_finish f)
{
	s->finished = true;
	s->reply->finish = f;
}

static void
make_calls(struct llm_stream *s)
{
	struct llm_reply *r = s->reply;

	if (s->ncalls == 0)
		return;
	r->calls = mem_array(s->ctx, struct llm_tool_call, (size_t)s->ncalls);
	for (int i = 0; i < s->ncalls; i++) {
		struct stream_call *c = &s->call[i];
		struct llm_tool_call *t = &r->calls[i];
		if (buf_failed(&c->id) || buf_failed(&c->name) ||
		    buf_failed(&c->args))
			s->garbled = true;
		if (c->id.len == 0) {
			unsigned char rnd[12];
			char hex[25];
			id_random(rnd, sizeof(rnd));
			str_hex(rnd, sizeof(rnd), hex);
			buf_addf(&c->id, "call_%s", hex);
		}
		t->id = mem_strndup(s->ctx, c->id.data, c->id.len);
		t->name = mem_strndup(s->ctx, c->name.data, c->name.len);
		/* No arguments at all are an empty object. */
		t->arguments =
		    c->args.len == 0
			? mem_strdup(s->ctx, "{}")
			: mem_strndup(s->ctx, c->args.data, c->args.len);
	}
	r->ncalls = s->ncalls;
}

static void
settle_finish(struct llm_stream *s)
{
	struct llm_reply *r = s->reply;

	if (s->gone)
		r->finish = LLM_CANCELLED;
	else if (s->failed || s->garbled || !(s->finished || s->done))
		r->finish = LLM_ERROR;
	else if (!s->finished)
		r->finish = LLM_STOP;
	else if (s->refused && r->finish == LLM_STOP)
		r->finish = LLM_CONTENT_FILTER;
	/* What counts is whether there is something to call. */
	if (r->finish == LLM_STOP && r->ncalls > 0)
		r->finish = LLM_TOOL_CALLS;
	else if (r->finish == LLM_TOOL_CALLS && r->ncalls == 0)
		r->finish = LLM_STOP;
}

static int64_t
at_most(int64_t v, int64_t most)
{
	return v > most ? most : v;
}

static void
settle_usage(struct llm_stream *s, const struct llm_request *rq)
{
	struct llm_reply *r = s->reply;
	struct llm_usage *u = &r->usage;
	int64_t said = llm_estimate_tokens(r->text.data, r->text.len) +
	               (int64_t)((s->hidden + 3) / 4);

	for (int i = 0; i < r->ncalls; i++)
		said += 4 + llm_estimate_tokens(r->calls[i].arguments,
				strlen(r->calls[i].arguments));
	if (!s->usage_seen) {
		u->input = llm_estimate_request(rq);
		u->output = said;
		u->estimated = true;
	} else if (!s->usage_final) {
		/* Cut before the last count: what is known is too little. */
		if (u->output < said)
			u->output = said;
		u->estimated = true;
	}
	u->cached = at_most(u->cached, u->input);
	u->cache_write = at_most(u->cache_write, u->input - u->cached);
	u->reasoning = at_most(u->reasoning, u->output);
}

void
stream_end(struct llm_stream *s, const struct llm_request *rq)
{
	if (s->nheld > 0 && !s->gone) {
		s->nheld = 0;
		say(s, REPLACEMENT, 3);
	}
	make_calls(s);
	settle_finish(s);
	settle_usage(s, rq);
}
