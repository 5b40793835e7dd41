/* What has changed between two JSON values. */
#ifndef API_MANAGE_DIFF_H
#define API_MANAGE_DIFF_H

#include <jansson.h>

/*
 * An array (new reference) of {pointer, op, before, after} in the order of
 * their pointers: op is added, removed or changed, and a side that is not there
 * is left out.  Objects are compared member by member, anything else whole.
 */
json_t *diff(const json_t *before, const json_t *after);

#endif
