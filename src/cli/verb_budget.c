/* switchboard budget: how much an account, an agent or a key may use. */
#include <stdlib.h>
#include <string.h>

#include "cli/budget/store.h"
#include "cli/cli.h"
#include "cli/out.h"
#include "cli/store.h"
#include "cli/verbs.h"
#include "util/str.h"

#include "util/banned.h"

static const struct out_col list_cols[] = { { "name", "NAME" },
	{ "scope", "OF" }, { "subject_id", "AGENT OR KEY" },
	{ "period", "PERIOD" }, { "unit", "UNIT" }, { "limit", "LIMIT" },
	{ "spent", "SPENT" }, { "reserved", "RESERVED" }, { "left", "LEFT" },
	{ "hard", "HARD" }, { "soft_percent", "ALERT AT %" },
	{ "status", "STATUS" }, { "resets_at", "RESETS" }, { NULL, NULL } };

int
verb_budget_list(struct cli *c, struct err *e)
{
	struct db_pool *db;
	struct uuid id;
	json_t *rows;

	if (cli_account(c, &db, &id, e) != 0 ||
	    store_budget_list(db, &id, &rows, e) != 0)
		return -1;
	return out_list(c, rows, list_cols);
}

/* The one of that name or id; NULL without one.  New reference. */
static int
find(struct cli *c, struct db_pool *db, const struct uuid *account,
    json_t **ret, struct err *e)
{
	json_auto_t *rows = NULL;
	json_t *row;
	size_t i;

	*ret = NULL;
	if (store_budget_list(db, account, &rows, e) != 0)
		return -1;
	json_array_foreach(rows, i, row)
	{
		const char *id = json_string_value(json_object_get(row, "id")),
			   *name =
			       json_string_value(json_object_get(row, "name"));

		if (strcmp(id, c->word[1]) != 0 &&
		    strcmp(name, c->word[1]) != 0)
			continue;
		if (*ret != NULL) {
			json_decref(*ret);
			return err_set(e, ERR_CONFLICT,
			    "more than one budget is called %s; give its id",
			    c->word[1]);
		}
		*ret = json_incref(row);
	}
	return 0;
}

static int
one_of(struct cli *c, const char *name, const char *a, const char *b,
    const char **ret, struct err *e)
{
	*ret = cli_opt(c, name);
	if (*ret == NULL || strcmp(*ret, a) == 0 || strcmp(*ret, b) == 0)
		return 0;
	return cli_misuse(c, e, "--%s is %s or %s", name, a, b);
}

/* A plain decimal number above zero; whole for tokens. */
static int
check_limit(struct cli *c, const char *text, const char *unit, struct err *e)
{
	bool usd = strcmp(unit, "usd") == 0;
	double most = usd ? 1e9 : 1e12, n = strtod(text, NULL);

	if (text[strspn(text, usd ? "0123456789." : "0123456789")] != '\0' ||
	    strlen(text) > 24 || n < (usd ? 0.000001 : 1) || n > most)
		return cli_misuse(c, e, "--limit: %s",
		    usd ? "dollars, from 0.000001 to 1000000000"
			: "whole tokens, from 1 to 1000000000000");
	return 0;
}

/* Whose: the account's, --agent TYPE/NAME or --key ID. */
static int
subject(struct cli *c, struct db_pool *db, const struct uuid *account,
    struct store_budget *b, struct uuid *id, char text[UUID_TEXT],
    struct err *e)
{
	const char *agent = cli_opt(c, "agent"), *key = cli_opt(c, "key"),
		   *type, *name;

	b->scope = agent != NULL ? "agent" : key != NULL ? "key" : "account";
	if (agent != NULL && key != NULL)
		return cli_misuse(c, e, "either --agent or --key");
	if (agent != NULL &&
	    (cli_agent_path(c, agent, &type, &name, e) != 0 ||
		store_agent_id(db, account, type, name, id, e) != 0))
		return -1;
	if (key != NULL && id_parse(key, strlen(key), id) != 0)
		return cli_misuse(c, e, "--key is an id, as key list shows it");
	if (agent == NULL && key == NULL)
		return 0;
	id_format(id, text);
	b->subject = text;
	return 0;
}

static int
options(struct cli *c, struct store_budget *b, struct err *e)
{
	int64_t percent;

	b->name = c->word[1];
	b->limit = cli_opt(c, "limit");
	b->soft = cli_opt(c, "soft");
	b->hard = !cli_flag(c, "no-hard");
	b->paused = cli_flag(c, "paused");
	if (b->name[0] == '\0' || strlen(b->name) > 200)
		return cli_misuse(c, e, "NAME: 1 to 200 characters");
	if (b->soft != NULL && str_int(b->soft, 1, 100, &percent) != 0)
		return cli_misuse(c, e, "--soft: a percentage, 1 to 100");
	if (one_of(c, "period", "day", "month", &b->period, e) != 0 ||
	    one_of(c, "unit", "usd", "tokens", &b->unit, e) != 0)
		return -1;
	return 0;
}

static int
change(struct cli *c, struct db_pool *db, const struct uuid *account,
    struct store_budget *b, const json_t *was, struct err *e)
{
	const char *unit = json_string_value(json_object_get(was, "unit"));

	if (b->period != NULL || b->unit != NULL ||
	    cli_opt(c, "agent") != NULL || cli_opt(c, "key") != NULL)
		return cli_misuse(c, e,
		    "there is a budget %s; period, unit and whose it is do not "
		    "change: remove it first",
		    b->name);
	return check_limit(c, b->limit, unit, e) != 0
	           ? -1
	           : store_budget_change(db, account, was, b, cli_who(c), e);
}

int
verb_budget_set(struct cli *c, struct err *e)
{
	struct store_budget b = { 0 };
	struct uuid account, id;
	json_auto_t *was = NULL;
	char text[UUID_TEXT];
	struct db_pool *db;
	int rc;

	if (options(c, &b, e) != 0 || cli_account(c, &db, &account, e) != 0 ||
	    find(c, db, &account, &was, e) != 0)
		return -1;
	if (was != NULL) {
		rc = change(c, db, &account, &b, was, e);
	} else {
		if (b.period == NULL || b.unit == NULL)
			return cli_misuse(
			    c, e, "a new budget wants --period and --unit");
		if (check_limit(c, b.limit, b.unit, e) != 0 ||
		    subject(c, db, &account, &b, &id, text, e) != 0)
			return -1;
		rc = store_budget_make(db, &account, &b, cli_who(c), e);
	}
	return rc != 0 ? -1
	               : out_done(c,
			     json_pack("{s:s, s:s, s:b}", "name", b.name,
				 "limit", b.limit, "made", was == NULL),
			     "Budget %s is set.", b.name);
}

int
verb_budget_remove(struct cli *c, struct err *e)
{
	json_auto_t *was = NULL;
	struct db_pool *db;
	struct uuid account;

	if (cli_account(c, &db, &account, e) != 0 ||
	    find(c, db, &account, &was, e) != 0)
		return -1;
	if (was == NULL)
		return err_set(e, ERR_NOT_FOUND, "no budget %s", c->word[1]);
	if (store_budget_remove(db, &account, was, cli_who(c), e) != 0)
		return -1;
	return out_done(
	    c, json_incref(was), "Budget %s is removed.", c->word[1]);
}
