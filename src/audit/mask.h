/* What of a change may stand in the record. */
#ifndef AUDIT_MASK_H
#define AUDIT_MASK_H

#include <jansson.h>
#include <stddef.h>

/* The text of ${v} below ctx with secrets masked; NULL for NULL.  Longer than
 * ${max}: an object with its length and SHA-256 instead. */
const char *mask_json(const void *ctx, const json_t *v, size_t max);
/* ${s} below ctx as valid UTF-8 of at most ${max} characters; NULL for NULL. */
const char *mask_text(const void *ctx, const char *s, size_t max);

#endif
