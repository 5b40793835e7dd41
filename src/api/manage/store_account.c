/* The SQL of accounts. */
#include "api/manage/store.h"

#include "util/banned.h"

/* What holds: the account's own number, else the tier's; null is unlimited. */
#define SHOWN(limit) "nullif(coalesce(a." limit ", t." limit ", -1), -1)"
#define STATE                                                                  \
	STORE_STATE("a.name, a.tier, a.is_active, a.max_agents, "              \
		    "a.requests_per_hour, a.ends_at, "                         \
		    "a.second_factor_roles, a.credential_strategy")

#define MAX_AGENTS SHOWN("max_agents")
#define PER_HOUR SHOWN("requests_per_hour")
#define MADE ROWS_UTC("a.created_at")
#define CHANGED ROWS_UTC("a.updated_at")
#define ENDS ROWS_UTC("a.ends_at")
#define FACTOR(column)                                                         \
	"CASE " column " WHEN '{}' THEN '\"none\"' WHEN '{*}' THEN "           \
	"'\"all\"' WHEN '{+}' THEN '\"admins\"' ELSE to_jsonb(" column ") END"

const struct db_stmt manage_store_account = {
	"manage_account",
	"SELECT a.id, a.slug, a.name, a.tier, a.is_active, " MAX_AGENTS ", "
	"a.max_agents IS NOT NULL, " PER_HOUR ", "
	"a.requests_per_hour IS NOT NULL, "
	"(SELECT count(*) FROM agent_instances i WHERE i.account_id = $1::uuid "
	"AND i.status <> 'archived'), " MADE ", " CHANGED ", " ENDS ", " FACTOR(
	    "a.second_factor_roles") ", a.credential_strategy, " STATE " "
				     "FROM accounts a JOIN tiers t ON t.name = "
				     "a.tier "
				     "WHERE a.id = $1::uuid AND a.id = $2::uuid"
};
const struct rows_col manage_store_account_cols[] = { { "id", ROW_TEXT },
	{ "slug", ROW_TEXT }, { "name", ROW_TEXT }, { "tier", ROW_TEXT },
	{ "is_active", ROW_BOOL }, { "max_agents", ROW_INT },
	{ "own_max_agents", ROW_BOOL }, { "requests_per_hour", ROW_INT },
	{ "own_requests_per_hour", ROW_BOOL }, { "agents", ROW_INT },
	{ "created_at", ROW_TEXT }, { "updated_at", ROW_TEXT },
	{ "ends_at", ROW_TEXT }, { "require_second_factor", ROW_JSON },
	{ "credential_strategy", ROW_TEXT }, { NULL, ROW_END } };

const struct db_stmt manage_store_account_lock = { "manage_account_lock",
	STORE_LOCK(
	    STATE, "accounts a WHERE a.id = $1::uuid AND a.id = $2::uuid") };

/* A NULL leaves what is there; limits are given as they shall be. */
const struct db_stmt manage_store_account_change = { "manage_account_change",
	"UPDATE accounts SET name = coalesce($2, name), "
	"tier = coalesce($3, tier), "
	"is_active = coalesce($4::boolean, is_active), "
	"max_agents = CASE $5::text WHEN 'keep' THEN max_agents "
	"WHEN 'default' THEN NULL ELSE $5::text::bigint END, "
	"requests_per_hour = CASE $6::text WHEN 'keep' THEN requests_per_hour "
	"WHEN 'default' THEN NULL ELSE $6::text::bigint END, "
	"second_factor_roles = CASE WHEN $7::text IS NULL THEN "
	"second_factor_roles ELSE "
	"ARRAY(SELECT jsonb_array_elements_text($7::jsonb)) END, "
	"credential_strategy = coalesce($8, credential_strategy), "
	"updated_at = now() WHERE id = $1::uuid" };

const struct db_stmt manage_store_account_end = { "manage_account_end",
	"UPDATE accounts SET is_active = false, "
	"ends_at = now() + make_interval(days => $2::integer), "
	"updated_at = now() WHERE id = $1::uuid" };

/* Not what is being taken apart already. */
const struct db_stmt manage_store_account_restore = { "manage_account_restore",
	"WITH c AS (UPDATE accounts SET is_active = true, ends_at = NULL, "
	"updated_at = now() WHERE id = $1::uuid AND ends_at > now() "
	"RETURNING 1) SELECT gate.found(count(*), 'account') FROM c" };

const struct db_stmt manage_store_account_create = { "manage_account_create",
	"INSERT INTO accounts (id, slug, name, tier, created_at, updated_at) "
	"VALUES ($1::uuid, $2, $3, $4, $5::timestamptz, $5::timestamptz)" };

#define PAGE_MADE ROWS_UTC("created_at")
#define PAGE_CHANGED ROWS_UTC("updated_at")
#define PAGE_ENDS ROWS_UTC("ends_at")

const struct db_stmt manage_store_accounts = { "manage_accounts",
	"SELECT id, slug, name, tier, is_active, nullif(max_agents, -1), "
	"own_max_agents, nullif(requests_per_hour, -1), "
	"own_requests_per_hour, agents, " PAGE_MADE ", " PAGE_CHANGED
	", " PAGE_ENDS
	", " FACTOR("second_factor_roles") ", credential_strategy, slug FROM "
					   "gate.admin_accounts_page($1, "
					   "$2::boolean, "
					   "$4, $5::integer, $3::boolean)" };
