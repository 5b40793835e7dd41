/* Who may come in, with keys and accounts that follow a script. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "account/account.h"
#include "api/app.h"
#include "api/browser.h"
#include "api/guard.h"
#include "auth/key.h"
#include "auth/token.h"
#include "auth/used.h"
#include "auth/widget_token.h"
#include "http/request.h"

#include "util/banned.h"

static struct account acme, globex, asleep;
static struct key owner, viewer, widget, person;
static int key_refs, account_refs;
static bool database_away;
static enum role person_role;
static bool factor_wanted, factor_shown;
static uint64_t person_version;

int
keys_find(struct keys *k, enum key_kind kind, const char *secret,
    int64_t deadline, const struct key **ret, struct err *e)
{
	static const struct {
		const char *secret;
		const struct key *key;
	} all[] = { { "sb_live_owner", &owner }, { "sb_live_viewer", &viewer },
		{ "sb_pub_widget", &widget } };

	(void)k, (void)deadline;
	if (database_away)
		return err_set(e, ERR_UNAVAILABLE, "no database");
	for (size_t i = 0; i < 3; i++)
		if (strcmp(secret, all[i].secret) == 0 &&
		    all[i].key->kind == kind) {
			*ret = all[i].key;
			key_refs++;
			return 0;
		}
	return err_set(e, ERR_UNKNOWN, "not known");
}

static int used;

void
key_used(const struct key *k)
{
	assert_non_null(k);
	used++;
}

int
keys_find_hash(struct keys *k, enum key_kind kind, const unsigned char hash[32],
    int64_t deadline, const struct key **ret, struct err *e)
{
	assert_int_equal(kind, KEY_WIDGET);
	return keys_find(k, kind,
	    hash[0] == 'w' ? "sb_pub_widget" : "sb_pub_revoked", deadline, ret,
	    e);
}

/* "widget.KEY.ORIGIN" is a widget token. */
bool
widget_token_form(const char *text)
{
	return strncmp(text, "widget.", 7) == 0;
}

int
widget_token_check(struct tokens *ts, const char *text, int64_t deadline,
    struct widget_token *out, struct err *e)
{
	(void)ts, (void)deadline;
	memset(out, 0, sizeof(*out));
	if (text[7] == '!')
		return err_set(e, ERR_UNKNOWN, "not known");
	out->key_hash[0] = (unsigned char)text[7];
	snprintf(out->origin, sizeof(out->origin), "%s", text + 9);
	if (text[8] == 'v') {
		out->visitor.b[0] = 7;
		out->secret.b[0] = 8;
	}
	return 0;
}

bool
token_form(const char *text)
{
	return strchr(text, '.') != NULL;
}

int
token_check(struct tokens *ts, const char *text, int64_t deadline,
    struct token *out, struct err *e)
{
	(void)ts, (void)deadline;
	if (strcmp(text, "a.good.token") != 0)
		return err_set(e, ERR_UNKNOWN, "not known");
	*out =
	    (struct token){ .slot = 7, .version = 1, .factor = factor_shown };
	out->sign_in.b[0] = 9;
	return 0;
}

/* The cookie "good" is hers; the form's token "hers" goes with it. */
int
browser_find(struct app *a, const struct http_req *r, struct token *out,
    const char **cookie, struct err *err)
{
	const char *value = http_header(r, "cookie");

	(void)a;
	*cookie = NULL;
	if (strcmp(value, "good") != 0 && strcmp(value, "old") != 0)
		return err_set(err, ERR_UNKNOWN, "not known");
	if (strcmp(value, "old") == 0)
		*cookie = "new";
	*out = (struct token){ .slot = 7, .version = 1 };
	out->sign_in.b[0] = 9;
	return 0;
}

int
browser_form_check_for(struct app *a, const struct http_req *r,
    const struct uuid *sign_in, const char *token, struct err *err)
{
	(void)a, (void)r;
	assert_int_equal(sign_in->b[0], 9);
	return token != NULL && strcmp(token, "hers") == 0
	           ? 0
	           : err_set(err, ERR_DENIED, "no");
}

int
browser_find_anew(struct app *a, const struct http_req *r, struct token *out,
    const char **cookie, struct err *err)
{
	if (browser_find(a, r, out, cookie, err) != 0)
		return -1;
	out->version = 2;
	*cookie = "of version 2";
	return 0;
}

/* She is a viewer of acme, and nothing of globex; of these tokens. */
int
keys_find_user(struct keys *k, const struct token *t,
    const struct uuid *account, int64_t deadline, const struct key **ret,
    struct err *e)
{
	(void)k, (void)deadline;
	assert_int_equal(t->slot, 7);
	if (t->version != person_version)
		return err_set(e, ERR_UNKNOWN, "not of this version");
	if (database_away)
		return err_set(e, ERR_UNAVAILABLE, "no database");
	person = (struct key){ .kind = KEY_USER, .role = person_role };
	if (account != NULL) {
		person.account_id = *account;
		if (person_role == ROLE_VIEWER && !id_eq(account, &acme.id))
			person.role = ROLE_NONE;
	}
	person.perms = perm_of_role(person.role);
	person.wants_factor = account != NULL && factor_wanted;
	*ret = &person;
	key_refs++;
	return 0;
}

void
key_unref(const struct key *k)
{
	(void)k;
	key_refs--;
}

int
accounts_by_slug(struct accounts *a, const char *slug, int64_t deadline,
    const struct account **ret, struct err *e)
{
	(void)a, (void)deadline;
	if (strcmp(slug, "acme") == 0)
		*ret = &acme;
	else if (strcmp(slug, "globex") == 0)
		*ret = &globex;
	else if (strcmp(slug, "asleep") == 0)
		*ret = &asleep;
	else
		return err_set(e, ERR_NOT_FOUND, "nothing of this name");
	account_refs++;
	return 0;
}

void
account_unref(const struct account *a)
{
	(void)a;
	account_refs--;
}

static struct app app;
static struct http_req req;
static struct http_param headers[3], var = { "slug", "acme" };
static const struct route talk = { .method = "POST", .perm = PERM_CHAT };
static const struct route open_to_all = { .perm = PERM_PUBLIC };
static struct caller who;
static struct err e;

const char *
http_header(const struct http_req *r, const char *name)
{
	for (int i = 0; i < r->nparams; i++)
		if (strcmp(headers[i].name, name) == 0)
			return headers[i].value;
	return NULL;
}

const char *
http_var(const struct http_req *r, const char *name)
{
	(void)r;
	return strcmp(var.name, name) == 0 ? var.value : NULL;
}

static int
begin(void **state)
{
	static char exact[] = "https://acme.test";
	static char local[] = "http://localhost:*";
	static char *origins[] = { exact, local };

	(void)state;
	key_refs = account_refs = used = 0;
	database_away = false;
	person_role = ROLE_VIEWER;
	factor_wanted = factor_shown = false;
	person_version = 1;
	memset(&req, 0, sizeof(req));
	req.method = "POST";
	var.value = "acme";
	acme.id.b[0] = 1;
	globex.id.b[0] = 2;
	asleep.id.b[0] = 1;
	acme.active = globex.active = true;
	owner = (struct key){ .kind = KEY_API,
		.role = ROLE_ACCOUNT_OWNER,
		.perms = perm_of_role(ROLE_ACCOUNT_OWNER),
		.account_id = acme.id };
	viewer = owner;
	viewer.role = ROLE_VIEWER;
	viewer.perms = perm_of_role(ROLE_VIEWER);
	widget = (struct key){ .kind = KEY_WIDGET,
		.role = ROLE_VISITOR,
		.perms = perm_of_role(ROLE_VISITOR),
		.account_id = acme.id,
		.origins = origins,
		.norigins = 2 };
	return 0;
}

static void
header(const char *name, const char *value)
{
	headers[req.nparams].name = name;
	headers[req.nparams++].value = value;
}

static enum err_code
check(const struct route *route)
{
	memset(&e, 0, sizeof(e));
	guard_check(&app, &req, route, &who, &e);
	return e.code;
}

/* Nothing is held after a refusal. */
static void
refused(enum err_code code)
{
	assert_int_equal(check(&talk), code);
	assert_null(who.key);
	assert_null(who.account);
	assert_int_equal(key_refs, 0);
	assert_int_equal(account_refs, 0);
	req.nparams = 0;
}

static void
the_unknown_come_first(void **state)
{
	(void)state;
	/* also where the account is not there */
	var.value = "nothing-here";
	refused(ERR_UNKNOWN);
	header("authorization", "Bearer sb_live_wrong");
	refused(ERR_UNKNOWN);
	header("authorization", "Bearer sb_pub_widget");
	refused(ERR_UNKNOWN);
	header("authorization", "Basic sb_live_owner");
	refused(ERR_UNKNOWN);
	header("authorization", "Bearer ");
	refused(ERR_UNKNOWN);
	header("authorization", "Bearersb_live_owner");
	refused(ERR_UNKNOWN);
	header("x-widget-key", "sb_live_owner");
	refused(ERR_UNKNOWN);
	database_away = true;
	header("authorization", "Bearer sb_live_owner");
	refused(ERR_UNAVAILABLE);
}

static void
what_is_foreign_looks_absent(void **state)
{
	static const char *const slugs[] = { "nothing-here", "globex", "asleep",
		"No-Slug" };
	char text[sizeof(e.text)] = "";

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		var.value = slugs[i];
		header("authorization", "Bearer sb_live_owner");
		refused(ERR_NOT_FOUND);
		if (i > 0)
			assert_string_equal(e.text, text);
		memcpy(text, e.text, sizeof(text));
	}
}

static void
roles_may_what_the_table_says(void **state)
{
	(void)state;
	header("authorization", "Bearer sb_live_viewer");
	refused(ERR_DENIED);
	header("authorization", "bearer   sb_live_owner");
	assert_int_equal(used, 0);
	assert_int_equal(check(&talk), ERR_NONE);
	assert_int_equal(used, 1);
	assert_ptr_equal(who.key, &owner);
	assert_ptr_equal(who.account, &acme);
	assert_null(who.origin);
	guard_done(&who);
	assert_int_equal(key_refs + account_refs, 0);
}

static void
a_widget_key_needs_its_origin(void **state)
{
	(void)state;
	header("x-widget-key", "sb_pub_widget");
	refused(ERR_DENIED);
	header("x-widget-key", "sb_pub_widget");
	header("origin", "https://evil.test");
	refused(ERR_DENIED);
	assert_null(who.origin);
	header("x-widget-key", "sb_pub_widget");
	header("origin", "https://acme.test:444");
	refused(ERR_DENIED);
	header("x-widget-key", "sb_pub_widget");
	header("origin", "null");
	refused(ERR_DENIED);
	/* another account: absent, and the page may read that */
	var.value = "globex";
	header("x-widget-key", "sb_pub_widget");
	header("origin", "https://acme.test");
	refused(ERR_NOT_FOUND);
	assert_string_equal(who.origin, "https://acme.test");

	var.value = "acme";
	header("x-widget-key", "sb_pub_widget");
	header("origin", "http://localhost:5173");
	assert_int_equal(check(&talk), ERR_NONE);
	assert_string_equal(who.origin, "http://localhost:5173");
	guard_done(&who);
	assert_int_equal(key_refs + account_refs, 0);
}

/* The key it came from decides; the token adds a place. */
static void
a_widget_token_is_good_at_its_origin(void **state)
{
	static const char good[] = "Bearer widget.w.https://acme.test";

	(void)state;
	header("authorization", good);
	header("origin", "https://acme.test");
	assert_int_equal(check(&talk), ERR_NONE);
	assert_ptr_equal(who.key, &widget);
	assert_true(who.widget_token);
	assert_string_equal(who.origin, "https://acme.test");
	guard_done(&who);
	req.nparams = 0;
	/* elsewhere, though the key is good there */
	header("authorization", good);
	header("origin", "http://localhost:5173");
	refused(ERR_DENIED);
	assert_null(who.origin);
	/* silent: only where browsers are */
	header("authorization", good);
	refused(ERR_DENIED);
	req.method = "GET";
	header("authorization", good);
	assert_int_equal(check(&talk), ERR_NONE);
	assert_null(who.origin);
	guard_done(&who);
	req.method = "POST";
	req.nparams = 0;
	/* the key allows the place no longer; it is revoked; forged */
	header("authorization", "Bearer widget.w.https://was.test");
	header("origin", "https://was.test");
	refused(ERR_DENIED);
	header("authorization", "Bearer widget.r.https://acme.test");
	header("origin", "https://acme.test");
	refused(ERR_UNKNOWN);
	header("authorization", "Bearer widget.!.https://acme.test");
	header("origin", "https://acme.test");
	refused(ERR_UNKNOWN);
	var.value = "globex";
	header("authorization", good);
	header("origin", "https://acme.test");
	refused(ERR_NOT_FOUND);
	assert_int_equal(key_refs + account_refs, 0);
}

/* A visitor is the key and herself, as long as the secret that named her is. */
static void
a_visitor_is_named(void **state)
{
	static struct uuid secrets[2];
	static const char good[] = "Bearer widget.wvhttps://acme.test";

	(void)state;
	secrets[0].b[0] = 6;
	secrets[1].b[0] = 8;
	widget.visitor_secrets = secrets;
	widget.nvisitor_secrets = 2;
	header("authorization", good);
	header("origin", "https://acme.test");
	assert_int_equal(check(&talk), ERR_NONE);
	assert_ptr_not_equal(who.key, &widget);
	assert_int_equal(who.key->kind, KEY_WIDGET);
	assert_int_equal(who.key->visitor.b[0], 7);
	assert_true(id_is_nil(&widget.visitor));
	guard_done(&who);
	assert_int_equal(key_refs + account_refs, 0);
	req.nparams = 0;
	widget.nvisitor_secrets = 1;
	header("authorization", good);
	header("origin", "https://acme.test");
	refused(ERR_UNKNOWN);
}

static void
a_person_has_a_role_in_each_account(void **state)
{
	static const struct route read = { .perm = PERM_TURN_READ };
	static const struct route self = { .perm = PERM_SELF };

	(void)state;
	header("authorization", "Bearer a.bad.token");
	refused(ERR_UNKNOWN);
	header("authorization", "Bearer a.good.token");
	refused(ERR_DENIED);
	var.value = "globex";
	header("authorization", "Bearer a.good.token");
	refused(ERR_NOT_FOUND);
	var.value = "nothing-here";
	header("authorization", "Bearer a.good.token");
	refused(ERR_NOT_FOUND);
	database_away = true;
	header("authorization", "Bearer a.good.token");
	refused(ERR_UNAVAILABLE);
	database_away = false;
	var.value = "acme";
	header("authorization", "Bearer a.good.token");
	assert_int_equal(check(&read), ERR_NONE);
	assert_ptr_equal(who.key, &person);
	assert_int_equal(who.sign_in.b[0], 9);
	guard_done(&who);
	var.name = "id"; /* no account in the path */
	assert_int_equal(check(&self), ERR_NONE);
	assert_null(who.account);
	guard_done(&who);
	var.name = "slug";
	assert_int_equal(key_refs + account_refs, 0);
}

/* Whose account is suspended is not there, but for those who may end that, and
 * for them nobody talks there either. */
static void
a_suspended_account_is_the_platform_s(void **state)
{
	static const struct route read = { .perm = PERM_ACCOUNT_READ };

	(void)state;
	var.value = "asleep";
	person_role = ROLE_ACCOUNT_OWNER;
	app.face = FACE_ADMIN;
	header("authorization", "Bearer a.good.token");
	refused(ERR_NOT_FOUND);
	person_role = ROLE_PLATFORM_ADMIN;
	header("authorization", "Bearer a.good.token");
	assert_int_equal(check(&read), ERR_NONE);
	assert_ptr_equal(who.account, &asleep);
	guard_done(&who);
	req.nparams = 0;
	app.face = FACE_CHAT;
	header("authorization", "Bearer a.good.token");
	refused(ERR_NOT_FOUND);
	assert_int_equal(key_refs + account_refs, 0);
}

/* Whom the account asks for a second factor is told so, but only where she is a
 * member. */
static void
a_second_factor_may_be_wanted(void **state)
{
	static const struct route read = { .perm = PERM_TURN_READ };
	static const struct route self = { .perm = PERM_SELF };

	(void)state;
	factor_wanted = true;
	header("authorization", "Bearer a.good.token");
	assert_int_equal(check(&read), ERR_DENIED);
	assert_string_equal(e.kind, "second-factor-required");
	assert_int_equal(key_refs + account_refs, 0);
	var.value = "globex";
	assert_int_equal(check(&read), ERR_NOT_FOUND);
	var.name = "id"; /* what is one's own */
	assert_int_equal(check(&self), ERR_NONE);
	guard_done(&who);
	var.name = "slug";
	var.value = "acme";
	factor_shown = true;
	assert_int_equal(check(&read), ERR_NONE);
	guard_done(&who);
	assert_int_equal(key_refs + account_refs, 0);
}

static void
a_cookie_reads_and_with_a_token_writes(void **state)
{
	static const struct route read = {
		.method = "GET", .faces = FACE_ADMIN, .perm = PERM_TURN_READ
	};
	static const struct route put = {
		.method = "PUT", .faces = FACE_ADMIN, .perm = PERM_SELF
	};
	static const struct route form = {
		.method = "POST", .faces = FACE_PAGE, .perm = PERM_SELF
	};

	(void)state;
	/* a chat worker knows no cookies */
	app.face = FACE_CHAT;
	header("cookie", "good");
	assert_int_equal(check(&read), ERR_UNKNOWN);
	app.face = FACE_ADMIN | FACE_PAGE;
	assert_int_equal(check(&read), ERR_NONE);
	assert_true(who.browser);
	assert_null(who.origin);
	assert_null(who.cookie);
	guard_done(&who);
	/* read by another site's script: refused */
	header("sec-fetch-site", "cross-site");
	assert_int_equal(check(&read), ERR_DENIED);
	headers[1].value = "same-origin";
	assert_int_equal(check(&read), ERR_NONE);
	guard_done(&who);
	/* to write needs the token of a form; a page's is in its body */
	assert_int_equal(check(&put), ERR_DENIED);
	assert_int_equal(check(&form), ERR_NONE);
	guard_done(&who);
	header("x-form-token", "another's");
	assert_int_equal(check(&put), ERR_DENIED);
	headers[2].value = "hers";
	assert_int_equal(check(&put), ERR_NONE);
	guard_done(&who);
	/* a key that is shown is looked at, and nothing else */
	req.nparams = 1;
	header("authorization", "Bearer sb_live_wrong");
	assert_int_equal(check(&read), ERR_UNKNOWN);
	req.nparams = 1;
	headers[0].value = "bad";
	assert_int_equal(check(&read), ERR_UNKNOWN);
	/* something has changed that nobody has heard of: asked again, once */
	headers[0].value = "good";
	person_version = 2;
	assert_int_equal(check(&read), ERR_NONE);
	assert_string_equal(who.cookie, "of version 2");
	guard_done(&who);
	person_version = 3;
	assert_int_equal(check(&read), ERR_UNKNOWN);
	person_version = 1;
	/* a renewed cookie is told, also with a refusal */
	headers[0].value = "old";
	assert_int_equal(check(&talk), ERR_DENIED);
	assert_string_equal(who.cookie, "new");
	assert_null(who.key);
	assert_int_equal(key_refs + account_refs, 0);
	app.face = 0;
}

static void
a_public_route_asks_nobody(void **state)
{
	(void)state;
	database_away = true;
	assert_int_equal(check(&open_to_all), ERR_NONE);
	assert_null(who.key);
	guard_done(&who);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_unknown_come_first, begin),
		cmocka_unit_test_setup(what_is_foreign_looks_absent, begin),
		cmocka_unit_test_setup(roles_may_what_the_table_says, begin),
		cmocka_unit_test_setup(a_widget_key_needs_its_origin, begin),
		cmocka_unit_test_setup(
		    a_widget_token_is_good_at_its_origin, begin),
		cmocka_unit_test_setup(a_visitor_is_named, begin),
		cmocka_unit_test_setup(
		    a_person_has_a_role_in_each_account, begin),
		cmocka_unit_test_setup(
		    a_cookie_reads_and_with_a_token_writes, begin),
		cmocka_unit_test_setup(
		    a_suspended_account_is_the_platform_s, begin),
		cmocka_unit_test_setup(a_second_factor_may_be_wanted, begin),
		cmocka_unit_test_setup(a_public_route_asks_nobody, begin),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
