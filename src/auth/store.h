/* The auth domain's SQL. */
#ifndef AUTH_STORE_H
#define AUTH_STORE_H

#include "db/db.h"

/* One binary parameter, the hash.  id, account_id, account_slot, role,
 * expires_us, agent_instance_id, origins, config_epoch; of a widget key
 * agent_type, instance_name, appearance, visitor_secrets too. */
extern const struct db_stmt auth_store_api_key, auth_store_widget_key;
/* Account, agent type and name: key_hash in hexadecimal, origins as JSON. */
extern const struct db_stmt auth_store_hosted_keys;
/* The same columns for a person: user id, token version, account or null. */
extern const struct db_stmt auth_store_person;
/* kid, end in microseconds since 1970 (0 none), the installation's id; the
 * one that signs first. */
extern const struct db_stmt auth_store_signing_keys;
extern const struct db_stmt auth_store_signing_key_retire,
    auth_store_signing_key_add;
/* Of signing in (sql/gate/80_identity.sql). */
extern const struct db_stmt auth_store_person_by_email,
    auth_store_person_password, auth_store_person_set_password,
    auth_store_person_show, auth_store_sign_in_begin,
    auth_store_sign_in_refresh, auth_store_sign_in_of,
    auth_store_sign_in_end_one, auth_store_sign_in_end_all, auth_store_sign_ins,
    auth_store_sign_in_proven, auth_store_sign_in_unproven,
    auth_store_person_proof;
/* (user) -> slug of the account whose provider she must come by; no row: none.
 */
extern const struct db_stmt auth_store_sso_required;
/* Of browsers (sql/gate/83_browser.sql). */
extern const struct db_stmt auth_store_person_now, auth_store_browser_renew;
/* Of links (sql/gate/81_password_links.sql). */
extern const struct db_stmt auth_store_link_new, auth_store_link_person,
    auth_store_link_use;
/* Opening an account: $1 address, $2 name, $3 slug, $4 hash, $5 seconds ->
 * until; $1 hash -> address, name, slug, person; $1 hash, $2 account, $3
 * person, $4 slug, $5 display name, $6 hash of the password. */
extern const struct db_stmt auth_store_sign_up_new, auth_store_sign_up_look,
    auth_store_sign_up_use;
/* Of second factors (sql/gate/82_second_factor.sql). */
extern const struct db_stmt auth_store_factor, auth_store_factor_begin,
    auth_store_factor_confirm, auth_store_factor_end, auth_store_factor_step,
    auth_store_recovery_clear, auth_store_recovery_add, auth_store_recovery_use;
/* Passkeys (sql/gate/82_passkeys.sql): $1 person -> id, credential id as
 * base64url, name, transports, times; $1 credential id -> id, person,
 * algorithm, key in hexadecimal, counter, slot, version; $1 hash, $2 seconds;
 * as gate.passkey_add(), -> time; $1 id, $2 counter; $1 person, $2 id. */
extern const struct db_stmt auth_store_passkeys, auth_store_passkey_find,
    auth_store_passkey_spend, auth_store_passkey_add, auth_store_passkey_used,
    auth_store_passkey_end;
/* slot, token_version of all who have one above 1 */
extern const struct db_stmt auth_store_person_versions;

/* (account, id, name, prefix, hash as bytea's text, role, expires_us or NULL,
 * made when: NULL now) */
extern const struct db_stmt auth_store_api_key_create;
/* (account, id, name, prefix, hash, agent or NULL, origins as a JSON array,
 * made when: NULL now, appearance as JSON: NULL none) */
extern const struct db_stmt auth_store_widget_key_create;

/* (accounts, keys of theirs), arrays */
extern const struct db_stmt auth_store_keys_used;

/* (account): id, sealed in hexadecimal, of those that are good */
extern const struct db_stmt auth_store_visitor_secrets;
/* (account, id, external id, name or NULL, e-mail address or NULL) */
extern const struct db_stmt auth_store_visitor_seen;
/* (account, id, name, prefix, sealed, made when) */
extern const struct db_stmt auth_store_visitor_secret_create;

#endif
