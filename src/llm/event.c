/*
 * The JSON of an event.  Vendors send it clean; gateways in front of models
 * cut characters in halves, escape half a surrogate pair, or pass on a NUL.
 * Such a text is mended once instead of losing the answer.
 */
#include "llm/stream_priv.h"

#include <string.h>

#include "util/json.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */
#define TOKENS_MOST INT64_C(1000000000)
#define EVENT_LIMITS ((struct json_limits){ 64, 20000 })

int64_t
event_count(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);
	double d;

	if (!json_is_number(v))
		return 0;
	d = json_number_value(v);
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

/* What jansson refuses and a reader of model text can do without. */
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

json_t *
event_json(const char *data, size_t len)
{
	struct json_limits lim = EVENT_LIMITS;
	json_t *v = NULL;
	struct buf b;
	void *tmp;

	if (json_parse(data, len, &lim, &v, NULL) == 0)
		return v;
	tmp = mem_root("mended json");
	buf_init(&b, tmp, len * 3 + 16);
	mend(&b, data, len);
	if (buf_failed(&b) || json_parse(b.data, b.len, &lim, &v, NULL) != 0)
		v = NULL;
	mem_free(tmp);
	return v;
}

const char *
event_text(const json_t *o, const char *key, size_t *n)
{
	const json_t *v = json_object_get(o, key);

	*n = json_is_string(v) ? json_string_length(v) : 0;
	return json_is_string(v) ? json_string_value(v) : "";
}
