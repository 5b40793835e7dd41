/*
 * What the pages of the console share.  A page asks the API's own routes
 * (api/inner.h) and makes of the answers what its template draws; so it can do
 * nothing that the API cannot, and nothing that the caller may not.  In the
 * request's own thread; memory is the request's.
 */
#ifndef API_CONSOLE_CONSOLE_H
#define API_CONSOLE_CONSOLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "api/inner.h"
#include "auth/perm.h"
#include "db/db.h"
#include "page/pages.h"

struct app;
struct caller;
struct http_req;
struct http_resp;

struct console {
	struct app *app;
	struct http_req *req;
	struct http_resp *resp;
	struct caller *who;
	void *ctx;
	const struct console_page *page;
	enum pages_lang lang;
	const char *slug; /* the account's */
	int status;       /* to answer with */
	json_t *data;     /* what the template is given */
	json_t *kept;     /* answers that data may point into */
	json_t *refused;  /* the problem that ends the page, or NULL */
	struct db_cost before;
};

struct console_page {
	const char *template, *section; /* section: whose entry is lit */
	int (*make)(struct console *);  /* 0, or -1 with c->refused */
};

void console_serve(struct app *, struct http_req *, struct http_resp *,
    struct caller *, const struct console_page *);

/* The handler ${name} of the route table. */
#define CONSOLE_PAGE(name, template_, section_, make_)                         \
	void name(struct app *app, struct http_req *req,                       \
	    struct http_resp *resp, struct caller *who)                        \
	{                                                                      \
		static const struct console_page page = { (template_),         \
			(section_), (make_) };                                 \
		console_serve(app, req, resp, who, &page);                     \
	}

/* --- asking the API ------------------------------------------------------- */

/* GET below the account's own address ("/agents?limit=5"); borrowed, NULL with
 * c->refused. */
json_t *console_get(struct console *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* The same with what it has as ETag, NULL: not wanted. */
json_t *console_get_tagged(
    struct console *, const char *path, const char **etag);
/* Change something.  0 with *out (borrowed, perhaps NULL), or -1 with
 * *problem, also borrowed, when the API refuses; that need not end the page. */
int console_do(struct console *, const char *method, const char *path,
    const json_t *body, const char *if_match, json_t **out, json_t **problem);
/* End the page by that. */
int console_refuse(struct console *, json_t *problem);
/* 404: what is asked for is not there. */
int console_absent(struct console *);
/* 303 to ${path} below the account's console; returns 0. */
int console_go(struct console *, const char *path);
/* "?limit=...&after=..." of a list from the page's own query and ${more}
 * ("&status=active" or ""). */
const char *console_list_query(struct console *, int limit, const char *more);
/* "next" (an address with the filter kept, or nothing) for the list's page. */
void console_more(
    struct console *, const json_t *list, const char *path, const char *more);

/* --- what was sent -------------------------------------------------------- */

bool console_posts(const struct console *);
/* A field of the form or, for GET, of the query; "" when there is none. */
const char *console_field(struct console *, const char *name);
/* A path's id in canonical form; NULL with c->refused, 404. */
const char *console_id(struct console *, const char *var);
/* Why the API refused what was sent: "error" and, by field, "errors"
 * ("/rate_limits/x" is errors.rate_limits_x); the page answers its status. */
void console_wrong(struct console *, const json_t *problem);
/* ${text} as part of a query. */
const char *console_escape(const struct console *, const char *text);
bool console_may(const struct console *, enum perm);

/* --- what is drawn -------------------------------------------------------- */

/* A text in the reader's language ("agents.title"). */
const char *console_text(const struct console *, const char *name);
void console_set(
    struct console *, const char *name, json_t *value); /* steals */
/* An address below the account's console; "" is the dashboard. */
const char *console_path(const struct console *, const char *path);
/* A problem's sentence. */
json_t *console_sentence(const struct console *, const json_t *problem);
/* The page's title and, above it, where one is: pairs of text and path below
 * the console, NULL at the end. */
void console_title(struct console *, const char *title, ...)
    __attribute__((sentinel));

/* Values as people read them; new references, null for what is not there.  */
json_t *console_number(const struct console *, int64_t); /* 12,345 */
json_t *console_short(const struct console *, int64_t);  /* 12.3k */
json_t *console_money(const struct console *, const json_t *usd);
json_t *console_percent(const struct console *, const json_t *share);
json_t *console_ms(const struct console *, const json_t *ms); /* 1.2 s */
/* {iso, exact, ago} of an RFC 3339 time; also of one to come. */
json_t *console_time(const struct console *, const json_t *rfc3339);
/* In place, each named member of each entry. */
void console_times(
    const struct console *, json_t *list, const char *const *names);
/* {text, kind} of a word of the API ("active"): its text in the reader's
 * language and a colour. */
json_t *console_state(const struct console *, const char *word);

/* --- charts --------------------------------------------------------------- */

struct chart {
	const char *id, *title, *unit; /* texts */
	int64_t from, step;            /* us */
	int n;
	const double *values;
	bool big; /* as wide as the page */
	/* A value as it is read. */
	json_t *(*show)(const struct console *, double);
};
json_t *console_chart(const struct console *, const struct chart *);
/* The points of a polyline 100 wide and 24 high. */
json_t *console_spark(const double *values, int n);

#endif
