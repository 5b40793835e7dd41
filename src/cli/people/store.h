/* People and their memberships; results, and who it is, as cli/store.h says. */
#ifndef CLI_PEOPLE_STORE_H
#define CLI_PEOPLE_STORE_H

#include <jansson.h>
#include <stdbool.h>

#include "util/err.h"
#include "util/id.h"

struct audit_entry;
struct db_pool;

struct store_user {
	struct uuid id;
	const char *email, *name, *password_hash;
	bool platform_admin;
};
int store_user_create(struct db_pool *, const struct store_user *,
    const struct audit_entry *who, struct err *);
/* Members of one account, or (NULL) everybody. */
int store_user_list(
    struct db_pool *, const char *slug, json_t **ret, struct err *);
/* ERR_NOT_FOUND; ${hash} (talloc'd below ctx) may be NULL. */
int store_user_find(struct db_pool *, const char *email, const void *ctx,
    struct uuid *id, char **hash, struct err *);
int store_user_password(struct db_pool *, const struct uuid *user,
    const char *hash, const struct audit_entry *who, struct err *);
int store_user_active(struct db_pool *, const struct uuid *user, bool active,
    const struct audit_entry *who, struct err *);
/* One who has that role already keeps it, and nothing is recorded. */
int store_member_set(struct db_pool *, const struct uuid *account,
    const struct uuid *user, const char *role, const struct audit_entry *who,
    struct err *);
int store_member_remove(struct db_pool *, const struct uuid *account,
    const struct uuid *user, const struct audit_entry *who, struct err *);
/* Has the account a role of its own of that name?  ERR_NOT_FOUND. */
int store_role_own(struct db_pool *, const struct uuid *account,
    const char *name, struct err *);

#endif
