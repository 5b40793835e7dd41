/* Bodies that are a few texts: of signing in and what belongs to it. */
#ifndef API_FIELDS_H
#define API_FIELDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "util/err.h"

struct app;
struct http_req;

/* A member of a body: where its text goes, and how long it may be. */
struct field {
	const char *name;
	const char **out;
	size_t min, max;
	bool needed;
};

/*
 * The texts of a JSON object, which the caller keeps as *body; members that
 * nobody knows are refused.  0, or -1 with e and perhaps *errors.
 */
int fields_read(struct app *, struct http_req *, const struct field *fields,
    size_t n, json_t **body, json_t **errors, struct err *e);
/* One more thing that is wrong, for problem_send(). */
void fields_wrong(json_t *errors, const char *name, const char *detail);

#endif
