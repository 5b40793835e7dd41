/*
 * The route table: one row a route, all that is said about it.  Dispatch,
 * permissions, body limits, metrics labels and openapi.json come from it.
 */
#ifndef API_ROUTES_H
#define API_ROUTES_H

#include <stddef.h>

#include "auth/perm.h"

struct app;
struct http_req;
struct http_resp;
struct caller;

/* Each pool knows only its own routes. */
enum face { FACE_CHAT = 1, FACE_ADMIN = 2, FACE_HEALTH = 4 };

enum body_limit { BODY_NONE, BODY_CHAT, BODY_ADMIN };

struct route {
	int faces;
	const char *method, *pattern;
	enum perm perm;
	void (*handler)(struct app *, struct http_req *, struct http_resp *,
	    struct caller *);
	enum body_limit body;
	const char *summary;
	const char *request_schema;  /* name in api/schema.c, or NULL */
	const char *response_schema; /* name, or NULL */
	const char *response_type;   /* media type; NULL: application/json */
};

extern const struct route routes[];
extern const size_t routes_count;

#endif
