/* switchboard account: who uses the installation, and how much they may. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "account/account.h"
#include "account/takeout.h"
#include "auth/perm.h"
#include "cli/cli.h"
#include "cli/out.h"
#include "cli/people/store.h"
#include "cli/store.h"
#include "cli/verbs.h"
#include "conf/conf.h"
#include "util/str.h"

#include "util/banned.h"

static const struct out_col list_cols[] = { { "slug", "SLUG" },
	{ "name", "NAME" }, { "tier", "TIER" }, { "is_active", "ACTIVE" },
	{ "agents", "AGENTS" }, { "max_agents", "MAX_AGENTS" },
	{ "requests_per_hour", "REQUESTS/H" }, { NULL, NULL } };
static const struct out_col show_cols[] = { { "slug", "slug" },
	{ "name", "name" }, { "id", "id" }, { "tier", "tier" },
	{ "is_active", "active" }, { "agents", "agents" },
	{ "max_agents", "max_agents" }, { "own_max_agents", "own max_agents" },
	{ "requests_per_hour", "requests_per_hour" },
	{ "own_requests_per_hour", "own requests_per_hour" },
	{ "credential_strategy", "credential_strategy" },
	{ "config_epoch", "configuration epoch" }, { "created_at", "created" },
	{ "ends_at", "will be removed" }, { NULL, NULL } };

/* For people: no number is "unlimited". */
static void
say_unlimited(const struct cli *c, json_t *account)
{
	static const char *const limits[] = { "max_agents",
		"requests_per_hour" };

	for (size_t i = 0; !c->json && i < 2; i++)
		if (json_is_null(json_object_get(account, limits[i])))
			json_object_set_new(
			    account, limits[i], json_string("unlimited"));
}

/* Show the account as it stands now, after a change. */
static int
show(struct cli *c, struct db_pool *db, struct err *e)
{
	json_t *o;

	if (store_account_show(db, c->word[0], &o, e) != 0)
		return -1;
	say_unlimited(c, o);
	return out_object(c, o, show_cols);
}

/* The database names a broken rule only by its constraint. */
static int
tier_error(const char *tier, struct err *e)
{
	if (e->code != ERR_CONFLICT && e->code != ERR_INVALID)
		return -1;
	return err_set(e, ERR_INVALID,
	    "no tier \"%s\": free, standard, premium, enterprise, or a row "
	    "of your own in the table tiers",
	    tier);
}

int
verb_account_create(struct cli *c, struct err *e)
{
	const char *slug = c->word[0], *name = cli_opt(c, "name"),
		   *tier = cli_opt(c, "tier");
	struct db_pool *db;
	struct uuid id;

	if (!str_is_slug(slug))
		return cli_misuse(c, e,
		    "%s: a slug is 2 to 63 lower-case letters, digits and -, "
		    "not beginning with -",
		    slug);
	if (name != NULL && (name[0] == '\0' || strlen(name) > 200))
		return cli_misuse(c, e, "--name: 1 to 200 characters");
	if (tier == NULL)
		tier = "free";
	if (cli_db(c, &db, e) != 0)
		return -1;
	if (store_account_id(db, slug, &id, e) == 0)
		return err_set(
		    e, ERR_CONFLICT, "there is an account %s already", slug);
	if (e->code != ERR_NOT_FOUND)
		return -1;
	*e = (struct err){ 0 };
	id_new(&id);
	if (store_account_create(db, &id, slug, name != NULL ? name : slug,
		tier, cli_who(c), e) != 0)
		return tier_error(tier, e);
	return show(c, db, e);
}

int
verb_account_list(struct cli *c, struct err *e)
{
	struct db_pool *db;
	json_t *rows, *row;
	size_t i;

	if (cli_db(c, &db, e) != 0 || store_account_list(db, &rows, e) != 0)
		return -1;
	json_array_foreach(rows, i, row) say_unlimited(c, row);
	return out_list(c, rows, list_cols);
}

int
verb_account_show(struct cli *c, struct err *e)
{
	struct db_pool *db;

	if (cli_db(c, &db, e) != 0)
		return -1;
	return show(c, db, e);
}

int
verb_account_set_tier(struct cli *c, struct err *e)
{
	struct db_pool *db;
	struct uuid id;

	if (cli_account(c, &db, &id, e) != 0)
		return -1;
	if (store_account_tier(db, &id, c->word[1], cli_who(c), e) != 0)
		return tier_error(c->word[1], e);
	return show(c, db, e);
}

int
verb_account_set_limit(struct cli *c, struct err *e)
{
	const char *name = c->word[1], *text = c->word[2];
	bool own = strcmp(text, "default") != 0;
	int64_t value = ACCOUNT_UNLIMITED;
	struct db_pool *db;
	struct uuid id;

	if (strcmp(name, "max_agents") != 0 &&
	    strcmp(name, "requests_per_hour") != 0)
		return cli_misuse(c, e,
		    "no limit \"%s\": max_agents or requests_per_hour", name);
	if (own && strcmp(text, "unlimited") != 0 &&
	    str_int(text, 0, INT64_C(1000000000000), &value) != 0)
		return cli_misuse(c, e,
		    "%s: a whole number, \"unlimited\" or \"default\"", text);
	if (cli_account(c, &db, &id, e) != 0 ||
	    store_account_limit(
		db, &id, name, own ? &value : NULL, cli_who(c), e) != 0)
		return -1;
	return show(c, db, e);
}

int
verb_account_set_strategy(struct cli *c, struct err *e)
{
	static const char *const words[] = { "least-loaded", "weighted",
		"round-robin", "priority", "cost-aware" };
	const size_t n = sizeof(words) / sizeof(words[0]);
	struct db_pool *db;
	struct uuid id;
	size_t i = 0;

	while (i < n && strcmp(words[i], c->word[1]) != 0)
		i++;
	if (i == n)
		return cli_misuse(c, e,
		    "no strategy \"%s\": least-loaded, weighted, round-robin, "
		    "priority or cost-aware",
		    c->word[1]);
	if (cli_account(c, &db, &id, e) != 0 ||
	    store_account_strategy(db, &id, words[i], cli_who(c), e) != 0)
		return -1;
	return show(c, db, e);
}

/* The names of ${text}, with commas between, each a role of the account. */
static int
roles_named(struct db_pool *db, const struct uuid *account, const char *text,
    json_t *list, struct err *e)
{
	enum role role;

	for (;;) {
		size_t n = strcspn(text, ",");
		json_t *name = json_stringn(text, n);

		if (name == NULL || n == 0) {
			json_decref(name);
			return err_set(e, ERR_INVALID,
			    "WHOM: none, admins, all, or roles with commas "
			    "between");
		}
		json_array_append_new(list, name);
		if ((role_parse(json_string_value(name), &role) != 0 ||
			!role_for_key(role)) &&
		    store_role_own(db, account, json_string_value(name), e) !=
			0)
			return -1;
		if (text[n] == '\0')
			return 0;
		text += n + 1;
	}
}

int
verb_account_set_second_factor(struct cli *c, struct err *e)
{
	static const char *const words[][2] = { { "none", "[]" },
		{ "admins", "[\"+\"]" }, { "all", "[\"*\"]" } };
	json_auto_t *list = json_array(), *said = NULL;
	const char *whom = c->word[1], *roles = NULL;
	struct db_pool *db;
	struct uuid id;
	char *text = NULL;
	int rc;

	for (size_t i = 0; i < 3; i++)
		if (strcmp(whom, words[i][0]) == 0)
			roles = words[i][1];
	if (cli_account(c, &db, &id, e) != 0 ||
	    (roles == NULL && roles_named(db, &id, whom, list, e) != 0))
		return -1;
	said = roles != NULL ? json_string(whom) : json_incref(list);
	if (roles == NULL)
		roles = text = json_dumps(list, JSON_COMPACT);
	rc = store_account_factor(
	    db, &id, roles, json_incref(said), cli_who(c), e);
	free(text);
	return rc != 0 ? -1
	               : out_done(c,
			     json_pack("{s:s, s:O}", "account", c->word[0],
				 "require_second_factor", said),
			     "A second factor is wanted of: %s", whom);
}

static int
set_active(struct cli *c, bool active, struct err *e)
{
	struct db_pool *db;
	struct uuid id;

	if (cli_account(c, &db, &id, e) != 0 ||
	    store_account_active(db, &id, active, cli_who(c), e) != 0)
		return -1;
	return show(c, db, e);
}

int
verb_account_activate(struct cli *c, struct err *e)
{
	return set_active(c, true, e);
}

int
verb_account_deactivate(struct cli *c, struct err *e)
{
	return set_active(c, false, e);
}

int
verb_account_delete(struct cli *c, struct err *e)
{
	const struct conf *conf;
	struct db_pool *db;
	struct uuid id;

	if (cli_conf(c, &conf, e) != 0 || cli_account(c, &db, &id, e) != 0 ||
	    store_account_end(
		db, &id, conf->account_grace_days, cli_who(c), e) != 0)
		return -1;
	return show(c, db, e);
}

int
verb_account_restore(struct cli *c, struct err *e)
{
	struct db_pool *db;
	struct uuid id;

	if (cli_account(c, &db, &id, e) != 0 ||
	    store_account_restore(db, &id, cli_who(c), e) != 0)
		return -1;
	return show(c, db, e);
}

static int
write_file(void *arg, const char *p, size_t n)
{
	return fwrite(p, 1, n, arg) == n ? 0 : -1;
}

int
verb_account_export(struct cli *c, struct err *e)
{
	const char *path = cli_opt(c, "output");
	struct db_pool *db;
	FILE *f = stdout;
	struct uuid id;
	int64_t rows = 0;
	int rc;

	if (cli_account(c, &db, &id, e) != 0 ||
	    store_account_export(db, &id, cli_who(c), e) != 0)
		return -1;
	if (path != NULL && (f = fopen(path, "wxe")) == NULL)
		return err_set(e, ERR_INVALID, "%s: %m", path);
	rc = account_takeout(db, &id, c->word[0], write_file, f, &rows, e);
	if (path == NULL)
		return rc;
	if (fclose(f) != 0 && rc == 0)
		rc = err_set(e, ERR_INVALID, "%s: %m", path);
	if (rc != 0) {
		(void)remove(path);
		return -1;
	}
	return out_done(c,
	    json_pack("{s:s, s:I}", "file", path, "rows", (json_int_t)rows),
	    "%lld rows are in %s.", (long long)rows, path);
}
