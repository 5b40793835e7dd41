/* See doubles.h. */
#include "doubles.h"

#include <string.h>

#include "api/app.h"
#include "api/browser.h"
#include "api/guard.h"
#include "api/handlers.h"
#include "api/pages/page.h"
#include "api/problem.h"
#include "http/request.h"
#include "http/response.h"
#include "http/sse.h"

#include "util/banned.h"

struct doubles doubles;

static char one[] = "https://a.example", two[] = "http://localhost:*";
static char *origins[] = { one, two };

void
doubles_reset(void)
{
	memset(&doubles, 0, sizeof(doubles));
	doubles.account.active = true;
	doubles.account.epoch = 42;
	doubles.account.origins = origins;
	doubles.account.norigins = 2;
	doubles.account.id.b[0] = 0xab;
}

int
guard_check(struct app *app, struct http_req *req, const struct route *route,
    struct caller *out, struct err *e)
{
	(void)app;
	(void)req;
	(void)route;
	doubles.guard_calls++;
	if (doubles.guard_error.code != ERR_NONE) {
		*e = doubles.guard_error;
		return -1;
	}
	if (doubles.guard_account)
		out->account = &doubles.account;
	out->origin = doubles.guard_origin;
	return 0;
}

int
guard_still(
    struct app *app, struct http_req *req, struct caller *who, struct err *e)
{
	(void)app;
	(void)req;
	(void)who;
	(void)e;
	return 0;
}

void
guard_done(struct caller *caller)
{
	(void)caller;
	doubles.guard_done_calls++;
}

void
browser_keep(struct app *app, const struct http_req *req,
    struct http_resp *resp, const char *cookie)
{
	(void)app, (void)req;
	http_set(resp, "Set-Cookie", cookie);
}

bool
page_wanted(const struct app *app, const struct http_req *req)
{
	return app->pages != NULL && strncmp(req->path, "/api/", 5) != 0;
}

void
page_problem(struct app *app, struct http_req *req, struct http_resp *resp,
    const struct err *e)
{
	(void)app, (void)req;
	http_status(resp, problem_status(e));
	http_send(resp, "text/html; charset=utf-8", "a page", 6);
}

void
page_go(struct http_resp *resp, const char *path)
{
	http_status(resp, 303);
	http_set(resp, "Location", path);
	http_send_empty(resp);
}

int
page_check_form(struct app *app, struct http_req *req, const struct caller *who,
    struct err *e)
{
	(void)app, (void)req, (void)who;
	return doubles.form_refused ? err_set(e, ERR_DENIED, "no token") : 0;
}

int
accounts_by_slug(struct accounts *all, const char *slug, int64_t deadline,
    const struct account **ret, struct err *e)
{
	(void)all;
	(void)deadline;
	if (doubles.accounts_error.code != ERR_NONE) {
		*e = doubles.accounts_error;
		return -1;
	}
	if (strcmp(slug, "acme") != 0)
		return err_set(e, ERR_NOT_FOUND, "no such account");
	doubles.refs++;
	*ret = &doubles.account;
	return 0;
}

void
account_unref(const struct account *account)
{
	(void)account;
	doubles.refs--;
}

static void
act(const char *name, struct http_req *req, struct http_resp *resp)
{
	struct err e = { .code = ERR_GONE };

	doubles.handled++;
	doubles.last = name;
	switch (doubles.act) {
	case ACT_OK:
		http_send(resp, "application/json", "{}", 2);
		break;
	case ACT_GONE:
		problem_send(req, resp, &e, NULL);
		break;
	case ACT_STREAM:
		sse_begin(resp);
		sse_event(resp, "done", "t", 1, "{}", 2);
		break;
	case ACT_NOTHING:
		break;
	}
}

#define HANDLER(name)                                                          \
	void name(struct app *app, struct http_req *req,                       \
	    struct http_resp *resp, struct caller *caller)                     \
	{                                                                      \
		(void)app;                                                     \
		(void)caller;                                                  \
		act(#name, req, resp);                                         \
	}

HANDLER(api_chat)
HANDLER(api_stream)
HANDLER(api_resume)
HANDLER(api_turn_get)
HANDLER(api_turn_why)
HANDLER(api_turn_why_get)
HANDLER(api_credential_drill)
HANDLER(api_activity_list)
HANDLER(api_activity_get)
HANDLER(api_turn_stop)
HANDLER(api_messages)
HANDLER(api_audit)
HANDLER(api_feedback)
HANDLER(api_widget_token)
HANDLER(api_openai_models)
HANDLER(api_openai_model)
HANDLER(api_openai_chat)
HANDLER(api_openai_embeddings)
HANDLER(api_openai_responses)
HANDLER(api_auth_login)
HANDLER(api_auth_refresh)
HANDLER(api_auth_sign_up)
HANDLER(api_auth_sign_up_confirm)
HANDLER(api_auth_logout)
HANDLER(api_auth_reset)
HANDLER(api_auth_password)
HANDLER(api_me)
HANDLER(api_me_sign_ins)
HANDLER(api_me_sign_ins_end)
HANDLER(api_me_sign_in_end)
HANDLER(api_me_password)
HANDLER(api_me_factor_begin)
HANDLER(api_me_factor_confirm)
HANDLER(api_me_factor_end)
HANDLER(api_me_passkey_options)
HANDLER(api_me_passkey_add)
HANDLER(api_me_passkeys)
HANDLER(api_me_passkey_end)
HANDLER(api_auth_passkey_options)
HANDLER(api_auth_passkey)
HANDLER(api_account_list)
HANDLER(api_account_create)
HANDLER(api_account_get)
HANDLER(api_account_change)
HANDLER(api_account_end)
HANDLER(api_account_export)
HANDLER(api_account_restore)
HANDLER(api_agent_list)
HANDLER(api_agent_create)
HANDLER(api_agent_get)
HANDLER(api_agent_change)
HANDLER(api_agent_archive)
HANDLER(api_config_get)
HANDLER(api_config_put)
HANDLER(api_version_list)
HANDLER(api_version_get)
HANDLER(api_config_restore)
HANDLER(api_config_diff)
HANDLER(api_api_key_list)
HANDLER(api_api_key_create)
HANDLER(api_api_key_get)
HANDLER(api_api_key_revoke)
HANDLER(api_api_key_rotate)
HANDLER(api_budget_list)
HANDLER(api_budget_create)
HANDLER(api_budget_get)
HANDLER(api_budget_change)
HANDLER(api_budget_delete)
HANDLER(api_widget_key_list)
HANDLER(api_widget_key_create)
HANDLER(api_widget_key_get)
HANDLER(api_widget_key_change)
HANDLER(api_widget_key_revoke)
HANDLER(api_role_list)
HANDLER(api_role_create)
HANDLER(api_role_get)
HANDLER(api_role_change)
HANDLER(api_role_delete)
HANDLER(api_own_credential)
HANDLER(api_own_breaker)
HANDLER(api_credential_list)
HANDLER(api_credential_create)
HANDLER(api_credential_get)
HANDLER(api_credential_change)
HANDLER(api_credential_remove)
HANDLER(api_credential_key)
HANDLER(api_credential_test)
HANDLER(api_credential_breaker)
HANDLER(api_platform_credential_list)
HANDLER(api_platform_credential_create)
HANDLER(api_platform_credential_get)
HANDLER(api_platform_credential_change)
HANDLER(api_platform_credential_remove)
HANDLER(api_platform_credential_key)
HANDLER(api_platform_credential_test)
HANDLER(api_platform_credential_breaker)
HANDLER(api_visitor_secret_list)
HANDLER(api_visitor_secret_create)
HANDLER(api_visitor_secret_get)
HANDLER(api_visitor_secret_revoke)
HANDLER(api_visitor_secret_rotate)
HANDLER(api_scim_config)
HANDLER(api_scim_types)
HANDLER(api_scim_schemas)
HANDLER(api_scim_user_list)
HANDLER(api_scim_user_create)
HANDLER(api_scim_user_get)
HANDLER(api_scim_user_put)
HANDLER(api_scim_user_patch)
HANDLER(api_scim_user_delete)
HANDLER(api_scim_group_list)
HANDLER(api_scim_group_create)
HANDLER(api_scim_group_get)
HANDLER(api_scim_group_put)
HANDLER(api_scim_group_patch)
HANDLER(api_scim_group_delete)
HANDLER(api_scim_settings_get)
HANDLER(api_scim_settings_put)
HANDLER(api_user_list)
HANDLER(api_user_invite)
HANDLER(api_user_get)
HANDLER(api_user_change)
HANDLER(api_user_remove)
HANDLER(page_sso)
HANDLER(page_sso_begin)
HANDLER(page_sso_callback)
HANDLER(page_sso_front)
HANDLER(api_handoff)
HANDLER(page_talk)
HANDLER(page_talk_send)
HANDLER(page_talk_token)
HANDLER(api_sso_backchannel)
HANDLER(api_sso_get)
HANDLER(api_sso_put)
HANDLER(api_sso_change)
HANDLER(api_sso_remove)
HANDLER(api_sso_test)
HANDLER(api_sso_domain_list)
HANDLER(api_sso_domain_add)
HANDLER(api_sso_domain_remove)
HANDLER(api_session_list)
HANDLER(api_session_get)
HANDLER(api_usage)
HANDLER(api_account_metrics)
HANDLER(page_home)
HANDLER(page_login)
HANDLER(page_login_send)
HANDLER(page_code)
HANDLER(page_code_send)
HANDLER(page_logout)
HANDLER(page_logout_send)
HANDLER(page_asset)
HANDLER(page_password)
HANDLER(page_password_send)
HANDLER(page_forgotten_send)
HANDLER(page_me)
HANDLER(page_me_password)
HANDLER(page_me_sign_ins_end)
HANDLER(page_login_passkey)
HANDLER(page_passkey_add)
HANDLER(page_passkey_end)
HANDLER(page_factor_begin)
HANDLER(page_factor_confirm)
HANDLER(page_factor_end)
HANDLER(api_overview)
HANDLER(page_appearance)
HANDLER(console_dashboard)
HANDLER(console_agents)
HANDLER(console_agent_new)
HANDLER(console_agent)
HANDLER(console_sessions)
HANDLER(console_session)
HANDLER(console_keys)
HANDLER(console_key_make)
HANDLER(console_key_revoke)
HANDLER(console_key_rotate)
HANDLER(console_config)
HANDLER(console_versions)
HANDLER(console_restore)
