/* Errors as RFC 9457 application/problem+json. */
#ifndef API_PROBLEM_H
#define API_PROBLEM_H

#include <jansson.h>

#include "util/err.h"

struct http_req;
struct http_resp;

int problem_status(const struct err *);
/* The problem object for ${e}; new reference. */
json_t *problem_json(const struct http_req *, const struct err *e);
/* Answer with it; ${errors} ([{pointer, detail}], may be NULL) is kept. */
void problem_send(struct http_req *, struct http_resp *, const struct err *e,
    json_t *errors);
/* The page /problems/{name}: text for a problem's kind, or NULL. */
const char *problem_text(const char *name);

#endif
