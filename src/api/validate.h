/*
 * Bodies against the schemas of api/schema.c: the part of JSON Schema 2020-12
 * that they use.  What is known: type, enum, required, properties,
 * additionalProperties (false), minProperties, minLength, maxLength, pattern
 * (POSIX), format (uuid, date-time), minimum, maximum, items, minItems,
 * maxItems, uniqueItems, $ref to another schema of the table, and what only
 * describes (description, default, examples).
 */
#ifndef API_VALIDATE_H
#define API_VALIDATE_H

#include <jansson.h>
#include <stdint.h>

#include "util/err.h"

/*
 * Check ${v} against the schema ${name}.  0; or -1 with ERR_INVALID and
 * *errors a new array of at most 32 [{pointer, detail}], or with ERR_INTERNAL
 * and no list where the schema itself is not one.
 */
int validate(const char *name, const json_t *v, json_t **errors, struct err *e);
/* Does the schema use only what is known here?  For the unit test, which asks
 * of every schema that a route takes. */
int validate_schema(const char *name, struct err *e);

/* Add {pointer, detail}: ${pointer} and, unless NULL, its member ${key}. */
void validate_add(json_t *errors, const char *pointer, const char *key,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* A new list of one, for what a schema cannot say. */
json_t *validate_one(const char *pointer, const char *detail);

#endif
