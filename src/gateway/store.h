/*
 * The SQL of credentials.  What changes one is shared by the management API and
 * the operator's command; both run it as sb_admin in the transaction of its
 * account, which for the platform's is the nil one.
 */
#ifndef GATEWAY_STORE_H
#define GATEWAY_STORE_H

#include "db/db.h"

/* (account, id, provider, name, sealed (binary), version, hint, base_url, tier,
 * rpm, tpm, itpm, weight, priority, models as JSON, status, made when) */
extern const struct db_stmt gateway_store_add;
#define GATEWAY_ADD_SEALED 4
/* (account, id, name, base_url, tier, rpm, tpm, itpm, weight, priority, models
 * as JSON, status): as they shall be */
extern const struct db_stmt gateway_store_change;
/* (account, id, sealed (binary), version, hint) */
extern const struct db_stmt gateway_store_key;
#define GATEWAY_KEY_SEALED 2
/* (account, id) */
extern const struct db_stmt gateway_store_remove;
/* (account, id) -> provider, base_url, sealed as hex, version */
extern const struct db_stmt gateway_store_sealed;

/* As sb_chat: (account) -> slot, strategy, own, platform, config_epoch,
 * platform_epoch (sql/gate/45_credentials.sql). */
extern const struct db_stmt gateway_store_set;
/* As sb_chat: (accounts, ids), for db_used_flush(). */
extern const struct db_stmt gateway_store_used;

#endif
