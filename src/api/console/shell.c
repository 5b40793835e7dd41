/* The frame of the console's pages: only what the reader may is drawn. */
#include "api/console/shell.h"

#include <string.h>

#include "account/account.h"
#include "api/app.h"
#include "api/browser.h"
#include "api/console/console.h"
#include "api/guard.h"
#include "api/handlers.h"
#include "api/pages/page.h"
#include "api/pages/pages_priv.h"
#include "http/request.h"
#include "util/mem.h"

#include "util/banned.h"

#define CHOICE_LIFE (365 * INT64_C(86400))

/* Outlines 24 wide and high. */
static const struct {
	const char *key, *text, *path, *icon;
	enum perm perm;
	const char *group; /* begins with this one, or NULL */
} places[] = {
	{ "dashboard", "nav.dashboard", "",
	    "M4 4h6v8H4zM14 4h6v4h-6zM4 16h6v4H4zM14 12h6v8h-6z",
	    PERM_ACCOUNT_READ, NULL },
	{ "agents", "nav.agents", "agents",
	    "M7 7h10a2 2 0 0 1 2 2v7a3 3 0 0 1-3 3H8a3 3 0 0 1-3-3V9a2 2 0 0 1 "
	    "2-2zM12 3v4M9.5 12v1M14.5 12v1M10 16h4M3 12v3M21 12v3",
	    PERM_AGENT_READ, NULL },
	{ "sessions", "nav.sessions", "sessions",
	    "M21 14l-3-3h-7a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1h9a1 1 0 0 1 1 1zM14 "
	    "15v2a1 1 0 0 1-1 1H6l-3 3V11a1 1 0 0 1 1-1h2",
	    PERM_SESSION_READ, NULL },
	{ "keys", "nav.keys", "keys",
	    "M14 10a4 4 0 1 0-3.5 3.97L12 15.5h2v2h2v2h3v-3l-5.3-5.3A4 4 0 0 0 "
	    "14 10zM9 9.5h.01",
	    PERM_KEY_READ, "nav.access" },
};
#define PLACES (sizeof(places) / sizeof(places[0]))

enum pages_lang
shell_lang(struct app *app, const struct http_req *req)
{
	const char *chosen = browser_aside_get(app, req, "lang");
	int lang =
	    chosen != NULL ? pages_lang_parse(chosen, strlen(chosen)) : -1;

	return lang >= 0
	           ? (enum pages_lang)lang
	           : pages_lang_wanted(http_header(req, "accept-language"));
}

/* Groups of places: [{"text", "items": [{text, href, icon, current}]}] */
static json_t *
navigation(const struct console *c)
{
	json_t *groups = json_array(), *items = NULL;
	const char *group = NULL;

	for (size_t i = 0; i < PLACES; i++) {
		if (!console_may(c, places[i].perm))
			continue;
		if (items == NULL || places[i].group != group) {
			group = places[i].group;
			items = json_array();
			json_array_append_new(groups,
			    json_pack("{s:s?, s:o}", "text",
				group != NULL ? console_text(c, group) : NULL,
				"items", items));
		}
		json_array_append_new(
		    items, json_pack("{s:s, s:s, s:s, s:b}", "text",
			       console_text(c, places[i].text), "href",
			       console_path(c, places[i].path), "icon",
			       places[i].icon, "current",
			       strcmp(places[i].key, c->page->section) == 0));
	}
	return groups;
}

/* Her name and the accounts she may go to; without them the page still is one.
 */
static void
add_person(struct console *c)
{
	const struct inner in = { "GET", "/api/v1/me", NULL, NULL };
	struct inner_reply r;
	json_t *accounts = json_array(), *v;
	const char *slug;
	size_t i;

	inner_ask(c->app, c->req, c->who, &in, &r);
	json_array_foreach(json_object_get(r.json, "memberships"), i, v)
	{
		slug = json_string_value(json_object_get(v, "account"));
		if (slug == NULL)
			continue;
		json_array_append_new(accounts,
		    json_pack("{s:O?, s:s, s:o, s:b}", "name",
			json_object_get(v, "name"), "slug", slug, "href",
			json_sprintf("/accounts/%s/admin", slug), "current",
			strcmp(slug, c->slug) == 0));
		if (strcmp(slug, c->slug) == 0)
			console_set(c, "account_name",
			    json_incref(json_object_get(v, "name")));
	}
	console_set(c, "me",
	    json_pack("{s:O?, s:O?, s:s}", "email",
		json_object_get(r.json, "email"), "name",
		json_object_get(r.json, "display_name"), "role",
		c->who->key->role_name));
	console_set(c, "accounts", accounts);
	json_decref(r.json);
}

/* What has just been done, by the word in the address. */
static void
add_note(struct console *c)
{
	const char *word = console_posts(c) ? "" : console_field(c, "done");

	if (*word == '\0' || strlen(word) > 40)
		return;
	word = console_text(c, mem_printf(c->ctx, "done.%s", word));
	if (*word != '\0')
		console_set(c, "note", json_string(word));
}

void
shell_complete(struct console *c)
{
	const char *theme = browser_aside_get(c->app, c->req, "theme");
	const char *here = c->req->path;

	json_object_set(c->data, "t", pages_texts(c->app->pages, c->lang));
	console_set(c, "lang", json_string(pages_lang_name(c->lang)));
	console_set(c, "german", json_boolean(c->lang == PAGES_DE));
	if (theme != NULL && strcmp(theme, "dark") == 0)
		console_set(c, "dark", json_true());
	else if (theme != NULL && strcmp(theme, "light") == 0)
		console_set(c, "light", json_true());
	else
		console_set(c, "auto", json_true());
	console_set(c, "here", json_string(here));
	console_set(c, "home", json_string(console_path(c, "")));
	console_set(c, "slug", json_string(c->slug));
	console_set(c, "nav", navigation(c));
	if (console_may(c, PERM_SESSION_READ))
		console_set(
		    c, "search", json_string(console_path(c, "sessions")));
	add_note(c);
	add_person(c);
	if (json_object_get(c->data, "account_name") == NULL)
		console_set(c, "account_name", json_string(c->slug));
}

/* --- how it is to look ---------------------------------------------------- */

static int
keep(struct app *app, struct http_req *req, struct http_resp *resp,
    const char *name, const char *const *words, struct err *e)
{
	const char *value = page_field(app, req, name);

	if (strcmp(value, "auto") == 0)
		return browser_aside(app, req, resp, name, "", -1, e);
	for (; *words != NULL; words++)
		if (strcmp(*words, value) == 0)
			return browser_aside(
			    app, req, resp, name, value, CHOICE_LIFE, e);
	return 0;
}

void
page_appearance(struct app *app, struct http_req *req, struct http_resp *resp,
    struct caller *who)
{
	static const char *const themes[] = { "light", "dark", NULL };
	static const char *const langs[] = { "en", "de", NULL };
	struct err e = { 0 };

	(void)who;
	if (keep(app, req, resp, "theme", themes, &e) != 0 ||
	    keep(app, req, resp, "lang", langs, &e) != 0)
		page_problem(app, req, resp, &e);
	else
		page_go(resp, page_return_to(app, req, PAGE_HOME));
}
