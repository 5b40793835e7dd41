/* What call.c needs of the guard. */
#ifndef NET_EGRESS_PRIV_H
#define NET_EGRESS_PRIV_H

#include "net/egress.h"
#include "net/resolve.h"

/* May all of them be reached?  Logs the first that may not. */
bool egress_allows_all(
    const struct egress *, const char *host, const struct resolved *);
extern const char egress_refusal[]; /* for whoever set the address */

#endif
