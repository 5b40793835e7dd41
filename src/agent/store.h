/* The agent domain's SQL. */
#ifndef AGENT_STORE_H
#define AGENT_STORE_H

#include "db/db.h"

/* (account, type, name) -> id, slot, display_name, configuration,
 * config_version, config_epoch and slot of the account, of the active instance,
 * one snapshot. */
extern const struct db_stmt agent_store_spec;
/* (account, id) -> agent_type, status, configuration */
extern const struct db_stmt agent_store_now;
/* (account, id, type, name, display name, configuration, made when: NULL now)
 */
extern const struct db_stmt agent_store_create;
/* (account, id, configuration); SB404 when there is none */
extern const struct db_stmt agent_store_configure;
/* (account, id, author): record what the instance has now -> version */
extern const struct db_stmt agent_store_version;
/* (account, id, status); SB404 when there is none */
extern const struct db_stmt agent_store_status;
/* (account, id, display name, status) */
extern const struct db_stmt agent_store_change;

#endif
