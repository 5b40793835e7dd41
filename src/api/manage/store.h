/*
 * The SQL of the management API.  Each statement names the account ($1) and
 * runs under row security as sb_admin; what a resource shows stands in the
 * column list beside it.  Only the lists across accounts go through the gate.
 */
#ifndef API_MANAGE_STORE_H
#define API_MANAGE_STORE_H

#include "db/db.h"
#include "db/rows.h"

/* A resource's state: a text that differs when one of ${members} does. */
#define STORE_STATE(members) "md5(row(" members ")::text)"
/* The first statement of a change (account, id, state): hold the row ${from}
 * and prove that it is as it was read. */
#define STORE_LOCK(state, from)                                                \
	"SELECT control.unchanged((SELECT " state " FROM " from                \
	" FOR NO KEY UPDATE), $3)"

/* Accounts (store_account.c).  show, lock: (account, the same); change:
 * (account, name, tier, is_active, max_agents, requests_per_hour: NULL the
 * tier's, -1 unlimited, second_factor_roles, credential_strategy); create:
 * (account, slug, name, tier, made when); end: (account, days); restore:
 * (account); list, across accounts: (tier, active, ending, after, rows). */
extern const struct db_stmt manage_store_account, manage_store_account_lock,
    manage_store_account_change, manage_store_account_create,
    manage_store_account_end, manage_store_account_restore,
    manage_store_accounts;
extern const struct rows_col manage_store_account_cols[];

/* Agents (store_agent.c).  show, lock: (account, id); list: (account, type,
 * status: NULL all but archived, after, rows).  Configurations: (account,
 * agent); their versions: (account, agent, after, rows), one: (account,
 * agent, version). */
extern const struct db_stmt manage_store_agent, manage_store_agent_lock,
    manage_store_agents, manage_store_config, manage_store_config_lock,
    manage_store_versions, manage_store_version;
extern const struct rows_col manage_store_agent_cols[],
    manage_store_config_cols[], manage_store_version_cols[],
    manage_store_version_show_cols[];

/* Keys (store_key.c).  show, lock: (account, id); list: (account, status,
 * after, rows).  end: (account, id, seconds): an API key ends so long from now,
 * at 0 it is revoked; revoke: (account, id); widget change: (account, id, name,
 * agent or NULL, origins and appearance as JSON). */
extern const struct db_stmt manage_store_api_key, manage_store_api_key_lock,
    manage_store_api_keys, manage_store_api_key_end, manage_store_widget_key,
    manage_store_widget_key_lock, manage_store_widget_keys,
    manage_store_widget_key_change, manage_store_widget_key_revoke;
extern const struct rows_col manage_store_api_key_cols[],
    manage_store_widget_key_cols[];

/* Keys for model providers (store_credential.c).  show, lock: (account, id);
 * list: (account, status, provider, after, rows).  Changing is
 * gateway/store.h's. */
extern const struct db_stmt manage_store_credential,
    manage_store_credential_lock, manage_store_credentials;
extern const struct rows_col manage_store_credential_cols[];

/* Visitor secrets (store_visitor.c), as API keys. */
extern const struct db_stmt manage_store_visitor_secret,
    manage_store_visitor_secret_lock, manage_store_visitor_secrets,
    manage_store_visitor_secret_end;
extern const struct rows_col manage_store_visitor_secret_cols[];

/* Members of an account (store_user.c).  show, lock: (account, user); list:
 * (account, role, after, rows); role: (account, user, role); leave: (account,
 * user). */
extern const struct db_stmt manage_store_user, manage_store_user_lock,
    manage_store_users, manage_store_user_role, manage_store_user_leave,
    manage_store_user_invite;
extern const struct rows_col manage_store_user_cols[];

/* Roles (store_role.c).  show, lock, delete: (account, name); list: (account,
 * built-in ones as JSON, name or NULL, after, rows); perms: (account, name) ->
 * its permissions with spaces between; create: (account, name, description,
 * permissions as JSON, made when); change: (account, name, description,
 * permissions: NULL leaves them). */
extern const struct db_stmt manage_store_role, manage_store_role_lock,
    manage_store_roles, manage_store_role_perms, manage_store_role_create,
    manage_store_role_change, manage_store_role_delete;
extern const struct rows_col manage_store_role_cols[];

/* Single sign-on (store_sso.c).  show, lock: (account, the same); create:
 * (account, issuer, client_id, client_auth, sealed secret, its version, scopes,
 * is_active, trust_email, auto_join, role_claim, role_map, default_role,
 * is_required, kind); change: the same and whether the secret stays.  Domains:
 * list (account, after, rows), add (account, domain, when), remove (account,
 * domain). */
extern const struct db_stmt manage_store_sso, manage_store_sso_lock,
    manage_store_sso_create, manage_store_sso_change, manage_store_sso_remove,
    manage_store_domains, manage_store_domain_add, manage_store_domain_remove;
extern const struct rows_col manage_store_sso_cols[],
    manage_store_domain_cols[];

/* Activities (store_activity.c).  show: (account, id); list, newest first, and
 * that of the failed: (account, agent: NULL all, status: NULL all, after,
 * rows). */
extern const struct db_stmt manage_store_activity, manage_store_activities,
    manage_store_activities_failed;
extern const struct rows_col manage_store_activity_cols[],
    manage_store_activity_show_cols[];

/* Sessions (store_session.c).  show: (account, id, nothing); list, newest
 * first: (account, agent, from_us, to_us, status, after, rows); _unusual for a
 * status of failed or cancelled, _running for running, _handoff for those who
 * wait for a person. */
extern const struct db_stmt manage_store_session, manage_store_sessions,
    manage_store_sessions_unusual, manage_store_sessions_running,
    manage_store_sessions_handoff;
extern const struct rows_col manage_store_session_cols[];

/* Budgets (store_budget.c).  show, lock, delete: (account, id); list: (account,
 * status, after, rows); create: (account, id, name, scope, subject, period,
 * unit, limit, soft_percent, hard, status, when), then period: (account, id,
 * used, unpriced) by used: (account, scope, subject, unit, period); change:
 * (account, id, name, limit, soft_percent, hard, status). */
extern const struct db_stmt manage_store_budget, manage_store_budget_lock,
    manage_store_budgets, manage_store_budget_create,
    manage_store_budget_period, manage_store_budget_used,
    manage_store_budget_change, manage_store_budget_delete;
extern const struct rows_col manage_store_budget_cols[];

/* Usage (store_usage.c), metrics the same with how latencies are spread:
 * (account, from_us, hours_from_us, days_from_us, days_to_us, hours_to_us,
 * to_us, by agent, by model, unit of time or NULL, agent, model).  Between the
 * inner ones hourly and daily sums are read.  By caller: further (by key, by
 * credential, key, credential). */
extern const struct db_stmt manage_store_usage, manage_store_usage_by_caller,
    manage_store_metrics, manage_store_overview;
/* The columns that say what a row is about, before those with figures. */
#define MANAGE_USAGE_NAMES 6
extern const struct rows_col manage_store_usage_cols[];

/* Answers of POSTs (store_once.c).  (account, key hash, ...) */
extern const struct db_stmt manage_store_answer_trim, manage_store_answer_claim,
    manage_store_answer;

#endif
