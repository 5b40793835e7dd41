/* Who it is that a provider let in, and whether she comes in here. */
#ifndef SSO_ARRIVE_H
#define SSO_ARRIVE_H

#include <jansson.h>
#include <stdbool.h>

#include "sso/flow.h"
#include "util/err.h"

/*
 * The role of the account's map for these claims; NULL: none.  *wanted: the map
 * decides (there is one).
 */
const char *arrive_role(
    const struct sso_connection *, const json_t *claims, bool *wanted);
/* The address of the claims, when it can be written to and is proven; NULL. */
const char *arrive_email(const struct sso_connection *, const json_t *claims);
/*
 * Find, link or make the person of ${subject} and ${claims}, her membership
 * too, and write it down; fills in out->user and out->version.  ERR_DENIED says
 * why she does not come in.
 */
int arrive(struct sso *, const struct sso_connection *, const char *subject,
    const json_t *claims, const struct audit_entry *who, int64_t deadline,
    const void *ctx, struct sso_arrival *out, struct err *e);

#endif
