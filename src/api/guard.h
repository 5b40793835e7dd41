/* Who is this, and may they: run before every handler. */
#ifndef API_GUARD_H
#define API_GUARD_H

#include <stdbool.h>

#include "api/routes.h"
#include "auth/key.h"
#include "util/err.h"
#include "util/id.h"

struct account;

/* Who calls, good until the request ends; references are the guard's. */
struct caller {
	const struct key *key;         /* NULL for PERM_PUBLIC */
	struct key named;              /* a widget key, and who shows it: */
	const struct key *held;        /* then key is that; the cached one */
	const struct account *account; /* of the path's {slug}; else NULL */
	const char *origin;            /* allowed Origin, or NULL */
	struct uuid sign_in;           /* of a KEY_USER's token */
	bool factor;                   /* and that shows a second factor */
	bool browser;                  /* known by a browser's cookie */
	const char *cookie; /* what that is to become, or NULL; the request's */
	/* For guard_still(): what for, and until when it was all right. */
	const struct route *route;
	int64_t deadline;
	uint64_t epoch;
	bool widget_token; /* a KEY_WIDGET came by its token */
};

/*
 * 401 before any 404: an unknown caller learns nothing about what exists.  A
 * known caller of another account, an unknown and a suspended account are the
 * same ERR_NOT_FOUND; but the management of a suspended one is open to platform
 * administrators.  A widget key from an origin that it does not allow is
 * ERR_DENIED, and so are its token from another origin than it was made for and
 * a role that may not.
 *
 * A browser's cookie is taken where no key is shown, on the admin face only:
 * for pages, and for the API when the request comes from a page of ours and,
 * unless it only reads, carries the token of its forms in X-Form-Token.
 *
 * 0 with *out, to be given back with guard_done(); or -1, when only
 * out->origin (the origin that is allowed to read the refusal) and out->cookie
 * may be set.
 * ERR_UNAVAILABLE when the caller cannot be looked up.
 */
int guard_check(struct app *, struct http_req *, const struct route *,
    struct caller *out, struct err *e);
void guard_done(struct caller *);
/*
 * May the caller of a request that goes on for long still do what it does?
 * Asks again when something of the account or the person has changed; else it
 * costs two looks at shared memory.  0, also while nobody can tell; or -1 with
 * what a new request would be told.  The request's thread.
 */
int guard_still(
    struct app *, struct http_req *, struct caller *, struct err *e);

/* Routes about oneself are for people: ERR_DENIED for a key, which has no
 * self. */
int guard_person(const struct caller *, struct err *e);
/* The token of "Authorization: Bearer ...", or NULL. */
const char *guard_bearer(const struct http_req *);

#endif
