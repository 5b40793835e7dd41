/* switchboard audit: who changed what. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/audit.h"
#include "audit/export.h"
#include "audit/hex.h"
#include "cli/cli.h"
#include "cli/out.h"
#include "cli/verbs.h"
#include "conf/conf.h"
#include "db/db.h"
#include "secret/secret.h"
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
	struct db_pool *db = NULL;
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

static int
export_to(struct cli *c, struct db_pool *db, const struct uuid *account,
    const struct audit_range *range, FILE *f, int64_t *n, struct err *e)
{
	const struct conf *conf;
	struct vault *v;
	int rc;

	if (cli_conf(c, &conf, e) != 0)
		return -1;
	v = vault_new(db, conf->master_key_file);
	rc = audit_export(
	    db, v, account, c->nwords > 0 ? c->word[0] : "-", range, f, n, e);
	vault_free(v);
	return rc;
}

int
verb_audit_export(struct cli *c, struct err *e)
{
	const char *from = cli_opt(c, "from"), *to = cli_opt(c, "to"),
		   *path = cli_opt(c, "output");
	struct audit_range range = { 0 };
	struct uuid account;
	struct db_pool *db = NULL;
	FILE *f = stdout;
	int64_t n = 0;
	int rc;

	if ((from != NULL && cli_since(c, from, &range.since_us, e) != 0) ||
	    (to != NULL && cli_since(c, to, &range.until_us, e) != 0) ||
	    chain_named(c, &db, &account, e) != 0)
		return -1;
	if (path != NULL && (f = fopen(path, "wxe")) == NULL)
		return err_set(e, ERR_INVALID, "%s: %m", path);
	rc = export_to(c, db, &account, &range, f, &n, e);
	if (path == NULL)
		return rc;
	if (fclose(f) != 0 && rc == 0)
		rc = err_set(e, ERR_INVALID, "%s: %m", path);
	if (rc != 0) {
		(void)remove(path);
		return -1;
	}
	return out_done(c,
	    json_pack("{s:s, s:I}", "file", path, "entries", (json_int_t)n),
	    "%lld entries are in %s.", (long long)n, path);
}

/* --key: the public key to trust, in hexadecimal; NULL: none given. */
static int
key_given(struct cli *c, unsigned char key[SIGN_PUBLIC],
    const unsigned char **ret, struct err *e)
{
	const char *text = cli_opt(c, "key");

	*ret = text != NULL ? key : NULL;
	if (text == NULL || (strlen(text) == (size_t)2 * SIGN_PUBLIC &&
				hex_bytes(text, key, SIGN_PUBLIC) == 0))
		return 0;
	return cli_misuse(
	    c, e, "--key: %d hexadecimal digits", 2 * SIGN_PUBLIC);
}

static int
verify_file(
    struct cli *c, const char *path, struct audit_verdict *v, struct err *e)
{
	unsigned char key[SIGN_PUBLIC];
	const unsigned char *trusted;
	FILE *f;
	int rc;

	if (key_given(c, key, &trusted, e) != 0)
		return -1;
	if (strcmp(path, "-") == 0)
		return audit_verify_file(stdin, trusted, v, e);
	f = fopen(path, "re");
	if (f == NULL)
		return err_set(e, ERR_NOT_FOUND, "%s: %m", path);
	rc = audit_verify_file(f, trusted, v, e);
	fclose(f);
	return rc;
}

/* What was found; exit status 1 when it does not hold. */
static int
verdict_shown(struct cli *c, const struct audit_verdict *v, bool file)
{
	char key[2 * SIGN_PUBLIC + 1] = "";
	json_t *o;

	if (file && v->good)
		str_hex(v->key.public_key, SIGN_PUBLIC, key);
	o = json_pack("{s:b, s:I, s:I, s:I, s:I, s:s*}", "good", (int)v->good,
	    "entries", (json_int_t)v->entries, "first", (json_int_t)v->first,
	    "last", (json_int_t)v->last, "checkpoints",
	    (json_int_t)v->checkpoints, "key", key[0] != '\0' ? key : NULL);
	if (v->good)
		return out_done(c, o,
		    "%lld entries, %lld to %lld, stand as they were written; "
		    "%lld checkpoints.%s%s",
		    (long long)v->entries, (long long)v->first,
		    (long long)v->last, (long long)v->checkpoints,
		    file ? "\nSigned by " : "", key);
	json_object_set_new(o, "bad", json_integer((json_int_t)v->fault.seq));
	json_object_set_new(o, "why", json_string(v->fault.text));
	c->silent = true;
	if (v->fault.seq == 0)
		(void)out_done(c, o, "It does not hold: %s.", v->fault.text);
	else
		(void)out_done(c, o, "It does not hold: entry %lld %s.",
		    (long long)v->fault.seq, v->fault.text);
	return -1;
}

int
verb_audit_verify(struct cli *c, struct err *e)
{
	bool file = c->nwords > 0 && !str_is_slug(c->word[0]);
	struct audit_verdict v;
	struct uuid account;
	struct db_pool *db = NULL;

	if (file && cli_flag(c, "platform"))
		return cli_misuse(c, e, "wants a FILE, a SLUG, or --platform");
	if (file) {
		if (verify_file(c, c->word[0], &v, e) != 0)
			return -1;
	} else if (chain_named(c, &db, &account, e) != 0 ||
		   audit_verify_stored(db, &account, &v, e) != 0) {
		return -1;
	}
	return verdict_shown(c, &v, file);
}
