/*
 * JSON from outside.  The strict scan goes first, so that a hostile body costs
 * one pass over its good part and nothing on the heap.  jansson then builds the
 * tree; what is left for it to refuse are duplicate keys and numbers out of
 * range.
 */
#include "util/json.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "util/json_scan_priv.h"
#include "util/mem.h"

#include "util/banned.h"

void
json_setup(void)
{
	/* Most that is put together here would be a value short otherwise. */
	json_set_alloc_funcs(mem_malloc, free);
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
	struct json_scan s = { .text = text, .len = len, .lim = *lim };
	const char *why;
	json_error_t je;
	json_t *v;
	size_t at;

	if (!json_scan(&s))
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
