/*
 * Configurations of agents: what is stored, what the template makes of it,
 * every version that was saved, and back to one of them.
 */
#include "api/manage/configs.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "account/account.h"
#include "agent/admin.h"
#include "agent/template.h"
#include "api/manage/diff.h"
#include "api/manage/manage.h"
#include "api/manage/store.h"
#include "api/reply.h"
#include "api/validate.h"
#include "http/request.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

static const struct manage_object config_object = { "agent_config",
	&manage_store_config, &manage_store_config_lock,
	manage_store_config_cols, NULL };

int
config_refused(struct manage *m, const struct config_errors *errors,
    const char *otherwise, struct err *e)
{
	if (e->code != ERR_INVALID)
		return -1;
	if (m->errors == NULL)
		m->errors = json_array();
	for (int i = 0; i < errors->n; i++)
		validate_add(m->errors,
		    mem_printf(
			m->ctx, "/configuration%s", errors->list[i].pointer),
		    NULL, "%s", errors->list[i].detail);
	if (errors->n == 0)
		validate_add(m->errors, otherwise, NULL, "%s", e->text);
	return -1;
}

/* Add what the template as it is now makes of the configuration; null, with
 * the reasons, where it fits no longer. */
static void
add_merged(const struct manage *m, json_t *config)
{
	const char *type =
	    json_string_value(json_object_get(config, "agent_type"));
	const struct agent_template *t =
	    templates_find(m->app->templates, type);
	json_t *unavailable = json_array(), *problems = json_array();
	struct config_errors errors = { .n = 0 };
	struct agent_spec *s = NULL;

	if (t == NULL)
		validate_add(problems, "", NULL,
		    "there is no template of type %s any more", type);
	else if (spec_build_shown(t, json_object_get(config, "configuration"),
		     &s, errors.list, &errors.n) != 0)
		s = NULL;
	for (int i = 0; i < errors.n; i++)
		validate_add(problems, errors.list[i].pointer, NULL, "%s",
		    errors.list[i].detail);
	for (int i = 0; s != NULL && i < s->ntools; i++)
		if (!s->tools[i].available)
			json_array_append_new(
			    unavailable, json_string(s->tools[i].name));
	json_object_set_new(config, "template_version",
	    t != NULL ? json_string(t->version) : json_null());
	json_object_set_new(
	    config, "merged", s != NULL ? json_incref(s->merged) : json_null());
	json_object_set_new(config, "unavailable", unavailable);
	json_object_set_new(config, "problems", problems);
	if (s != NULL)
		agent_spec_unref(s);
}

static int
show(struct manage *m, const char *id, int status, struct err *e)
{
	struct manage_found found;

	if (manage_find(m, &config_object, id, &found, e) != 0)
		return -1;
	add_merged(m, found.json);
	manage_answer(m, status, found.json, found.state);
	json_decref(found.json);
	return 0;
}

static int
config_get(struct manage *m, struct err *e)
{
	char id[UUID_TEXT];

	if (manage_id(m, "agent_id", id, e) != 0)
		return -1;
	return show(m, id, 200, e);
}
MANAGE_HANDLER(api_config_get, config_get)

struct saving {
	char id[UUID_TEXT];
	json_t *configuration;
	bool restore; /* a POST: what it answers is kept */
};

static int
config_apply(struct manage *m, void *arg, const struct manage_found *found,
    struct manage_change *c, struct err *e)
{
	struct saving *s = arg;
	const char *type =
	    json_string_value(json_object_get(found->json, "agent_type"));
	json_int_t version =
	    json_integer_value(json_object_get(found->json, "version"));
	struct config_errors errors = { .n = 0 };
	struct agent_change change;
	struct uuid id;

	if (id_parse(s->id, strlen(s->id), &id) != 0 ||
	    agent_configure_calls(m->ctx, m->app->templates,
		&m->who->account->id, &id, type, s->configuration,
		manage_author(m), &change, errors.list, &errors.n, e) != 0)
		return config_refused(m, &errors, "/configuration", e);
	for (int i = 0; i < change.ncalls; i++)
		c->calls[c->ncalls++] = change.calls[i];
	c->after = json_copy(found->json);
	json_object_set(c->after, "configuration", s->configuration);
	json_object_set_new(c->after, "version", json_integer(version + 1));
	if (s->restore) {
		c->answer = json_deep_copy(c->after);
		add_merged(m, c->answer);
		c->status = 201;
	}
	return 0;
}

static int
config_put(struct manage *m, struct err *e)
{
	struct saving s = { .restore = false };

	if (manage_id(m, "agent_id", s.id, e) != 0 ||
	    manage_body(m, "config_put", e) != 0)
		return -1;
	s.configuration = json_object_get(m->body, "configuration");
	if (manage_update(m, &config_object, s.id, "agent.configure",
		config_apply, &s, e) < 0)
		return -1;
	return show(m, s.id, 200, e);
}
MANAGE_HANDLER(api_config_put, config_put)

/* --- versions ------------------------------------------------------------ */

static int
version_list(struct manage *m, struct err *e)
{
	struct manage_found agent;
	char id[UUID_TEXT];

	if (manage_id(m, "agent_id", id, e) != 0 ||
	    manage_find(m, &config_object, id, &agent, e) != 0)
		return -1;
	json_decref(agent.json);
	struct db_call call = { .stmt = &manage_store_versions,
		.param = { m->account, id },
		.nparams = 2 };

	return manage_page(m, &call, manage_store_version_cols, NULL, e);
}
MANAGE_HANDLER(api_version_list, version_list)

/* A version by its number's text; new reference. */
static int
find_version(struct manage *m, const char *id, const char *number, json_t **ret,
    struct err *e)
{
	struct db_call call = { .stmt = &manage_store_version,
		.param = { m->account, id, number },
		.nparams = 3 };
	int64_t n;

	if (number == NULL || str_int(number, 1, INT64_MAX, &n) != 0)
		return err_set(e, ERR_NOT_FOUND, "nothing has this id");
	if (manage_read(m, &call, e) != 0)
		return -1;
	if (db_rows(call.result) == 0)
		return err_set(e, ERR_NOT_FOUND, "nothing has this id");
	*ret = rows_object(call.result, 0, manage_store_version_show_cols);
	return 0;
}

static int
version_get(struct manage *m, struct err *e)
{
	json_auto_t *version = NULL;
	char id[UUID_TEXT];

	if (manage_id(m, "agent_id", id, e) != 0 ||
	    find_version(m, id, http_var(m->req, "version"), &version, e) != 0)
		return -1;
	return manage_answer(m, 200, version, NULL);
}
MANAGE_HANDLER(api_version_get, version_get)

/* ?NAME= as a version's number; without one, ${otherwise}. */
static int
version_asked(struct manage *m, const char *name, int64_t otherwise,
    const char **ret, struct err *e)
{
	const char *text = manage_query(m, name, e);
	int64_t n = otherwise;

	if (e->code != ERR_NONE)
		return -1;
	if (text != NULL && str_int(text, 1, INT64_MAX, &n) != 0)
		return err_set(e, ERR_INVALID, "%s must be a version", name);
	*ret = mem_printf(m->ctx, "%" PRId64, n);
	return 0;
}

static int
config_diff(struct manage *m, struct err *e)
{
	json_auto_t *from = NULL, *to = NULL, *answer = NULL;
	const char *from_text, *to_text;
	struct manage_found now;
	char id[UUID_TEXT];
	int64_t version;

	if (manage_id(m, "agent_id", id, e) != 0 ||
	    manage_find(m, &config_object, id, &now, e) != 0)
		return -1;
	version = json_integer_value(json_object_get(now.json, "version"));
	json_decref(now.json);
	if (version_asked(m, "to_version", version, &to_text, e) != 0 ||
	    find_version(m, id, to_text, &to, e) != 0)
		return -1;
	version = json_integer_value(json_object_get(to, "version"));
	if (version_asked(m, "from_version", version > 1 ? version - 1 : 1,
		&from_text, e) != 0 ||
	    find_version(m, id, from_text, &from, e) != 0)
		return -1;
	answer = json_pack("{s:O, s:O, s:o}", "from",
	    json_object_get(from, "version"), "to",
	    json_object_get(to, "version"), "changes",
	    diff(json_object_get(from, "configuration"),
		json_object_get(to, "configuration")));
	return manage_answer(m, 200, answer, NULL);
}
MANAGE_HANDLER(api_config_diff, config_diff)

static int
config_restore(struct manage *m, struct err *e)
{
	struct saving s = { .restore = true };
	json_auto_t *version = NULL;
	int rc;

	if (manage_id(m, "agent_id", s.id, e) != 0)
		return -1;
	rc = manage_replay(m, NULL, e);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	if (find_version(m, s.id, http_var(m->req, "version"), &version, e) !=
	    0)
		return -1;
	s.configuration = json_object_get(version, "configuration");
	rc = manage_update(
	    m, &config_object, s.id, "agent.restore", config_apply, &s, e);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	return show(m, s.id, 201, e);
}
MANAGE_HANDLER(api_config_restore, config_restore)
