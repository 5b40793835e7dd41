/* The audit domain's SQL. */
#include "audit/store.h"

#include "util/banned.h"

#define US(x) "(extract(epoch FROM " x ") * 1000000)::bigint"
#define FROM_US(x)                                                             \
	"(timestamptz 'epoch' + " x "::bigint * interval '1 microsecond')"
#define COLUMNS                                                                \
	"seq, id, " US("at") " AS at, action, actor_kind, actor_id, "          \
			     "actor_name, address, request_id, object_kind, "  \
			     "object_id, before, "                             \
			     "after, encode(previous, 'hex') AS previous, "    \
			     "encode(hash, 'hex') AS hash"

const struct db_stmt audit_store_append = { "audit_append",
	"SELECT gate.audit_append($1::uuid, $2, $3, $4, $5, $6, $7, $8, $9, "
	"$10, $11)" };

/* The first row always, the others as long as they fit; how many there were. */
const struct db_stmt audit_store_page = { "audit_page",
	"SELECT * FROM (SELECT r.*, "
	"sum(coalesce(length(before::text), 0) + "
	"coalesce(length(after::text), 0)) OVER w AS bytes, "
	"row_number() OVER w AS nth, count(*) OVER () AS found "
	"FROM (SELECT " COLUMNS " FROM audit_log WHERE account_id = $1::uuid "
	"AND ($2::bigint IS NULL OR seq < $2::bigint) "
	"AND ($5::text IS NULL OR action = $5) "
	"AND ($6::text IS NULL OR starts_with(action, $6)) "
	"AND ($7::text IS NULL OR actor_kind = $7) "
	"AND ($8::text IS NULL OR actor_id = $8) "
	"AND ($9::text IS NULL OR object_kind = $9) "
	"AND ($10::text IS NULL OR object_id = $10) "
	"AND ($11::bigint IS NULL OR at >= " FROM_US(
	    "$11") ") "
		   "AND ($12::bigint IS NULL OR at < " FROM_US(
		       "$12") ") "
			      "ORDER BY seq DESC LIMIT $3::bigint) r "
			      "WINDOW w AS (ORDER BY seq DESC)) p "
			      "WHERE bytes <= $4::bigint OR nth = 1 "
			      "ORDER BY seq DESC" };

const struct db_stmt audit_store_walk = { "audit_walk",
	"SELECT " COLUMNS " FROM audit_log WHERE account_id = $1::uuid "
	"AND seq >= $2::bigint "
	"AND ($4::bigint IS NULL OR at >= " FROM_US(
	    "$4") ") "
		  "AND ($5::bigint IS NULL OR at < " FROM_US(
		      "$5") ") "
			    "ORDER BY seq LIMIT $3::bigint" };

const struct db_stmt audit_store_head = { "audit_head",
	"SELECT seq, encode(hash, 'hex') FROM audit_heads "
	"WHERE account_id = $1::uuid" };

/* One at a time: two processes may find none. */
const struct db_stmt audit_store_key_add = { "audit_key_add",
	"INSERT INTO audit_keys (id, public_key, sealed) "
	"SELECT $1::uuid, decode($2, 'hex'), decode($3, 'hex') "
	"WHERE NOT EXISTS (SELECT FROM audit_keys)" };

const struct db_stmt audit_store_key_newest = { "audit_key_newest",
	"SELECT id, encode(public_key, 'hex'), encode(sealed, 'hex') "
	"FROM audit_keys ORDER BY id DESC LIMIT 1" };

const struct db_stmt audit_store_keys = { "audit_keys",
	"SELECT id, encode(public_key, 'hex') FROM audit_keys ORDER BY id" };

const struct db_stmt audit_store_checkpoint_add = { "audit_checkpoint_add",
	"INSERT INTO audit_checkpoints (account_id, seq, at, hash, key_id, "
	"signature) VALUES ($1::uuid, $2::bigint, " FROM_US(
	    "$3") ", "
		  "decode($4, 'hex'), $5::uuid, decode($6, 'hex')) "
		  "ON CONFLICT DO NOTHING" };

const struct db_stmt audit_store_checkpoints = { "audit_checkpoints",
	"SELECT seq, " US(
	    "at") ", encode(hash, 'hex'), key_id, "
		  "encode(signature, 'hex') FROM audit_checkpoints "
		  "WHERE account_id = $1::uuid AND seq BETWEEN $2::bigint AND "
		  "$3::bigint ORDER BY seq" };

const struct db_stmt audit_store_due = { "audit_due",
	"SELECT account_id FROM gate.audit_due($1::integer)" };
