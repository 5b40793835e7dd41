/* Errors as RFC 9457 application/problem+json. */
#ifndef API_PROBLEM_H
#define API_PROBLEM_H

#include <jansson.h>
#include <stdbool.h>

#include "util/err.h"

struct http_req;
struct http_resp;

/* The status of the error's kind where that has one of its own, else of its
 * code. */
int problem_status(const struct err *);
/*
 * The problem object for ${e}; new reference.  The text of ERR_INTERNAL goes
 * to the log and no further.
 */
json_t *problem_json(const struct http_req *, const struct err *e);
/* The same for a failure of which only its name is stored. */
json_t *problem_stored(const struct http_req *, const char *name);
/*
 * Answer with it; ${errors} ([{pointer, detail}], may be NULL) stays the
 * caller's.  503 and 429 always say Retry-After, 401 WWW-Authenticate.
 * ERR_GONE sends nothing and gives the connection up.  Where SCIM or OpenAI's
 * format is spoken, the answer has that form.
 */
void problem_send(
    struct http_req *, struct http_resp *, const struct err *e, json_t *errors);

/* What of ${e} the reader is told: of our own faults nothing, it goes to the
 * log. */
const char *problem_detail(const struct err *e);
/* Retry-After and WWW-Authenticate, where an answer of ${status} has them. */
void problem_headers(struct http_resp *, const struct err *e, int status);

/* The page /problems/{name}: text and title of a problem's kind, or NULL. */
const char *problem_text(const char *name);
const char *problem_title(const char *name);
/* The name of the i-th kind, its usual status in *status; NULL past the end. */
const char *problem_name(size_t i, int *status);

/* Does ${req} speak SCIM, whose errors have a form of their own (RFC 7644,
 * 3.12)? */
bool problem_is_scim(const struct http_req *req);

#endif
