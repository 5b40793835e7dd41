/*
 * Members of an account and their roles.  Nobody gives a role above his own,
 * or touches somebody who has one; that an owner stays is the database's to
 * see, where two may leave at once.
 */
#include <string.h>

#include "account/account.h"
#include "api/manage/keys.h"
#include "api/manage/manage.h"
#include "api/manage/store.h"

#include "util/banned.h"

static const struct manage_object user_object = { "user", &manage_store_user,
	&manage_store_user_lock, manage_store_user_cols, NULL };

static int
user_list(struct manage *m, struct err *e)
{
	static const char *const roles[] = { "viewer", "support", "analyst",
		"agent_manager", "account_admin", "account_owner", NULL };
	const char *role = manage_word(m, "role", roles, e);

	if (e->code != ERR_NONE)
		return -1;
	struct db_call call = { .stmt = &manage_store_users,
		.param = { m->account, role },
		.nparams = 2 };

	return manage_page(m, &call, manage_store_user_cols, NULL, e);
}
MANAGE_HANDLER(api_user_list, user_list)

static int
user_get(struct manage *m, struct err *e)
{
	char id[UUID_TEXT];

	if (manage_id(m, "user_id", id, e) != 0)
		return -1;
	return manage_show(m, &user_object, id, 200, e);
}
MANAGE_HANDLER(api_user_get, user_get)

static const char *
role_of(const struct manage_found *found)
{
	return json_string_value(json_object_get(found->json, "role"));
}

static int
role_apply(struct manage *m, void *arg, const struct manage_found *found,
    struct manage_change *c, struct err *e)
{
	const char *role = manage_text(m, "role");

	if (manage_within(m, role_of(found), e) != 0)
		return -1;
	if (strcmp(role_of(found), role) == 0)
		return 1;
	c->after = json_copy(found->json);
	json_object_set_new(c->after, "role", json_string(role));
	c->calls[c->ncalls++] =
	    (struct db_call){ .stmt = &manage_store_user_role,
		    .param = { m->account, arg, role },
		    .nparams = 3 };
	return 0;
}

static int
user_change(struct manage *m, struct err *e)
{
	char id[UUID_TEXT];

	if (manage_id(m, "user_id", id, e) != 0 ||
	    manage_body(m, "user_change", e) != 0 ||
	    manage_within(m, manage_text(m, "role"), e) != 0 ||
	    manage_update(m, &user_object, id, "user.role", role_apply, id, e) <
		0)
		return -1;
	return manage_show(m, &user_object, id, 200, e);
}
MANAGE_HANDLER(api_user_change, user_change)

static int
leave_apply(struct manage *m, void *arg, const struct manage_found *found,
    struct manage_change *c, struct err *e)
{
	if (manage_within(m, role_of(found), e) != 0)
		return -1;
	c->calls[c->ncalls++] =
	    (struct db_call){ .stmt = &manage_store_user_leave,
		    .param = { m->account, arg },
		    .nparams = 2 };
	return 0;
}

static int
user_remove(struct manage *m, struct err *e)
{
	char id[UUID_TEXT];

	if (manage_id(m, "user_id", id, e) != 0 ||
	    manage_update(
		m, &user_object, id, "user.remove", leave_apply, id, e) < 0)
		return -1;
	return manage_gone(m);
}
MANAGE_HANDLER(api_user_remove, user_remove)
