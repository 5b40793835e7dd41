/* Who may give which role (roles.c). */
#ifndef API_MANAGE_ROLES_H
#define API_MANAGE_ROLES_H

#include "util/err.h"

struct manage;

/* The role ${role}, built in or the account's own: ERR_DENIED when it may what
 * the caller may not, ERR_INVALID (with a pointer to /role) when there is
 * none. */
int manage_within(struct manage *, const char *role, struct err *e);

#endif
