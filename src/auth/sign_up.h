/*
 * Opening an account oneself: asked for, then confirmed by the link of a mail,
 * which is good once, for a day.  Whether the address is somebody's already
 * shows to nobody but its reader.  For the admin workers: the pool is
 * sb_admin's.  Any thread.
 */
#ifndef AUTH_SIGN_UP_H
#define AUTH_SIGN_UP_H

#include <stdint.h>

#include "util/err.h"

struct db_pool;

#define SIGN_UP_TEXT 56
#define SIGN_UP_SECONDS 86400

struct sign_up_asked {
	char token[SIGN_UP_TEXT];
	const char *until; /* RFC 3339, below ctx */
};

/* 1 with *out; 0 when there were too many for that address within the hour;
 * -1.  ${slug} may be NULL. */
int sign_up_ask(struct db_pool *, const char *email, const char *name,
    const char *slug, int64_t deadline, const void *ctx,
    struct sign_up_asked *out, struct err *e);

/* Who confirms, and how. */
struct sign_up_how {
	const char *token;
	const char *password; /* NULL: none, for whoever has one */
	const char *slug;     /* instead of the one asked for; or NULL */
	const char *address, *request_id;
};
struct sign_up_made {
	const char *slug, *name, *email; /* below ctx */
};
/*
 * Make the account and, if need be, the person.  ERR_NOT_FOUND: the link is not
 * good.  ERR_INVALID: a password is needed, or this one may be none;
 * ERR_CONFLICT: the slug is taken; both leave the link good.
 */
int sign_up_confirm(struct db_pool *, const struct sign_up_how *,
    int64_t deadline, const void *ctx, struct sign_up_made *out, struct err *e);

#endif
