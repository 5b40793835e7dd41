/*
 * Changes of SCIM (RFC 7644 section 3.5.2), and what of them providers spell
 * in their own way: operations in any case ("Replace"), several attributes as
 * dotted names in one value, members to remove as a value, and an entry of a
 * list that is to be replaced and is not there yet.
 */
#ifndef SCIM_PATCH_H
#define SCIM_PATCH_H

#include <jansson.h>

#include "util/err.h"

#define SCIM_OPERATIONS_MAX 1000

/* Change ${resource} as ${body} says; it may be half changed after -1, with
 * ERR_MALFORMED of a kind of the RFC (invalidPath, invalidValue, noTarget,
 * invalidSyntax).  Attributes that nobody may change are the caller's to
 * keep. */
int scim_patch(json_t *resource, const json_t *body, struct err *e);

#endif
