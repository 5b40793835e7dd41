/* switchboard credential: keys for model providers, of an account or (with
 * --platform) the platform's own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/credential/store.h"
#include "cli/out.h"
#include "cli/own.h"
#include "cli/verbs.h"
#include "conf/conf.h"
#include "crypto/hash.h"
#include "db/db.h"
#include "gateway/seal.h"
#include "gateway/try.h"
#include "net/call.h"
#include "net/egress.h"
#include "secret/secret.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

#define WAIT (10 * CLOCK_S)
#define MOST_LIMIT INT64_C(1000000000000)

static const struct out_col list_cols[] = { { "id", "ID" }, { "name", "NAME" },
	{ "provider", "PROVIDER" }, { "hint", "KEY" }, { "status", "STATUS" },
	{ "state", "STATE" }, { "reason", "REASON" }, { "tier", "TIER" },
	{ "weight", "WEIGHT" }, { "priority", "PRIORITY" },
	{ "base_url", "BASE URL" }, { "last_used_at", "USED" },
	{ NULL, NULL } };

/* Whose: the account of the first word, or with --platform nobody's.  *name:
 * the next word, NULL where the verb takes none. */
static int
whose(struct cli *c, struct db_pool **db, struct uuid *account,
    const char **name, struct err *e)
{
	bool platform = cli_flag(c, "platform");
	int at = platform ? 0 : 1, want = at + (name != NULL);

	if (c->nwords != want)
		return cli_misuse(c, e, "%s",
		    platform ? "with --platform there is no account"
			     : "name an account, or --platform");
	if (name != NULL)
		*name = c->word[at];
	*account = (struct uuid){ 0 };
	return platform ? cli_db(c, db, e) : cli_account(c, db, account, e);
}

static int
find(struct cli *c, struct db_pool **db, struct uuid *account, json_t **row,
    struct err *e)
{
	const char *name = NULL;

	if (whose(c, db, account, &name, e) != 0)
		return -1;
	return store_credential_find(*db, account, name, row, e);
}

/* --- settings ------------------------------------------------------------- */

/* A whole number of an option into ${o}; "default" is null. */
static int
number(struct cli *c, json_t *o, const char *option, int64_t least,
    int64_t most, bool may_default, struct err *e)
{
	const char *text = cli_opt(c, option);
	char *end;
	long long n;

	if (text == NULL)
		return 0;
	if (may_default && strcmp(text, "default") == 0) {
		json_object_set_new(o, option, json_null());
		return 0;
	}
	n = strtoll(text, &end, 10);
	if (*text == '\0' || *end != '\0' || n < least || n > most)
		return cli_misuse(c, e, "--%s %s: %lld to %lld%s", option, text,
		    (long long)least, (long long)most,
		    may_default ? ", or default: as the tier has it" : "");
	json_object_set_new(o, option, json_integer(n));
	return 0;
}

static int
numbers(struct cli *c, json_t *o, struct err *e)
{
	if (number(c, o, "tier", 1, 4, false, e) != 0 ||
	    number(c, o, "rpm", 0, MOST_LIMIT, true, e) != 0 ||
	    number(c, o, "tpm", 0, MOST_LIMIT, true, e) != 0 ||
	    number(c, o, "itpm", 0, MOST_LIMIT, true, e) != 0 ||
	    number(c, o, "weight", 1, 1000, false, e) != 0)
		return -1;
	return number(c, o, "priority", 0, 1000, false, e);
}

/* What the operator sets is only read; of an account's the guard asks at each
 * call. */
static int
base(struct cli *c, json_t *o, struct err *e)
{
	const char *text = cli_opt(c, "base-url");
	struct egress_url *u;
	size_t n;

	if (text == NULL)
		return 0;
	if (strcmp(text, "default") == 0) {
		json_object_set_new(o, "base_url", json_null());
		return 0;
	}
	u = mem_new(c->ctx, struct egress_url);
	if (egress_parse(text, u, e) != 0 || strchr(u->text, '?') != NULL)
		return cli_misuse(c, e,
		    "--base-url %s: http:// or https://, without a query",
		    text);
	n = strlen(u->text);
	while (n > 0 && u->text[n - 1] == '/')
		n--;
	json_object_set_new(o, "base_url", json_stringn(u->text, n));
	return 0;
}

static int
models(struct cli *c, json_t *o, struct err *e)
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNO"
				   "PQRSTUVWXYZ0123456789._:/@+-";
	json_t *list = json_array();
	const char *text;
	bool all = false;
	int i = 0;

	while ((text = cli_opt_next(c, "model", &i)) != NULL) {
		size_t n = strspn(text, good);

		all = strcmp(text, "*") == 0;
		if (strlen(text) > 95 || n + (text[n] == '*') != strlen(text)) {
			json_decref(list);
			return cli_misuse(c, e,
			    "--model %s: a model's name, or its beginning and "
			    "a *",
			    text);
		}
		if (!all)
			json_array_append_new(list, json_string(text));
	}
	if (json_array_size(list) > 0 || all)
		json_object_set(o, "models", list);
	json_decref(list);
	return 0;
}

/* What the options say, into ${o}. */
static int
given(struct cli *c, json_t *o, struct err *e)
{
	const char *name = cli_opt(c, "name"), *status = cli_opt(c, "status");

	if (name != NULL && (name[0] == '\0' || strlen(name) > 200))
		return cli_misuse(c, e, "--name: 1 to 200 characters");
	if (name != NULL)
		json_object_set_new(o, "name", json_string(name));
	if (status != NULL && strcmp(status, "active") != 0 &&
	    strcmp(status, "disabled") != 0)
		return cli_misuse(
		    c, e, "no status \"%s\": active or disabled", status);
	if (status != NULL)
		json_object_set_new(o, "status", json_string(status));
	return numbers(c, o, e) != 0 || base(c, o, e) != 0 ? -1
	                                                   : models(c, o, e);
}

/* --- keys ----------------------------------------------------------------- */

/* The key, from a file or standard input, sealed; it is forgotten here. */
static int
seal(struct cli *c, struct db_pool *db, const struct uuid *account,
    const struct uuid *id, const char *file, struct sealed_key *out,
    struct err *e)
{
	const struct conf *conf;
	struct vault *v;
	char *text;
	size_t n;
	int rc;

	if (cli_conf(c, &conf, e) != 0 ||
	    cli_read(c, file, CREDENTIAL_KEY_MAX + 2, &text, &n, e) != 0)
		return -1;
	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
		text[--n] = '\0';
	for (size_t i = 0; i < n; i++)
		if (text[i] < '!' || text[i] > '~')
			n = 0;
	if (n == 0 || n > CREDENTIAL_KEY_MAX) {
		crypto_wipe(text, strlen(text));
		return err_set(e, ERR_INVALID,
		    "no key: one line of 1 to %d visible characters is wanted "
		    "on standard input or in --key-file",
		    CREDENTIAL_KEY_MAX);
	}
	v = vault_new(db, conf->master_key_file);
	rc =
	    seal_key(v, account, id, text, clock_mono() + WAIT, c->ctx, out, e);
	vault_free(v);
	crypto_wipe(text, n);
	return rc;
}

int
verb_credential_add(struct cli *c, struct err *e)
{
	const char *provider = cli_opt(c, "provider"),
		   *file = cli_opt(c, "key-file");
	json_auto_t *o = json_pack(
	    "{s:s, s:n, s:i, s:n, s:n, s:n, s:i, s:i, s:[], s:s}", "provider",
	    provider, "base_url", "tier", 1, "rpm", "tpm", "itpm", "weight",
	    100, "priority", 100, "models", "status", "active");
	char text[UUID_TEXT];
	struct uuid account, id;
	struct sealed_key key;
	struct db_pool *db = NULL;

	if (strcmp(provider, "openai") != 0 &&
	    strcmp(provider, "anthropic") != 0)
		return cli_misuse(
		    c, e, "no provider \"%s\": openai or anthropic", provider);
	if (given(c, o, e) != 0 || whose(c, &db, &account, NULL, e) != 0)
		return -1;
	id_new(&id);
	id_format(&id, text);
	if (seal(c, db, &account, &id, file != NULL ? file : "-", &key, e) !=
		0 ||
	    store_credential_add(db, &account, &id, o, &key, cli_who(c), e) !=
		0)
		return -1;
	return out_done(c,
	    json_pack("{s:s, s:O, s:s, s:s}", "id", text, "name",
		json_object_get(o, "name"), "provider", provider, "hint",
		key.hint),
	    "Credential %s is made; it is used from now on.", text);
}

int
verb_credential_set(struct cli *c, struct err *e)
{
	json_auto_t *row = NULL, *after = NULL;
	const char *file = cli_opt(c, "key-file"), *text;
	struct uuid account, id;
	struct sealed_key key;
	struct db_pool *db = NULL;

	if (c->ngiven == (cli_flag(c, "platform") ? 1 : 0))
		return cli_misuse(c, e, "nothing to set");
	after = json_object();
	if (given(c, after, e) != 0 || find(c, &db, &account, &row, e) != 0)
		return -1;
	json_object_update_missing(after, row);
	text = json_string_value(json_object_get(row, "id"));
	if (id_parse(text, strlen(text), &id) != 0)
		return err_set(e, ERR_INTERNAL, "an id that is none");
	if (file != NULL && seal(c, db, &account, &id, file, &key, e) != 0)
		return -1;
	if (file != NULL)
		json_object_set_new(after, "hint", json_string(key.hint));
	if (store_credential_change(db, &account, row, after,
		file != NULL ? &key : NULL, cli_who(c), e) != 0)
		return -1;
	json_object_del(after, "slot");
	return out_done(c, json_incref(after), "Credential %s is changed.",
	    json_string_value(json_object_get(after, "name")));
}

int
verb_credential_remove(struct cli *c, struct err *e)
{
	json_auto_t *row = NULL;
	struct uuid account;
	struct db_pool *db = NULL;

	if (find(c, &db, &account, &row, e) != 0 ||
	    store_credential_remove(db, &account, row, cli_who(c), e) != 0)
		return -1;
	json_object_del(row, "slot");
	return out_done(c, json_incref(row), "Credential %s is gone.",
	    json_string_value(json_object_get(row, "name")));
}

/* --- how it fares --------------------------------------------------------- */

/* What the server on this host knows of it; NULL: none runs. */
static json_t *
live_of(struct cli *c, const char *method, json_int_t slot, const char *action,
    struct err *e)
{
	struct buf body;
	char path[80];

	snprintf(path, sizeof(path), "/own/credentials/%lld%s%s",
	    (long long)slot, action != NULL ? "/" : "",
	    action != NULL ? action : "");
	if (cli_own(c, method, path, &body, e) != 0)
		return NULL;
	return json_loadb(body.data, body.len, 0, NULL);
}

int
verb_credential_list(struct cli *c, struct err *e)
{
	struct uuid account;
	struct db_pool *db = NULL;
	json_t *rows, *row;
	bool there = true;
	size_t i;

	if (whose(c, &db, &account, NULL, e) != 0 ||
	    store_credential_list(db, &account, &rows, e) != 0)
		return -1;
	json_array_foreach(rows, i, row)
	{
		json_int_t slot =
		    json_integer_value(json_object_get(row, "slot"));
		json_t *live =
		    there ? live_of(c, "GET", slot, NULL, NULL) : NULL;

		there = live != NULL;
		json_object_del(row, "slot");
		json_object_set(row, "state",
		    there ? json_object_get(live, "state") : json_null());
		json_object_set(row, "reason",
		    there ? json_object_get(live, "reason") : json_null());
		json_object_set_new(
		    row, "live", live != NULL ? live : json_null());
	}
	return out_list(c, rows, list_cols);
}

/* Open, close or reset: recorded first, so that nothing happens unrecorded. */
static int
order(struct cli *c, const char *action, struct err *e)
{
	json_auto_t *row = NULL;
	struct uuid account;
	struct db_pool *db = NULL;
	json_t *live;

	if (find(c, &db, &account, &row, e) != 0 ||
	    store_credential_breaker(
		db, &account, row, action, cli_who(c), e) != 0)
		return -1;
	live = live_of(c, "POST",
	    json_integer_value(json_object_get(row, "slot")), action, e);
	if (live == NULL)
		return -1;
	json_object_set(live, "id", json_object_get(row, "id"));
	json_object_set(live, "name", json_object_get(row, "name"));
	return out_done(c, live, "Credential %s is %s on this host.",
	    json_string_value(json_object_get(row, "name")),
	    json_string_value(json_object_get(live, "state")));
}

int
verb_credential_open(struct cli *c, struct err *e)
{
	return order(c, "open", e);
}

int
verb_credential_close(struct cli *c, struct err *e)
{
	return order(c, "close", e);
}

int
verb_credential_reset(struct cli *c, struct err *e)
{
	return order(c, "reset", e);
}

int
verb_credential_test(struct cli *c, struct err *e)
{
	json_auto_t *row = NULL;
	const struct conf *conf;
	struct gateway_try t = { .deadline = clock_mono() + WAIT };
	struct llm_probe p;
	const char *problem;
	struct egress *guard;
	struct uuid account;
	int rc;

	if (find(c, &t.db, &account, &row, e) != 0 ||
	    cli_conf(c, &conf, e) != 0)
		return -1;
	guard = egress_new(c->ctx, conf->egress_allow, e);
	if (guard == NULL)
		return -1;
	t.egress = guard;
	t.vault = vault_new(t.db, conf->master_key_file);
	t.net = net_new(1);
	rc = gateway_try(&t, &account,
	    json_string_value(json_object_get(row, "id")), c->ctx, &p, &problem,
	    e);
	net_free(t.net);
	vault_free(t.vault);
	if (rc != 0)
		return -1;
	if (problem != NULL)
		return err_set(e, ERR_UPSTREAM, "%s", problem);
	return out_done(c,
	    json_pack("{s:O, s:b, s:i, s:I}", "name",
		json_object_get(row, "name"), "ok", 1, "status", p.status,
		"took_ms", (json_int_t)(p.took / CLOCK_MS)),
	    "The provider takes the key of %s (%d ms).",
	    json_string_value(json_object_get(row, "name")),
	    (int)(p.took / CLOCK_MS));
}
