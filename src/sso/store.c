/* The SQL of single sign-on. */
#include "sso/store.h"

#include "util/banned.h"

const struct db_stmt sso_store_connection = { "sso_connection",
	"SELECT issuer, client_id, client_auth, encode(sealed, 'hex'), "
	"secret_version, scopes, is_active, trust_email, auto_join, "
	"role_claim, role_map, default_role, kind = 'front' FROM "
	"sso_connections "
	"WHERE account_id = $1::uuid" };

const struct db_stmt sso_store_person = { "sso_person",
	"SELECT user_id, linked, is_active, is_platform_admin, role, "
	"has_factor, own_domain, other_subject, email FROM "
	"gate.sso_person($1::uuid, $2, $3, $4)" };

const struct db_stmt sso_store_enter = { "sso_enter",
	"SELECT token_version FROM gate.sso_enter($1::uuid, $2::uuid, $3, $4, "
	"$5, $6, $7, $8::boolean, $9)" };

const struct db_stmt sso_store_spend = { "sso_spend",
	"WITH old AS (DELETE FROM sso_spent WHERE account_id = $1::uuid "
	"AND expires_at < now()), n AS (INSERT INTO sso_spent (account_id, "
	"hash, expires_at) VALUES ($1::uuid, $2::bytea, "
	"now() + make_interval(secs => $3::integer)) "
	"ON CONFLICT DO NOTHING RETURNING 1) SELECT count(*) FROM n" };

const struct db_stmt sso_store_keep = { "sso_keep",
	"INSERT INTO sso_sign_ins (account_id, sign_in_id, issuer, subject, "
	"sid, sealed) VALUES ($1::uuid, $2::uuid, $3, $4, $5, $6::bytea)" };

const struct db_stmt sso_store_sign_out = { "sso_sign_out",
	"SELECT gate.sso_sign_out($1::uuid, $2, $3, $4)" };

const struct db_stmt sso_store_kept = { "sso_kept",
	"SELECT account_id, issuer, sealed FROM gate.sso_kept($1::uuid)" };
