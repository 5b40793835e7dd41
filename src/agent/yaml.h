/*
 * A strict subset of YAML as JSON, for templates.  Plain scalars follow YAML
 * 1.2's core schema: null, true, false, decimal numbers; everything else, such
 * as no, 1_000, 0x1F or a date, is text.  Refused: anchors, aliases, tags, a
 * second document, keys that are no plain or quoted text or come twice, NUL,
 * integers with leading zeros, .inf and .nan, nesting above 32, more than 256
 * KiB.
 */
#ifndef AGENT_YAML_H
#define AGENT_YAML_H

#include <jansson.h>
#include <stddef.h>

#include "util/err.h"

#define AGENT_YAML_MAX ((size_t)256 * 1024)

/*
 * Parse ${text}.  Store new references in *ret (the value) and *lines, an
 * object from JSON pointer to the line where the value or its key stands.  0,
 * or -1 with ERR_MALFORMED ("NAME:7: ...") and both untouched.
 */
int agent_yaml_parse(const char *text, size_t len, const char *name,
    json_t **ret, json_t **lines, struct err *e);

/* The line of ${pointer} or of its nearest parent that is known; 1 if none. */
int agent_yaml_line(const json_t *lines, const char *pointer);

#endif
