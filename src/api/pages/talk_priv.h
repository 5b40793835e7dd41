/* The hosted chat, a page for visitors: what its files share. */
#ifndef API_PAGES_TALK_PRIV_H
#define API_PAGES_TALK_PRIV_H

#include <jansson.h>

#include "api/guard.h"
#include "api/place.h"
#include "auth/widget_token.h"
#include "util/err.h"

struct account;
struct agent_spec;
struct app;
struct http_req;
struct http_resp;
struct key;

#define TALK_COOKIE "sb-talk"

/* One request for the page. */
struct talk {
	struct app *app;
	struct http_req *req;
	struct http_resp *resp;
	struct place place;
	struct caller who; /* a widget key's, as the page shows it */
	unsigned char hash[WIDGET_KEY_HASH]; /* of the key's text */
	const struct agent_spec *spec;
	json_t *looks;       /* the key's appearance */
	const char *session; /* of the cookie, or NULL */
};

/* The cookie that says which session it is, only to this page; NULL: gone. */
void talk_remember(struct talk *, const char *session);
/*
 * Answer ${status} with the page: what was said, and the form; ${e}: what went
 * wrong, or NULL; ${draft}: what stands in the line.
 */
void talk_show(
    struct talk *, int status, const struct err *e, const char *draft);
/* The same where there is no chat to be shown. */
void talk_refuse(
    struct app *, struct http_req *, struct http_resp *, const struct err *e);
/* Does the key want to know this before the first word?  As text, or NULL. */
const char *talk_look(const struct talk *, const char *name);

#endif
