/* Values as the scan passes them: an array, each with how many it spans. */
#include "util/json_doc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "util/json_scan_priv.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define NUMBER_MOST 64 /* characters; longer ones say nothing more */

void
json_doc_init(struct json_doc *d, const void *ctx)
{
	memset(d, 0, sizeof(*d));
	d->ctx = ctx;
}

const struct json_val *
json_doc_read(struct json_doc *d, const char *text, size_t len,
    const struct json_limits *lim)
{
	struct json_scan s = {
		.text = text, .len = len, .lim = *lim, .doc = d
	};

	d->n = 0;
	d->plain_len = 0;
	if (len > UINT32_MAX || !json_scan(&s))
		return NULL;
	return d->val;
}

static void
grow(struct json_doc *d)
{
	struct json_val *more;

	d->cap = d->cap > 0 ? d->cap * 2 : 64;
	more = mem_array(d->ctx, struct json_val, d->cap);
	if (d->n > 0)
		memcpy(more, d->val, d->n * sizeof(*more));
	mem_free(d->val);
	d->val = more;
}

/* UTF-8 of a character, at ${to}; where it ends. */
static char *
put_char(char *to, int c)
{
	if (c < 0x80) {
		*to++ = (char)c;
	} else if (c < 0x800) {
		*to++ = (char)(0xc0 | (c >> 6));
		*to++ = (char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		*to++ = (char)(0xe0 | (c >> 12));
		*to++ = (char)(0x80 | ((c >> 6) & 0x3f));
		*to++ = (char)(0x80 | (c & 0x3f));
	} else {
		*to++ = (char)(0xf0 | (c >> 18));
		*to++ = (char)(0x80 | ((c >> 12) & 0x3f));
		*to++ = (char)(0x80 | ((c >> 6) & 0x3f));
		*to++ = (char)(0x80 | (c & 0x3f));
	}
	return to;
}

/* The escape at ${p}, which the scan has checked; what follows it. */
static const char *
undo_escape(const char *p, char **to)
{
	static const char letters[] = "bfnrt", means[] = "\b\f\n\r\t";
	const char *letter;
	int c;

	if (p[1] != 'u') {
		letter = strchr(letters, p[1]);
		*(*to)++ = letter ? means[letter - letters] : p[1];
		return p + 2;
	}
	c = str_hex4(p + 2, 4);
	p += 6;
	if (c >= 0xd800 && c <= 0xdbff) {
		c = 0x10000 + ((c - 0xd800) << 10) +
		    (str_hex4(p + 2, 4) - 0xdc00);
		p += 6;
	}
	*to = put_char(*to, c);
	return p;
}

/* s[0..*n) with its escapes undone: never longer than it was, so that all of a
 * text's strings fit where one text fits. */
static const char *
undo_escapes(struct json_scan *scan, const char *s, uint32_t *n)
{
	struct json_doc *d = scan->doc;
	const char *end = s + *n;
	char *start, *to;

	if (d->plain_cap < scan->len) {
		/* Nothing of this text lies there yet, or it would be large
		 * enough. */
		mem_free(d->plain);
		d->plain = mem_array(d->ctx, char, scan->len);
		d->plain_cap = scan->len;
	}
	start = to = d->plain + d->plain_len;
	while (s < end) {
		if (*s == '\\')
			s = undo_escape(s, &to);
		else
			*to++ = *s++;
	}
	*n = (uint32_t)(to - start);
	d->plain_len += *n;
	return start;
}

void
json_doc_key(struct json_scan *s, const char *key, size_t n)
{
	s->key_len = (uint32_t)n;
	s->key = s->escaped ? undo_escapes(s, key, &s->key_len) : key;
}

void
json_doc_begin(struct json_scan *s)
{
	struct json_doc *d = s->doc;
	struct json_val *v;
	char c = s->text[s->at];

	if (d->n == d->cap)
		grow(d);
	v = &d->val[d->n++];
	v->text = s->text + s->at;
	v->key = s->key;
	v->key_len = s->key_len;
	v->span = 1;
	v->kind = c == '-' || (c >= '0' && c <= '9') ? '0' : c;
	s->key = NULL;
	s->key_len = 0;
}

void
json_doc_open(struct json_scan *s)
{
	s->open[s->depth] = (uint32_t)(s->doc->n - 1);
}

void
json_doc_scalar(struct json_scan *s)
{
	struct json_val *v = &s->doc->val[s->doc->n - 1];

	v->len = (uint32_t)(s->text + s->at - v->text);
	if (v->kind != '"')
		return;
	v->text++;
	v->len -= 2;
	if (s->escaped)
		v->text = undo_escapes(s, v->text, &v->len);
}

void
json_doc_close(struct json_scan *s)
{
	struct json_val *v = &s->doc->val[s->open[s->depth]];

	v->len = (uint32_t)(s->text + s->at - v->text);
	v->span = (uint32_t)(s->doc->n - s->open[s->depth]);
}

const struct json_val *
json_val_next(const struct json_val *in, const struct json_val *v)
{
	if (!in || (in->kind != '{' && in->kind != '['))
		return NULL;
	v = v ? v + v->span : in + 1;
	return v < in + in->span ? v : NULL;
}

const struct json_val *
json_val_get(const struct json_val *o, const char *key)
{
	size_t n = strlen(key);

	if (!json_val_is(o, '{'))
		return NULL;
	for (const struct json_val *v = json_val_next(o, NULL); v;
	     v = json_val_next(o, v))
		if (v->key_len == n && memcmp(v->key, key, n) == 0)
			return v;
	return NULL;
}

bool
json_val_is(const struct json_val *v, char kind)
{
	return v && v->kind == kind;
}

const char *
json_val_str(const struct json_val *v, size_t *n)
{
	*n = json_val_is(v, '"') ? v->len : 0;
	return json_val_is(v, '"') ? v->text : "";
}

bool
json_val_eq(const struct json_val *v, const char *s)
{
	return json_val_is(v, '"') && v->len == strlen(s) &&
	       memcmp(v->text, s, v->len) == 0;
}

bool
json_val_number(const struct json_val *v, double *d)
{
	char text[NUMBER_MOST];

	if (!json_val_is(v, '0') || v->len >= sizeof(text))
		return false;
	memcpy(text, v->text, v->len);
	text[v->len] = '\0';
	*d = strtod(text, NULL);
	return isfinite(*d);
}
