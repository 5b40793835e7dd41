/*
 * Who is this, and may they.  The order is the promise: an unknown caller is
 * told so before anything is looked up, and learns nothing of what exists.
 */
#include "api/guard.h"

#include <string.h>
#include <strings.h>

#include "account/account.h"
#include "api/app.h"
#include "api/browser.h"
#include "auth/key.h"
#include "auth/token.h"
#include "auth/used.h"
#include "auth/widget_token.h"
#include "http/request.h"
#include "shm/epoch.h"
#include "shm/person.h"
#include "util/clock.h"
#include "util/str.h"

#include "util/banned.h"

#define LOOKUP_WAIT (3 * CLOCK_S)

const char *
guard_bearer(const struct http_req *req)
{
	const char *value = http_header(req, "authorization");

	if (!value || strncasecmp(value, "Bearer", 6) != 0 || value[6] != ' ')
		return NULL;
	value += 6;
	value += strspn(value, " ");
	return *value ? value : NULL;
}

/*
 * A widget key stands in a page for everybody to read; that the browser sends
 * it from an allowed place is what makes it good.
 */
static int
check_origin(const struct http_req *req, struct caller *out, struct err *e)
{
	const char *origin = http_header(req, "origin");

	if (!origin)
		return err_set(
		    e, ERR_DENIED, "a widget key needs an Origin header");
	if (!origin_allowed(origin, out->key->origins, out->key->norigins))
		return err_set(
		    e, ERR_DENIED, "this origin may not use the widget key");
	out->origin = origin;
	return 0;
}

/* What changes nothing needs no form's token. */
static bool
reads(const struct route *route)
{
	return strcmp(route->method, "GET") == 0;
}

/*
 * A script of another site can send a request with the cookie but can read no
 * answer (no CORS header is ever sent to it), nor make the token.  Forms of
 * pages bring theirs in the body: app.c looks.
 */
static int
find_browser(struct app *app, const struct http_req *req,
    const struct route *route, struct token *user, struct caller *out,
    struct err *e)
{
	const char *site = http_header(req, "sec-fetch-site");
	struct err mine = { 0 };

	if (browser_find(app, req, user, &out->cookie, e) != 0)
		return -1;
	out->browser = true;
	out->sign_in = user->sign_in;
	out->factor = user->factor;
	if (route->faces != FACE_PAGE && !reads(route) &&
	    browser_form_check_for(app, req, &user->sign_in,
		http_header(req, "x-form-token"), e) != 0)
		return -1;
	if (route->faces != FACE_PAGE && site != NULL &&
	    strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0)
		return err_set(
		    e, ERR_DENIED, "this was sent by a page of another site");
	if (keys_find_user(
		app->keys, user, NULL, out->deadline, &out->key, &mine) == 0)
		return 0;
	if (mine.code != ERR_UNKNOWN || out->cookie != NULL) {
		*e = mine;
		return -1;
	}
	if (browser_find_anew(app, req, user, &out->cookie, e) != 0)
		return -1;
	out->factor = user->factor;
	return keys_find_user(
	    app->keys, user, NULL, out->deadline, &out->key, e);
}

/*
 * Its token is good at one of these places.  A browser says where it is with
 * everything but a GET of the page's own site, so only such may be silent.
 */
static int
check_audience(const struct http_req *req, const struct widget_token *t,
    struct caller *out, struct err *e)
{
	const char *origin = http_header(req, "origin");

	if (!origin && strcmp(req->method, "GET") != 0)
		return err_set(
		    e, ERR_DENIED, "a widget token needs an Origin header");
	if (origin && strcmp(origin, t->origin) != 0)
		return err_set(
		    e, ERR_DENIED, "the widget token is for another origin");
	if (!origin_allowed(t->origin, out->key->origins, out->key->norigins))
		return err_set(
		    e, ERR_DENIED, "this origin may not use the widget key");
	out->origin = origin;
	return 0;
}

/* A visitor is who she is as long as the secret that named her is good. */
static int
name_visitor(const struct widget_token *t, struct caller *out, struct err *e)
{
	const struct key *k = out->key;
	bool good = id_is_nil(&t->visitor);

	for (int i = 0; i < k->nvisitor_secrets && !good; i++)
		good = id_eq(&k->visitor_secrets[i], &t->secret);
	if (!good)
		return err_set(e, ERR_UNKNOWN, "The token is not valid.");
	if (id_is_nil(&t->visitor))
		return 0;
	out->named = *k;
	out->named.visitor = t->visitor;
	out->held = k;
	out->key = &out->named;
	return 0;
}

static int
find_widget(struct app *app, const struct http_req *req, const char *token,
    struct caller *out, struct err *e)
{
	struct widget_token t;

	if (widget_token_check(app->tokens, token, out->deadline, &t, e) < 0 ||
	    keys_find_hash(app->keys, KEY_WIDGET, t.key_hash, out->deadline,
		&out->key, e) < 0)
		return -1;
	out->widget_token = true;
	return check_audience(req, &t, out, e) < 0 ? -1
	                                           : name_visitor(&t, out, e);
}

static int
find_key(struct app *app, const struct http_req *req, const struct route *route,
    struct token *user, struct caller *out, struct err *e)
{
	const char *widget = http_header(req, "x-widget-key");
	const char *token = guard_bearer(req);

	if (token && widget_token_form(token))
		return find_widget(app, req, token, out, e);
	if (token && token_form(token)) {
		if (token_check(app->tokens, token, out->deadline, user, e) < 0)
			return -1;
		out->sign_in = user->sign_in;
		out->factor = user->factor;
		return keys_find_user(
		    app->keys, user, NULL, out->deadline, &out->key, e);
	}
	if (token)
		return keys_find(
		    app->keys, KEY_API, token, out->deadline, &out->key, e);
	if (!widget && (app->face & FACE_PAGE) != 0 &&
	    http_header(req, "cookie") != NULL)
		return find_browser(app, req, route, user, out, e);
	if (!widget)
		return err_set(e, ERR_UNKNOWN,
		    "show an API key, an access token or a widget token as "
		    "Authorization: Bearer, or a widget key as "
		    "X-Widget-Key");
	if (keys_find(
		app->keys, KEY_WIDGET, widget, out->deadline, &out->key, e) < 0)
		return -1;
	return check_origin(req, out, e);
}

/* A person has a role in each account, or none; a key belongs to one. */
static int
enter(struct app *app, const struct token *user, struct caller *out,
    struct err *e)
{
	const struct key *here;

	if (out->key->kind != KEY_USER)
		return 0;
	if (keys_find_user(app->keys, user, &out->account->id, out->deadline,
		&here, e) < 0)
		return -1;
	key_unref(out->key);
	out->key = here;
	return here->role == ROLE_NONE ? -1 : 0;
}

/* Of whom the account wants a second factor, she has shown one at the sign-in
 * that her token is of: the token says so, whatever way it came by. */
static int
check_factor(const struct caller *c, const struct token *user, struct err *e)
{
	if (c->key->kind != KEY_USER || !c->key->wants_factor || user->factor)
		return 0;
	return err_set_kind(e, ERR_DENIED, "second-factor-required", 0,
	    "the account wants a second factor of the role %s: set one up and "
	    "sign in with it",
	    c->key->role_name);
}

/* A suspended account is there for those alone who may end that. */
static bool
is_open(const struct app *app, const struct caller *c)
{
	return c->account->active || ((app->face & FACE_ADMIN) != 0 &&
					 c->key->role == ROLE_PLATFORM_ADMIN);
}

static int
find_account(struct app *app, const char *slug, const struct token *user,
    struct caller *out, struct err *e)
{
	static const char absent[] = "there is nothing here for this caller";

	if (!str_is_slug(slug))
		return err_set(e, ERR_NOT_FOUND, absent);
	if (accounts_by_slug(
		app->accounts, slug, out->deadline, &out->account, e) < 0)
		return e->code == ERR_NOT_FOUND
		           ? err_set(e, ERR_NOT_FOUND, absent)
		           : -1;
	if (enter(app, user, out, e) < 0 || !is_open(app, out))
		return e->code == ERR_NONE ? err_set(e, ERR_NOT_FOUND, absent)
		                           : -1;
	return id_eq(&out->account->id, &out->key->account_id)
	           ? 0
	           : err_set(e, ERR_NOT_FOUND, absent);
}

static int
check(struct app *app, struct http_req *req, const struct route *route,
    struct caller *out, struct err *e)
{
	const char *slug = http_var(req, "slug");
	struct token user = { .factor = false };

	if (find_key(app, req, route, &user, out, e) < 0)
		return -1;
	if (slug && (find_account(app, slug, &user, out, e) < 0 ||
			check_factor(out, &user, e) < 0))
		return -1;
	if (!perm_in(out->key->perms, route->perm))
		return err_set(e, ERR_DENIED, "the role %s may not do this",
		    out->key->role_name);
	return 0;
}

static int
check_until(struct app *app, struct http_req *req, const struct route *route,
    int64_t deadline, struct caller *out, struct err *e)
{
	memset(out, 0, sizeof(*out));
	out->route = route;
	out->deadline = deadline;
	if (route->perm == PERM_PUBLIC)
		return 0;
	if (check(app, req, route, out, e) == 0) {
		out->epoch = out->key->epoch;
		return 0;
	}

	/* where the answer may be read stays known */
	const char *origin = out->origin, *cookie = out->cookie;

	guard_done(out);
	out->origin = origin;
	out->cookie = cookie;
	return -1;
}

int
guard_check(struct app *app, struct http_req *req, const struct route *route,
    struct caller *out, struct err *e)
{
	if (check_until(app, req, route, req->started + LOOKUP_WAIT, out, e) !=
	    0)
		return -1;
	if (out->key != NULL)
		key_used(out->key);
	return 0;
}

int
guard_still(
    struct app *app, struct http_req *req, struct caller *who, struct err *e)
{
	struct caller now;
	struct err why = { 0 };

	if (epoch_current(who->key->account_slot, who->epoch) &&
	    (who->key->kind != KEY_USER ||
		person_current(who->key->user_slot, who->key->version)))
		return 0;
	if (check_until(app, req, who->route, clock_mono() + LOOKUP_WAIT, &now,
		&why) == 0) {
		who->epoch = now.epoch;
		guard_done(&now);
		return 0;
	}
	if (why.code == ERR_UNAVAILABLE || why.code == ERR_TIMEOUT)
		return 0;
	*e = why;
	return -1;
}

void
guard_done(struct caller *c)
{
	if (c->account)
		account_unref(c->account);
	if (c->key)
		key_unref(c->held ? c->held : c->key);
	memset(c, 0, sizeof(*c));
}

int
guard_person(const struct caller *who, struct err *e)
{
	if (who->key->kind == KEY_USER)
		return 0;
	return err_set(e, ERR_DENIED,
	    "this is about a person: sign in, and show the access token");
}
