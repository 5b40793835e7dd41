/* switchboard audit: who changed what. */
#include <stdlib.h>
#include <string.h>

#include "audit/audit.h"
#include "cli/cli.h"
#include "cli/out.h"
#include "cli/verbs.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define LIST_MOST 100000
#define PAGE 200
#define PATIENCE (60 * CLOCK_S)
#define SHOWN 60 /* characters of a value in a table */

static const struct out_col list_cols[] = { { "seq", "SEQ" }, { "at", "WHEN" },
	{ "who", "WHO" }, { "address", "FROM" }, { "action", "ACTION" },
	{ "what", "WHAT" }, { "was", "BEFORE" }, { "is", "AFTER" },
	{ NULL, NULL } };

/* Whose chain: the account of the first word, or (nil) the platform. */
static int
chain_named(
    struct cli *c, struct db_pool **db, struct uuid *account, struct err *e)
{
	bool platform = cli_flag(c, "platform");

	if (platform == (c->nwords > 0))
		return cli_misuse(c, e, "wants a SLUG, or --platform");
	*account = (struct uuid){ 0 };
	return platform ? cli_db(c, db, e) : cli_account(c, db, account, e);
}

/* KIND, KIND:ID or :ID. */
static void
pair_given(
    struct cli *c, const char *option, const char **kind, const char **id)
{
	const char *text = cli_opt(c, option), *colon;

	if (text == NULL)
		return;
	colon = strchr(text, ':');
	if (colon == NULL || colon > text)
		*kind = colon == NULL
		            ? text
		            : mem_strndup(c->ctx, text, (size_t)(colon - text));
	if (colon != NULL)
		*id = colon + 1;
}

static int
filter_given(
    struct cli *c, struct audit_filter *f, int64_t *most, struct err *e)
{
	const char *since = cli_opt(c, "since"), *until = cli_opt(c, "until"),
		   *limit = cli_opt(c, "limit");

	f->action = cli_opt(c, "action");
	pair_given(c, "actor", &f->actor_kind, &f->actor_id);
	pair_given(c, "object", &f->object_kind, &f->object_id);
	if ((since != NULL && cli_since(c, since, &f->since_us, e) != 0) ||
	    (until != NULL && cli_since(c, until, &f->until_us, e) != 0))
		return -1;
	*most = 50;
	if (limit != NULL && str_int(limit, 1, LIST_MOST, most) != 0)
		return cli_misuse(
		    c, e, "--limit %s: 1 to %d", limit, LIST_MOST);
	return 0;
}

/* The text of a value for a table; a new reference. */
static json_t *
shown(const json_t *v)
{
	char *text;
	size_t n;
	json_t *s;

	if (v == NULL || json_is_null(v))
		return json_null();
	text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
	n = strlen(text);
	s = n <= SHOWN ? json_string(text)
	               : json_sprintf("%.*s...",
			     (int)str_utf8_prefix(text, SHOWN), text);
	free(text);
	return s;
}

static json_t *
pair_shown(const json_t *pair)
{
	const char *kind = json_string_value(json_object_get(pair, "kind")),
		   *id = json_string_value(json_object_get(pair, "id")),
		   *name = json_string_value(json_object_get(pair, "name"));

	if (kind == NULL && id == NULL)
		return json_null();
	return json_sprintf("%s %s", kind != NULL ? kind : "-",
	    name != NULL ? name
	    : id != NULL ? id
			 : "");
}

/* For people: what does not fit a table is put into words. */
static void
rows_shown(json_t *rows)
{
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		json_object_set_new(
		    row, "who", pair_shown(json_object_get(row, "actor")));
		json_object_set_new(
		    row, "what", pair_shown(json_object_get(row, "object")));
		json_object_set_new(
		    row, "was", shown(json_object_get(row, "before")));
		json_object_set_new(
		    row, "is", shown(json_object_get(row, "after")));
	}
}

int
verb_audit_list(struct cli *c, struct err *e)
{
	const char *after = NULL;
	struct audit_filter f = { 0 };
	json_t *rows, *page;
	struct uuid account;
	struct db_pool *db;
	int64_t left;

	if (filter_given(c, &f, &left, e) != 0 ||
	    chain_named(c, &db, &account, e) != 0)
		return -1;
	rows = json_array();
	do {
		if (audit_list(db, &account, &f, after,
			left < PAGE ? (int)left : PAGE, clock_mono() + PATIENCE,
			&page, e) != 0) {
			json_decref(rows);
			return -1;
		}
		json_array_extend(rows, json_object_get(page, "data"));
		left -= (int64_t)json_array_size(json_object_get(page, "data"));
		after = mem_strdup(
		    c->ctx, json_string_value(json_object_get(page, "next")));
		json_decref(page);
	} while (after != NULL && left > 0);
	if (!c->json)
		rows_shown(rows);
	return out_list(c, rows, list_cols);
}
