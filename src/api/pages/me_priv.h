/* The page of a person, for those that come back to it. */
#ifndef API_PAGES_ME_PRIV_H
#define API_PAGES_ME_PRIV_H

struct app;
struct caller;
struct err;
struct http_req;
struct http_resp;

/* Again, with what was wrong (NULL: nothing) as ${where} of the template. */
void page_me_show(struct app *, struct http_req *, struct http_resp *,
    const struct caller *, const char *where, const struct err *wrong);

#endif
