/* The SQL of data keys. */
#include "secret/store.h"

#include "util/banned.h"

#define COLUMNS "account_id, version, master_id, encode(wrapped, 'hex')"

const struct db_stmt secret_store_find = { "secret_find",
	"SELECT " COLUMNS " FROM data_keys WHERE account_id = $1::uuid "
	"AND ($2::integer IS NULL OR version = $2::integer) "
	"ORDER BY version DESC LIMIT 1" };

const struct db_stmt secret_store_add = { "secret_add",
	"INSERT INTO data_keys (account_id, version, master_id, wrapped) "
	"VALUES ($1::uuid, $2::integer, $3, decode($4, 'hex')) "
	"ON CONFLICT DO NOTHING" };

const struct db_stmt secret_store_all = { "secret_all",
	"SELECT " COLUMNS " FROM gate.data_keys($1::uuid, $2::integer, "
	"$3::integer)" };

const struct db_stmt secret_store_others = { "secret_others",
	"SELECT " COLUMNS " FROM data_keys WHERE master_id <> $1 "
	"ORDER BY account_id, version LIMIT $2::integer" };

/* A key that was made or sealed anew meanwhile is left for the next look. */
const struct db_stmt secret_store_rewrap = {
	"secret_rewrap",
	"UPDATE data_keys k SET master_id = $1, wrapped = decode(v.w, 'hex'), "
	"wrapped_at = now() FROM unnest($2::uuid[], $3::integer[], "
	"$4::text[], $5::text[]) AS v (a, n, was, w) "
	"WHERE k.account_id = v.a AND k.version = v.n AND k.master_id = v.was"
};

const struct db_stmt secret_store_count = { "secret_count",
	"SELECT master_id, count(*) FROM data_keys GROUP BY master_id" };
