/* The auth domain's SQL.  All kinds of key begin with the same eight columns;
 * then comes what each kind has of its own. */
#include "auth/store.h"

#include "db/rows.h"

#include "util/banned.h"

const struct db_stmt auth_store_api_key = { "auth_api_key",
	"SELECT id, account_id, account_slot, role, expires_us, NULL, NULL, "
	"config_epoch, permissions FROM gate.api_key_find($1::bytea)" };

const struct db_stmt auth_store_widget_key = { "auth_widget_key",
	"SELECT id, account_id, account_slot, 'visitor', 0, agent_instance_id, "
	"origins, config_epoch, agent_type, instance_name, appearance, "
	"visitor_secrets FROM gate.widget_key_by_hash($1::bytea)" };

const struct db_stmt auth_store_hosted_keys = { "auth_hosted_keys",
	"SELECT key_hash, origins FROM gate.widget_keys_hosted($1::uuid, $2, "
	"$3)" };

const struct db_stmt auth_store_person = { "auth_person",
	"SELECT id, $3::uuid, account_slot, CASE WHEN is_platform_admin THEN"
	" 'platform_admin' WHEN $3 IS NULL THEN 'viewer' ELSE role END, 0,"
	" NULL, NULL, config_epoch, permissions,"
	" second_factor FROM gate.person($1::uuid, $2::bigint, $3::uuid)" };

const struct db_stmt auth_store_signing_keys = { "auth_signing_keys",
	"SELECT k.kid, coalesce((extract(epoch FROM k.retired_at) * 1000000)"
	"::int8, 0), p.installation_id FROM signing_keys k CROSS JOIN platform "
	"p"
	" WHERE k.retired_at IS NULL OR k.retired_at > now()"
	" ORDER BY k.retired_at DESC NULLS FIRST, k.created_at DESC LIMIT 16" };

const struct db_stmt auth_store_signing_key_retire = {
	"auth_signing_key_retire",
	"UPDATE signing_keys SET retired_at = least(retired_at,"
	" now() + make_interval(secs => $1::int))"
};

const struct db_stmt auth_store_signing_key_add = { "auth_signing_key_add",
	"INSERT INTO signing_keys (kid) VALUES ($1)" };

const struct db_stmt auth_store_person_versions = { "auth_person_versions",
	"SELECT slot, token_version FROM gate.person_versions()" };

const struct db_stmt auth_store_person_by_email = { "auth_person_by_email",
	"SELECT id, slot, token_version, password_hash"
	" FROM gate.person_by_email($1)" };

const struct db_stmt auth_store_person_password = { "auth_person_password",
	"SELECT password_hash, email, display_name"
	" FROM gate.person_password($1)" };

const struct db_stmt auth_store_person_set_password = {
	"auth_person_set_password",
	"SELECT gate.found(gate.person_set_password($1, $2, $3)::int, 'person')"
};

const struct db_stmt auth_store_person_proof = { "auth_person_proof",
	"SELECT password_hash, has_password, is_fresh"
	" FROM gate.person_proof($1, $2)" };

const struct db_stmt auth_store_person_show = { "auth_person_show",
	"SELECT email, display_name, is_platform_admin, memberships, " ROWS_UTC(
	    "created_at") ", " ROWS_UTC("last_sign_in_at") ", has_password"
							   " FROM gate.person_"
							   "show($1)" };

const struct db_stmt auth_store_sign_in_begin = { "auth_sign_in_begin",
	"SELECT gate.found(gate.sign_in_begin($1, $2, $3, $4::bytea, $5, $6,"
	" $7)::int, 'person')" };

const struct db_stmt auth_store_sign_in_refresh = { "auth_sign_in_refresh",
	"SELECT user_id, slot, token_version, sign_in_id, reused,"
	" second_factor"
	" FROM gate.sign_in_refresh($1::bytea, $2::bytea, $3)" };

const struct db_stmt auth_store_sign_in_proven = { "auth_sign_in_proven",
	"SELECT gate.found(gate.sign_in_proven($1, $2), 'sign-in')" };

const struct db_stmt auth_store_sign_in_unproven = { "auth_sign_in_unproven",
	"SELECT gate.sign_in_unproven($1)" };

const struct db_stmt auth_store_sign_in_of = { "auth_sign_in_of",
	"SELECT user_id, id FROM gate.sign_in_of($1::bytea)" };

const struct db_stmt auth_store_sign_in_end_one = { "auth_sign_in_end_one",
	"SELECT gate.found(gate.sign_in_end($1, $3, NULL, $2), 'sign-in')" };

const struct db_stmt auth_store_sign_in_end_all = { "auth_sign_in_end_all",
	"SELECT gate.sign_in_end($1, NULL, NULL, $2)" };

const struct db_stmt auth_store_person_now = { "auth_person_now",
	"SELECT slot, token_version FROM gate.person_now($1)" };

const struct db_stmt auth_store_browser_renew = { "auth_browser_renew",
	"SELECT user_id, slot, token_version, sign_in_id, state,"
	" second_factor FROM gate.browser_renew($1::bytea, $2, $3::bytea, $4, "
	"$5, $6)" };

const struct db_stmt auth_store_sign_ins = { "auth_sign_ins",
	"SELECT id, address, user_agent, " ROWS_UTC("created_at") ", " ROWS_UTC(
	    "last_used_at") ", " ROWS_UTC("expires_at") " FROM "
							"gate.sign_ins($1, "
							"$2, $3)" };
#define EXPIRES ROWS_FROM_US("$7")

const struct db_stmt auth_store_api_key_create = { "auth_api_key_create",
	"INSERT INTO api_keys (account_id, id, name, prefix, key_hash, role, "
	"expires_at, created_at) VALUES ($1::uuid, $2::uuid, $3, $4, "
	"$5::bytea, $6, " EXPIRES ", coalesce($8::timestamptz, now()))" };

const struct db_stmt auth_store_widget_key_create = { "auth_widget_key_create",
	"INSERT INTO widget_keys (account_id, id, name, prefix, key_hash, "
	"agent_instance_id, allowed_origins, created_at, appearance) "
	"VALUES ($1::uuid, $2::uuid, $3, $4, $5::bytea, $6::uuid, "
	"ARRAY(SELECT jsonb_array_elements_text($7::jsonb)), "
	"coalesce($8::timestamptz, now()), coalesce($9::jsonb, '{}'))" };

const struct db_stmt auth_store_keys_used = { "auth_keys_used",
	"SELECT gate.keys_used($1::uuid[], $2::uuid[])" };

const struct db_stmt auth_store_visitor_secrets = { "auth_visitor_secrets",
	"SELECT id, encode(sealed, 'hex') FROM visitor_secrets "
	"WHERE account_id = $1::uuid AND revoked_at IS NULL "
	"AND (expires_at IS NULL OR expires_at > now()) "
	"ORDER BY created_at DESC, id DESC LIMIT 100" };

const struct db_stmt auth_store_visitor_seen = { "auth_visitor_seen",
	"INSERT INTO visitors AS v (account_id, id, external_id, name, email) "
	"VALUES ($1::uuid, $2::uuid, $3, $4, $5) "
	"ON CONFLICT (account_id, id) DO UPDATE SET "
	"name = coalesce(excluded.name, v.name), "
	"email = coalesce(excluded.email, v.email), last_seen_at = now() "
	"WHERE v.last_seen_at < now() - interval '1 minute' "
	"OR coalesce(excluded.name, v.name) IS DISTINCT FROM v.name "
	"OR coalesce(excluded.email, v.email) IS DISTINCT FROM v.email" };

const struct db_stmt auth_store_visitor_secret_create = {
	"auth_visitor_secret_create",
	"INSERT INTO visitor_secrets (account_id, id, name, prefix, sealed, "
	"created_at) VALUES ($1::uuid, $2::uuid, $3, $4, $5::bytea, "
	"$6::timestamptz)"
};

const struct db_stmt auth_store_link_new = { "auth_link_new",
	"SELECT email, " ROWS_UTC(
	    "expires_at") " FROM gate.password_link_new($1, $2::bytea, $3)" };

const struct db_stmt auth_store_link_person = { "auth_link_person",
	"SELECT user_id, email, display_name"
	" FROM gate.password_link_person($1::bytea)" };

const struct db_stmt auth_store_link_use = { "auth_link_use",
	"SELECT gate.password_link_use($1::bytea, $2)" };

const struct db_stmt auth_store_sign_up_new = { "auth_sign_up_new",
	"SELECT " ROWS_UTC(
	    "n.until") " FROM gate.sign_up_new($1, $2, $3, $4::bytea, $5)"
		       " AS n (until)" };

const struct db_stmt auth_store_sign_up_look = { "auth_sign_up_look",
	"SELECT email, name, slug, user_id FROM gate.sign_up_look($1::bytea)" };

const struct db_stmt auth_store_sign_up_use = { "auth_sign_up_use",
	"SELECT gate.sign_up_use($1::bytea, $2, $3, $4, $5, $6)" };

const struct db_stmt auth_store_factor = { "auth_factor",
	"SELECT encode(sealed, 'hex'), version, last_step,"
	" confirmed_at IS NOT NULL FROM second_factors WHERE user_id = $1" };

const struct db_stmt auth_store_factor_begin = { "auth_factor_begin",
	"INSERT INTO second_factors AS f (user_id, sealed, version)"
	" VALUES ($1, $2::bytea, $3) ON CONFLICT (user_id) DO UPDATE SET"
	" sealed = excluded.sealed, version = excluded.version, last_step = 0"
	" WHERE f.confirmed_at IS NULL AND f.version = excluded.version - 1"
	" RETURNING 1" };

const struct db_stmt auth_store_factor_confirm = { "auth_factor_confirm",
	"WITH c AS (UPDATE second_factors SET confirmed_at = now(),"
	" last_step = $2 WHERE user_id = $1 AND confirmed_at IS NULL"
	" RETURNING 1) SELECT gate.found(count(*), 'second factor') FROM c" };

const struct db_stmt auth_store_factor_end = { "auth_factor_end",
	"WITH c AS (DELETE FROM second_factors WHERE user_id = $1 RETURNING 1)"
	" SELECT gate.found(count(*), 'second factor') FROM c" };

const struct db_stmt auth_store_factor_step = { "auth_factor_step",
	"SELECT gate.factor_step($1, $2)" };

const struct db_stmt auth_store_recovery_clear = { "auth_recovery_clear",
	"DELETE FROM recovery_codes WHERE user_id = $1" };

const struct db_stmt auth_store_recovery_add = { "auth_recovery_add",
	"INSERT INTO recovery_codes (user_id, code_hash)"
	" VALUES ($1, $2::bytea)" };

const struct db_stmt auth_store_recovery_use = { "auth_recovery_use",
	"SELECT gate.recovery_use($1, $2::bytea)" };

const struct db_stmt auth_store_passkeys = { "auth_passkeys",
	"SELECT id, credential, name, transports, " ROWS_UTC(
	    "created_at") ", " ROWS_UTC("last_used_at") " FROM "
							"gate.passkeys($1)" };

const struct db_stmt auth_store_passkey_find = { "auth_passkey_find",
	"SELECT id, user_id, algorithm, public_key, counter, slot,"
	" token_version FROM gate.passkey_find($1::bytea)" };

const struct db_stmt auth_store_passkey_spend = { "auth_passkey_spend",
	"SELECT gate.passkey_spend($1::bytea, $2)" };

const struct db_stmt auth_store_passkey_add = { "auth_passkey_add",
	"SELECT " ROWS_UTC(
	    "n.at") " FROM gate.passkey_add($1, $2, $3::bytea, $4, $5::bytea,"
		    " $6, $7, $8::jsonb, $9) AS n (at)" };

const struct db_stmt auth_store_passkey_used = { "auth_passkey_used",
	"SELECT gate.found(gate.passkey_used($1, $2), 'passkey')" };

const struct db_stmt auth_store_passkey_end = { "auth_passkey_end",
	"SELECT gate.found(gate.passkey_end($1, $2), 'passkey')" };

const struct db_stmt auth_store_sso_required = { "auth_sso_required",
	"SELECT slug FROM gate.sso_required($1::uuid)" };
