/* What a person sees and changes of herself. */
#include <string.h>

#include "api/app.h"
#include "api/browser.h"
#include "api/guard.h"
#include "api/handlers.h"
#include "api/pages/me_priv.h"
#include "api/pages/page.h"
#include "api/pages/pages_priv.h"
#include "api/problem.h"
#include "api/sign_out.h"
#include "auth/factor.h"
#include "auth/key.h"
#include "auth/passkey.h"
#include "auth/sign_in.h"
#include "http/address.h"
#include "http/request.h"
#include "http/response.h"
#include "shm/person.h"
#include "util/id.h"

#include "util/banned.h"

#define SIGN_INS 50
#define PASSWORD_MOST 1024

/* What has just been done, by the word in the address. */
static const struct {
	const char *word, *text;
} notes[] = {
	{ "password", "The password is changed, and every other sign-in has "
		      "ended." },
	{ "factor-removed", "The second factor is removed." },
	{ "passkey", "The passkey is added." },
	{ "passkey-removed", "The passkey is removed." },
	{ "ended", "The sign-in has ended." },
};

static const char *
note_of(struct http_req *req)
{
	const char *done = http_query(req, "done", NULL);

	for (size_t i = 0; i < sizeof(notes) / sizeof(notes[0]); i++)
		if (done != NULL && strcmp(done, notes[i].word) == 0)
			return notes[i].text;
	return NULL;
}

/* "2026-11-22 12:00" of an RFC 3339 time in UTC: what a person reads. */
static void
shorten_times(json_t *v)
{
	static const char *const names[] = { "created_at", "last_used_at" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *t = json_string_value(json_object_get(v, names[i]));

		if (t != NULL && strlen(t) >= 16)
			json_object_set_new(
			    v, names[i], json_sprintf("%.10s %.5s", t, t + 11));
	}
}

/* "Firefox on Linux" of a User-Agent; another program's stays as it is. */
static void
name_program(json_t *v)
{
	static const char *const programs[][2] = { { "Edg/", "Edge" },
		{ "OPR/", "Opera" }, { "Firefox/", "Firefox" },
		{ "Chrome/", "Chrome" }, { "CriOS/", "Chrome" },
		{ "FxiOS/", "Firefox" }, { "Safari/", "Safari" } };
	static const char *const systems[][2] = { { "Android", "Android" },
		{ "iPhone", "iPhone" }, { "iPad", "iPad" },
		{ "Windows", "Windows" }, { "Mac OS X", "macOS" },
		{ "CrOS", "ChromeOS" }, { "Linux", "Linux" } };
	const char *agent = json_string_value(json_object_get(v, "user_agent"));
	const char *program = NULL, *on = NULL;

	if (agent == NULL || strncmp(agent, "Mozilla/", 8) != 0)
		return;
	for (size_t i = 0; i < 7 && program == NULL; i++)
		if (strstr(agent, programs[i][0]) != NULL)
			program = programs[i][1];
	for (size_t i = 0; i < 7 && on == NULL; i++)
		if (strstr(agent, systems[i][0]) != NULL)
			on = systems[i][1];
	if (program != NULL && on != NULL)
		json_object_set_new(
		    v, "user_agent", json_sprintf("%s on %s", program, on));
}

/* "account_owner" is "account owner" to people. */
static void
spell_role(json_t *v)
{
	const char *role = json_string_value(json_object_get(v, "role"));
	char text[64];
	size_t n = role != NULL ? strnlen(role, sizeof(text) - 1) : 0;

	if (role == NULL)
		return;
	memcpy(text, role, n);
	text[n] = '\0';
	for (size_t i = 0; i < n; i++)
		if (text[i] == '_')
			text[i] = ' ';
	json_object_set_new(v, "role_text", json_string(text));
}

/* Her entry, her sign-ins and whether she has a second factor; new reference.
 */
static int
gather(struct app *app, const struct http_req *req, const struct caller *who,
    json_t **ret, struct err *e)
{
	json_auto_t *me = NULL, *sign_ins = NULL, *passkeys = NULL;
	enum factor_answer factor;
	json_t *v;
	size_t i;

	if (person_show(app->db, &who->key->id, page_deadline(req), &me, e) !=
		0 ||
	    person_sign_ins(app->db, &who->key->id, &who->sign_in, NULL,
		SIGN_INS, page_deadline(req), &sign_ins, e) != 0 ||
	    factor_check(app->db, app->vault, &who->key->id, NULL,
		page_deadline(req), &factor, e) != 0 ||
	    passkey_list(
		app->db, &who->key->id, page_deadline(req), &passkeys, e) != 0)
		return -1;
	json_array_foreach(passkeys, i, v) shorten_times(v);
	json_array_foreach(json_object_get(sign_ins, "data"), i, v)
	{
		shorten_times(v);
		name_program(v);
	}
	json_array_foreach(json_object_get(me, "memberships"), i, v)
	    spell_role(v);
	*ret = json_pack("{s:O, s:O, s:O, s:b, s:b}", "me", me, "passkeys",
	    passkeys, "sign_ins", json_object_get(sign_ins, "data"), "more",
	    !json_is_null(json_object_get(sign_ins, "next")), "factor",
	    factor == FACTOR_MISSING);
	return 0;
}

void
page_me_show(struct app *app, struct http_req *req, struct http_resp *resp,
    const struct caller *who, const char *where, const struct err *wrong)
{
	struct err e = { 0 };
	const char *note;
	json_t *data;

	if (gather(app, req, who, &data, &e) != 0) {
		page_problem(app, req, resp, &e);
		return;
	}
	note = note_of(req);
	if (note != NULL)
		json_object_set_new(data, "note", json_string(note));
	if (wrong != NULL)
		json_object_set_new(data, where, page_sentence(req, wrong));
	page_send_script(app, req, resp,
	    wrong != NULL ? problem_status(wrong) : 200, "me", data, who);
}

void
page_me(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who)
{
	struct err e = { 0 };

	if (guard_person(who, &e) != 0)
		page_problem(app, req, resp, &e);
	else
		page_me_show(app, req, resp, who, NULL, NULL);
}

/* Every sign-in has ended with the old password; this browser's begins anew,
 * for who sits at it has just shown that password. */
static int
change_password(struct app *app, struct http_req *req, struct http_resp *resp,
    const struct caller *who, struct err *e)
{
	const char *old = page_field(app, req, "old_password");
	const char *new = page_field(app, req, "new_password");
	char client[ADDRESS_CLIENT_TEXT];
	const struct sign_in_from from = page_from(req, client);

	if (strlen(old) > PASSWORD_MOST || strlen(new) > PASSWORD_MOST)
		return err_set(e, ERR_INVALID, "This password is too long.");
	if (strcmp(new, page_field(app, req, "again")) != 0)
		return err_set(e, ERR_INVALID, "The two passwords differ.");
	if (sign_in_change_password(app->db, &who->key->id, old, new, &from,
		page_deadline(req), e) != 0)
		return -1;
	person_raise(who->key->user_slot, who->key->version + 1);
	return browser_begin(app, req, resp,
	    &(struct token){ .user = who->key->id, .factor = who->factor }, e);
}

void
page_me_password(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who)
{
	struct err e = { 0 };

	if (guard_person(who, &e) != 0)
		page_problem(app, req, resp, &e);
	else if (change_password(app, req, resp, who, &e) != 0)
		page_me_show(app, req, resp, who, "password_error", &e);
	else
		page_go(resp, "/me?done=password");
}

/* ${id}: NULL for all. */
static void
end_sign_ins(struct app *app, struct http_req *req, struct http_resp *resp,
    const struct caller *who, const struct uuid *id)
{
	struct err e = { 0 };
	int64_t n = 0;

	if (sign_out(app, req, &who->key->id, id, "ended by the person", &n,
		&e) != 0) {
		page_problem(app, req, resp, &e);
		return;
	}
	if (n > 0)
		person_raise(who->key->user_slot, who->key->version + 1);
	if (id == NULL || id_eq(id, &who->sign_in)) {
		browser_forget(app, req, resp);
		page_go(resp, "/login?done=signed-out");
	} else {
		page_go(resp, "/me?done=ended");
	}
}

void
page_me_sign_ins_end(struct app *app, struct http_req *req,
    struct http_resp *resp, struct caller *who)
{
	const char *which = page_field(app, req, "id");
	struct err e = { 0 };
	struct uuid id;

	if (guard_person(who, &e) != 0)
		page_problem(app, req, resp, &e);
	else if (strcmp(which, "all") == 0)
		end_sign_ins(app, req, resp, who, NULL);
	else if (id_parse(which, strlen(which), &id) == 0)
		end_sign_ins(app, req, resp, who, &id);
	else {
		err_set(&e, ERR_NOT_FOUND, "There is no such sign-in.");
		page_problem(app, req, resp, &e);
	}
}
