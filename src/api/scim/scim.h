/*
 * SCIM 2.0 (RFC 7643, RFC 7644) at /scim/v2/{slug}: an account's directory says
 * who its people are.  What it says stays its own (sql/0017_scim.sql).
 */
#ifndef API_SCIM_SCIM_H
#define API_SCIM_SCIM_H

#include <jansson.h>

#include "api/manage/manage.h"

#define SCIM_SCHEMA "urn:ietf:params:scim:schemas:core:2.0:"
#define SCIM_MESSAGE "urn:ietf:params:scim:api:messages:2.0:"
#define SCIM_ENTERPRISE                                                        \
	"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
#define SCIM_PAGE_MAX 200

/* What users and groups have in common. */
struct scim_kind {
	const char *name, *path; /* "User", "Users" */
	const char *first;       /* the attribute that is looked for most */
	struct manage_object object;
	const struct db_stmt *page, *count;
	/* The resource of a row; a new reference. */
	json_t *(*make)(struct manage *, const json_t *row);
};
extern const struct scim_kind scim_user, scim_group;

/* id, schemas and meta onto a resource (list.c). */
void scim_dress(struct manage *, const struct scim_kind *, json_t *resource,
    const json_t *row);
/* The handlers' common parts. */
int scim_list(struct manage *, const struct scim_kind *, struct err *);
int scim_get(struct manage *, const struct scim_kind *, struct err *);
/* Answer with the resource as it is now. */
int scim_show(struct manage *, const struct scim_kind *, const char *id,
    int status, struct err *);
/* The body, a JSON object, in m->body. */
int scim_body(struct manage *, struct err *);
/* ERR_MALFORMED of kind invalidValue. */
int scim_invalid(struct err *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* "application/scim+json" */
int scim_answer(struct manage *, int status, const json_t *body);
/* The text of a member in any case, up to ${max} bytes; *ret NULL: absent. */
int scim_text(const json_t *body, const char *name, size_t max,
    const char **ret, struct err *);
const json_t *scim_member(const json_t *body, const char *name);

extern const struct db_stmt scim_store_user, scim_store_user_lock,
    scim_store_users, scim_store_users_count, scim_store_user_create,
    scim_store_user_change, scim_store_user_delete, scim_store_group,
    scim_store_group_lock, scim_store_groups, scim_store_groups_count,
    scim_store_group_create, scim_store_group_change, scim_store_group_delete,
    scim_store_members_less, scim_store_members_more, scim_store_roles,
    scim_store_settings, scim_store_settings_put;
extern const struct rows_col scim_store_user_cols[], scim_store_group_cols[],
    scim_store_settings_cols[];

#endif
