/* The SQL of how single sign-on is set up. */
#include "api/manage/store.h"

#include "util/banned.h"

#define MEMBERS                                                                \
	"kind, issuer, client_id, client_auth, sealed IS NOT NULL, scopes, "   \
	"is_active, trust_email, auto_join, is_required, role_claim, "         \
	"role_map, default_role"
#define STATE STORE_STATE(MEMBERS ", secret_version, updated_at")
#define MADE ROWS_UTC("created_at")
#define CHANGED ROWS_UTC("updated_at")
#define FROM                                                                   \
	"sso_connections WHERE account_id = $1::uuid AND account_id = "        \
	"$2::uuid"

const struct rows_col manage_store_sso_cols[] = { { "kind", ROW_TEXT },
	{ "issuer", ROW_TEXT }, { "client_id", ROW_TEXT },
	{ "client_auth", ROW_TEXT }, { "has_client_secret", ROW_BOOL },
	{ "scopes", ROW_JSON }, { "is_active", ROW_BOOL },
	{ "trust_email", ROW_BOOL }, { "auto_join", ROW_BOOL },
	{ "is_required", ROW_BOOL }, { "role_claim", ROW_TEXT },
	{ "role_map", ROW_JSON }, { "default_role", ROW_TEXT },
	{ "created_at", ROW_TEXT }, { "updated_at", ROW_TEXT },
	{ NULL, ROW_END } };
const struct db_stmt manage_store_sso = { "manage_sso",
	"SELECT " MEMBERS ", " MADE ", " CHANGED ", " STATE " FROM " FROM };
const struct db_stmt manage_store_sso_lock = { "manage_sso_lock",
	STORE_LOCK(STATE, FROM) };

const struct db_stmt manage_store_sso_create = { "manage_sso_create",
	"INSERT INTO sso_connections (account_id, issuer, client_id, "
	"client_auth, sealed, secret_version, scopes, is_active, "
	"trust_email, auto_join, role_claim, role_map, default_role, "
	"is_required, kind) VALUES "
	"($1::uuid, $2, $3, $4, $5::bytea, $6::bigint, $7::jsonb, "
	"$8::boolean, $9::boolean, $10::boolean, $11, $12::jsonb, $13, "
	"$14::boolean, $15)" };

/* A version without a value takes the secret away. */
const struct db_stmt manage_store_sso_change = { "manage_sso_change",
	"UPDATE sso_connections SET issuer = $2, client_id = $3, "
	"client_auth = $4, "
	"sealed = CASE WHEN $16::boolean THEN sealed ELSE $5::bytea END, "
	"secret_version = CASE WHEN $16::boolean THEN secret_version "
	"ELSE $6::bigint END, scopes = $7::jsonb, is_active = $8::boolean, "
	"trust_email = $9::boolean, auto_join = $10::boolean, "
	"role_claim = $11, role_map = $12::jsonb, default_role = $13, "
	"is_required = $14::boolean, kind = $15, "
	"updated_at = now() WHERE account_id = $1::uuid" };

const struct db_stmt manage_store_sso_remove = { "manage_sso_remove",
	"DELETE FROM sso_connections WHERE account_id = $1::uuid" };

const struct rows_col manage_store_domain_cols[] = { { "domain", ROW_TEXT },
	{ "created_at", ROW_TEXT }, { NULL, ROW_END } };
const struct db_stmt manage_store_domains = { "manage_domains",
	"SELECT domain, " MADE ", domain FROM account_domains "
	"WHERE account_id = $1::uuid AND ($2::text IS NULL OR domain > $2) "
	"ORDER BY domain LIMIT $3::integer" };
const struct db_stmt manage_store_domain_add = { "manage_domain_add",
	"INSERT INTO account_domains (account_id, domain, created_at) "
	"VALUES ($1::uuid, $2, $3::timestamptz)" };
const struct db_stmt manage_store_domain_remove = { "manage_domain_remove",
	"WITH c AS (DELETE FROM account_domains WHERE account_id = $1::uuid "
	"AND domain = $2 RETURNING 1) "
	"SELECT gate.found(count(*), 'domain') FROM c" };
