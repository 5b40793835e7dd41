/* The SQL of single sign-on, for sb_admin in a transaction of the account. */
#ifndef SSO_STORE_H
#define SSO_STORE_H

#include "db/db.h"

/* (account) -> issuer, client_id, client_auth, sealed in hex or null, its
 * version, scopes, is_active, trust_email, auto_join, role_claim, role_map,
 * default_role, by the web server in front? */
extern const struct db_stmt sso_store_connection;

/* (account, issuer, subject, e-mail or null) -> user or null, linked?, active?,
 * platform's?, role or null, second factor?, address in a domain of theirs?,
 * known by another subject?, her e-mail */
extern const struct db_stmt sso_store_person;
/* (account, user, e-mail, name, hash where she is new, issuer, subject,
 * linked?, role or null) -> token_version */
extern const struct db_stmt sso_store_enter;
/* (account, hash, seconds) -> 1, 0 when it was used before */
extern const struct db_stmt sso_store_spend;
/* (account, sign-in, issuer, subject, sid, sealed ID token as bytea's text) */
extern const struct db_stmt sso_store_keep;
/* (account, issuer, subject, sid) -> how many have ended */
extern const struct db_stmt sso_store_sign_out;
/* (sign-in) -> account, issuer, sealed ID token in hex */
extern const struct db_stmt sso_store_kept;

#endif
