/* Where a reader is in the stream of a turn: "{turn}:{n}", an event's id. */
#ifndef API_POSITION_H
#define API_POSITION_H

#include <stdint.h>

#include "util/err.h"
#include "util/id.h"

/* 0, or -1 with ERR_MALFORMED. */
int position_parse(
    const char *text, struct uuid *turn, int64_t *n, struct err *e);

#endif
