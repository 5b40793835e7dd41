/* switchboard key: API keys and widget keys. */
#include <string.h>

#include "auth/perm.h"
#include "cli/cli.h"
#include "cli/issue.h"
#include "cli/out.h"
#include "cli/store.h"
#include "cli/verbs.h"
#include "util/clock.h"
#include "util/str.h"

#include "util/banned.h"

static const struct out_col list_cols[] = { { "id", "ID" }, { "kind", "KIND" },
	{ "name", "NAME" }, { "prefix", "PREFIX" }, { "role", "ROLE" },
	{ "agent", "AGENT" }, { "origins", "ORIGINS" },
	{ "expires_at", "EXPIRES" }, { "revoked_at", "REVOKED" },
	{ NULL, NULL } };

static int
origins_given(struct cli *c, json_t **ret, struct err *e)
{
	json_t *list = json_array();
	const char *origin;
	int i = 0;

	while ((origin = cli_opt_next(c, "origin", &i)) != NULL) {
		if (issue_origin_check(origin, e) != 0) {
			json_decref(list);
			c->misused = true;
			return -1;
		}
		json_array_append_new(list, json_string(origin));
	}
	*ret = list;
	return 0;
}

static int
check_api(struct cli *c, struct issue_key *k, struct err *e)
{
	enum role role;

	if (cli_opt(c, "origin") != NULL || cli_opt(c, "agent") != NULL)
		return cli_misuse(
		    c, e, "--origin and --agent are for widget keys");
	k->role = cli_opt(c, "role");
	if (k->role == NULL)
		k->role = "account_owner";
	/* Whether the account has one of its own, the database knows. */
	if (role_parse(k->role, &role) == 0 ? !role_for_key(role)
					    : !str_is_name(k->role))
		return cli_misuse(c, e,
		    "no role \"%s\" for a key: viewer, support, analyst, "
		    "agent_manager, account_admin, account_owner or one of the "
		    "account's own",
		    k->role);
	return 0;
}

static int
check_widget(struct cli *c, struct err *e)
{
	if (cli_opt(c, "role") != NULL || cli_opt(c, "expires") != NULL)
		return cli_misuse(
		    c, e, "--role and --expires are for API keys");
	if (cli_opt(c, "origin") == NULL)
		return cli_misuse(c, e,
		    "a widget key wants an --origin: the pages it stands on");
	return 0;
}

static int
made(struct cli *c, const struct issue_key *k)
{
	char id[UUID_TEXT];

	id_format(&k->id, id);
	return out_done(c,
	    json_pack("{s:s, s:s, s:s, s:s, s:s}", "id", id, "kind",
		k->kind == KEY_API ? "api" : "widget", "name", k->name,
		"prefix", k->prefix, "key", k->text),
	    "%s\n\nThis is the only time the key is shown. Its id is %s.",
	    k->text, id);
}

int
verb_key_create(struct cli *c, struct err *e)
{
	const char *kind = cli_opt(c, "kind"), *agent = cli_opt(c, "agent"),
		   *expires = cli_opt(c, "expires"), *type, *name;
	struct issue_key k = { .name = cli_opt(c, "name") };
	json_t *origins = NULL;
	struct uuid account, agent_id;
	struct db_pool *db;
	int64_t expires_us;
	int rc;

	if (strcmp(kind, "api") != 0 && strcmp(kind, "widget") != 0)
		return cli_misuse(c, e, "no kind \"%s\": api or widget", kind);
	k.kind = strcmp(kind, "api") == 0 ? KEY_API : KEY_WIDGET;
	if (k.name[0] == '\0' || strlen(k.name) > 200)
		return cli_misuse(c, e, "--name: 1 to 200 characters");
	if ((k.kind == KEY_API ? check_api(c, &k, e) : check_widget(c, e)) != 0)
		return -1;
	if (expires != NULL) {
		if (cli_since(c, expires, &expires_us, e) != 0)
			return -1;
		if (expires_us <= clock_wall_us())
			return cli_misuse(
			    c, e, "--expires: %s is past", expires);
		k.expires_us = &expires_us;
	}
	if (agent != NULL && cli_agent_path(c, agent, &type, &name, e) != 0)
		return -1;
	if (cli_account(c, &db, &account, e) != 0)
		return -1;
	if (agent != NULL) {
		if (store_agent_id(db, &account, type, name, &agent_id, e) != 0)
			return -1;
		k.agent = &agent_id;
	}
	if (origins_given(c, &origins, e) != 0)
		return -1;
	k.origins = origins;
	rc = issue_key(db, &account, &k, cli_who(c), e);
	json_decref(origins);
	return rc == 0 ? made(c, &k) : -1;
}

int
verb_key_list(struct cli *c, struct err *e)
{
	struct db_pool *db;
	struct uuid id;
	json_t *rows;

	if (cli_account(c, &db, &id, e) != 0 ||
	    store_key_list(db, &id, &rows, e) != 0)
		return -1;
	return out_list(c, rows, list_cols);
}

int
verb_key_revoke(struct cli *c, struct err *e)
{
	struct db_pool *db;
	struct uuid id;
	json_t *key;

	if (cli_account(c, &db, &id, e) != 0 ||
	    store_key_revoke(db, &id, c->word[1], cli_who(c), &key, e) != 0)
		return -1;
	return out_done(c, key, "Key %s (%s) is revoked.",
	    json_string_value(json_object_get(key, "prefix")),
	    json_string_value(json_object_get(key, "name")));
}
