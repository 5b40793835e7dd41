/* What only the running server knows, asked over its health socket. */
#ifndef CLI_OWN_H
#define CLI_OWN_H

#include "util/err.h"

struct buf;
struct cli;

/* ${method} ${path}, without a body; the answer into ${body}, below c->ctx.
 * -1: ERR_UNAVAILABLE (no server runs here), or it did not say 200. */
int cli_own(struct cli *, const char *method, const char *path,
    struct buf *body, struct err *);

#endif
