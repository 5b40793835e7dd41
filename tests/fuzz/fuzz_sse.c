/* The event stream parser: any bytes, cut anywhere, give the same events; and
 * no more memory than the limit. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "llm/sse.h"
#include "util/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LIMIT 512

static int
note(void *arg, const char *event, const char *data, size_t len)
{
	struct buf *b = arg;

	buf_adds(b, event);
	buf_addc(b, '\0');
	buf_add(b, data, len);
	buf_addc(b, '\1');
	return len == 3 && memcmp(data, "end", 3) == 0 ? 9 : 0;
}

static int
run(void *ctx, const char *s, size_t n, size_t step, struct buf *log)
{
	struct sse_parser p;
	int rc = 0;

	buf_init(log, ctx, 1 << 22);
	sse_init(&p, ctx, LIMIT, note, log);
	for (size_t at = 0; at < n && rc == 0; at += step)
		rc = sse_feed(&p, s + at, n - at < step ? n - at : step);
	if (p.line.cap > LIMIT + 1 || p.data.cap > LIMIT + 1)
		abort();
	return rc;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	void *ctx = mem_root("fuzz");
	struct buf whole, parts;

	if (size > 1) {
		size_t step = data[0] % 16u + 1;
		const char *s = (const char *)data + 1;
		int a = run(ctx, s, size - 1, size, &whole);
		int b = run(ctx, s, size - 1, step, &parts);
		if (a != b || whole.len != parts.len ||
		    memcmp(whole.data, parts.data, whole.len) != 0)
			abort();
	}
	mem_free(ctx);
	return 0;
}
