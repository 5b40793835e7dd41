/*
 * Types of a tool's settings, as templates write them:
 *	string  boolean  object  array  any
 *	integer  number  integer[1..20]  number[0..1]
 *	enum[a,b,c]  array[TYPE]
 */
#ifndef AGENT_SETTING_H
#define AGENT_SETTING_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* In a schema, the type of settings that it does not name; "none": there are
 * no others.  Without it any others are kept as they stand. */
#define SETTING_OTHERS "*"
#define SETTING_NONE "none"

/* Is ${type} a type?  If not, ${why} says what is wrong. */
bool setting_type_ok(const char *type, char *why, size_t size);

/* Does ${v} have ${type}, which is one?  If not, ${why} says what was
 * expected. */
bool setting_fits(const char *type, const json_t *v, char *why, size_t size);

#endif
