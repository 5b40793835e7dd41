/*
 * What every page has: its headers, what all templates are given, the fields of
 * its form.  In the request's own thread; memory is the request's.
 */
#ifndef API_PAGES_PAGE_H
#define API_PAGES_PAGE_H

#include <jansson.h>
#include <stdbool.h>

#include "util/err.h"

struct app;
struct caller;
struct http_req;
struct http_resp;
struct sign_in_from;

/*
 * Answer ${status} with the template ${name} filled in with ${data} (the
 * reference is taken; NULL: nothing) and what is the same for all: form_token,
 * asset, signed_in, request_id.  ${who}: whose form token it is, or NULL.
 */
void page_send(struct app *, struct http_req *, struct http_resp *, int status,
    const char *name, json_t *data, const struct caller *who);
/* The same under a policy that lets scripts of ours run. */
void page_send_script(struct app *, struct http_req *, struct http_resp *,
    int status, const char *name, json_t *data, const struct caller *who);
/* Add what is the same for all to ${data}. */
void page_complete(struct app *, struct http_req *, struct http_resp *,
    json_t *data, const struct caller *who);
/* 303 to a path of this site. */
void page_go(struct http_resp *, const char *path);
/* The refusal as a page; where nobody is signed in and a page was asked for, it
 * leads to the sign-in instead. */
void page_problem(
    struct app *, struct http_req *, struct http_resp *, const struct err *);
/* Is what was asked for, where no route is, to be answered with a page? */
bool page_wanted(const struct app *, const struct http_req *);

/* What is wrong, as people write: the detail of ${e}'s problem with a capital
 * and a full stop.  New reference; NULL gives NULL. */
json_t *page_sentence(const struct http_req *, const struct err *e);

/* A field of the form, "" when there is none or it cannot be read. */
const char *page_field(const struct app *, struct http_req *, const char *name);
/* return_to of the form or the query where it is a path of ours, else ${home}.
 */
const char *page_return_to(
    const struct app *, struct http_req *, const char *home);
/* Was a page's form sent by that page?  ERR_DENIED. */
int page_check_form(
    struct app *, struct http_req *, const struct caller *, struct err *e);

/* Where from and with what, for the record; ${client} has
 * ADDRESS_CLIENT_TEXT. */
struct sign_in_from page_from(struct http_req *, char *client);

#endif
