/*
 * What the handlers of the management API share.  A handler is a function
 * that answers, or returns -1 with what is wrong; manage_serve() calls it.
 * Everything of one request, in its own thread; memory hangs below its
 * context.
 */
#ifndef API_MANAGE_MANAGE_H
#define API_MANAGE_MANAGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "api/app.h"
#include "api/guard.h"
#include "api/handlers.h"
#include "auth/perm.h"
#include "db/db.h"
#include "db/rows.h"
#include "util/err.h"
#include "util/id.h"

struct http_req;
struct http_resp;

struct manage {
	struct app *app;
	struct http_req *req;
	struct http_resp *resp;
	const struct caller *who;
	const void *ctx;          /* the request's memory */
	char account[UUID_TEXT];  /* of the path; "" where it names none */
	const struct uuid *whose; /* the same; NULL where it names none */
	json_t *body;   /* manage_body(); released after the handler */
	json_t *errors; /* to go with a refusal; released too */
};

typedef int manage_handler(struct manage *, struct err *);

void manage_serve(struct app *, struct http_req *, struct http_resp *,
    struct caller *, manage_handler *);

/* The handler ${api_name} of the route table, made of ${fn}. */
#define MANAGE_HANDLER(api_name, fn)                                           \
	void api_name(struct app *app, struct http_req *req,                   \
	    struct http_resp *resp, struct caller *who)                        \
	{                                                                      \
		manage_serve(app, req, resp, who, fn);                         \
	}

/* --- input (input.c) ------------------------------------------------------ */

/* A path's id in canonical form; one that is none names nothing. */
int manage_id(
    struct manage *, const char *var, char out[UUID_TEXT], struct err *);
/* The body as JSON that fits the route's schema, in m->body.  With ERR_INVALID
 * m->errors says where. */
int manage_body(struct manage *, const char *schema, struct err *);
/* ERR_INVALID with one error at ${pointer}; returns -1. */
int manage_invalid(struct manage *, struct err *, const char *pointer,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* A text member of the body, or NULL (absent, null). */
const char *manage_text(const struct manage *, const char *key);
/* A query parameter; NULL and e->code ERR_NONE when there is none. */
const char *manage_query(struct manage *, const char *name, struct err *);
/* ?NAME= as one of ${words} (the last is NULL); NULL as above. */
const char *manage_word(
    struct manage *, const char *name, const char *const *words, struct err *);
/* ?NAME= as a time in microseconds; ${otherwise} when there is none. */
int manage_time(struct manage *, const char *name, int64_t otherwise,
    int64_t *us, struct err *);
/* ${v} as text below ${ctx}; NULL: that is more than a MiB. */
const char *manage_json(const void *ctx, const json_t *v);
/* Who made a change, for records: "api_key:ID" or "user:ID". */
const char *manage_author(const struct manage *);
/* Where the path names no account: what is read and changed from here on is the
 * platform's own, in the account nil. */
void manage_platform(struct manage *);
/* ERR_DENIED unless the caller's role allows ${perm}. */
int manage_may(const struct manage *, enum perm, struct err *);

/* --- reading -------------------------------------------------------------- */

/* Run one read for the account. */
int manage_read(struct manage *, struct db_call *, struct err *);

/*
 * A page of a list.  The statement gives the columns of ${cols}, then the text
 * of its position; it takes in its first two parameters after ${call}'s own
 * nparams: after whom (NULL: from the start) and how many.  Answers {data,
 * next}.  ${each} (may be NULL) finishes an entry.
 */
int manage_page(struct manage *, struct db_call *call,
    const struct rows_col *cols, void (*each)(json_t *entry), struct err *);
/* ?after= as the position it stands for; *ret NULL without one. */
int manage_after(struct manage *, const char **ret, struct err *);
/* The position as it goes into next. */
json_t *manage_next(struct manage *, const char *position);

/*
 * A resource: the statement that shows it gives the columns of ${cols}, then
 * its state (the ETag's text), which names every member that a change can
 * touch.  Parameters: account, id.
 */
struct manage_object {
	const char *object; /* "agent" */
	const struct db_stmt *show;
	const struct db_stmt *lock; /* account, id, state: control.unchanged */
	const struct rows_col *cols;
	void (*each)(json_t *); /* finishes it; may be NULL */
};

struct manage_found {
	json_t *json; /* new reference */
	const char *state;
};

/* ERR_NOT_FOUND with the same words whatever the reason. */
int manage_find(struct manage *, const struct manage_object *, const char *id,
    struct manage_found *, struct err *);
/* Answer with it and its ETag. */
int manage_answer(
    struct manage *, int status, const json_t *body, const char *state);
/* Answer 204. */
int manage_gone(struct manage *);
/* 412 unless ${state} is what If-Match names; nothing without the header. */
int manage_if_match(struct manage *, const char *state, struct err *);

/* --- changing (change.c) -------------------------------------------------- */

/*
 * One change and all that belongs to it: the one place where a transaction of
 * the management API writes.  ${before} and ${after} are for the record and
 * hold no secret; either may be NULL.
 */
struct manage_change {
	const char *action;      /* "agent.create" */
	const char *object, *id; /* "agent", its id */
	const json_t *before;
	json_t *after;         /* manage_update() releases it */
	struct db_call *calls; /* results are filled in */
	int ncalls;
	const struct uuid *account; /* NULL: the path's */
	/* POST: what a second request with the same Idempotency-Key is told;
	 * without a secret.  NULL: the route takes no such key. */
	int status;
	json_t *answer; /* manage_update() releases it */
};
/* 0 done; 1 another request with that key has, and its answer has been sent;
 * or -1. */
int manage_commit(struct manage *, struct manage_change *, struct err *);

/*
 * Change a resource that is there: read it, let ${apply} make the statements
 * for it, and run them behind the lock that proves it to be as it was read; a
 * lost race begins anew, unless the caller named the state himself (If-Match).
 * ${apply} fills in *c (calls and after; the rest is set) and returns 0, 1
 * when there is nothing to change, or -1.  *found is what it was changed from.
 * 0 changed, 1 not, or -1.
 */
#define MANAGE_CALLS 6 /* room in c->calls; the first one is the lock */
int manage_update(struct manage *, const struct manage_object *, const char *id,
    const char *action,
    int (*apply)(struct manage *, void *arg, const struct manage_found *,
	struct manage_change *c, struct err *),
    void *arg, struct err *);
/* A page of what ${stmt} (account, status, and manage_page's) lists; ?status=
 * is one of ${states} (the last is NULL). */
int manage_list(struct manage *, const struct manage_object *,
    const struct db_stmt *stmt, const char *const *states, struct err *);
/* Show the one whose id stands in the path as ${param}. */
int manage_get(struct manage *, const struct manage_object *, const char *param,
    struct err *);
/* The usual end: show the resource as it is now, unless an answer has gone. */
int manage_show(struct manage *, const struct manage_object *, const char *id,
    int status, struct err *);

/*
 * For a POST, first thing after its body: is there an answer to this
 * Idempotency-Key already?  1 it has been sent; 0 go on; -1.  ${account}: where
 * answers stand, NULL the path's.
 */
int manage_replay(struct manage *, const struct uuid *account, struct err *);
/* An id for what a POST without an account makes: the same for the same caller
 * and Idempotency-Key. */
void manage_new_id(struct manage *, struct uuid *);

#endif
