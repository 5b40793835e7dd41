/*
 * The event stream parser.  Bytes are looked at once: a line that lies whole
 * in what was fed is used where it lies, only one that is cut by a read is
 * gathered first.
 */
#include "llm/sse.h"

#include <string.h>

#include "util/banned.h"

enum {
	BOM_0,
	BOM_1,
	BOM_2,
	BOM_DONE,
	BOM_MASK = 3,
	CR_SEEN = 4,
	HAVE_DATA = 8
};

#define SSE_TOO_LONG (-1)

void
sse_init(struct sse_parser *p, const void *ctx, size_t max,
    int (*on_event)(void *, const char *event, const char *data, size_t len),
    void *arg)
{
	memset(p, 0, sizeof(*p));
	buf_init(&p->line, ctx, max);
	buf_init(&p->data, ctx, max);
	p->on_event = on_event;
	p->arg = arg;
}

static int
sse_dispatch(struct sse_parser *p)
{
	int rc = 0;

	/* An event without a data line is none, and its name is forgotten. */
	if (p->state & HAVE_DATA)
		rc = p->on_event(p->arg, p->event[0] ? p->event : "message",
		    p->data.data, p->data.len);
	buf_clear(&p->data);
	p->event[0] = '\0';
	p->state &= (unsigned char)~HAVE_DATA;
	return rc;
}

static int
sse_field(
    struct sse_parser *p, const char *name, size_t n, const char *v, size_t vn)
{
	if (n == 4 && memcmp(name, "data", 4) == 0) {
		if (p->state & HAVE_DATA)
			buf_addc(&p->data, '\n');
		buf_add(&p->data, v, vn);
		p->state |= HAVE_DATA;
		return buf_failed(&p->data) ? SSE_TOO_LONG : 0;
	}
	if (n == 5 && memcmp(name, "event", 5) == 0) {
		if (vn >= sizeof(p->event))
			vn = sizeof(p->event) - 1;
		memcpy(p->event, v, vn);
		p->event[vn] = '\0';
	}
	return 0; /* id, retry and unknown ones say nothing to a client of
	             model providers */
}

static int
sse_line(struct sse_parser *p, const char *s, size_t n)
{
	const char *colon;
	size_t name;

	if (n == 0)
		return sse_dispatch(p);
	colon = memchr(s, ':', n);
	if (!colon)
		return sse_field(p, s, n, "", 0);
	name = (size_t)(colon - s);
	if (name == 0)
		return 0; /* a comment */
	s += name + 1;
	n -= name + 1;
	if (n > 0 && *s == ' ') {
		s++;
		n--;
	}
	return sse_field(p, colon - name, name, s, n);
}

/* The end of a line whose last part is s[0..n). */
static int
sse_line_end(struct sse_parser *p, const char *s, size_t n)
{
	int rc;

	if (p->line.len == 0) {
		if (n > p->line.max)
			return SSE_TOO_LONG;
		return sse_line(p, s, n);
	}
	buf_add(&p->line, s, n);
	if (buf_failed(&p->line))
		return SSE_TOO_LONG;
	rc = sse_line(p, p->line.data, p->line.len);
	buf_clear(&p->line);
	return rc;
}

/* Drop a leading byte order mark; how many bytes of it were used up. */
static size_t
sse_bom(struct sse_parser *p, const char *s, size_t n)
{
	static const char bom[3] = { '\xef', '\xbb', '\xbf' };
	size_t i = 0;

	while (i < n && (p->state & BOM_MASK) != BOM_DONE) {
		unsigned char have = p->state & BOM_MASK;
		if (s[i] != bom[have]) {
			/* It was no mark, but the start of a line. */
			buf_add(&p->line, bom, have);
			p->state |= BOM_DONE;
			break;
		}
		i++;
		p->state = (unsigned char)((p->state & ~BOM_MASK) |
					   (unsigned char)(have + 1));
	}
	return i;
}

static size_t
line_length(const char *s, size_t n)
{
	const char *lf = memchr(s, '\n', n);
	size_t most = lf ? (size_t)(lf - s) : n;
	const char *cr = memchr(s, '\r', most);

	return cr ? (size_t)(cr - s) : most;
}

int
sse_feed(struct sse_parser *p, const char *s, size_t n)
{
	size_t i;

	if (p->stopped)
		return p->stopped;
	i = sse_bom(p, s, n);
	while (i < n) {
		if (p->state & CR_SEEN) {
			p->state &= (unsigned char)~CR_SEEN;
			if (s[i] == '\n') {
				i++;
				continue;
			}
		}
		size_t len = line_length(s + i, n - i);
		if (i + len == n) {
			buf_add(&p->line, s + i, len);
			if (buf_failed(&p->line))
				p->stopped = SSE_TOO_LONG;
			return p->stopped;
		}
		if (s[i + len] == '\r')
			p->state |= CR_SEEN;
		p->stopped = sse_line_end(p, s + i, len);
		if (p->stopped)
			return p->stopped;
		i += len + 1;
	}
	return 0;
}
