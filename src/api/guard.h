/* Who is this, and may they: run before every handler. */
#ifndef API_GUARD_H
#define API_GUARD_H

#include <stdbool.h>

#include "api/routes.h"
#include "util/err.h"
#include "util/id.h"

struct account;
struct key;

/* Who calls, good until the request ends; references are the guard's. */
struct caller {
	const struct key *key;         /* NULL for PERM_PUBLIC */
	const struct account *account; /* of the path's {slug}; else NULL */
	const char *origin;            /* allowed Origin, or NULL */
	struct uuid sign_in;           /* of a KEY_USER's token */
	bool browser;                  /* known by a browser's cookie */
	const char *cookie; /* what that is to become, or NULL; the request's */
};

/*
 * 401 before any 404: an unknown caller learns nothing about what exists.  A
 * known caller of another account, an unknown and an inactive account are the
 * same ERR_NOT_FOUND.  A widget key from an origin that it does not allow is
 * ERR_DENIED, and so is a role that may not.
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

/* Routes about oneself are for people: ERR_DENIED for a key, which has no
 * self. */
int guard_person(const struct caller *, struct err *e);
/* The token of "Authorization: Bearer ...", or NULL. */
const char *guard_bearer(const struct http_req *);

#endif
