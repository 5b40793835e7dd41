/* application/x-www-form-urlencoded (WHATWG URL, 5): query strings, forms. */
#ifndef HTTP_FORM_H
#define HTTP_FORM_H

#include <stdbool.h>
#include <stddef.h>

#include "util/err.h"

struct form_pair {
	const char *name, *value; /* still encoded, not terminated */
	size_t name_len, value_len;
};

/* The next pair of *at ... ${end}; false when there is none.  Empty pairs are
 * passed over. */
bool form_next(const char **at, const char *end, struct form_pair *out);

/*
 * Decode ${n} bytes ("+" is a space) into new memory below ${ctx}.  0, or -1
 * with ERR_MALFORMED for a bad escape, a NUL, or bytes that are not UTF-8.
 */
int form_decode(
    const void *ctx, const char *p, size_t n, char **ret, struct err *e);

/* Does the encoded ${p} mean ${name}?  A bad escape means nothing. */
bool form_is(const char *p, size_t n, const char *name);

#endif
