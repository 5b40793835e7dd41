/* Among the pages. */
#ifndef API_PAGES_PAGES_PRIV_H
#define API_PAGES_PAGES_PRIV_H

#include <stdint.h>

#include "http/request.h"
#include "util/clock.h"

struct app;
struct err;
struct http_resp;
struct token;

#define PAGE_HOME "/me"

/* The headers of a page. */
void page_headers(struct http_resp *);
/* And of one with scripts of ours. */
void page_headers_script(struct http_resp *);

/* The sign-in, or again after ${e}, whose words it shows. */
void page_login_show(struct app *, struct http_req *, struct http_resp *,
    const struct err *e, const char *note);

/* Who it is has been proven but for the second factor: the browser is given
 * what says so, and led to the page that asks, from there to ${to} ("": home).
 */
int page_ask_code(struct app *, struct http_req *, struct http_resp *,
    const struct token *, const char *email, const char *to, struct err *e);

/* What the script for passkeys has put into the form: the challenge's cookie
 * goes, and it is who *${t} says, as passkeys_prove(). */
int page_passkey_prove(struct app *, struct http_req *, struct http_resp *,
    const struct token *first, struct token *t, struct err *e);

/* 303 that no cache and no next page is to learn anything from. */
void page_sso_lead(struct http_resp *, const char *location);
/* Why somebody does not come in: to a browser as a page, to a program as a
 * problem. */
void page_sso_refuse(
    struct app *, struct http_req *, struct http_resp *, const struct err *);
/* What a provider's sign-in had left, for when its second factor is right. */
void page_sso_forget(struct app *, const struct http_req *, struct http_resp *);

static inline int64_t
page_deadline(const struct http_req *req)
{
	return req->started + 10 * CLOCK_S;
}

#endif
