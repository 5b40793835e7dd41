/* The shapes of bodies as JSON Schema (2020-12), by name: openapi.json's
 * components and the documentation are made of them. */
#ifndef API_SCHEMA_H
#define API_SCHEMA_H

#include <stddef.h>

struct schema {
	const char *name;
	const char *json; /* an object's text */
};

extern const struct schema schemas[];
extern const size_t schemas_count;

/* The schema's text, or NULL. */
const char *schema_json(const char *name);

#endif
