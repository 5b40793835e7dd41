/*
 * The strict scan of a JSON text: it counts depth and values, checks grammar
 * and UTF-8, and stops at the first byte that is wrong.  On the way it can tell
 * a json_doc what it passes; without one it needs no memory.
 */
#ifndef UTIL_JSON_SCAN_PRIV_H
#define UTIL_JSON_SCAN_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/json.h"

struct json_doc;

#define JSON_DEPTH_MOST 512 /* whatever the limits say: jansson recurses */

struct json_scan {
	const char *text;
	size_t len, at;
	unsigned depth, nodes;
	struct json_limits lim;
	const char *why;                  /* what is wrong at ${at} */
	bool object[JSON_DEPTH_MOST + 1]; /* what is open at each depth */

	/* For a document: what was read last, and what is open. */
	struct json_doc *doc;
	bool escaped;    /* the string had an escape */
	const char *key; /* of the value that comes next, or NULL */
	uint32_t key_len;
	uint32_t open[JSON_DEPTH_MOST + 1];
};

/* The whole text: true, or false with ${at} and ${why}. */
bool json_scan(struct json_scan *);

/* json_doc.c: a value begins at ${at}; it is a container, which ${depth} counts
 * already; the scalar that began last ends before ${at}; the innermost
 * container does; a key, key[0..n), was read. */
void json_doc_begin(struct json_scan *);
void json_doc_open(struct json_scan *);
void json_doc_scalar(struct json_scan *);
void json_doc_close(struct json_scan *);
void json_doc_key(struct json_scan *, const char *key, size_t n);

#endif
