/*
 * How single sign-on is set up.  Whoever chooses the provider chooses who comes
 * in, so only owners write here, and a secret never goes to another provider
 * than it was set for.  Which domains are an account's is the platform's to
 * say: nobody proves his own.
 */
#include <string.h>

#include "account/account.h"
#include "api/manage/keys.h"
#include "api/manage/manage.h"
#include "api/manage/roles.h"
#include "api/manage/store.h"
#include "http/request.h"
#include "sso/discovery.h"
#include "sso/front.h"
#include "sso/sso.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/mem.h"

#include "util/banned.h"

#define WAIT (10 * CLOCK_S)
#define PROBE_WAIT (25 * CLOCK_S)
#define STORED_MAX ((size_t)256 * 1024)

static const struct manage_object sso_object = { "sso", &manage_store_sso,
	&manage_store_sso_lock, manage_store_sso_cols, NULL };

static int
sso_get(struct manage *m, struct err *e)
{
	int rc = manage_show(m, &sso_object, m->account, 200, e);

	return rc != 0 && e->code == ERR_NOT_FOUND
	           ? err_set(e, ERR_NOT_FOUND, "single sign-on is not set up")
	           : rc;
}
MANAGE_HANDLER(api_sso_get, sso_get)

/* --- what it is to be ----------------------------------------------------- */

/* What a body may leave out. */
static json_t *
defaults(void)
{
	return json_pack(
	    "{s:s, s:n, s:[s,s,s], s:b, s:b, s:b, s:b, s:n, s:[], s:n}", "kind",
	    "oidc", "client_auth", "scopes", "openid", "email", "profile",
	    "is_active", 1, "trust_email", 0, "auto_join", 0, "is_required", 0,
	    "role_claim", "role_map", "default_role");
}

static const char *
text_of(const json_t *o, const char *name)
{
	return json_string_value(json_object_get(o, name));
}

/* Does the web server in front say who comes? */
static bool
is_front(const json_t *s)
{
	const char *kind = text_of(s, "kind");

	return kind != NULL && strcmp(kind, "front") == 0;
}

/* Has the member another value than before? */
static bool
differs(const json_t *was, const json_t *now, const char *name)
{
	const char *a = text_of(was, name), *b = text_of(now, name);

	return a == NULL || b == NULL || strcmp(a, b) != 0;
}

/* Is the secret that is there for another place? */
static bool
elsewhere(const json_t *was, const json_t *now)
{
	return was == NULL || differs(was, now, "issuer") ||
	       differs(was, now, "client_id") ||
	       differs(was, now, "client_auth");
}

/* Nobody gives by a map what he could not give himself. */
static int
check_roles(struct manage *m, const json_t *s, struct err *e)
{
	const char *usual = text_of(s, "default_role");
	const json_t *row;
	size_t i;

	if (usual != NULL && manage_within(m, usual, e) != 0)
		return -1;
	json_array_foreach(json_object_get(s, "role_map"), i, row)
	{
		if (manage_within(m, text_of(row, "role"), e) != 0)
			return -1;
	}
	if (json_array_size(json_object_get(s, "role_map")) > 0 &&
	    text_of(s, "role_claim") == NULL)
		return manage_invalid(m, e, "/role_claim",
		    "must name the claim that role_map is about");
	return 0;
}

static int
check_scopes(struct manage *m, const json_t *s, struct err *e)
{
	const json_t *v;
	size_t i;

	json_array_foreach(json_object_get(s, "scopes"), i, v)
	{
		if (strcmp(json_string_value(v), "openid") == 0)
			return 0;
	}
	return manage_invalid(m, e, "/scopes", "must hold openid");
}

static int
check_issuer(struct manage *m, const json_t *s, struct err *e)
{
	if (is_front(s))
		return text_of(s, "issuer")[0] != '\0'
		           ? 0
		           : manage_invalid(m, e, "/issuer",
				 "must be what the web server calls itself");
	if (discovery_issuer_ok(
		sso_fetcher(m->app->sso), text_of(s, "issuer"), e) == 0)
		return 0;
	return manage_invalid(m, e, "/issuer", "is not good: %s", e->text);
}

/* The web server has its own client, where it has one; ours has a name. */
static int
settle_client(struct manage *m, json_t *s, struct err *e)
{
	static const char *const names[] = { "client_id", "client_auth",
		"client_secret" };

	for (size_t i = 0; i < 3 && is_front(s); i++) {
		if (manage_text(m, names[i]) != NULL)
			return manage_invalid(m, e,
			    mem_printf(m->ctx, "/%s", names[i]),
			    "has no use where kind is front");
		if (i < 2)
			json_object_set_new(s, names[i], json_null());
	}
	if (is_front(s))
		return 0;
	if (text_of(s, "client_id") == NULL)
		return manage_invalid(
		    m, e, "/client_id", "must be given where kind is oidc");
	if (text_of(s, "client_auth") == NULL)
		json_object_set_new(
		    s, "client_auth", json_string("client_secret_basic"));
	return 0;
}

/* 1: the body brings a secret; 0: it stays as it is (also: there is none); -1.
 */
static int
check_secret(
    struct manage *m, const json_t *was, const json_t *s, struct err *e)
{
	const char *secret = manage_text(m, "client_secret");
	bool public =
	    !is_front(s) && strcmp(text_of(s, "client_auth"), "none") == 0;
	bool gone = json_is_null(json_object_get(m->body, "client_secret"));

	if (is_front(s))
		return 1; /* it goes */
	if (public && secret != NULL)
		return manage_invalid(m, e, "/client_secret",
		    "has no use where client_auth is none");
	if (!public && secret == NULL && (gone || elsewhere(was, s)))
		return manage_invalid(m, e, "/client_secret",
		    "must be given with this issuer, client_id and "
		    "client_auth");
	return secret != NULL || (public && elsewhere(was, s)) ? 1 : 0;
}

static char *
stored(struct manage *m, const json_t *s, const char *name)
{
	struct buf b;

	buf_init(&b, m->ctx, STORED_MAX);
	json_write(&b, json_object_get(s, name));
	return b.data;
}

static const char *
stored_bool(const json_t *s, const char *name)
{
	return json_is_true(json_object_get(s, name)) ? "true" : "false";
}

/* The settings as they are to be: ${was} (NULL: none) and what the body says;
 * and the call that writes them.  A new reference, or NULL. */
static json_t *
settle(struct manage *m, const json_t *was, const json_t *base,
    struct db_call *call, struct err *e)
{
	json_t *s = json_copy((json_t *)(uintptr_t)base);
	char *sealed = NULL, *version = NULL;
	int secret;

	json_object_update(s, m->body);
	json_object_del(s, "client_secret");
	secret = settle_client(m, s, e) == 0 && check_issuer(m, s, e) == 0 &&
	                 check_scopes(m, s, e) == 0 && check_roles(m, s, e) == 0
	             ? check_secret(m, was, s, e)
	             : -1;
	if (secret > 0 && manage_text(m, "client_secret") != NULL &&
	    sso_secret_seal(m->app->sso, &m->who->account->id,
		manage_text(m, "client_secret"), m->req->started + WAIT, m->ctx,
		&sealed, &version, e) != 0)
		secret = -1;
	if (secret < 0) {
		json_decref(s);
		return NULL;
	}
	*call = (struct db_call){ .stmt = was != NULL
		                              ? &manage_store_sso_change
		                              : &manage_store_sso_create,
		.param = { m->account, text_of(s, "issuer"),
		    text_of(s, "client_id"), text_of(s, "client_auth"), sealed,
		    version, stored(m, s, "scopes"),
		    stored_bool(s, "is_active"), stored_bool(s, "trust_email"),
		    stored_bool(s, "auto_join"), text_of(s, "role_claim"),
		    stored(m, s, "role_map"), text_of(s, "default_role"),
		    stored_bool(s, "is_required"), text_of(s, "kind"),
		    secret > 0 ? "false" : "true" },
		.nparams = was != NULL ? 16 : 15 };
	/* For the record, where its value is masked. */
	if (manage_text(m, "client_secret") != NULL)
		json_object_set_new(
		    s, "client_secret", json_string("a new one"));
	return s;
}

/* --- writing -------------------------------------------------------------- */

static int
change_apply(struct manage *m, void *arg, const struct manage_found *found,
    struct manage_change *c, struct err *e)
{
	const json_t *base = arg != NULL ? arg : found->json;

	/* What is set up above the caller is not the caller's to touch. */
	if (check_roles(m, found->json, e) != 0)
		return -1;
	json_decref(c->after);
	c->after = settle(m, found->json, base, &c->calls[c->ncalls], e);
	c->ncalls++;
	return c->after != NULL ? 0 : -1;
}

/* 0 with a new one made, 1 when there is one, -1. */
static int
create(struct manage *m, const json_t *base, struct err *e)
{
	json_auto_t *after = NULL;
	struct manage_found found = { 0 };
	struct db_call call;
	struct manage_change c = { .action = "sso.create",
		.object = "sso",
		.id = m->account,
		.calls = &call,
		.ncalls = 1 };

	if (manage_find(m, &sso_object, m->account, &found, e) == 0) {
		json_decref(found.json);
		return 1;
	}
	if (e->code != ERR_NOT_FOUND)
		return -1;
	*e = (struct err){ 0 };
	if (manage_if_match(m, "", e) != 0)
		return -1;
	after = settle(m, NULL, base, &call, e);
	if (after == NULL)
		return -1;
	c.after = after;
	return manage_commit(m, &c, e);
}

static int
sso_put(struct manage *m, struct err *e)
{
	json_auto_t *base = defaults();
	int rc;

	if (manage_body(m, "sso_put", e) != 0)
		return -1;
	rc = create(m, base, e);
	if (rc < 0)
		return -1;
	if (rc > 0 && manage_update(m, &sso_object, m->account, "sso.change",
			  change_apply, base, e) < 0)
		return -1;
	return manage_show(m, &sso_object, m->account, rc == 0 ? 201 : 200, e);
}
MANAGE_HANDLER(api_sso_put, sso_put)

static int
sso_change(struct manage *m, struct err *e)
{
	if (manage_body(m, "sso_change", e) != 0 ||
	    manage_update(m, &sso_object, m->account, "sso.change",
		change_apply, NULL, e) < 0)
		return -1;
	return manage_show(m, &sso_object, m->account, 200, e);
}
MANAGE_HANDLER(api_sso_change, sso_change)

static int
remove_apply(struct manage *m, void *arg, const struct manage_found *found,
    struct manage_change *c, struct err *e)
{
	(void)arg;
	if (check_roles(m, found->json, e) != 0)
		return -1;
	c->calls[c->ncalls++] =
	    (struct db_call){ .stmt = &manage_store_sso_remove,
		    .param = { m->account },
		    .nparams = 1 };
	return 0;
}

static int
sso_remove(struct manage *m, struct err *e)
{
	if (manage_update(m, &sso_object, m->account, "sso.remove",
		remove_apply, NULL, e) < 0)
		return -1;
	return manage_gone(m);
}
MANAGE_HANDLER(api_sso_remove, sso_remove)

/* --- trying --------------------------------------------------------------- */

static void
tell(json_t *problems, const char *text)
{
	json_array_append_new(problems, json_string(text));
}

static void
look(
    const struct sso_connection *c, const struct discovery *d, json_t *problems)
{
	if (strcmp(c->client_auth, "client_secret_basic") == 0 && !d->basic)
		tell(problems,
		    "The provider does not take client_secret_basic; set "
		    "client_auth to client_secret_post.");
	if (strcmp(c->client_auth, "client_secret_post") == 0 && !d->post)
		tell(problems, "The provider does not say that it takes "
			       "client_secret_post.");
	if (d->userinfo_endpoint == NULL && c->role_claim != NULL)
		tell(problems,
		    "The provider has no userinfo endpoint: the claim of the "
		    "roles must stand in the ID token.");
}

static int
sso_test(struct manage *m, struct err *e)
{
	json_auto_t *problems = json_array(), *answer = NULL;
	struct sso_connection c;
	struct discovery d = { 0 };
	struct err why = { 0 };
	size_t keys = 0;
	bool asked;
	int rc = sso_connection_get(m->app->sso, &m->who->account->id,
	    m->req->started + WAIT, m->ctx, &c, e);

	if (rc < 0)
		return -1;
	if (rc == 0)
		return err_set(e, ERR_NOT_FOUND, "nothing has this id");
	asked = !c.front &&
	        provider_probe(sso_fetcher(m->app->sso), m->ctx, c.issuer,
		    m->req->started + PROBE_WAIT, &d, &keys, &why) == 0;
	if (c.front && !sso_has_front(m->app->sso))
		tell(problems, "The web server may not say who comes: "
			       "front_sso_secret_file is not set.");
	else if (asked)
		look(&c, &d, problems);
	else if (!c.front)
		tell(problems, why.text);
	sso_connection_free(&c);
	answer = json_pack("{s:b, s:O, s:s?, s:s?, s:s?, s:o, s:o}", "ok",
	    json_array_size(problems) == 0, "problems", problems,
	    "authorization_endpoint", d.authorization_endpoint,
	    "token_endpoint", d.token_endpoint, "end_session_endpoint",
	    d.end_session_endpoint, "backchannel_logout",
	    asked ? json_boolean(d.backchannel) : json_null(), "keys",
	    asked ? json_integer((json_int_t)keys) : json_null());
	return manage_answer(m, 200, answer, NULL);
}
MANAGE_HANDLER(api_sso_test, sso_test)

/* --- domains -------------------------------------------------------------- */

static int
domain_list(struct manage *m, struct err *e)
{
	struct db_call call = { .stmt = &manage_store_domains,
		.param = { m->account },
		.nparams = 1 };

	return manage_page(m, &call, manage_store_domain_cols, NULL, e);
}
MANAGE_HANDLER(api_sso_domain_list, domain_list)

static int
domain_add(struct manage *m, struct err *e)
{
	json_auto_t *shown = NULL;
	char now[CLOCK_RFC3339_SIZE];
	const char *domain;
	int rc;

	if (manage_body(m, "sso_domain_add", e) != 0)
		return -1;
	domain = manage_text(m, "domain");
	rc = manage_replay(m, NULL, e);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	clock_rfc3339(clock_wall_us(), now);
	shown = json_pack("{s:s, s:s}", "domain", domain, "created_at", now);

	struct db_call call = { .stmt = &manage_store_domain_add,
		.param = { m->account, domain, now },
		.nparams = 3 };
	struct manage_change c = { .action = "sso.domain_add",
		.object = "domain",
		.id = domain,
		.after = shown,
		.calls = &call,
		.ncalls = 1,
		.status = 201,
		.answer = shown };

	rc = manage_commit(m, &c, e);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	return manage_answer(m, 201, shown, NULL);
}
MANAGE_HANDLER(api_sso_domain_add, domain_add)

static int
domain_remove(struct manage *m, struct err *e)
{
	json_auto_t *before = NULL;
	const char *domain = http_var(m->req, "domain");
	struct db_call call = { .stmt = &manage_store_domain_remove,
		.param = { m->account, domain },
		.nparams = 2 };
	struct manage_change c = { .action = "sso.domain_remove",
		.object = "domain",
		.id = domain,
		.calls = &call,
		.ncalls = 1 };

	before = json_pack("{s:s}", "domain", domain);
	c.before = before;
	if (manage_commit(m, &c, e) != 0)
		return -1;
	return manage_gone(m);
}
MANAGE_HANDLER(api_sso_domain_remove, domain_remove)
