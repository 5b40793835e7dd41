/*
 * What of an account may leave it: columns are named where a table has some
 * that may not (hashes of keys) or that say nothing (search vectors).  A table
 * with an account that is not here must be excused in
 * tests/flow/test_takeout.py.
 */
#include "account/store_takeout.h"

#include "util/banned.h"

#define NIL "00000000-0000-0000-0000-000000000000"
/* A table whose rows come by a UUID. */
#define BY_ID(name, id, columns, from)                                         \
	{                                                                      \
		name, NIL,                                                     \
		{                                                              \
			"takeout_" name,                                       \
			    "SELECT x." id ", row_to_json(x)::text FROM "      \
			    "(SELECT " columns " FROM " from                   \
			    " WHERE t.account_id = $1::uuid AND t." id         \
			    " > $2::uuid ORDER BY t." id                       \
			    " LIMIT $3::integer) x"                            \
		}                                                              \
	}

const struct takeout_table takeout_tables[] = {
	{ "accounts", NIL,
	    { "takeout_accounts",
		"SELECT x.id, row_to_json(x)::text FROM (SELECT t.id, t.slug, "
		"t.name, t.tier, t.is_active, t.max_agents, "
		"t.requests_per_hour, t.ends_at, t.second_factor_roles, "
		"t.credential_strategy, t.created_at, t.updated_at "
		"FROM accounts t WHERE t.id = $1::uuid AND t.id > $2::uuid "
		"LIMIT $3::integer) x" } },
	BY_ID("memberships", "user_id",
	    "t.user_id, u.email, u.display_name, t.role, t.created_at",
	    "memberships t JOIN users u ON u.id = t.user_id"),
	{ "roles", "",
	    { "takeout_roles",
		"SELECT x.name, row_to_json(x)::text FROM (SELECT t.name, "
		"t.description, t.permissions, t.created_at, t.updated_at "
		"FROM roles t WHERE t.account_id = $1::uuid AND t.name > $2 "
		"ORDER BY t.name LIMIT $3::integer) x" } },
	BY_ID("scim_users", "id",
	    "t.id, t.user_id, t.user_name, t.external_id, t.active, t.managed, "
	    "t.resource, t.created_at, t.updated_at",
	    "scim_users t"),
	BY_ID("scim_groups", "id",
	    "t.id, t.display_name, t.external_id, t.created_at, t.updated_at",
	    "scim_groups t"),
	{ "scim_members", "[\"" NIL "\", \"" NIL "\"]",
	    { "takeout_scim_members",
		"SELECT jsonb_build_array(x.group_id, x.scim_user_id), "
		"row_to_json(x)::text FROM (SELECT t.group_id, t.scim_user_id "
		"FROM scim_members t WHERE t.account_id = $1::uuid "
		"AND (t.group_id, t.scim_user_id) > "
		"(($2::jsonb->>0)::uuid, ($2::jsonb->>1)::uuid) "
		"ORDER BY t.group_id, t.scim_user_id LIMIT $3::integer) x" } },
	{ "scim_settings", "",
	    { "takeout_scim_settings",
		"SELECT 'z', row_to_json(x)::text FROM (SELECT t.default_role, "
		"t.group_roles FROM scim_settings t "
		"WHERE t.account_id = $1::uuid AND $2 = '' "
		"LIMIT $3::integer) x" } },
	{ "sso_connections", "",
	    { "takeout_sso_connections",
		"SELECT 'z', row_to_json(x)::text FROM (SELECT t.kind, "
		"t.issuer, t.client_id, t.client_auth, t.scopes, t.is_active, "
		"t.trust_email, t.auto_join, t.is_required, t.role_claim, "
		"t.role_map, t.default_role, t.created_at, t.updated_at "
		"FROM sso_connections t WHERE t.account_id = $1::uuid "
		"AND $2 = '' LIMIT $3::integer) x" } },
	{ "account_domains", "",
	    { "takeout_account_domains",
		"SELECT x.domain, row_to_json(x)::text FROM (SELECT t.domain, "
		"t.created_at FROM account_domains t "
		"WHERE t.account_id = $1::uuid AND t.domain > $2 "
		"ORDER BY t.domain LIMIT $3::integer) x" } },
	{ "sso_identities", "[\"\", \"\"]",
	    { "takeout_sso_identities",
		"SELECT jsonb_build_array(x.issuer, x.subject), "
		"row_to_json(x)::text FROM (SELECT t.issuer, t.subject, "
		"t.user_id, t.created_at, t.last_used_at FROM sso_identities t "
		"WHERE t.account_id = $1::uuid AND (t.issuer, t.subject) > "
		"($2::jsonb->>0, $2::jsonb->>1) "
		"ORDER BY t.issuer, t.subject LIMIT $3::integer) x" } },
	BY_ID("api_keys", "id",
	    "t.id, t.name, t.prefix, t.role, t.expires_at, t.revoked_at, "
	    "t.last_used_at, t.created_at",
	    "api_keys t"),
	BY_ID("budgets", "id",
	    "t.id, t.name, t.scope, t.subject_id, t.period, t.unit, t.amount, "
	    "t.soft_percent, t.hard, t.status, t.created_at",
	    "budgets t"),
	{ "budget_periods", "[\"" NIL "\", \"-infinity\"]",
	    { "takeout_budget_periods",
		"SELECT jsonb_build_array(x.budget_id, x.starts_at), "
		"row_to_json(x)::text FROM (SELECT t.budget_id, t.starts_at, "
		"t.spent, t.unpriced, t.alerted_at FROM budget_periods t "
		"WHERE t.account_id = $1::uuid AND (t.budget_id, t.starts_at) "
		"> (($2::jsonb->>0)::uuid, ($2::jsonb->>1)::timestamptz) "
		"ORDER BY t.budget_id, t.starts_at LIMIT $3::integer) x" } },
	BY_ID("widget_keys", "id",
	    "t.id, t.name, t.prefix, t.agent_instance_id, t.allowed_origins, "
	    "t.appearance, t.revoked_at, t.last_used_at, t.created_at",
	    "widget_keys t"),
	BY_ID("llm_credentials", "id",
	    "t.id, t.provider, t.name, t.hint, t.base_url, t.tier, t.rpm, "
	    "t.tpm, t.itpm, t.weight, t.priority, t.models, t.status, "
	    "t.last_used_at, t.created_at, t.updated_at",
	    "llm_credentials t"),
	BY_ID("visitor_secrets", "id",
	    "t.id, t.name, t.prefix, t.expires_at, t.revoked_at, t.created_at",
	    "visitor_secrets t"),
	BY_ID("visitors", "id",
	    "t.id, t.external_id, t.name, t.email, t.created_at, "
	    "t.last_seen_at",
	    "visitors t"),
	BY_ID("agent_instances", "id",
	    "t.id, t.agent_type, t.instance_name, t.display_name, "
	    "t.configuration, t.config_version, t.status, t.created_at, "
	    "t.updated_at, t.last_used_at",
	    "agent_instances t"),
	{ "agent_config_versions", "[\"" NIL "\", 0]",
	    { "takeout_agent_config_versions",
		"SELECT jsonb_build_array(x.agent_instance_id, x.version), "
		"row_to_json(x)::text FROM (SELECT t.agent_instance_id, "
		"t.version, t.configuration, t.author, t.created_at "
		"FROM agent_config_versions t WHERE t.account_id = $1::uuid "
		"AND (t.agent_instance_id, t.version) > "
		"(($2::jsonb->>0)::uuid, ($2::jsonb->>1)::bigint) "
		"ORDER BY t.agent_instance_id, t.version "
		"LIMIT $3::integer) x" } },
	BY_ID("products", "id",
	    "t.id, t.agent_instance_id, t.sku, t.name, t.description, "
	    "t.price_text, t.url, t.created_at",
	    "products t"),
	BY_ID("documents", "id",
	    "t.id, t.agent_instance_id, t.title, t.url, t.created_at",
	    "documents t"),
	BY_ID("chunks", "id",
	    "t.id, t.document_id, t.position, t.title, t.body", "chunks t"),
	BY_ID("sessions", "id",
	    "t.id, t.session_key, t.widget_key_id, t.visitor_id, t.email, "
	    "t.is_anonymous, t.created_at, t.last_activity_at, t.handoff_at",
	    "sessions t"),
	{ "session_names", "",
	    { "takeout_session_names",
		"SELECT x.session_key, row_to_json(x)::text FROM (SELECT "
		"t.session_key, t.session_id FROM session_names t "
		"WHERE t.account_id = $1::uuid AND t.session_key > $2 "
		"ORDER BY t.session_key LIMIT $3::integer) x" } },
	BY_ID("turns", "id", "t.*", "turns t"),
	BY_ID("feedback", "turn_id",
	    "t.turn_id, t.rating, t.comment, t.created_at", "feedback t"),
	{ "usage_rollups", "[\"" NIL "\", \"\", 0, \"-infinity\"]",
	    { "takeout_usage_rollups",
		"SELECT jsonb_build_array(x.agent_instance_id, x.model, "
		"x.grain, x.bucket), row_to_json(x)::text FROM (SELECT t.* "
		"FROM usage_rollups t WHERE t.account_id = $1::uuid AND "
		"(t.agent_instance_id, t.model, t.grain, t.bucket) > "
		"(($2::jsonb->>0)::uuid, $2::jsonb->>1, "
		"($2::jsonb->>2)::smallint, ($2::jsonb->>3)::timestamptz) "
		"ORDER BY t.agent_instance_id, t.model, t.grain, t.bucket "
		"LIMIT $3::integer) x" } },
	{ "usage_by_caller",
	    "[\"" NIL "\", \"\", \"" NIL "\", \"" NIL
	    "\", \"\", 0, \"-infinity\"]",
	    { "takeout_usage_by_caller",
		"SELECT jsonb_build_array(x.agent_instance_id, x.caller_kind, "
		"x.caller_id, x.credential_id, x.model, x.grain, x.bucket), "
		"row_to_json(x)::text FROM (SELECT t.* FROM usage_by_caller t "
		"WHERE t.account_id = $1::uuid AND (t.agent_instance_id, "
		"t.caller_kind, t.caller_id, t.credential_id, t.model, "
		"t.grain, "
		"t.bucket) > (($2::jsonb->>0)::uuid, $2::jsonb->>1, "
		"($2::jsonb->>2)::uuid, ($2::jsonb->>3)::uuid, $2::jsonb->>4, "
		"($2::jsonb->>5)::smallint, ($2::jsonb->>6)::timestamptz) "
		"ORDER BY t.agent_instance_id, t.caller_kind, t.caller_id, "
		"t.credential_id, t.model, t.grain, t.bucket "
		"LIMIT $3::integer) x" } },
	{ "audit_log", "0",
	    { "takeout_audit_log",
		"SELECT x.seq, row_to_json(x)::text FROM (SELECT t.seq, t.at, "
		"t.action, t.actor_kind, t.actor_id, t.actor_name, t.address, "
		"t.request_id, t.object_kind, t.object_id, "
		"t.before::jsonb AS before, t.after::jsonb AS after "
		"FROM audit_log t WHERE t.account_id = $1::uuid "
		"AND t.seq > $2::bigint ORDER BY t.seq "
		"LIMIT $3::integer) x" } },
};
const int takeout_ntables =
    (int)(sizeof(takeout_tables) / sizeof(takeout_tables[0]));
