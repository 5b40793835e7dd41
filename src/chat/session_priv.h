/* Stored values as JSON; for the rooms of chat only. */
#ifndef CHAT_SESSION_PRIV_H
#define CHAT_SESSION_PRIV_H

#include <jansson.h>
#include <stdint.h>

struct db_result;

/* A jsonb field; an empty array when it cannot be read.  New references. */
json_t *session_stored_json(const struct db_result *, int row, int col);
json_t *session_time_json(int64_t wall_us);

#endif
