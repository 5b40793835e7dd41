/* What a chat worker asks models with. */
#ifndef DAEMON_MODELS_H
#define DAEMON_MODELS_H

#include "util/err.h"

struct parts;

/* Fills in net, llm, egress, credentials and gateway; after the database pool,
 * the tiers and the vault.  0 or -1. */
int models_build(struct parts *, struct err *e);
/* All of them but net, which others use; NULLs are fine. */
void models_free(struct parts *);

#endif
