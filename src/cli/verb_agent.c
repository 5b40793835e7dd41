/* switchboard agent: an account's agent instances and their configurations. */
#include <string.h>

#include "agent/admin.h"
#include "agent/template.h"
#include "cli/cli.h"
#include "cli/out.h"
#include "cli/store.h"
#include "cli/verbs.h"
#include "util/mem.h"

#include "util/banned.h"

static const struct out_col list_cols[] = { { "agent_type", "TYPE" },
	{ "instance_name", "NAME" }, { "display_name", "DISPLAY NAME" },
	{ "status", "STATUS" }, { "config_version", "VERSION" },
	{ "last_used_at", "LAST USED" }, { NULL, NULL } };
static const struct out_col show_cols[] = { { "agent_type", "type" },
	{ "instance_name", "name" }, { "id", "id" },
	{ "display_name", "display name" }, { "status", "status" },
	{ "config_version", "configuration version" },
	{ "created_at", "created" }, { "updated_at", "changed" },
	{ "last_used_at", "last used" }, { "configuration", "configuration" },
	{ NULL, NULL } };

/* The account and agent that the first two words name. */
struct target {
	struct db_pool *db;
	struct uuid account;
	const char *type, *name;
};

static int
target(struct cli *c, struct target *t, struct err *e)
{
	if (cli_agent_path(c, c->word[1], &t->type, &t->name, e) != 0)
		return -1;
	return cli_account(c, &t->db, &t->account, e);
}

static int
show(struct cli *c, const struct target *t, struct err *e)
{
	json_t *o;

	if (store_agent_show(t->db, &t->account, t->type, t->name, &o, e) != 0)
		return -1;
	return out_object(c, o, show_cols);
}

int
verb_agent_create(struct cli *c, struct err *e)
{
	const char *file = cli_opt(c, "configuration"),
		   *display = cli_opt(c, "display-name");
	struct spec_error errors[SPEC_ERRORS];
	struct templates *templates = NULL;
	json_t *configuration = NULL;
	struct agent_new n = { .author = "switchboard agent create",
		.who = cli_who(c) };
	struct target t;
	struct uuid id;
	int nerrors = 0, rc = -1;

	if (target(c, &t, e) != 0)
		return -1;
	if (file != NULL)
		rc = cli_read_json(c, file, &configuration, e);
	else
		configuration = json_object();
	if ((file != NULL && rc != 0) || cli_templates(c, &templates, e) != 0) {
		json_decref(configuration);
		return -1;
	}
	n.type = t.type;
	n.name = t.name;
	n.display_name = display != NULL ? display : t.name;
	n.configuration = configuration;
	rc = agent_create(
	    t.db, templates, &t.account, &n, &id, errors, &nerrors, e);
	if (rc != 0)
		cli_errors(c, errors, nerrors);
	json_decref(configuration);
	templates_free(templates);
	return rc == 0 ? show(c, &t, e) : -1;
}

int
verb_agent_list(struct cli *c, struct err *e)
{
	struct db_pool *db;
	struct uuid id;
	json_t *rows;

	if (cli_account(c, &db, &id, e) != 0 ||
	    store_agent_list(db, &id, cli_flag(c, "all"), &rows, e) != 0)
		return -1;
	return out_list(c, rows, list_cols);
}

int
verb_agent_show(struct cli *c, struct err *e)
{
	struct target t;

	if (target(c, &t, e) != 0)
		return -1;
	return show(c, &t, e);
}

int
verb_agent_configure(struct cli *c, struct err *e)
{
	struct spec_error errors[SPEC_ERRORS];
	struct templates *templates;
	json_t *configuration;
	struct target t;
	struct uuid id;
	int64_t version;
	int nerrors = 0, rc;

	if (target(c, &t, e) != 0 ||
	    store_agent_id(t.db, &t.account, t.type, t.name, &id, e) != 0 ||
	    cli_read_json(c, c->word[2], &configuration, e) != 0)
		return -1;
	if (cli_templates(c, &templates, e) != 0) {
		json_decref(configuration);
		return -1;
	}
	rc = agent_configure(t.db, templates, &t.account, &id, configuration,
	    "switchboard agent configure", cli_who(c), &version, errors,
	    &nerrors, e);
	if (rc != 0)
		cli_errors(c, errors, nerrors);
	json_decref(configuration);
	templates_free(templates);
	return rc == 0 ? show(c, &t, e) : -1;
}

static int
set_status(struct cli *c, const char *status, struct err *e)
{
	struct target t;
	struct uuid id;

	if (target(c, &t, e) != 0 ||
	    store_agent_id(t.db, &t.account, t.type, t.name, &id, e) != 0 ||
	    agent_set_status(t.db, &t.account, &id, status, cli_who(c), e) != 0)
		return -1;
	return show(c, &t, e);
}

int
verb_agent_activate(struct cli *c, struct err *e)
{
	return set_status(c, "active", e);
}

int
verb_agent_deactivate(struct cli *c, struct err *e)
{
	return set_status(c, "inactive", e);
}

int
verb_agent_archive(struct cli *c, struct err *e)
{
	return set_status(c, "archived", e);
}
