/* Single sign-on, for other pages. */
#ifndef API_PAGES_SSO_H
#define API_PAGES_SSO_H

struct app;
struct caller;
struct http_req;
struct err;
struct http_resp;
struct uuid;

/* Where the browser goes to sign out at the identity provider by which ${who}
 * came; NULL: she came by none, or it has no such place.  Before her sign-in
 * ends. */
const char *page_sso_leaving(
    struct app *, const struct http_req *, const struct caller *who);
/* Her second factor was right: if she came by a provider, that is kept for
 * signing out.  -1: it could not be, and the sign-in has ended. */
int page_sso_kept(struct app *, struct http_req *, struct http_resp *,
    const struct uuid *user, const struct uuid *sign_in, struct err *e);
/*
 * A page that leads to ${location}, of another site, by itself and by a link:
 * after a form a browser follows no redirect that leaves this site.
 */
void page_lead(struct app *, struct http_req *, struct http_resp *,
    const char *location, const char *heading, const char *words);

#endif
