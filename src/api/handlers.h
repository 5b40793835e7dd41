/*
 * Every handler of the route table.  All have the same contract: called by
 * app_serve() after the guard let the caller in, in the request's own thread;
 * the handler answers exactly once, errors through problem_send(); memory hangs
 * below req->ctx.  ${caller} is filled in by the guard (its key is NULL for
 * PERM_PUBLIC).  The header stays free of other rooms' types, so that
 * routes.c needs nothing else.
 */
#ifndef API_HANDLERS_H
#define API_HANDLERS_H

struct app;
struct caller;
struct http_req;
struct http_resp;

#define API_HANDLER(name)                                                      \
	void name(struct app *, struct http_req *, struct http_resp *,         \
	    struct caller *)

API_HANDLER(api_chat);   /* chat.c: POST .../chat/{type}/{name} */
API_HANDLER(api_stream); /* chat.c: POST .../agents/{type}/{name}/stream */
API_HANDLER(api_resume); /* follow.c: GET of the same */

API_HANDLER(api_widget_token); /* widget.c: POST .../widget/token */

API_HANDLER(api_openai_models); /* openai/models.c */
API_HANDLER(api_openai_model);
API_HANDLER(api_openai_chat);       /* openai/chat.c */
API_HANDLER(api_openai_embeddings); /* openai/embeddings.c */
API_HANDLER(api_openai_responses);  /* openai/responses.c */

API_HANDLER(api_probe); /* probe.c: for switchboard doctor */

API_HANDLER(api_turn_get);         /* sessions.c: GET .../turns/{turn_id} */
API_HANDLER(api_credential_drill); /* drill.c */
API_HANDLER(api_turn_why);         /* sessions.c: GET .../turns/{turn_id}/why */
API_HANDLER(api_turn_stop);        /* sessions.c: DELETE of the same */
API_HANDLER(api_messages); /* sessions.c: GET .../sessions/{}/messages */
API_HANDLER(api_feedback); /* sessions.c: POST .../messages/{id}/feedback */

API_HANDLER(api_auth_login); /* auth.c */
API_HANDLER(api_auth_refresh);
API_HANDLER(api_auth_sign_up);
API_HANDLER(api_auth_sign_up_confirm);
API_HANDLER(api_auth_logout);
API_HANDLER(api_auth_reset); /* passwords.c */
API_HANDLER(api_auth_password);
API_HANDLER(api_me); /* auth.c */
API_HANDLER(api_me_sign_ins);
API_HANDLER(api_me_sign_ins_end);
API_HANDLER(api_me_sign_in_end);
API_HANDLER(api_me_password);
API_HANDLER(api_me_factor_begin); /* factors.c */
API_HANDLER(api_me_factor_confirm);
API_HANDLER(api_me_factor_end);
API_HANDLER(api_me_passkey_options); /* passkeys.c */
API_HANDLER(api_me_passkey_add);
API_HANDLER(api_me_passkeys);
API_HANDLER(api_me_passkey_end);
API_HANDLER(api_auth_passkey_options);
API_HANDLER(api_auth_passkey);
API_HANDLER(api_audit); /* audit.c: GET /api/v1/accounts/{slug}/audit */

API_HANDLER(api_healthz); /* ops.c */
API_HANDLER(api_readyz);
API_HANDLER(api_metrics);
API_HANDLER(api_change);
API_HANDLER(api_own_metrics);
API_HANDLER(api_own_credential); /* manage/credentials_live.c */
API_HANDLER(api_own_breaker);

API_HANDLER(api_openapi); /* openapi.c: GET /api/v1/openapi.json */

API_HANDLER(api_docs);         /* docs.c: the readable API documentation */
API_HANDLER(api_docs_style);   /* docs.c: its style sheet */
API_HANDLER(api_problem_page); /* docs.c: GET /problems/{name} */

API_HANDLER(api_account_list); /* manage/accounts.c */
API_HANDLER(api_account_create);
API_HANDLER(api_account_get);
API_HANDLER(api_account_change);
API_HANDLER(api_account_end);
API_HANDLER(api_account_export);
API_HANDLER(api_account_restore);
API_HANDLER(api_agent_list); /* manage/agents.c */
API_HANDLER(api_agent_create);
API_HANDLER(api_agent_get);
API_HANDLER(api_agent_change);
API_HANDLER(api_agent_archive);
API_HANDLER(api_config_get); /* manage/configs.c */
API_HANDLER(api_config_put);
API_HANDLER(api_version_list);
API_HANDLER(api_version_get);
API_HANDLER(api_config_restore);
API_HANDLER(api_config_diff);
API_HANDLER(api_api_key_list); /* manage/api_keys.c */
API_HANDLER(api_api_key_create);
API_HANDLER(api_api_key_get);
API_HANDLER(api_api_key_revoke);
API_HANDLER(api_api_key_rotate);
API_HANDLER(api_widget_key_list); /* manage/widget_keys.c */
API_HANDLER(api_widget_key_create);
API_HANDLER(api_widget_key_get);
API_HANDLER(api_widget_key_change);
API_HANDLER(api_widget_key_revoke);
API_HANDLER(api_role_list);
API_HANDLER(api_role_create);
API_HANDLER(api_role_get);
API_HANDLER(api_role_change);
API_HANDLER(api_role_delete);
API_HANDLER(api_visitor_secret_list); /* manage/visitor_secrets.c */
API_HANDLER(api_visitor_secret_create);
API_HANDLER(api_visitor_secret_get);
API_HANDLER(api_visitor_secret_revoke);
API_HANDLER(api_visitor_secret_rotate);
API_HANDLER(api_credential_list); /* manage/credentials.c */
API_HANDLER(api_credential_create);
API_HANDLER(api_credential_get);
API_HANDLER(api_credential_change);
API_HANDLER(api_credential_remove);
API_HANDLER(api_credential_key);
API_HANDLER(api_credential_test); /* manage/credentials_live.c */
API_HANDLER(api_credential_breaker);
API_HANDLER(api_platform_credential_list);
API_HANDLER(api_platform_credential_create);
API_HANDLER(api_platform_credential_get);
API_HANDLER(api_platform_credential_change);
API_HANDLER(api_platform_credential_remove);
API_HANDLER(api_platform_credential_key);
API_HANDLER(api_platform_credential_test); /* manage/credentials_live.c */
API_HANDLER(api_platform_credential_breaker);
API_HANDLER(api_scim_config);
API_HANDLER(api_scim_types);
API_HANDLER(api_scim_schemas);
API_HANDLER(api_scim_user_list);
API_HANDLER(api_scim_user_create);
API_HANDLER(api_scim_user_get);
API_HANDLER(api_scim_user_put);
API_HANDLER(api_scim_user_patch);
API_HANDLER(api_scim_user_delete);
API_HANDLER(api_scim_group_list);
API_HANDLER(api_scim_group_create);
API_HANDLER(api_scim_group_get);
API_HANDLER(api_scim_group_put);
API_HANDLER(api_scim_group_patch);
API_HANDLER(api_scim_group_delete);
API_HANDLER(api_scim_settings_get);
API_HANDLER(api_scim_settings_put);
API_HANDLER(api_user_list);
API_HANDLER(api_user_invite); /* manage/users.c */
API_HANDLER(api_user_get);
API_HANDLER(api_user_change);
API_HANDLER(api_user_remove);
API_HANDLER(api_sso_backchannel); /* sso.c */
API_HANDLER(api_sso_get);         /* manage/sso.c */
API_HANDLER(api_sso_put);
API_HANDLER(api_sso_change);
API_HANDLER(api_sso_remove);
API_HANDLER(api_sso_test);
API_HANDLER(api_sso_domain_list);
API_HANDLER(api_sso_domain_add);
API_HANDLER(api_sso_domain_remove);
API_HANDLER(api_activity_list); /* manage/activities.c */
API_HANDLER(api_activity_get);
API_HANDLER(api_turn_why_get);
API_HANDLER(api_session_list); /* manage/sessions.c */
API_HANDLER(api_session_get);
API_HANDLER(api_budget_list); /* manage/budgets.c */
API_HANDLER(api_budget_create);
API_HANDLER(api_budget_get);
API_HANDLER(api_budget_change);
API_HANDLER(api_budget_delete);
API_HANDLER(api_usage); /* manage/usage.c */
API_HANDLER(api_account_metrics);
API_HANDLER(api_overview); /* manage/overview.c */

/* Pages for browsers: pages/login.c, */
API_HANDLER(page_home);
API_HANDLER(page_login);
API_HANDLER(page_login_send);
API_HANDLER(page_code);
API_HANDLER(page_code_send);
API_HANDLER(page_logout);
API_HANDLER(page_logout_send);
API_HANDLER(page_asset);    /* pages/asset.c, */
API_HANDLER(page_password); /* pages/password.c, */
API_HANDLER(page_password_send);
API_HANDLER(page_forgotten_send);
API_HANDLER(page_me); /* pages/me.c, */
API_HANDLER(page_me_password);
API_HANDLER(page_me_sign_ins_end);
API_HANDLER(page_sso); /* pages/sso.c, */
API_HANDLER(page_sso_begin);
API_HANDLER(page_sso_callback);
API_HANDLER(page_sso_front);
API_HANDLER(api_handoff); /* sessions.c */
API_HANDLER(page_talk);   /* pages/talk.c, */
API_HANDLER(page_talk_send);
API_HANDLER(page_talk_token);
API_HANDLER(page_login_passkey); /* pages/passkey.c, */
API_HANDLER(page_passkey_add);
API_HANDLER(page_passkey_end);
API_HANDLER(page_factor_begin); /* pages/factor.c */
API_HANDLER(page_factor_confirm);
API_HANDLER(page_factor_end);

/* The console: console/shell.c, dashboard.c, */
API_HANDLER(page_appearance);
API_HANDLER(console_dashboard);
API_HANDLER(console_agents); /* console/agents.c, */
API_HANDLER(console_agent_new);
API_HANDLER(console_agent);
API_HANDLER(console_config); /* console/config.c, */
API_HANDLER(console_versions);
API_HANDLER(console_restore);
API_HANDLER(console_sessions); /* console/sessions.c, */
API_HANDLER(console_session);
API_HANDLER(console_keys); /* console/keys.c */
API_HANDLER(console_key_make);
API_HANDLER(console_key_revoke);
API_HANDLER(console_key_rotate);

#undef API_HANDLER

#endif
