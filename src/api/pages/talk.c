/*
 * The hosted chat: a page of this server for an agent's visitors, complete
 * without scripts.  It is one of the pages of a widget key (auth/hosted.h), so
 * what ends or limits that key's chats ends and limits this one.  What is said
 * goes by a form; the session's key lies in a cookie of this path alone.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "account/account.h"
#include "agent/catalog.h"
#include "agent/spec.h"
#include "api/app.h"
#include "api/chat_body.h"
#include "api/handlers.h"
#include "api/pages/talk_priv.h"
#include "api/problem.h"
#include "api/telling.h"
#include "api/widget.h"
#include "auth/hosted.h"
#include "auth/session_key.h"
#include "crypto/hash.h"
#include "http/address.h"
#include "http/cookie.h"
#include "http/form.h"
#include "http/request.h"
#include "http/response.h"
#include "telemetry/log.h"
#include "telemetry/trace.h"
#include "usage/quota.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define WAIT (5 * CLOCK_S)
#define REMEMBER_S (7 * 24 * 3600)
#define LOOKS 4 /* at the page, for each turn that one may take */
#define FORM_TYPE "application/x-www-form-urlencoded"

static int
absent(struct err *e)
{
	return err_set(e, ERR_NOT_FOUND, "there is no chat at this address");
}

/* Before anything is asked of the database. */
static int
limit(struct talk *t, struct err *e)
{
	char client[ADDRESS_CLIENT_TEXT], place[160];
	struct quota_state state = { 0 };
	struct quota_ask ask = { .account_slot = t->who.account->slot,
		.address = place,
		.per_address = { LOOKS * t->app->chat.widget_per_minute, 60 } };
	int rc;

	address_client(t->req->client_address, client);
	snprintf(place, sizeof(place), "page %s", client);
	rc = quota_take(&ask, &state, e);
	telling_limits(t->resp, &state);
	return rc;
}

static int
find_account(struct talk *t, struct err *e)
{
	const char *slug = http_var(t->req, "slug");

	place_find(t->app, t->req, &t->place);
	if (t->place.origin == NULL)
		return err_set(e, ERR_DENIED,
		    "this address is none of public_urls in the server's "
		    "configuration");
	if (!str_is_slug(slug))
		return absent(e);
	if (accounts_by_slug(t->app->accounts, slug, t->req->started + WAIT,
		&t->who.account, e) != 0)
		return e->code == ERR_NOT_FOUND ? absent(e) : -1;
	return t->who.account->active ? limit(t, e) : absent(e);
}

static int
find_agent(struct talk *t, struct err *e)
{
	const struct hosted h = { &t->who.account->id,
		http_var(t->req, "agent_type"),
		http_var(t->req, "instance_name"), t->place.origin };
	int64_t deadline = t->req->started + WAIT;

	if (catalog_get(t->app->chat.catalog, t->who.account, h.agent_type,
		h.agent_name, deadline, &t->spec, e) != 0)
		return e->code == ERR_NOT_FOUND ? absent(e) : -1;
	if (hosted_key(t->app->db, &h, deadline, t->req->ctx, t->hash, e) != 0)
		return -1;
	/* it has just ended */
	if (keys_find_hash(t->app->keys, KEY_WIDGET, t->hash, deadline,
		&t->who.key, e) != 0)
		return e->code == ERR_UNKNOWN ? absent(e) : -1;
	return 0;
}

static int
begin(struct talk *t, struct err *e)
{
	const char *cookie = http_cookie(t->req, TALK_COOKIE);

	if (find_account(t, e) != 0 || find_agent(t, e) != 0)
		return -1;
	t->who.origin = t->place.origin;
	t->looks = json_loads(t->who.key->appearance, 0, NULL);
	if (cookie != NULL && session_name_ok(cookie))
		t->session = cookie;
	return 0;
}

static void
end(struct talk *t)
{
	json_decref(t->looks);
	if (t->spec != NULL)
		agent_spec_unref(t->spec);
	if (t->who.account != NULL)
		account_unref(t->who.account);
	if (t->who.key != NULL)
		key_unref(t->who.key);
}

/* In a frame of another site only a cookie that says so comes along. */
void
talk_remember(struct talk *t, const char *session)
{
	http_addf(t->resp, "Set-Cookie",
	    TALK_COOKIE "=%s; Path=%s; Max-Age=%d; HttpOnly; %s",
	    session != NULL ? session : "", t->req->path,
	    session != NULL ? REMEMBER_S : 0,
	    t->place.secure ? "Secure; SameSite=None; Partitioned"
			    : "SameSite=Lax");
}

static const char *
field(struct talk *t, const char *name)
{
	const char *body, *at;
	struct form_pair pair;
	char *value;
	size_t n;

	if (http_body(t->req, t->app->body_max_chat, &body, &n, NULL) != 0)
		return "";
	for (at = body; form_next(&at, body + n, &pair);)
		if (form_is(pair.name, pair.name_len, name))
			return form_decode(t->req->ctx, pair.value,
				   pair.value_len, &value, NULL) == 0
			           ? value
			           : "";
	return "";
}

/* What the form says, as the API would have it. */
static json_t *
question(struct talk *t)
{
	const char *email = field(t, "email");
	const char *consent = talk_look(t, "consent");
	json_t *body =
	    json_pack("{s:s, s:s, s:{s:s}}", "message", field(t, "message"),
		"on_disconnect", "finish", "metadata", "page", "hosted");

	if (body == NULL)
		return json_object();
	if (t->session != NULL)
		json_object_set_new(
		    body, "session_key", json_string(t->session));
	if (*email != '\0')
		json_object_set_new(body, "email", json_string(email));
	if (consent != NULL && *field(t, "consent") != '\0')
		json_object_set_new(json_object_get(body, "metadata"),
		    "consent", json_pack("{s:s}", "text", consent));
	return body;
}

/* What the key wants to know before the first word. */
static int
check_first(struct talk *t, struct err *e)
{
	const char *email = talk_look(t, "ask_email");

	if (t->session != NULL)
		return 0;
	if (talk_look(t, "consent") != NULL && *field(t, "consent") == '\0')
		return err_set(e, ERR_INVALID, "please agree first");
	if (email != NULL && strcmp(email, "required") == 0 &&
	    *field(t, "email") == '\0')
		return err_set(
		    e, ERR_INVALID, "please say your e-mail address");
	return 0;
}

/* The form's own number: sent twice, it is answered once. */
static void
read_nonce(struct talk *t, struct chat_ask *ask)
{
	const char *nonce = field(t, "nonce"), *body;
	size_t n = strlen(nonce);
	struct uuid id;

	if (n == 0 || id_parse(nonce, n, &id) != 0 ||
	    http_body(t->req, t->app->body_max_chat, &body, &n, NULL) != 0)
		return;
	ask->idempotency_key = nonce;
	crypto_sha256(body, n, ask->request_hash);
}

/* One turn; 0 with its session's key, or -1. */
static int
run(struct talk *t, const char **session, struct err *e)
{
	char traceparent[TRACE_PARENT_SIZE], client[ADDRESS_CLIENT_TEXT];
	json_auto_t *body = question(t), *errors = NULL;
	struct chat_ask ask = { .key = t->who.key,
		.slug = t->who.account->slug,
		.agent_type = t->spec->type,
		.agent_name = t->spec->name,
		.client_address = client,
		.request_id = t->req->request_id,
		.trace_id = t->req->trace.trace_id,
		.traceparent = traceparent };
	struct chat_turn *turn;
	struct telling f;
	bool stream;
	int rc;

	if (chat_body_read(
		body, t->app->message_max, true, &ask, &stream, &errors) != 0)
		return err_set(e, ERR_INVALID, "%s %s",
		    json_string_value(
			json_object_get(json_array_get(errors, 0), "pointer")) +
			1,
		    json_string_value(
			json_object_get(json_array_get(errors, 0), "detail")));
	address_client(t->req->client_address, client);
	trace_parent(&t->req->trace, traceparent);
	read_nonce(t, &ask);
	telling_init(&f, t->app, t->req, t->resp, NULL, false);
	rc = chat_turn_run(&t->app->chat, &ask, &f.sink, t->req->ctx, &turn, e);
	if (rc != 0) {
		if (e->code == ERR_LIMIT)
			telling_limits(t->resp, &turn->quota);
		return -1;
	}
	*session = mem_strdup(t->req->ctx,
	    turn->replay != NULL ? json_string_value(json_object_get(
				       turn->replay, "session_key"))
				 : turn->session_key);
	return 0;
}

static int
talk_send(struct talk *t, struct err *e)
{
	const char *session = NULL;
	int rc;

	if (check_first(t, e) != 0)
		return -1;
	rc = run(t, &session, e);
	/* The session of the cookie is not there any more: a new one. */
	if (rc != 0 && e->code == ERR_NOT_FOUND && t->session != NULL) {
		t->session = NULL;
		memset(e, 0, sizeof(*e));
		rc = run(t, &session, e);
	}
	if (rc == 0)
		talk_remember(t, session);
	return rc;
}

static void
go_back(struct talk *t)
{
	http_status(t->resp, 303);
	http_set(t->resp, "Location",
	    mem_printf(t->req->ctx, "%s#line", t->req->path));
	http_send_empty(t->resp);
}

static int
check_form(const struct talk *t, struct err *e)
{
	const char *type = http_header(t->req, "content-type");

	if (place_check_source(t->req, &t->place, e) != 0)
		return -1;
	if (type == NULL ||
	    strncasecmp(type, FORM_TYPE, sizeof(FORM_TYPE) - 1) != 0)
		return err_set(e, ERR_TYPE, "the body must be a form");
	return 0;
}

void
page_talk(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who)
{
	struct talk t = { .app = app, .req = req, .resp = resp };
	struct err e = { 0 };

	(void)who;
	if (begin(&t, &e) != 0)
		talk_refuse(app, req, resp, &e);
	else
		talk_show(&t, 200, NULL, "");
	end(&t);
}

void
page_talk_send(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who)
{
	struct talk t = { .app = app, .req = req, .resp = resp };
	struct err e = { 0 };

	(void)who;
	if (begin(&t, &e) != 0 || check_form(&t, &e) != 0) {
		talk_refuse(app, req, resp, &e);
	} else if (*field(&t, "again") != '\0') {
		talk_remember(&t, NULL);
		go_back(&t);
	} else if (talk_send(&t, &e) == 0) {
		go_back(&t);
	} else if (e.code == ERR_GONE) {
		problem_send(req, resp, &e, NULL);
	} else {
		log_event(LOG_INFO, "hosted_refused", "code", err_name(e.code),
		    "kind", e.kind, "error", e.text, NULL);
		talk_show(&t, problem_status(&e), &e, field(&t, "message"));
	}
	end(&t);
}

void
page_talk_token(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who)
{
	struct talk t = { .app = app, .req = req, .resp = resp };
	struct err e = { 0 };

	(void)who;
	if (begin(&t, &e) != 0 || place_check_source(req, &t.place, &e) != 0)
		problem_send(req, resp, &e, NULL);
	else
		widget_token_answer(app, req, resp, &t.who, t.hash, t.spec);
	end(&t);
}
