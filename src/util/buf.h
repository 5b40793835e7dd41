/*
 * Bounded growing bytes.  A buffer is born with its maximum; after a failure
 * each append does nothing, and the writer asks buf_failed() once, at the end.
 * data always ends in a NUL that len does not count.
 */
#ifndef UTIL_BUF_H
#define UTIL_BUF_H

#include <stdbool.h>
#include <stddef.h>

struct buf {
	char *data; /* talloc'd below ctx; "" before the first append */
	size_t len;
	size_t cap;
	size_t max;
	const void *ctx;
	bool failed;
};

void buf_init(struct buf *b, const void *ctx, size_t max);
void buf_add(struct buf *b, const void *p, size_t n);
void buf_adds(struct buf *b, const char *s);
void buf_addc(struct buf *b, char c);
void buf_addi(struct buf *b, long long n); /* in decimal */
void buf_addf(struct buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/*
 * Append ${s} as a JSON string with its quotes (RFC 8259; "/" unescaped).
 * Always valid: control characters become escapes, bytes that are not UTF-8
 * U+FFFD.
 */
void buf_json_str(struct buf *b, const char *s, size_t n);
void buf_clear(struct buf *b); /* len 0, failed false, memory kept */
void buf_free(struct buf *b);
bool buf_failed(const struct buf *b);

#endif
