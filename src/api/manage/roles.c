/*
 * Roles: the built-in ones, and those an account makes for itself as sets of
 * permissions.  Nobody makes, changes, gives or takes one that may what he may
 * not.
 */
#include "api/manage/roles.h"

#include <string.h>

#include "api/manage/manage.h"
#include "api/manage/store.h"
#include "auth/key.h"
#include "http/request.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

static const struct manage_object role_object = { "role", &manage_store_role,
	&manage_store_role_lock, manage_store_role_cols, NULL };

/* The permissions that may stand in a role, as a list of names. */
static json_t *
names_of(perm_set set)
{
	json_t *list = json_array();

	for (int p = PERM_UNSET + 1; p < PERM_COUNT; p++)
		if (perm_in(set & perm_grantable(), (enum perm)p))
			json_array_append_new(
			    list, json_string(perm_name((enum perm)p)));
	return list;
}

/* Those that are in every account, as the statement of the list takes them. */
static const char *
built_in(const struct manage *m)
{
	json_auto_t *list = json_array();

	for (int r = ROLE_VIEWER; r <= ROLE_ACCOUNT_OWNER; r++)
		json_array_append_new(
		    list, json_pack("{s:s, s:s, s:o}", "name",
			      role_name((enum role)r), "description",
			      role_text((enum role)r), "permissions",
			      names_of(perm_of_role((enum role)r))));
	return manage_json(m->ctx, list);
}

static int
role_list(struct manage *m, struct err *e)
{
	struct db_call call = { .stmt = &manage_store_roles,
		.param = { m->account, built_in(m), NULL },
		.nparams = 3 };

	return manage_page(m, &call, manage_store_role_cols, NULL, e);
}
MANAGE_HANDLER(api_role_list, role_list)

static bool
is_built_in(const char *name)
{
	enum role role;

	return role_parse(name, &role) == 0;
}

static int
show_built_in(struct manage *m, const char *name, struct err *e)
{
	json_auto_t *shown = NULL;
	struct db_call call = { .stmt = &manage_store_roles,
		.param = { m->account, built_in(m), name, NULL, "1" },
		.nparams = 5 };

	if (manage_read(m, &call, e) != 0)
		return -1;
	if (db_rows(call.result) == 0)
		return err_set(e, ERR_NOT_FOUND, "nothing has this id");
	shown = rows_object(call.result, 0, manage_store_role_cols);
	return manage_answer(m, 200, shown, NULL);
}

static const char *
name_in_path(const struct manage *m)
{
	return http_var(m->req, "role_name");
}

static int
role_get(struct manage *m, struct err *e)
{
	const char *name = name_in_path(m);

	return is_built_in(name) ? show_built_in(m, name, e)
	                         : manage_show(m, &role_object, name, 200, e);
}
MANAGE_HANDLER(api_role_get, role_get)

/* ERR_DENIED when ${set} holds what the caller may not. */
static int
within(const struct manage *m, perm_set set, struct err *e)
{
	for (int p = PERM_UNSET + 1; p < PERM_COUNT; p++)
		if (perm_in(set, (enum perm)p) &&
		    !perm_in(m->who->key->perms, (enum perm)p))
			return err_set(e, ERR_DENIED,
			    "the caller's role, %s, has no %s itself",
			    m->who->key->role_name, perm_name((enum perm)p));
	return 0;
}

int
manage_within(struct manage *m, const char *role, struct err *e)
{
	struct db_call call = { .stmt = &manage_store_role_perms,
		.param = { m->account, role },
		.nparams = 2 };
	enum role known;

	if (role_parse(role, &known) == 0)
		return role_for_key(known) ? within(m, perm_of_role(known), e)
		                           : manage_invalid(m, e, "/role",
						 "is no role of an account");
	if (manage_read(m, &call, e) != 0)
		return -1;
	if (db_rows(call.result) == 0)
		return manage_invalid(
		    m, e, "/role", "is no role of the account");
	return within(m, perm_set_parse(db_text(call.result, 0, 0)), e);
}

/* The permissions of the body, each of which can stand in a role and is the
 * caller's own: as text for the statement. */
static int
wanted(struct manage *m, const char **text, struct err *e)
{
	const json_t *list = json_object_get(m->body, "permissions");
	perm_set set = 0;
	enum perm perm;
	json_t *v;
	size_t i;

	*text = NULL;
	if (list == NULL)
		return 0;
	json_array_foreach(list, i, v)
	{
		if (perm_parse(json_string_value(v), &perm) != 0 ||
		    !perm_in(perm_grantable(), perm))
			return manage_invalid(m, e,
			    mem_printf(m->ctx, "/permissions/%zu", i),
			    "is no permission that a role may have");
		set |= perm_bit(perm);
	}
	if (within(m, set, e) != 0)
		return -1;
	json_auto_t *names = names_of(set);

	*text = manage_json(m->ctx, names);
	return 0;
}

static int
role_create(struct manage *m, struct err *e)
{
	json_auto_t *shown = NULL;
	const char *name, *description, *perms;
	char now[CLOCK_RFC3339_SIZE];
	int rc;

	if (manage_body(m, "role_create", e) != 0)
		return -1;
	name = manage_text(m, "name");
	description = manage_text(m, "description");
	if (strcmp(name, "none") == 0 || is_built_in(name))
		return manage_invalid(m, e, "/name", "is a built-in role's");
	if (wanted(m, &perms, e) != 0)
		return -1;
	rc = manage_replay(m, NULL, e);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	clock_rfc3339(clock_wall_us(), now);
	shown = json_pack("{s:s, s:b, s:s, s:o, s:i, s:i, s:s, s:s}", "name",
	    name, "built_in", 0, "description",
	    description != NULL ? description : "", "permissions",
	    json_loads(perms, 0, NULL), "members", 0, "api_keys", 0,
	    "created_at", now, "updated_at", now);
	struct db_call call = { .stmt = &manage_store_role_create,
		.param = { m->account, name, description, perms, now },
		.nparams = 5 };
	struct manage_change c = { .action = "role.create",
		.object = "role",
		.id = name,
		.after = shown,
		.calls = &call,
		.ncalls = 1,
		.status = 201,
		.answer = shown };

	rc = manage_commit(m, &c, e);
	if (rc < 0 && e->code == ERR_CONFLICT &&
	    strstr(e->text, "roles_pkey") != NULL)
		return err_set_kind(e, ERR_CONFLICT, NULL, 0,
		    "there is a role %.63s already", name);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	return manage_answer(m, 201, shown, NULL);
}
MANAGE_HANDLER(api_role_create, role_create)

/* The permissions that it has now are the caller's own, too. */
static int
may_touch(struct manage *m, const struct manage_found *found, struct err *e)
{
	const json_t *list = json_object_get(found->json, "permissions");
	perm_set set = 0;
	enum perm perm;
	json_t *v;
	size_t i;

	json_array_foreach(list, i, v)
	{
		if (perm_parse(json_string_value(v), &perm) == 0)
			set |= perm_bit(perm);
	}
	return within(m, set, e);
}

static int
change_apply(struct manage *m, void *arg, const struct manage_found *found,
    struct manage_change *c, struct err *e)
{
	const char *perms = arg;

	if (may_touch(m, found, e) != 0)
		return -1;
	c->after = json_copy(found->json);
	json_object_update(c->after, m->body);
	c->calls[c->ncalls++] =
	    (struct db_call){ .stmt = &manage_store_role_change,
		    .param = { m->account, c->id, manage_text(m, "description"),
			perms },
		    .nparams = 4 };
	return 0;
}

static int
not_built_in(const char *name, struct err *e)
{
	if (!is_built_in(name))
		return 0;
	return err_set(
	    e, ERR_CONFLICT, "a built-in role stays as it is: make another");
}

static int
role_change(struct manage *m, struct err *e)
{
	const char *name = name_in_path(m), *perms;

	if (manage_body(m, "role_change", e) != 0 ||
	    not_built_in(name, e) != 0 || wanted(m, &perms, e) != 0 ||
	    manage_update(m, &role_object, name, "role.update", change_apply,
		(void *)(uintptr_t)perms, e) < 0)
		return -1;
	return manage_show(m, &role_object, name, 200, e);
}
MANAGE_HANDLER(api_role_change, role_change)

static int
delete_apply(struct manage *m, void *arg, const struct manage_found *found,
    struct manage_change *c, struct err *e)
{
	(void)arg;
	if (may_touch(m, found, e) != 0)
		return -1;
	c->calls[c->ncalls++] =
	    (struct db_call){ .stmt = &manage_store_role_delete,
		    .param = { m->account, c->id },
		    .nparams = 2 };
	return 0;
}

static int
role_delete(struct manage *m, struct err *e)
{
	const char *name = name_in_path(m);

	if (not_built_in(name, e) != 0 ||
	    manage_update(m, &role_object, name, "role.delete", delete_apply,
		NULL, e) < 0)
		return -1;
	return manage_gone(m);
}
MANAGE_HANDLER(api_role_delete, role_delete)
