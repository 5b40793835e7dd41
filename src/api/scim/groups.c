/*
 * Groups, and the roles that an account gives them: whoever sets which group
 * has which role gives no more than he has himself.
 */
#include <string.h>

#include "account/account.h"
#include "api/manage/roles.h"
#include "api/scim/scim.h"
#include "scim/patch.h"
#include "util/mem.h"

#include "util/banned.h"

#define TEXT_MAX 254

static json_t *
make(struct manage *m, const json_t *row)
{
	json_t *r = json_pack("{s:O, s:O}", "displayName",
	    json_object_get(row, "displayName"), "members",
	    json_object_get(row, "members"));
	json_t *external = json_object_get(row, "externalId");

	if (json_is_string(external))
		json_object_set(r, "externalId", external);
	scim_dress(m, &scim_group, r, row);
	return r;
}

const struct scim_kind scim_group = { "Group", "Groups", "displayName",
	{ "scim_group", &scim_store_group, &scim_store_group_lock,
	    scim_store_group_cols, NULL },
	&scim_store_groups, &scim_store_groups_count, make };

struct said {
	const char *name, *external, *members; /* ids as JSON; below m->ctx */
};

static int
read_members(
    struct manage *m, const json_t *body, struct said *s, struct err *e)
{
	const json_t *list = scim_member(body, "members"), *v;
	json_auto_t *ids = json_array();
	const char *text;
	char id[UUID_TEXT];
	struct uuid uuid;
	size_t i;

	if (list != NULL && !json_is_array(list) && !json_is_null(list))
		return scim_invalid(e, "members must be a list");
	json_array_foreach(list, i, v)
	{
		if (!json_is_object(v) ||
		    scim_text(v, "value", TEXT_MAX, &text, e) != 0 ||
		    text == NULL || id_parse(text, strlen(text), &uuid) != 0)
			return scim_invalid(
			    e, "members[%zu] has no user's id as value", i);
		id_format(&uuid, id);
		json_array_append_new(ids, json_string(id));
	}
	s->members = manage_json(m->ctx, ids);
	return s->members != NULL
	           ? 0
	           : err_set(e, ERR_TOO_LARGE, "too many members");
}

static int
read_group(struct manage *m, const json_t *body, struct said *s, struct err *e)
{
	if (scim_text(body, "displayName", TEXT_MAX, &s->name, e) != 0 ||
	    scim_text(body, "externalId", TEXT_MAX, &s->external, e) != 0)
		return -1;
	if (s->name == NULL)
		return scim_invalid(e, "displayName is needed");
	s->name = mem_strdup(m->ctx, s->name);
	if (s->external != NULL)
		s->external = mem_strdup(m->ctx, s->external);
	return read_members(m, body, s, e);
}

static int
refused(struct err *e)
{
	if (e->code == ERR_CONFLICT &&
	    strstr(e->text, "scim_groups_name_key") != NULL)
		return err_set_kind(e, ERR_CONFLICT, "uniqueness", 0,
		    "there is a group of this displayName already");
	if (e->code == ERR_CONFLICT &&
	    strstr(e->text, "scim_members_user_fk") != NULL)
		return scim_invalid(e, "one of members is no user's id");
	return -1;
}

/* The statements behind that of the group itself. */
static void
member_calls(const struct manage *m, const char *id, const struct said *s,
    struct db_call *calls, int *n)
{
	calls[(*n)++] = (struct db_call){ .stmt = &scim_store_members_less,
		.param = { m->account, id, s->members },
		.nparams = 3 };
	calls[(*n)++] = (struct db_call){ .stmt = &scim_store_members_more,
		.param = { m->account, id, s->members },
		.nparams = 3 };
	calls[(*n)++] = (struct db_call){
		.stmt = &scim_store_roles, .param = { m->account }, .nparams = 1
	};
}

static json_t *
record_of(const struct said *s)
{
	return json_pack("{s:s, s:s?, s:o}", "displayName", s->name,
	    "externalId", s->external, "members",
	    json_loads(s->members, 0, NULL));
}

static int
group_create(struct manage *m, struct err *e)
{
	struct db_call calls[4];
	json_auto_t *after = NULL;
	char id[UUID_TEXT];
	struct uuid made;
	struct said s;
	int n = 1;

	if (scim_body(m, e) != 0 || read_group(m, m->body, &s, e) != 0)
		return -1;
	id_new(&made);
	id_format(&made, id);
	calls[0] = (struct db_call){ .stmt = &scim_store_group_create,
		.param = { m->account, id, s.name, s.external },
		.nparams = 4 };
	member_calls(m, id, &s, calls, &n);
	after = record_of(&s);
	struct manage_change c = { .action = "scim.group_create",
		.object = "scim_group",
		.id = id,
		.after = after,
		.calls = calls,
		.ncalls = n };

	if (manage_commit(m, &c, e) < 0)
		return refused(e);
	return scim_show(m, &scim_group, id, 201, e);
}
MANAGE_HANDLER(api_scim_group_create, group_create)

static int
apply(struct manage *m, void *arg, const struct manage_found *found,
    struct manage_change *c, struct err *e)
{
	const bool *patch = arg;
	json_auto_t *now = NULL;
	struct said s;

	if (*patch) {
		now = make(m, found->json);
		if (scim_patch(now, m->body, e) != 0)
			return -1;
	}
	if (read_group(m, *patch ? now : m->body, &s, e) != 0)
		return -1;
	c->after = record_of(&s);
	c->calls[c->ncalls++] =
	    (struct db_call){ .stmt = &scim_store_group_change,
		    .param = { m->account, c->id, s.name, s.external },
		    .nparams = 4 };
	member_calls(m, c->id, &s, c->calls, &c->ncalls);
	return 0;
}

static int
change(struct manage *m, bool patch, struct err *e)
{
	char id[UUID_TEXT];

	if (manage_id(m, "scim_id", id, e) != 0 || scim_body(m, e) != 0)
		return -1;
	if (manage_update(m, &scim_group.object, id, "scim.group_update", apply,
		&patch, e) < 0)
		return refused(e);
	return scim_show(m, &scim_group, id, 200, e);
}

static int
group_put(struct manage *m, struct err *e)
{
	return change(m, false, e);
}
MANAGE_HANDLER(api_scim_group_put, group_put)

static int
group_patch(struct manage *m, struct err *e)
{
	return change(m, true, e);
}
MANAGE_HANDLER(api_scim_group_patch, group_patch)

static int
delete_apply(struct manage *m, void *arg, const struct manage_found *found,
    struct manage_change *c, struct err *e)
{
	(void)arg;
	(void)found;
	(void)e;
	c->calls[c->ncalls++] =
	    (struct db_call){ .stmt = &scim_store_group_delete,
		    .param = { m->account, c->id },
		    .nparams = 2 };
	c->calls[c->ncalls++] = (struct db_call){
		.stmt = &scim_store_roles, .param = { m->account }, .nparams = 1
	};
	return 0;
}

static int
group_delete(struct manage *m, struct err *e)
{
	char id[UUID_TEXT];

	if (manage_id(m, "scim_id", id, e) != 0 ||
	    manage_update(m, &scim_group.object, id, "scim.group_delete",
		delete_apply, NULL, e) < 0)
		return -1;
	return manage_gone(m);
}
MANAGE_HANDLER(api_scim_group_delete, group_delete)

static int
group_list(struct manage *m, struct err *e)
{
	return scim_list(m, &scim_group, e);
}
MANAGE_HANDLER(api_scim_group_list, group_list)

static int
group_get(struct manage *m, struct err *e)
{
	return scim_get(m, &scim_group, e);
}
MANAGE_HANDLER(api_scim_group_get, group_get)

/* --- which group has which role, at /api/v1 ------------------------------ */

static int
settings_read(struct manage *m, json_t **ret, struct err *e)
{
	struct db_call call = { .stmt = &scim_store_settings,
		.param = { m->account },
		.nparams = 1 };

	if (manage_read(m, &call, e) != 0)
		return -1;
	*ret = rows_object(call.result, 0, scim_store_settings_cols);
	return 0;
}

static int
settings_show(struct manage *m, struct err *e)
{
	json_auto_t *shown = NULL;

	if (settings_read(m, &shown, e) != 0)
		return -1;
	return manage_answer(m, 200, shown, NULL);
}
MANAGE_HANDLER(api_scim_settings_get, settings_show)

/* May the caller give, and take, all roles of these settings? */
static int
settings_within(struct manage *m, const json_t *settings, struct err *e)
{
	const char *role =
	    json_string_value(json_object_get(settings, "default_role"));
	const json_t *v;
	size_t i;

	if (role != NULL && manage_within(m, role, e) != 0)
		return -1;
	json_array_foreach(json_object_get(settings, "group_roles"), i, v)
	{
		role = json_string_value(json_object_get(v, "role"));
		if (manage_within(m, role, e) != 0)
			return -1;
	}
	return 0;
}

static int
settings_put(struct manage *m, struct err *e)
{
	const json_t *list;
	const char *role;
	json_auto_t *was = NULL;

	if (manage_body(m, "scim_settings", e) != 0 ||
	    settings_within(m, m->body, e) != 0 ||
	    settings_read(m, &was, e) != 0 || settings_within(m, was, e) != 0)
		return -1;
	role = manage_text(m, "default_role");
	if (role == NULL)
		role = "viewer";
	list = json_object_get(m->body, "group_roles");
	struct db_call calls[2] = {
		{ .stmt = &scim_store_settings_put,
		    .param = { m->account, role,
			list != NULL ? manage_json(m->ctx, list) : "[]" },
		    .nparams = 3 },
		{ .stmt = &scim_store_roles,
		    .param = { m->account },
		    .nparams = 1 }
	};
	struct manage_change c = { .action = "scim.settings",
		.object = "account",
		.id = m->account,
		.before = was,
		.after = m->body,
		.calls = calls,
		.ncalls = 2 };

	if (manage_commit(m, &c, e) < 0)
		return -1;
	return settings_show(m, e);
}
MANAGE_HANDLER(api_scim_settings_put, settings_put)
