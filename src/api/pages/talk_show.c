/* The hosted chat as it is seen: a head, what was said, and the form. */
#include <string.h>

#include "account/account.h"
#include "agent/spec.h"
#include "api/app.h"
#include "api/pages/page.h"
#include "api/pages/talk_priv.h"
#include "api/problem.h"
#include "api/reply.h"
#include "auth/key.h"
#include "chat/session.h"
#include "http/request.h"
#include "http/response.h"
#include "page/markdown.h"
#include "page/pages.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/id.h"

#include "util/banned.h"

#define PAGE_MAX ((size_t)4 * 1024 * 1024)
#define WAIT (5 * CLOCK_S)
#define PAGES_MOST 5 /* of 200 messages each */
#define POLICY                                                                 \
	"default-src 'none'; script-src 'self'; connect-src 'self'; "          \
	"style-src 'self'; img-src 'self' data:; form-action 'self'; "         \
	"base-uri 'none'; frame-ancestors 'self'"

const char *
talk_look(const struct talk *t, const char *name)
{
	return json_string_value(json_object_get(t->looks, name));
}

/* Whoever may embed the chat may put this page into a frame. */
static void
headers(
    const struct http_req *req, struct http_resp *resp, const struct key *key)
{
	struct buf b;

	buf_init(&b, req->ctx, 64 * 1024);
	buf_adds(&b, POLICY);
	for (int i = 0; key != NULL && i < key->norigins; i++) {
		buf_addc(&b, ' ');
		buf_adds(&b, key->origins[i]);
	}
	buf_addc(&b, '\0');
	http_set(
	    resp, "Content-Security-Policy", buf_failed(&b) ? POLICY : b.data);
	http_set(resp, "Referrer-Policy", "same-origin");
	http_set(resp, "Vary", "Cookie, Accept-Language");
}

/* A message, as its place in the list. */
static void
add_message(struct buf *b, const json_t *m, const json_t *words)
{
	const json_t *text = json_object_get(m, "content");
	const char *s = json_string_value(text);
	const char *role = json_string_value(json_object_get(m, "role"));
	bool user = role != NULL && strcmp(role, "user") == 0;
	const char *who = json_string_value(
	    json_object_get(words, user ? "you" : "assistant"));

	buf_addf(b, "<li class=\"%s\"><span class=\"away\">",
	    user ? "user" : "assistant");
	buf_adds(b, who != NULL ? who : "");
	buf_adds(b, ": </span><div class=\"text\" dir=\"auto\">");
	if (s != NULL && user)
		markdown_escape(b, s, json_string_length(text));
	else if (s != NULL)
		markdown_html(b, s, json_string_length(text));
	buf_adds(b, "</div></li>\n");
}

/* All that was said; a session that is not there any more is forgotten. */
static int
add_transcript(
    struct talk *t, struct buf *b, const json_t *words, struct err *e)
{
	struct uuid after;
	const char *next = NULL;

	for (int i = 0; t->session != NULL && i < PAGES_MOST; i++) {
		json_auto_t *page = NULL;
		size_t k;
		json_t *m;

		if (chat_messages_list(&t->app->chat, t->who.account,
			t->who.key, t->session, 200, i > 0 ? &after : NULL,
			t->req->started + WAIT, &page, e) != 0) {
			if (e->code != ERR_NOT_FOUND)
				return -1;
			memset(e, 0, sizeof(*e));
			talk_remember(t, NULL);
			t->session = NULL;
			return 0;
		}
		json_array_foreach(json_object_get(page, "data"), k, m)
		{
			add_message(b, m, words);
		}
		next = json_string_value(json_object_get(page, "next"));
		if (next == NULL || id_parse(next, strlen(next), &after) != 0)
			return 0;
	}
	return 0;
}

static json_t *
page_data(struct talk *t, const struct err *wrong, const char *draft,
    json_t *words, enum pages_lang lang)
{
	const char *title = talk_look(t, "title");
	const char *email = talk_look(t, "ask_email");
	bool first = t->session == NULL;
	char nonce[UUID_TEXT];
	struct uuid id;

	id_new(&id);
	id_format(&id, nonce);
	return json_pack(
	    "{s:O, s:O, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s?, s:s?, s:s?, "
	    "s:s, s:s, s:b, s:b, s:s?, s:o?}",
	    "t", words, "asset", pages_assets(t->app->pages), "lang",
	    pages_lang_name(lang), "title",
	    title != NULL ? title : t->spec->display_name, "name",
	    t->spec->display_name, "account", t->who.account->slug,
	    "agent_type", t->spec->type, "agent_name", t->spec->name, "path",
	    t->req->path, "session", t->session, "greeting",
	    talk_look(t, "greeting"), "placeholder",
	    talk_look(t, "placeholder"), "nonce", nonce, "draft", draft,
	    "email", first && email != NULL && strcmp(email, "no") != 0,
	    "email_required", email != NULL && strcmp(email, "required") == 0,
	    "consent", first ? talk_look(t, "consent") : NULL, "error",
	    page_sentence(t->req, wrong));
}

void
talk_show(
    struct talk *t, int status, const struct err *wrong, const char *draft)
{
	const struct pages *pages = t->app->pages;
	struct err e = { 0 };
	json_auto_t *data = NULL;
	json_t *words;
	enum pages_lang lang;
	struct buf list, b;

	if (pages == NULL) {
		err_set(&e, ERR_UNAVAILABLE,
		    "the templates of the pages could not be read");
		problem_send(t->req, t->resp, &e, NULL);
		return;
	}
	lang = pages_lang_wanted(http_header(t->req, "accept-language"));
	words = json_object_get(pages_texts(pages, lang), "talk");
	buf_init(&list, t->req->ctx, PAGE_MAX);
	buf_init(&b, t->req->ctx, PAGE_MAX);
	if (add_transcript(t, &list, words, &e) != 0) {
		problem_send(t->req, t->resp, &e, NULL);
		return;
	}
	data = page_data(t, wrong, draft, words, lang);
	if (pages_render(pages, "talk", data, &b, &e) == 0) {
		buf_add(&b, list.data, list.len);
		(void)pages_render(pages, "talk_end", data, &b, &e);
	}
	if (e.code != ERR_NONE) {
		problem_send(t->req, t->resp, &e, NULL);
		return;
	}
	headers(t->req, t->resp, t->who.key);
	reply_buf(t->resp, status, "text/html; charset=utf-8", &b);
}

void
talk_refuse(struct app *app, struct http_req *req, struct http_resp *resp,
    const struct err *e)
{
	json_auto_t *data = NULL, *problem = problem_json(req, e);
	enum pages_lang lang;
	struct err mine = { 0 };
	struct buf b;

	buf_init(&b, req->ctx, PAGE_MAX);
	if (app->pages == NULL || e->code == ERR_GONE) {
		problem_send(req, resp, e, NULL);
		return;
	}
	lang = pages_lang_wanted(http_header(req, "accept-language"));
	data = json_pack("{s:O, s:O, s:s, s:o, s:O, s:s, s:b}", "t",
	    json_object_get(pages_texts(app->pages, lang), "talk"), "asset",
	    pages_assets(app->pages), "lang", pages_lang_name(lang), "detail",
	    page_sentence(req, e), "title", json_object_get(problem, "title"),
	    "request_id", req->request_id, "refused", true);
	if (pages_render(app->pages, "talk_refused", data, &b, &mine) != 0) {
		problem_send(req, resp, e, NULL);
		return;
	}
	if (e->code == ERR_LIMIT || e->code == ERR_UNAVAILABLE)
		http_setf(resp, "Retry-After", "%d",
		    e->retry_after > 0 ? e->retry_after : 1);
	headers(req, resp, NULL);
	reply_buf(resp, problem_status(e), "text/html; charset=utf-8", &b);
}
