/*
 * The JSON of an event.  Vendors send it clean; gateways in front of models
 * cut characters in halves, escape half a surrogate pair, or pass on a NUL.
 * Such a text is mended once instead of losing the answer.
 */
#include "llm/stream_priv.h"

#include <string.h>

#include "util/str.h"

#include "util/banned.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */
#define TOKENS_MOST INT64_C(1000000000)
#define EVENT_LIMITS ((struct json_limits){ 64, 20000 })

int64_t
event_count(const struct json_val *o, const char *key)
{
	double d;

	if (!json_val_number(json_val_get(o, key), &d))
		return 0;
	return d > 0 && d <= (double)TOKENS_MOST ? (int64_t)d : 0;
}

/* The value of "\uXXXX" at p, or -1. */
static int
escape_value(const char *p, size_t n)
{
	return n >= 6 && p[0] == '\\' && p[1] == 'u' ? str_hex4(p + 2, n - 2)
	                                             : -1;
}

/* One escape sequence, mended into ${b}; its length. */
static size_t
mend_escape(struct buf *b, const char *p, size_t n)
{
	int v = escape_value(p, n);
	int low = v >= 0xd800 && v <= 0xdbff ? escape_value(p + 6, n - 6) : -1;

	if (low >= 0xdc00 && low <= 0xdfff) {
		buf_add(b, p, 12);
		return 12;
	}
	if (v == 0 || (v >= 0xd800 && v <= 0xdfff)) {
		buf_adds(b, "\\ufffd");
		return 6;
	}
	size_t len = v >= 0 ? 6 : (n >= 2 ? 2 : 1);
	buf_add(b, p, len);
	return len;
}

/* What the scan refuses and a reader of model text can do without. */
static void
mend(struct buf *b, const char *p, size_t n)
{
	while (n > 0) {
		size_t used = 1;
		size_t good = str_utf8_prefix(p, n);
		const char *esc = memchr(p, '\\', good);
		if (esc)
			good = (size_t)(esc - p);
		buf_add(b, p, good);
		p += good;
		n -= good;
		if (n == 0)
			break;
		if (esc)
			used = mend_escape(b, p, n);
		else
			buf_add(b, REPLACEMENT, 3);
		p += used;
		n -= used;
	}
}

const struct json_val *
event_read(struct llm_stream *s, const char *data, size_t len)
{
	struct json_limits lim = EVENT_LIMITS;
	const struct json_val *v = json_doc_read(&s->doc, data, len, &lim);

	if (v)
		return v;
	buf_free(&s->mended);
	buf_init(&s->mended, s->tmp, len * 3 + 16);
	mend(&s->mended, data, len);
	if (buf_failed(&s->mended))
		return NULL;
	return json_doc_read(&s->doc, s->mended.data, s->mended.len, &lim);
}

const char *
event_text(const struct json_val *o, const char *key, size_t *n)
{
	return json_val_str(json_val_get(o, key), n);
}
