/*
 * Faults on purpose: for a fire drill one key's calls of one turn fail, without
 * that its provider is asked, and without that its breaker, its limits or the
 * budget of repetitions learn of it.
 */
#ifndef GATEWAY_FAULT_H
#define GATEWAY_FAULT_H

#include <stdbool.h>

#include "llm/llm.h"
#include "util/err.h"

/* Is there such a fault?  "429", "401", "500", "529", "slow" (no byte comes in
 * a second), "cut" (the answer breaks off before its first word).  Its own
 * static name, or NULL. */
const char *fault_named(const char *name);
/* How long to wait before it, in ms. */
int fault_wait_ms(const char *fault);
/* What llm_complete() would have left of it; -1 with e. */
int fault_reply(
    const char *fault, const char *provider, struct llm_reply *, struct err *e);

#endif
