/* The SQL of visitor secrets; what makes them is auth/store.c's. */
#include "api/manage/store.h"

#include "util/banned.h"

#define STATUS                                                                 \
	"CASE WHEN revoked_at IS NOT NULL THEN 'revoked' "                     \
	"WHEN expires_at <= now() THEN 'expired' ELSE 'active' END"
#define COLS                                                                   \
	"id, name, prefix, " STATUS ", " ROWS_UTC("expires_at") ", " ROWS_UTC( \
	    "revoked_at") ", " ROWS_UTC("created_at")
#define STATE STORE_STATE("name, expires_at, revoked_at")

const struct rows_col manage_store_visitor_secret_cols[] = { { "id", ROW_TEXT },
	{ "name", ROW_TEXT }, { "prefix", ROW_TEXT }, { "status", ROW_TEXT },
	{ "expires_at", ROW_TEXT }, { "revoked_at", ROW_TEXT },
	{ "created_at", ROW_TEXT }, { NULL, ROW_END } };
const struct db_stmt manage_store_visitor_secret = { "manage_visitor_secret",
	"SELECT " COLS ", " STATE " FROM visitor_secrets "
	"WHERE account_id = $1::uuid AND id = $2::uuid" };
const struct db_stmt manage_store_visitor_secret_lock = {
	"manage_visitor_secret_lock",
	STORE_LOCK(STATE, "visitor_secrets WHERE account_id = $1::uuid "
			  "AND id = $2::uuid")
};
const struct db_stmt manage_store_visitor_secrets = { "manage_visitor_secrets",
	"SELECT " COLS ", id FROM visitor_secrets "
	"WHERE account_id = $1::uuid "
	"AND ($2::text IS NULL OR $2 = " STATUS ") "
	"AND ($3::uuid IS NULL OR id > $3::uuid) "
	"ORDER BY id LIMIT $4::integer" };

/* A secret never lives longer by this than it would have. */
const struct db_stmt manage_store_visitor_secret_end = {
	"manage_visitor_secret_end",
	"UPDATE visitor_secrets SET "
	"revoked_at = CASE WHEN $3::bigint = 0 THEN coalesce(revoked_at, "
	"now()) ELSE revoked_at END, "
	"expires_at = CASE WHEN $3::bigint = 0 THEN expires_at "
	"ELSE least(expires_at, now() + $3::bigint * interval '1 second') END "
	"WHERE account_id = $1::uuid AND id = $2::uuid"
};
