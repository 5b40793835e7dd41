/* What the fuzzers of the two providers share: a stream through the parser,
 * whole and in pieces; and a body that was not streamed. */
#ifndef TESTS_FUZZ_FUZZ_LLM_H
#define TESTS_FUZZ_FUZZ_LLM_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "llm/provider_priv.h"
#include "llm/stream_priv.h"
#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
fuzz_hear(struct llm_sink *k, const char *p, size_t n)
{
	(void)k;
	if (n == 0 || !str_utf8_valid(p, n))
		abort();
	return 0;
}

static struct llm_stream *
fuzz_run(void *ctx, const struct llm_provider *p, const char *s, size_t n,
    size_t step)
{
	static struct llm_sink sink = { .text = fuzz_hear, .gone_fd = -1 };
	struct llm_stream *st = mem_new(ctx, struct llm_stream);
	struct llm_reply *r = mem_new(ctx, struct llm_reply);
	struct llm_request rq = { .system = "x" };
	int rc = 0;

	buf_init(&r->text, ctx, 1 << 20);
	stream_init(st, p, r, &sink, ctx, ctx, 1 << 16);
	for (size_t at = 0; at < n && rc == 0; at += step)
		rc = stream_feed(st, s + at, n - at < step ? n - at : step);
	stream_end(st, &rq);
	if (r->usage.input < 0 || r->usage.output < 0 ||
	    r->usage.cached + r->usage.cache_write > r->usage.input ||
	    r->usage.reasoning > r->usage.output)
		abort();
	return st;
}

static void
fuzz_provider(const struct llm_provider *p, const uint8_t *data, size_t size)
{
	void *ctx = mem_root("fuzz");
	struct json_limits lim = { 64, 20000 };

	if (size > 1) {
		const char *s = (const char *)data + 1;
		const struct llm_stream *a, *b;
		a = fuzz_run(ctx, p, s, size - 1, size);
		b = fuzz_run(ctx, p, s, size - 1, data[0] % 16u + 1);
		if (a->reply->finish != b->reply->finish ||
		    a->reply->text.len != b->reply->text.len ||
		    a->reply->ncalls != b->reply->ncalls ||
		    memcmp(&a->reply->usage, &b->reply->usage,
			sizeof(a->reply->usage)) != 0)
			abort();

		struct llm_stream *w = fuzz_run(ctx, p, "", 0, 1);
		const struct json_val *root =
		    json_doc_read(&w->doc, s, size - 1, &lim);

		if (root)
			w->provider->whole(w, root);
	}
	mem_free(ctx);
}

#endif
