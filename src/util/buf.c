/*
 * Bounded growing bytes.  Room grows by steps up to the maximum; one byte more
 * than that is allocated, for the NUL that always ends the data.
 */
#include "util/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

/* talloc gives no single piece of 256 MiB or more. */
#define BUF_MOST ((size_t)0x0fff0000)

/* What data points to before the first append: never written to. */
static char nothing[1];

void
buf_init(struct buf *b, const void *ctx, size_t max)
{
	b->data = nothing;
	b->len = 0;
	b->cap = 0;
	b->max = max;
	b->ctx = ctx;
	b->failed = false;
}

/* Room for n bytes more and the NUL; false when the buffer has failed. */
static bool
buf_room(struct buf *b, size_t n)
{
	size_t need, cap;
	char *p;

	if (b->failed)
		return false;
	if (n > b->max - b->len || n > BUF_MOST - b->len) {
		b->failed = true;
		return false;
	}
	need = b->len + n + 1;
	if (need <= b->cap)
		return true;
	/* Small ones grow fast: each step may copy. */
	cap = b->cap < 128 ? 128 : b->cap;
	while (cap < need)
		cap *= cap < 1024 ? 4 : 2;
	/* Never more than the maximum needs. */
	if (cap - 1 > b->max)
		cap = b->max + 1;
	if (b->cap == 0)
		p = talloc_named_const(b->ctx, cap, "buf");
	else
		p = talloc_realloc_size(b->ctx, b->data, cap);
	if (p == NULL) {
		b->failed = true;
		return false;
	}
	b->data = p;
	b->cap = cap;
	return true;
}

/* Is there room already? */
static bool
buf_fits(const struct buf *b, size_t n)
{
	return !b->failed && n < b->cap - b->len;
}

void
buf_add(struct buf *b, const void *p, size_t n)
{
	if (n == 0 || !(buf_fits(b, n) || buf_room(b, n)))
		return;
	memcpy(b->data + b->len, p, n);
	b->len += n;
	b->data[b->len] = '\0';
}

void
buf_adds(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void
buf_addc(struct buf *b, char c)
{
	if (!buf_fits(b, 1) && !buf_room(b, 1))
		return;
	b->data[b->len++] = c;
	b->data[b->len] = '\0';
}

void
buf_addi(struct buf *b, long long n)
{
	char text[STR_INT];
	size_t len = str_from_int(n, text);

	buf_add(b, text, len);
}

void
buf_addf(struct buf *b, const char *fmt, ...)
{
	char small[256];
	va_list ap;
	int n;

	if (b->failed)
		return;
	va_start(ap, fmt);
	n = vsnprintf(small, sizeof(small), fmt, ap);
	va_end(ap);
	if (n < 0) {
		b->failed = true;
		return;
	}
	if ((size_t)n < sizeof(small)) {
		buf_add(b, small, (size_t)n);
		return;
	}
	if (!buf_room(b, (size_t)n))
		return;
	va_start(ap, fmt);
	n = vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}

/* The escape of a byte that must not stand bare in a JSON string. */
static const char *
json_escape(unsigned char c, char out[8])
{
	switch (c) {
	case '"':
		return "\\\"";
	case '\\':
		return "\\\\";
	case '\b':
		return "\\b";
	case '\f':
		return "\\f";
	case '\n':
		return "\\n";
	case '\r':
		return "\\r";
	case '\t':
		return "\\t";
	default:
		break;
	}
	(void)snprintf(out, 8, "\\u%04x", c);
	return out;
}

/* Bytes of s[0..n) that may stand in a JSON string as they are. */
static size_t
json_plain(const char *s, size_t n)
{
	size_t i = 0, len;

	for (;;) {
		i += str_json_plain(s + i, n - i);
		if (i == n || (unsigned char)s[i] < 0x80)
			return i;
		len = str_utf8_char(s + i, n - i);
		if (len == 0)
			return i;
		i += len;
	}
}

void
buf_json_str(struct buf *b, const char *s, size_t n)
{
	char esc[8];

	buf_addc(b, '"');
	while (!b->failed) {
		size_t plain = json_plain(s, n);

		buf_add(b, s, plain);
		s += plain;
		n -= plain;
		if (n == 0)
			break;
		if ((unsigned char)*s >= 0x80)
			buf_adds(b, "\xef\xbf\xbd"); /* U+FFFD */
		else
			buf_adds(b, json_escape((unsigned char)*s, esc));
		s++;
		n--;
	}
	buf_addc(b, '"');
}

void
buf_clear(struct buf *b)
{
	b->len = 0;
	b->failed = false;
	if (b->cap > 0)
		b->data[0] = '\0';
}

void
buf_free(struct buf *b)
{
	if (b->cap > 0)
		mem_free(b->data);
	buf_init(b, b->ctx, b->max);
}

bool
buf_failed(const struct buf *b)
{
	return b->failed;
}
