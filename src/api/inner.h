/*
 * The API asked from inside: what a page shows and does is what the API's own
 * handlers answer, by the same routes, permissions, schemas and records.
 */
#ifndef API_INNER_H
#define API_INNER_H

#include <jansson.h>

struct app;
struct caller;
struct http_req;

struct inner {
	const char *method;
	const char *path;     /* "/api/v1/accounts/acme/agents?limit=5" */
	const json_t *body;   /* NULL: none */
	const char *if_match; /* an ETag as it was answered; NULL: none */
};

struct inner_reply {
	int status;
	json_t *json;     /* new reference, NULL: the answer was none */
	const char *etag; /* with its quotes, or NULL; the request's memory */
};

/*
 * Ask as ${who}, who asks ${req}: with its address, id, deadline and memory. An
 * address that the API has not, or that the caller's role may not have, answers
 * as it would outside; the account is the caller's.  Always fills in *out.
 */
void inner_ask(struct app *, struct http_req *req, struct caller *who,
    const struct inner *, struct inner_reply *out);

#endif
