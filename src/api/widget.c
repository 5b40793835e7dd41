/*
 * What a page asks for before its visitor talks: a token in the place of the
 * widget key, and how the chat is to look.
 */
#include <stdio.h>
#include <string.h>

#include "account/account.h"
#include "agent/catalog.h"
#include "agent/spec.h"
#include "api/app.h"
#include "api/guard.h"
#include "api/handlers.h"
#include "api/json_body.h"
#include "api/problem.h"
#include "api/reply.h"
#include "api/telling.h"
#include "api/validate.h"
#include "api/widget.h"
#include "auth/key.h"
#include "auth/visitor.h"
#include "auth/widget_token.h"
#include "http/address.h"
#include "http/request.h"
#include "http/response.h"
#include "usage/quota.h"
#include "util/clock.h"

#include "util/banned.h"

#define WAIT (5 * CLOCK_S)
#define NAME_MAX_LEN 64

/* One request for a token. */
struct asking {
	struct app *app;
	struct http_req *req;
	struct http_resp *resp;
	const struct caller *who;
	const unsigned char *key_hash;  /* of the key that it is for */
	const struct agent_spec *agent; /* of the page; NULL: see the body */
	json_t *body, *errors;          /* NULL: none */
};

static int
check_key(const struct caller *who, struct err *e)
{
	if (who->key->kind == KEY_WIDGET && !who->widget_token)
		return 0;
	return err_set(e, ERR_DENIED,
	    "a widget token is made for a widget key: show one as "
	    "X-Widget-Key");
}

/* The body may be absent; else it is an object of its schema. */
static int
read_body(struct asking *a, struct err *e)
{
	const char *text;
	size_t len;

	if (http_body(a->req, a->app->body_max_chat, &text, &len, e) < 0)
		return -1;
	if (len == 0)
		return 0;
	return json_body(
	    a->app, a->req, "widget_token_request", &a->body, &a->errors, e);
}

/* Anybody may ask: as often, from one address, as he may talk. */
static int
limit(const struct asking *a, struct err *e)
{
	char key[UUID_TEXT], client[ADDRESS_CLIENT_TEXT], place[160];
	struct quota_state state = { 0 };
	struct quota_ask ask = { .account_slot = a->who->account->slot,
		.address = place,
		.per_address = { a->app->chat.widget_per_minute, 60 } };
	int rc;

	id_format(&a->who->key->id, key);
	address_client(a->req->client_address, client);
	snprintf(place, sizeof(place), "token %s %s", key, client);
	rc = quota_take(&ask, &state, e);
	telling_limits(a->resp, &state);
	return rc;
}

/* "type/name" into the two; the schema has seen its form. */
static void
split_agent(const char *text, char type[NAME_MAX_LEN], char name[NAME_MAX_LEN])
{
	size_t n = strcspn(text, "/");

	snprintf(type, NAME_MAX_LEN, "%.*s", (int)n, text);
	snprintf(name, NAME_MAX_LEN, "%s", text + n + 1);
}

static json_t *
named(const struct agent_spec *spec)
{
	return json_pack("{s:s, s:s, s:s}", "type", spec->type, "name",
	    spec->name, "display_name", spec->display_name);
}

/* The agent that the page will talk to, as far as that is known; *ret a new
 * reference. */
static int
show_agent(const struct asking *a, json_t **ret, struct err *e)
{
	const struct key *key = a->who->key;
	const char *asked = json_body_text(a->body, "agent");
	char type[NAME_MAX_LEN] = "", name[NAME_MAX_LEN] = "";
	const struct agent_spec *spec;

	if (a->agent != NULL) {
		*ret = named(a->agent);
		return 0;
	}
	if (asked) {
		split_agent(asked, type, name);
	} else if (key->agent_type) {
		snprintf(type, sizeof(type), "%s", key->agent_type);
		snprintf(name, sizeof(name), "%s", key->agent_name);
	}
	if (type[0] == '\0') {
		*ret = json_null();
		return 0;
	}
	if (catalog_get(a->app->chat.catalog, a->who->account, type, name,
		a->req->started + WAIT, &spec, e) < 0)
		return e->code == ERR_NOT_FOUND
		           ? err_set(e, ERR_NOT_FOUND,
				 "there is nothing here for this caller")
		           : -1;
	if (id_is_nil(&key->agent_id) || id_eq(&key->agent_id, &spec->id))
		*ret = named(spec);
	agent_spec_unref(spec);
	return *ret ? 0
	            : err_set(e, ERR_NOT_FOUND,
			  "there is nothing here for this caller");
}

/* Who shows the token, where the account's own server has said so. */
static int
read_visitor(const struct asking *a, struct widget_token *t, struct err *e)
{
	const char *token = json_body_text(a->body, "visitor_token");
	struct visitor v;

	if (token == NULL)
		return 0;
	if (visitor_named(a->app->db, a->app->vault, &a->who->account->id,
		a->who->account->slug, token, a->req->started + WAIT, &v,
		e) < 0)
		return -1;
	t->visitor = v.id;
	t->secret = v.secret;
	return 0;
}

static int
make_token(const struct asking *a, char **ret, struct err *e)
{
	struct widget_token t = { .key_hash = { 0 } };

	if (read_visitor(a, &t, e) < 0)
		return -1;
	memcpy(t.key_hash, a->key_hash, sizeof(t.key_hash));
	snprintf(t.origin, sizeof(t.origin), "%s", a->who->origin);
	return widget_token_make(
	    a->app->tokens, &t, a->app->widget_s, a->req->ctx, ret, e);
}

static int
answer(struct asking *a, struct err *e)
{
	json_auto_t *agent = NULL, *all = NULL;
	char *token;

	if (read_body(a, e) < 0 || limit(a, e) < 0 ||
	    show_agent(a, &agent, e) < 0 || make_token(a, &token, e) < 0)
		return -1;
	all = json_pack("{s:s, s:I, s:O, s:o}", "token", token, "expires_in",
	    (json_int_t)a->app->widget_s, "agent", agent, "appearance",
	    json_loads(a->who->key->appearance, 0, NULL));
	if (all == NULL)
		return err_set(
		    e, ERR_INTERNAL, "an appearance that is no JSON");
	reply_json(a->req, a->resp, 200, all);
	return 0;
}

void
widget_token_answer(struct app *app, struct http_req *req,
    struct http_resp *resp, const struct caller *who,
    const unsigned char hash[WIDGET_KEY_HASH], const struct agent_spec *agent)
{
	struct asking a = { .app = app,
		.req = req,
		.resp = resp,
		.who = who,
		.key_hash = hash,
		.agent = agent };
	struct err e = { 0 };

	if (answer(&a, &e) < 0)
		problem_send(req, resp, &e, a.errors);
	json_decref(a.body);
	json_decref(a.errors);
}

void
api_widget_token(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who)
{
	unsigned char hash[WIDGET_KEY_HASH];
	struct err e = { 0 };

	if (check_key(who, &e) < 0) {
		problem_send(req, resp, &e, NULL);
		return;
	}
	key_hash(http_header(req, "x-widget-key"), hash);
	widget_token_answer(app, req, resp, who, hash, NULL);
}
