/* The requests that are not a provider's: settings, and what came. */
#ifndef SIMULATE_CONTROL_PRIV_H
#define SIMULATE_CONTROL_PRIV_H

#include <stdbool.h>

#include "simulate/answer_priv.h"
#include "util/buf.h"

/* Answer a path that begins with "/_": status and body; false: it does not. */
bool control_answer(const struct request *, int *status, struct buf *body);

#endif
