/*
 * The route table (routes.def): one row a route, all that is said about it.
 * Dispatch, permissions, body limits, metrics labels, openapi.json and the
 * documentation come from it.
 */
#ifndef API_ROUTES_H
#define API_ROUTES_H

#include <stddef.h>

#include "auth/perm.h"

struct app;
struct http_req;
struct http_resp;
struct caller;

/* Each pool knows only its own routes.  FACE_PAGE: pages for browsers, of the
 * admin workers too, but no part of the API: what they refuse is a page, and
 * what they take are forms that carry a token (api/browser.h).  FACE_OWN: what
 * the operator's command asks over the health socket, where no web server leads
 * to; no part of the documentation.  FACE_TALK: the hosted chat, pages of the
 * chat workers for visitors, who have a cookie of their own and no sign-in. */
enum face {
	FACE_CHAT = 1,
	FACE_ADMIN = 2,
	FACE_HEALTH = 4,
	FACE_OWN = 8,
	FACE_PAGE = 16,
	FACE_TALK = 32
};

enum body_limit { BODY_NONE, BODY_CHAT, BODY_ADMIN, BODY_OPENAI };

/* Bytes of a body in OpenAI's format: it brings the whole conversation. */
#define OPENAI_BODY_MAX ((size_t)1024 * 1024)

struct route {
	int faces;
	const char *method, *pattern;
	enum perm perm;
	void (*handler)(struct app *, struct http_req *, struct http_resp *,
	    struct caller *);
	enum body_limit body;
	const char *summary;
	const char *request_schema;  /* name in api/schema.c, or NULL; with
	                                one the body must be JSON; after ?
	                                there may be none */
	const char *statuses;        /* of success: "200 202" */
	const char *response_schema; /* name, or NULL */
	const char *response_type;   /* media type; NULL: application/json */
	const char *params;          /* further ones, see api/openapi.c */
	const char *name;            /* the handler's, "api_chat" */
	const char *label;           /* "POST /accounts/{slug}/...": metrics */
};

/* The name of the schema that a body has to fit, or NULL. */
const char *route_schema(const struct route *);

extern const struct route routes[];
extern const size_t routes_count;

#endif
