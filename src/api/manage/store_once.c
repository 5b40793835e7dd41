/* The SQL of Idempotency-Keys. */
#include "api/manage/store.h"

#include "util/banned.h"

/* (account, key hash) */
const struct db_stmt manage_store_answer_trim = { "manage_answer_trim",
	"DELETE FROM request_answers WHERE account_id = $1::uuid "
	"AND key_hash = $2::bytea "
	"AND created_at < now() - interval '24 hours'" };

/* (account, key hash, request hash, status, answer); waits for another one
 * with that key */
const struct db_stmt manage_store_answer_claim = { "manage_answer_claim",
	"INSERT INTO request_answers (account_id, key_hash, request_hash, "
	"status, answer) VALUES ($1::uuid, $2::bytea, $3::bytea, $4::integer, "
	"$5)" };

/* (account, key hash, request hash) -> the same request?, status, answer */
const struct db_stmt manage_store_answer = { "manage_answer",
	"SELECT request_hash = $3::bytea, status, answer FROM request_answers "
	"WHERE account_id = $1::uuid AND key_hash = $2::bytea "
	"AND created_at >= now() - interval '24 hours'" };
