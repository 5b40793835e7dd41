/* What providers put into headers and error bodies: times, and refusals. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "llm/errors_priv.h"
#include "net/call.h"
#include "net/head_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[2048];
	struct net_reply r = { .status = 429 };
	struct head h = { 0 };
	struct llm_fault f;
	struct err e;
	const char *end;
	size_t n = size < sizeof(text) - 1 ? size : sizeof(text) - 1;

	memcpy(text, data, n);
	text[n] = '\0';
	if (errors_duration(text) < -1 ||
	    errors_retry_after(text, text, 0) < -1)
		abort();
	/* The same bytes as an answer: lines of a head, then a body. */
	const char *p = text;
	while ((end = memchr(p, '\n', n - (size_t)(p - text))) && !h.done) {
		if (head_line(&h, &r, p, (size_t)(end - p) + 1) != 0)
			break;
		p = end + 1;
	}
	errors_read(&f, &r, p, n - (size_t)(p - text), 0);
	if (f.retry_ms < 0 || f.retry_ms > 3600000)
		abort();
	if (errors_set(&f, "x", &e) != -1 || e.retry_after < 0 ||
	    e.retry_after > 3600 || !e.kind)
		abort();
	return 0;
}
