/* The SQL of what hosts tell each other: sql/gate/46_credential_states.sql. */
#ifndef GATEWAY_STORE_SHARE_H
#define GATEWAY_STORE_SHARE_H

#include "db/db.h"

/* (host, states as JSON, use as JSON) */
extern const struct db_stmt store_share_tell;
/* (host, all) -> slot, own, order, version, state, reason, failures, power,
 * since_ms, until_ms, cool_ms, cool_power, counts, three sums of use; by slot,
 * older ones first */
extern const struct db_stmt store_share_heard;
/* (host) -> whether there is another one */
extern const struct db_stmt store_share_others;

#endif
