/* Bodies of administration, read against their schema. */
#ifndef API_JSON_BODY_H
#define API_JSON_BODY_H

#include <jansson.h>

#include "util/err.h"

struct app;
struct http_req;

/*
 * The request's body as JSON that fits ${schema} (api/schema.c): a new
 * reference in *body.  0, or -1 with e and, for ERR_INVALID, a new *errors that
 * says where, for problem_send().
 */
int json_body(struct app *, struct http_req *, const char *schema,
    json_t **body, json_t **errors, struct err *e);
/* The text of a member, or NULL (absent, null). */
const char *json_body_text(const json_t *body, const char *name);

#endif
