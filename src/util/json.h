/*
 * JSON from outside, with limits: depth, nodes, duplicate keys, NUL and bad
 * UTF-8 are refused, with the line and column of what is wrong.  jansson's
 * hash seed must be set before threads start: json_setup().
 */
#ifndef UTIL_JSON_H
#define UTIL_JSON_H

#include <jansson.h>
#include <stddef.h>

#include "util/buf.h"
#include "util/err.h"

struct json_limits {
	unsigned depth; /* nesting of objects and arrays */
	unsigned nodes; /* values of any kind, keys not counted */
};

#define JSON_LIMITS_REQUEST ((struct json_limits){ 32, 10000 })

/* Seed jansson's hash, and let a lack of memory stop the process (util/mem.h):
 * values that are made never fail.  Once a process, before threads. */
void json_setup(void);

/*
 * Parse exactly one JSON text: any value, not only objects.  Store a new
 * reference in *ret.  Return 0, or -1 with ERR_MALFORMED ("line 3, column 7:
 * ...") and *ret untouched.
 */
int json_parse(const char *text, size_t len, const struct json_limits *lim,
    json_t **ret, struct err *e);

/* Append the compact text of ${v}: reals with 15 digits, so 0.2 stays 0.2. */
void json_write(struct buf *b, const json_t *v);

#endif
