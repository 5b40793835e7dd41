/* An account's agent instances. */
#include <string.h>

#include "account/account.h"
#include "agent/admin.h"
#include "api/manage/configs.h"
#include "api/manage/manage.h"
#include "api/manage/store.h"
#include "util/clock.h"

#include "util/banned.h"

static const struct manage_object agent_object = { "agent", &manage_store_agent,
	&manage_store_agent_lock, manage_store_agent_cols, NULL };

static int
agent_list(struct manage *m, struct err *e)
{
	static const char *const states[] = { "active", "inactive", "archived",
		NULL };
	const char *type = manage_query(m, "agent_type", e), *status;

	if (e->code != ERR_NONE)
		return -1;
	status = manage_word(m, "status", states, e);
	if (e->code != ERR_NONE)
		return -1;
	struct db_call call = { .stmt = &manage_store_agents,
		.param = { m->account, type, status },
		.nparams = 3 };

	return manage_page(m, &call, manage_store_agent_cols, NULL, e);
}
MANAGE_HANDLER(api_agent_list, agent_list)

static int
agent_get(struct manage *m, struct err *e)
{
	char id[UUID_TEXT];

	if (manage_id(m, "agent_id", id, e) != 0)
		return -1;
	return manage_show(m, &agent_object, id, 200, e);
}
MANAGE_HANDLER(api_agent_get, agent_get)

static json_t *
new_agent(const struct agent_new *n, const char *id)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:s, s:s, s:n}", "id",
	    id, "agent_type", n->type, "instance_name", n->name, "display_name",
	    n->display_name, "status", "active", "config_version", 1,
	    "created_at", n->created_at, "updated_at", n->created_at,
	    "last_used_at");
}

static int
agent_create_one(struct manage *m, struct err *e)
{
	const json_t *given;
	json_auto_t *none = json_object(), *shown = NULL;
	char id[UUID_TEXT], now[CLOCK_RFC3339_SIZE];
	struct agent_change change;
	struct config_errors errors = { .n = 0 };
	struct uuid made;
	int rc;

	if (manage_body(m, "agent_create", e) != 0)
		return -1;
	rc = manage_replay(m, NULL, e);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	clock_rfc3339(clock_wall_us(), now);
	given = json_object_get(m->body, "configuration");
	struct agent_new n = { .type = manage_text(m, "agent_type"),
		.name = manage_text(m, "instance_name"),
		.display_name = manage_text(m, "display_name"),
		.configuration = given != NULL ? given : none,
		.author = manage_author(m),
		.created_at = now };

	if (n.display_name == NULL)
		n.display_name = n.name;
	id_new(&made);
	id_format(&made, id);
	if (agent_create_calls(m->ctx, m->app->templates, &m->who->account->id,
		&made, &n, &change, errors.list, &errors.n, e) != 0)
		return config_refused(m, &errors, "/agent_type", e);
	shown = new_agent(&n, id);

	struct manage_change c = { .action = "agent.create",
		.object = "agent",
		.id = id,
		.after = shown,
		.calls = change.calls,
		.ncalls = change.ncalls,
		.status = 201,
		.answer = shown };

	rc = manage_commit(m, &c, e);
	if (rc < 0)
		return agent_refused(&n, e);
	return rc > 0 ? 0 : manage_show(m, &agent_object, id, 201, e);
}
MANAGE_HANDLER(api_agent_create, agent_create_one)

/* What a change of an agent wants: NULL leaves it. */
struct wanted {
	const char *id, *display_name, *status;
};

static int
agent_apply(struct manage *m, void *arg, const struct manage_found *found,
    struct manage_change *c, struct err *e)
{
	const struct wanted *w = arg;
	const char *display_name = w->display_name, *status = w->status;
	struct agent_change change;
	struct uuid id;

	if (display_name == NULL)
		display_name = json_string_value(
		    json_object_get(found->json, "display_name"));
	if (status == NULL)
		status =
		    json_string_value(json_object_get(found->json, "status"));
	c->after = json_deep_copy(found->json);
	json_object_set_new(
	    c->after, "display_name", json_string(display_name));
	json_object_set_new(c->after, "status", json_string(status));
	if (json_equal(c->after, found->json))
		return 1;
	display_name =
	    json_string_value(json_object_get(c->after, "display_name"));
	status = json_string_value(json_object_get(c->after, "status"));
	if (id_parse(w->id, strlen(w->id), &id) != 0 ||
	    agent_change_calls(m->ctx, &m->who->account->id, &id, display_name,
		status, &change, e) != 0)
		return -1;
	c->calls[c->ncalls++] = change.calls[0];
	return 0;
}

static int
agent_change_one(struct manage *m, struct err *e)
{
	char id[UUID_TEXT];
	struct wanted w = { .id = id };

	if (manage_id(m, "agent_id", id, e) != 0 ||
	    manage_body(m, "agent_change", e) != 0)
		return -1;
	w.display_name = manage_text(m, "display_name");
	w.status = manage_text(m, "status");
	if (manage_update(
		m, &agent_object, id, "agent.update", agent_apply, &w, e) < 0)
		return agent_refused(NULL, e);
	return manage_show(m, &agent_object, id, 200, e);
}
MANAGE_HANDLER(api_agent_change, agent_change_one)

/* Its turns stay readable: an agent is archived, never deleted. */
static int
agent_archive(struct manage *m, struct err *e)
{
	char id[UUID_TEXT];
	struct wanted w = { .id = id, .status = "archived" };

	if (manage_id(m, "agent_id", id, e) != 0 ||
	    manage_update(
		m, &agent_object, id, "agent.archive", agent_apply, &w, e) < 0)
		return -1;
	return manage_gone(m);
}
MANAGE_HANDLER(api_agent_archive, agent_archive)
