/*
 * A JSON text read where it lies: an array of values that point into it, in
 * the text's order, instead of a tree of allocations.  For what is read once
 * and thrown away, such as the events of an answer.  A document is used again
 * for the next text; then it needs no memory at all.
 */
#ifndef UTIL_JSON_DOC_H
#define UTIL_JSON_DOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/json.h"

struct json_val {
	const char *text; /* a string's characters, escapes undone; anything
	                     else as it stands in the text */
	const char *key;  /* in an object; else NULL */
	uint32_t len, key_len;
	uint32_t span; /* values up to its end: itself and all inside */
	char kind;     /* { [ " 0 (a number) t f n */
};

struct json_doc {
	const void *ctx;
	struct json_val *val;
	size_t n, cap;
	char *plain; /* strings that had escapes */
	size_t plain_len, plain_cap;
};

/* Memory hangs below ${ctx}. */
void json_doc_init(struct json_doc *, const void *ctx);
/*
 * Read exactly one JSON text, which must stay as long as the values are used.
 * The root, good until the next read; NULL: not JSON, or beyond ${lim}, or
 * 4 GiB.  Of a key that stands twice the first counts.
 */
const struct json_val *json_doc_read(struct json_doc *, const char *text,
    size_t len, const struct json_limits *lim);

/* All take NULL for a value that is not there. */

/* The member of an object; NULL for anything else. */
const struct json_val *json_val_get(const struct json_val *, const char *key);
/* Each value in a list or an object: begin with ${v} NULL; NULL: no more. */
const struct json_val *json_val_next(
    const struct json_val *in, const struct json_val *v);
/* Is it of this kind? */
bool json_val_is(const struct json_val *, char kind);
/* A string's characters, not ended by a NUL; "" for anything else. */
const char *json_val_str(const struct json_val *, size_t *n);
/* Is it the string ${s}? */
bool json_val_eq(const struct json_val *, const char *s);
/* A number; false for anything else, and for one out of range. */
bool json_val_number(const struct json_val *, double *);

#endif
