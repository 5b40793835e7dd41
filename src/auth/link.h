/*
 * Links by which a person chooses a password: 256 random bits that stand in one
 * mail and nowhere else, good once, for half an hour, and only the newest.  For
 * the admin workers: the pool is sb_admin's.  Any thread.
 */
#ifndef AUTH_LINK_H
#define AUTH_LINK_H

#include <stdint.h>

#include "util/err.h"

struct audit_entry;
struct db_pool;

#define LINK_TEXT 56
#define LINK_SECONDS 1800

struct link_made {
	char token[LINK_TEXT];
	const char *email; /* as it is stored */
	const char *until; /* RFC 3339 */
};

/* 1 with *out below ctx; 0 when nobody has that address, or had too many links
 * within the hour; -1. */
int link_new(struct db_pool *, const char *email, int64_t deadline,
    const void *ctx, struct link_made *out, struct err *e);
/*
 * Set the password of the link's person; every sign-in of hers ends.
 * ERR_NOT_FOUND: the link is not good (any more).  ERR_INVALID: the password
 * may be none; the link is not used up.  ${who}: address and request of the
 * record.
 */
int link_use(struct db_pool *, const char *token, const char *password,
    const struct audit_entry *who, int64_t deadline, struct err *e);

/* Whose link it is, below ctx: her address.  ERR_NOT_FOUND as above; nothing is
 * used up. */
int link_whose(struct db_pool *, const char *token, int64_t deadline,
    const void *ctx, const char **email, struct err *e);

#endif
