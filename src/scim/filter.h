/*
 * Filters of SCIM (RFC 7644 section 3.4.2.2): attributes compared with values,
 * and, or, not, parentheses, and conditions on the entries of a list
 * (emails[type eq "work"]).  Names and operators in any case.  Any thread.
 */
#ifndef SCIM_FILTER_H
#define SCIM_FILTER_H

#include <jansson.h>
#include <stdbool.h>

#include "util/err.h"

struct scim_filter;

#define SCIM_FILTER_MAX 4096 /* bytes */

/* Below ${ctx}; or NULL, ERR_MALFORMED of kind "invalidFilter", which says at
 * which character. */
struct scim_filter *scim_filter_parse(
    const void *ctx, const char *text, struct err *e);
/* What an attribute that is not there is compared with is never true, but for
 * ne and not. */
bool scim_filter_match(const struct scim_filter *, const json_t *resource);
/* The text that ${attribute} must equal in every match; NULL: none has to. */
const char *scim_filter_equals(
    const struct scim_filter *, const char *attribute);

/* A path of a change: attribute, attribute.sub, attribute[filter] or
 * attribute[filter].sub. */
struct scim_path {
	const char *urn;       /* of an extension's schema, or NULL */
	const char *attribute; /* all below ctx */
	const struct scim_filter *filter;
	const char *sub;
};
/* ERR_MALFORMED of kind "invalidPath". */
int scim_path_parse(
    const void *ctx, const char *text, struct scim_path *out, struct err *e);

/* The member ${name} of an object, in any case: its key, or NULL. */
const char *scim_key(const json_t *object, const char *name, size_t len);
/* The one condition "sub eq text" of a filter that is nothing else. */
bool scim_filter_only(
    const struct scim_filter *, const char **sub, const json_t **value);

#endif
