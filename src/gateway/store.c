/* The SQL of credentials. */
#include "gateway/store.h"

#include "util/banned.h"

#define WHERE " WHERE account_id = $1::uuid AND id = $2::uuid"

const struct db_stmt gateway_store_add = { "credential_add",
	"INSERT INTO llm_credentials (account_id, id, provider, name, sealed, "
	"key_version, hint, base_url, tier, rpm, tpm, itpm, weight, priority, "
	"models, status, created_at, updated_at) VALUES ($1::uuid, $2::uuid, "
	"$3, $4, $5::bytea, $6::bigint, $7, $8, $9::smallint, $10::bigint, "
	"$11::bigint, $12::bigint, $13::integer, $14::integer, "
	"ARRAY(SELECT jsonb_array_elements_text($15::jsonb)), $16, "
	"$17::timestamptz, $17::timestamptz)" };

const struct db_stmt gateway_store_change = { "credential_change",
	"UPDATE llm_credentials SET name = $3, base_url = $4, "
	"tier = $5::smallint, rpm = $6::bigint, tpm = $7::bigint, "
	"itpm = $8::bigint, weight = $9::integer, priority = $10::integer, "
	"models = ARRAY(SELECT jsonb_array_elements_text($11::jsonb)), "
	"status = $12, updated_at = now()" WHERE };

const struct db_stmt gateway_store_key = { "credential_key",
	"UPDATE llm_credentials SET sealed = $3::bytea, "
	"key_version = $4::bigint, hint = $5, updated_at = now()" WHERE };

const struct db_stmt gateway_store_remove = { "credential_remove",
	"DELETE FROM llm_credentials" WHERE };

const struct db_stmt gateway_store_sealed = { "credential_sealed",
	"SELECT provider, base_url, encode(sealed, 'hex'), key_version "
	"FROM llm_credentials" WHERE };

const struct db_stmt gateway_store_set = { "credential_set",
	"SELECT slot, strategy, own, platform, config_epoch, platform_epoch "
	"FROM gate.credentials($1::uuid)" };

const struct db_stmt gateway_store_used = { "credential_used",
	"SELECT gate.credentials_used($1::uuid[], $2::uuid[])" };
