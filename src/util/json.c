/*
 * JSON from outside.  A strict scan without memory goes first: it counts depth
 * and values, checks grammar and UTF-8, and stops at the first byte that is
 * wrong, so that a hostile body costs one pass over its good part and nothing
 * on the heap.  jansson then builds the tree; what is left for it to refuse
 * are duplicate keys and numbers out of range.
 */
#include "util/json.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "util/str.h"

#include "util/banned.h"

#define DEPTH_MOST 512 /* whatever the limits say: jansson recurses */

struct scan {
	const char *text;
	size_t len, at;
	unsigned depth, nodes;
	struct json_limits lim;
	const char *why;             /* what is wrong at ${at} */
	bool object[DEPTH_MOST + 1]; /* what is open at each depth */
};

void
json_setup(void)
{
	json_object_seed(0);
}

/* Line and column (in characters) of byte ${at}, both from 1. */
static void
place(const char *text, size_t at, size_t *line, size_t *column)
{
	*line = 1;
	*column = 1;
	for (size_t i = 0; i < at; i++) {
		if (text[i] == '\n') {
			++*line;
			*column = 1;
		} else if (((unsigned char)text[i] & 0xc0) != 0x80) {
			++*column;
		}
	}
}

static int
refuse(const char *text, size_t at, const char *why, struct err *e)
{
	size_t line, column;

	place(text, at, &line, &column);
	return err_set(
	    e, ERR_MALFORMED, "line %zu, column %zu: %s", line, column, why);
}

static bool
wrong(struct scan *s, size_t at, const char *why)
{
	s->at = at;
	if (at == s->len)
		s->why = "the text ends too early";
	else if (s->text[at] == '\0')
		s->why = "a NUL byte is not allowed";
	else
		s->why = why;
	return false;
}

static void
skip_space(struct scan *s)
{
	while (s->at < s->len &&
	       (s->text[s->at] == ' ' || s->text[s->at] == '\n' ||
		   s->text[s->at] == '\r' || s->text[s->at] == '\t'))
		s->at++;
}

static bool
is_digit(const struct scan *s, size_t at)
{
	return at < s->len && s->text[at] >= '0' && s->text[at] <= '9';
}

/* The escape whose backslash is at s->at. */
static bool
scan_escape(struct scan *s)
{
	size_t at = s->at;
	int v;

	if (at + 1 >= s->len)
		return wrong(s, s->len, NULL);
	if (s->text[at + 1] != 'u') {
		if (strchr("\"\\/bfnrt", s->text[at + 1]) == NULL ||
		    s->text[at + 1] == '\0')
			return wrong(s, at, "unknown escape");
		s->at += 2;
		return true;
	}
	v = str_hex4(s->text + at + 2, s->len - at - 2);
	if (v < 0)
		return wrong(s, at, "\\u wants four hex digits");
	if (v == 0)
		return wrong(s, at, "a NUL character is not allowed");
	s->at += 6;
	if (v >= 0xdc00 && v <= 0xdfff)
		return wrong(s, at, "lone surrogate");
	if (v < 0xd800 || v > 0xdbff)
		return true;
	if (s->at + 1 >= s->len || s->text[s->at] != '\\' ||
	    s->text[s->at + 1] != 'u')
		return wrong(s, at, "lone surrogate");
	v = str_hex4(s->text + s->at + 2, s->len - s->at - 2);
	if (v < 0xdc00 || v > 0xdfff)
		return wrong(s, at, "lone surrogate");
	s->at += 6;
	return true;
}

/* The string whose opening quote is at s->at. */
static bool
scan_string(struct scan *s)
{
	size_t n;

	s->at++;
	while (s->at < s->len) {
		unsigned char c = (unsigned char)s->text[s->at];

		if (c == '"') {
			s->at++;
			return true;
		}
		if (c == '\\') {
			if (!scan_escape(s))
				return false;
			continue;
		}
		if (c < 0x20)
			return wrong(
			    s, s->at, "control characters must be escaped");
		n = c < 0x80 ? 1
		             : str_utf8_char(s->text + s->at, s->len - s->at);
		if (n == 0)
			return wrong(s, s->at, "not UTF-8");
		s->at += n;
	}
	return wrong(s, s->len, NULL);
}

static bool
scan_number(struct scan *s)
{
	size_t at = s->at;

	if (s->text[at] == '-')
		at++;
	if (!is_digit(s, at))
		return wrong(s, at, "a number wants a digit here");
	if (s->text[at] == '0' && is_digit(s, at + 1))
		return wrong(s, at, "a number must not start with 0");
	while (is_digit(s, at))
		at++;
	if (at < s->len && s->text[at] == '.') {
		if (!is_digit(s, ++at))
			return wrong(s, at, "a number wants a digit here");
		while (is_digit(s, at))
			at++;
	}
	if (at < s->len && (s->text[at] | 32) == 'e') {
		at++;
		if (at < s->len && (s->text[at] == '+' || s->text[at] == '-'))
			at++;
		if (!is_digit(s, at))
			return wrong(s, at, "a number wants a digit here");
		while (is_digit(s, at))
			at++;
	}
	s->at = at;
	return true;
}

static bool
scan_word(struct scan *s)
{
	static const char *const words[] = { "true", "false", "null" };

	for (size_t i = 0; i < 3; i++) {
		size_t n = strlen(words[i]);

		if (s->len - s->at >= n &&
		    memcmp(s->text + s->at, words[i], n) == 0) {
			s->at += n;
			return true;
		}
	}
	return wrong(s, s->at, "a value was expected");
}

/* A key and its colon. */
static bool
scan_key(struct scan *s)
{
	skip_space(s);
	if (s->at == s->len || s->text[s->at] != '"')
		return wrong(s, s->at, "a key in quotes was expected");
	if (!scan_string(s))
		return false;
	skip_space(s);
	if (s->at == s->len || s->text[s->at] != ':')
		return wrong(s, s->at, "a colon was expected");
	s->at++;
	return true;
}

/*
 * One value up to its first inner value: *open says that one follows.
 */
static bool
scan_value(struct scan *s, bool *open)
{
	char c;

	*open = false;
	skip_space(s);
	if (s->at == s->len)
		return wrong(s, s->at, NULL);
	if (++s->nodes > s->lim.nodes)
		return wrong(s, s->at, "too many values");
	c = s->text[s->at];
	if (c == '"')
		return scan_string(s);
	if (c == '-' || is_digit(s, s->at))
		return scan_number(s);
	if (c != '{' && c != '[')
		return scan_word(s);
	if (s->depth >= s->lim.depth || s->depth >= DEPTH_MOST)
		return wrong(s, s->at, "nested too deeply");
	s->object[++s->depth] = c == '{';
	s->at++;
	skip_space(s);
	if (s->at < s->len && s->text[s->at] == (c == '{' ? '}' : ']')) {
		s->at++;
		s->depth--;
		return true;
	}
	*open = true;
	return c == '[' || scan_key(s);
}

/* After a value: close what ends here; *more says that another follows. */
static bool
scan_after(struct scan *s, bool *more)
{
	while (s->depth > 0) {
		bool object = s->object[s->depth];
		char c;

		skip_space(s);
		c = s->at < s->len ? s->text[s->at] : '\0';
		if (c == ',') {
			s->at++;
			*more = true;
			return !object || scan_key(s);
		}
		if (c != (object ? '}' : ']'))
			return wrong(s, s->at,
			    object ? "a comma or } was expected"
				   : "a comma or ] was expected");
		s->at++;
		s->depth--;
	}
	*more = false;
	return true;
}

static bool
scan_text(struct scan *s)
{
	bool more = true;

	while (more) {
		bool open;

		if (!scan_value(s, &open))
			return false;
		if (!open && !scan_after(s, &more))
			return false;
	}
	skip_space(s);
	if (s->at == s->len)
		return true;
	return wrong(s, s->at, "something follows the end of the text");
}

/* Start of the token that ends before ${at}: where jansson's complaint is. */
static size_t
token_start(const char *text, size_t at)
{
	if (at > 0 && text[at - 1] == '"') {
		for (at--; at > 0; at--) {
			size_t slashes = 0;

			if (text[at - 1] != '"')
				continue;
			while (
			    slashes < at - 1 && text[at - 2 - slashes] == '\\')
				slashes++;
			if (slashes % 2 == 0)
				return at - 1;
		}
		return 0;
	}
	while (at > 0 && text[at - 1] != '\0' &&
	       strchr("0123456789+-.eE", text[at - 1]) != NULL)
		at--;
	return at;
}

int
json_parse(const char *text, size_t len, const struct json_limits *lim,
    json_t **ret, struct err *e)
{
	struct scan s = { .text = text, .len = len, .lim = *lim };
	const char *why;
	json_error_t je;
	json_t *v;
	size_t at;

	if (!scan_text(&s))
		return refuse(text, s.at, s.why, e);
	v = json_loadb(
	    text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &je);
	if (v != NULL) {
		*ret = v;
		return 0;
	}
	/* jansson's own text quotes the body: it is not passed on. */
	at = je.position > 0 ? (size_t)je.position : 0;
	at = token_start(text, at < len ? at : len);
	switch (json_error_code(&je)) {
	case json_error_duplicate_key:
		why = "this key stands twice in its object";
		break;
	case json_error_numeric_overflow:
		why = "this number is out of range";
		break;
	case json_error_out_of_memory:
		return err_set(e, ERR_INTERNAL, "no memory for a JSON text");
	default:
		why = "not JSON";
		break;
	}
	return refuse(text, at, why, e);
}

static int
write_piece(const char *piece, size_t n, void *arg)
{
	struct buf *b = arg;

	buf_add(b, piece, n);
	return buf_failed(b) ? -1 : 0;
}

static void write_value(struct buf *, const json_t *);

static void
write_object(struct buf *b, const json_t *v)
{
	json_t *object = (json_t *)(uintptr_t)v; /* only read */
	void *i = json_object_iter(object);
	char before = '{';

	if (i == NULL)
		buf_addc(b, '{');
	for (; i != NULL; i = json_object_iter_next(object, i)) {
		const char *key = json_object_iter_key(i);

		buf_addc(b, before);
		buf_json_str(b, key, strlen(key));
		buf_addc(b, ':');
		write_value(b, json_object_iter_value(i));
		before = ',';
	}
	buf_addc(b, '}');
}

/* jansson's own writer keeps a table of what it is in, against circles; a
 * tree that was parsed or put together here has none. */
static void
write_value(struct buf *b, const json_t *v)
{
	switch (json_typeof(v)) {
	case JSON_OBJECT:
		write_object(b, v);
		break;
	case JSON_ARRAY:
		buf_addc(b, '[');
		for (size_t i = 0; i < json_array_size(v); i++) {
			if (i > 0)
				buf_addc(b, ',');
			write_value(b, json_array_get(v, i));
		}
		buf_addc(b, ']');
		break;
	case JSON_STRING:
		buf_json_str(b, json_string_value(v), json_string_length(v));
		break;
	case JSON_INTEGER:
		buf_addf(b, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
		break;
	case JSON_REAL:
		if (json_dump_callback(v, write_piece, b,
			JSON_ENCODE_ANY | JSON_REAL_PRECISION(15)) != 0)
			b->failed = true;
		break;
	case JSON_TRUE:
		buf_adds(b, "true");
		break;
	case JSON_FALSE:
		buf_adds(b, "false");
		break;
	case JSON_NULL:
		buf_adds(b, "null");
		break;
	}
}

void
json_write(struct buf *b, const json_t *v)
{
	if (v == NULL)
		b->failed = true;
	else
		write_value(b, v);
}
