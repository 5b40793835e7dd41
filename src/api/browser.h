/*
 * Browsers that are signed in: by a cookie, set here and nowhere else.
 * DESIGN 7; what is in it: auth/browser.h.
 *
 * For pages and handlers of the admin face, in the request's own thread.
 */
#ifndef API_BROWSER_H
#define API_BROWSER_H

#include <stdbool.h>
#include <stdint.h>

#include "auth/form_token.h"
#include "auth/token.h"
#include "util/err.h"

struct app;
struct caller;
struct http_req;
struct http_resp;
struct uuid;

/*
 * Sign the browser in as ${who->user}, who has proven to be her, in whatever
 * way (password and second factor, or another's word for it), and give it a
 * cookie: a new one, whatever it had.  ${who->version}: of her tokens, when she
 * proved it (0: whatever it is now); ${who->factor}: by a second factor, too.
 * Writes the sign-in down.  0, or -1: ERR_UNKNOWN (disabled meanwhile),
 * ERR_DENIED (this address can keep no cookie: HTTPS is needed, or it is none
 * of public_urls), ERR_UNAVAILABLE.
 */
int browser_begin(struct app *, struct http_req *, struct http_resp *,
    const struct token *who, struct err *e);
/* The same; *sign_in is what has begun. */
int browser_begin_as(struct app *, struct http_req *, struct http_resp *,
    const struct token *who, struct uuid *sign_in, struct err *e);
/*
 * Who the browser is signed in as: no query, as long as the cookie's token is
 * of these minutes and nothing about the person has changed.  *cookie: NULL, or
 * what the cookie's value must become (browser_keep()), in the request's
 * memory.  ERR_UNKNOWN: nobody.
 */
int browser_find(struct app *, const struct http_req *, struct token *out,
    const char **cookie, struct err *e);
/* The same by a query in any case: when the token of these minutes turns out to
 * be of before a change that nobody here had heard of yet. */
int browser_find_anew(struct app *, const struct http_req *, struct token *out,
    const char **cookie, struct err *e);
/* Set the cookie that one of them made. */
void browser_keep(struct app *, const struct http_req *, struct http_resp *,
    const char *cookie);
/* Another cookie in the place of this one, which is good no longer: when what
 * the person may do has changed. */
int browser_renew_cookie(
    struct app *, struct http_req *, struct http_resp *, struct err *e);
/* Sign the browser out: its sign-in ends, at once and in every worker, and the
 * cookie goes. */
int browser_end(struct app *, struct http_req *, struct http_resp *,
    const struct caller *, struct err *e);
/* Take the cookie away; what it stands for has ended already. */
void browser_forget(struct app *, const struct http_req *, struct http_resp *);

/*
 * Cookies beside it: "...-${what}", for ${age} seconds.  Nothing secret of ours
 * may lie in one but what the browser's owner may know.  ERR_DENIED as
 * browser_begin().
 */
int browser_aside(struct app *, const struct http_req *, struct http_resp *,
    const char *what, const char *value, int64_t age, struct err *e);
/* NULL: there is none. */
const char *browser_aside_get(
    struct app *, const struct http_req *, const char *what);

/*
 * A form's token.  ${who}: bound to her sign-in.  NULL, or nobody: bound to a
 * cookie of the browser's own, which is set when there is none yet.
 */
int browser_form_token(struct app *, const struct http_req *,
    struct http_resp *, const struct caller *who, char out[FORM_TOKEN_TEXT],
    struct err *e);
/* Was this sent by a form of ours, with ${token} (NULL: none)?  Looks at the
 * source and at the token.  ERR_DENIED, kind "form-expired", when not. */
int browser_form_check(struct app *, const struct http_req *,
    const struct caller *who, const char *token, struct err *e);
/* The same for ${sign_in}, before there is a caller. */
int browser_form_check_for(struct app *, const struct http_req *,
    const struct uuid *sign_in, const char *token, struct err *e);

#endif
