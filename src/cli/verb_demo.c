/*
 * switchboard demo load.  What the demo is stands in files
 * (etc/demo/platform.json and one file an account); this brings the database to
 * it and leaves alone what is there already.
 */
#include <stdio.h>
#include <string.h>

#include "agent/admin.h"
#include "agent/template.h"
#include "cli/cli.h"
#include "cli/demo/content.h"
#include "cli/demo/secrets.h"
#include "cli/demo/store.h"
#include "cli/files.h"
#include "cli/issue.h"
#include "cli/out.h"
#include "cli/people/store.h"
#include "cli/report/store.h"
#include "cli/store.h"
#include "cli/verbs.h"
#include "crypto/hash.h"
#include "db/db.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

struct load {
	struct cli *c;
	struct db_pool *db;
	struct templates *templates;
	struct secrets secrets;
	/* made or changed now */
	int naccounts, nagents, nkeys, npeople, nprices;
	int64_t nrows;
};

static int
read_file(struct cli *c, const char *name, json_t **ret, struct err *e)
{
	const char *dir = cli_opt(c, "dir");

	return cli_read_json(c,
	    mem_printf(c->ctx, "%s/%s.json",
		dir != NULL ? dir
			    : mem_printf(c->ctx, "%s/demo", files_data(c->ctx)),
		name),
	    ret, e);
}

/* A member's text, or "". */
static const char *
text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "";
}

/* Clear the error when it says that something is not there yet. */
static bool
missing(struct err *e)
{
	if (e->code != ERR_NOT_FOUND)
		return false;
	*e = (struct err){ 0 };
	return true;
}

static int
load_account(struct load *l, const json_t *file, struct uuid *id, struct err *e)
{
	const json_t *a = json_object_get(file, "account");
	const char *slug = text(a, "slug"), *env = text(a, "env");

	if (env[0] != '\0')
		secrets_set(&l->secrets, env, slug);
	if (store_account_id(l->db, slug, id, e) == 0)
		return 0;
	if (!missing(e))
		return -1;
	id_new(id);
	l->naccounts++;
	return store_account_create(l->db, id, slug, text(a, "name"),
	    text(a, "tier"), cli_who(l->c), e);
}

static int
load_agent(
    struct load *l, const struct uuid *account, const json_t *a, struct err *e)
{
	struct agent_new n = { .type = text(a, "type"),
		.name = text(a, "name"),
		.display_name = text(a, "display_name"),
		.configuration = json_object_get(a, "configuration"),
		.author = "switchboard demo load",
		.who = cli_who(l->c) };
	struct spec_error errors[SPEC_ERRORS];
	struct uuid id;
	int nerrors = 0;

	if (store_agent_id(l->db, account, n.type, n.name, &id, e) == 0)
		return 0;
	if (!missing(e))
		return -1;
	l->nagents++;
	if (agent_create(l->db, l->templates, account, &n, &id, errors,
		&nerrors, e) == 0)
		return 0;
	if (nerrors > 0)
		return err_set(e, ERR_INVALID, "agent %s/%s: %s: %s", n.type,
		    n.name, errors[0].pointer, errors[0].detail);
	return err_prefix(e, "agent %s/%s", n.type, n.name);
}

/* Does a key of that name work, for a load that keeps no secrets? */
static int
key_named(struct load *l, const struct uuid *account, const char *name,
    bool *found, struct err *e)
{
	json_t *keys, *key;
	size_t i;

	if (store_key_list(l->db, account, &keys, e) != 0)
		return -1;
	*found = false;
	json_array_foreach(keys, i,
	    key) if (strcmp(text(key, "name"), name) == 0 &&
		     json_is_null(json_object_get(key, "revoked_at"))) *found =
	    true;
	json_decref(keys);
	return 0;
}

static int
load_key(
    struct load *l, const struct uuid *account, const json_t *k, struct err *e)
{
	const char *env = text(k, "env"),
		   *known = secrets_get(&l->secrets, env),
		   *agent = text(k, "agent"), *type, *name;
	struct issue_key key = { .name = text(k, "name"),
		.role = text(k, "role"),
		.origins = json_object_get(k, "origins") };
	unsigned char hash[32];
	struct uuid agent_id;
	bool good = false;

	key.kind =
	    strcmp(text(k, "kind"), "widget") == 0 ? KEY_WIDGET : KEY_API;
	if (known != NULL) {
		key_hash(known, hash);
		if (store_key_good(l->db, account, hash, &good, e) != 0)
			return -1;
	} else if (l->secrets.path == NULL &&
		   key_named(l, account, key.name, &good, e) != 0) {
		return -1;
	}
	if (good)
		return 0;
	if (agent[0] != '\0') {
		if (cli_agent_path(l->c, agent, &type, &name, e) != 0 ||
		    store_agent_id(l->db, account, type, name, &agent_id, e) !=
			0)
			return -1;
		key.agent = &agent_id;
	}
	if (issue_key(l->db, account, &key, cli_who(l->c), e) != 0)
		return err_prefix(e, "key %s", key.name);
	secrets_set(&l->secrets, env, key.text);
	l->nkeys++;
	return 0;
}

/* A known password that no longer works was changed by somebody: it stays
 * changed.  One that nobody knows is made anew. */
static int
load_person(
    struct load *l, const struct uuid *account, const json_t *p, struct err *e)
{
	const char *email = text(p, "email"), *env = text(p, "env"), *known;
	char password[ISSUE_PASSWORD];
	char *name_email = mem_printf(l->c->ctx, "%s_EMAIL", env),
	     *name_password = mem_printf(l->c->ctx, "%s_PASSWORD", env);
	struct uuid id;
	char *hash;
	int rc = 0;

	known = secrets_get(&l->secrets, name_password);
	if (known == NULL) {
		issue_password(password);
		known = password;
	}
	if (store_user_find(l->db, email, l->c->ctx, &id, NULL, e) != 0) {
		if (!missing(e))
			return -1;
		rc = issue_user(l->db, email, text(p, "name"), known,
		    json_is_true(json_object_get(p, "platform_admin")),
		    cli_who(l->c), &id, e);
		l->npeople++;
	} else if (known == password && l->secrets.path != NULL) {
		rc = crypto_password_hash(l->c->ctx, password, &hash, e);
		if (rc == 0)
			rc = store_user_password(
			    l->db, &id, hash, cli_who(l->c), e);
		l->npeople++;
	} else if (known == password) {
		known = NULL;
	}
	if (rc == 0 && account != NULL)
		rc = store_member_set(
		    l->db, account, &id, text(p, "role"), cli_who(l->c), e);
	if (rc != 0)
		return err_prefix(e, "user %s", email);
	secrets_set(&l->secrets, name_email, email);
	if (known != NULL)
		secrets_set(&l->secrets, name_password, known);
	return 0;
}

/* Only models without any price get one: an operator's numbers stay. */
static int
load_price(struct load *l, const json_t *p, struct err *e)
{
	struct store_price price = { .model = text(p, "model"),
		.input = text(p, "input"),
		.output = text(p, "output"),
		.cached = text(p, "cached"),
		.cache_write = text(p, "cache_write"),
		.from_us = clock_wall_us() };
	bool known, changed;

	if (store_price_known(l->db, price.model, &known, e) != 0)
		return -1;
	if (known)
		return 0;
	if (store_price_set(l->db, &price, cli_who(l->c), &changed, e) != 0)
		return err_prefix(e, "price of %s", price.model);
	l->nprices++;
	return 0;
}

static int
load_rows(struct load *l, const struct uuid *account, const json_t *file,
    struct err *e)
{
	struct content content;
	int64_t changed = 0;
	int rc;

	if (content_rows(l->db, account, file, &content, e) != 0)
		return -1;
	rc = store_demo_knowledge(l->db, account, content.products,
	    content.documents, content.chunks, &changed, e);
	content_drop(&content);
	l->nrows += changed;
	return rc;
}

static int
load_file(struct load *l, const json_t *file, struct err *e)
{
	struct uuid account;
	json_t *row;
	size_t i;

	if (load_account(l, file, &account, e) != 0)
		return -1;
	json_array_foreach(json_object_get(file, "agents"), i,
	    row) if (load_agent(l, &account, row, e) != 0) return -1;
	if (load_rows(l, &account, file, e) != 0)
		return -1;
	json_array_foreach(json_object_get(file, "keys"), i,
	    row) if (load_key(l, &account, row, e) != 0) return -1;
	json_array_foreach(json_object_get(file, "people"), i,
	    row) if (load_person(l, &account, row, e) != 0) return -1;
	return 0;
}

static int
load_platform(struct load *l, const json_t *file, struct err *e)
{
	json_t *row;
	size_t i;

	json_array_foreach(json_object_get(file, "prices"), i,
	    row) if (load_price(l, row, e) != 0) return -1;
	json_array_foreach(json_object_get(file, "people"), i,
	    row) if (load_person(l, NULL, row, e) != 0) return -1;
	return 0;
}

static int
load_all(struct load *l, struct err *e)
{
	json_t *file;
	int rc;

	if (read_file(l->c, "platform", &file, e) != 0)
		return -1;
	rc = load_platform(l, file, e);
	json_decref(file);
	if (cli_flag(l->c, "platform"))
		return rc;
	for (size_t i = 0; rc == 0 && content_accounts[i] != NULL; i++) {
		if (read_file(l->c, content_accounts[i], &file, e) != 0)
			return -1;
		rc = load_file(l, file, e);
		if (rc != 0)
			err_prefix(e, "%s", content_accounts[i]);
		json_decref(file);
	}
	return rc;
}

/* What was made, and the secrets where no file keeps them. */
static int
report(struct load *l)
{
	json_t *o = json_pack("{s:i, s:i, s:i, s:i, s:i, s:I}", "accounts",
	    l->naccounts, "agents", l->nagents, "keys", l->nkeys, "people",
	    l->npeople, "prices", l->nprices, "rows", (json_int_t)l->nrows);
	const char *name;
	json_t *v;
	bool any =
	    l->naccounts + l->nagents + l->nkeys + l->npeople + l->nprices >
		0 ||
	    l->nrows > 0;

	json_object_set_new(o, "changed", json_boolean(any));
	json_object_set_new(o, "secrets_file",
	    l->secrets.path != NULL ? json_string(l->secrets.path)
				    : json_null());
	if (l->secrets.path == NULL) {
		json_object_set(o, "secrets", l->secrets.values);
		if (!l->c->json)
			json_object_foreach(l->secrets.values, name, v)
			    printf("%s=%s\n", name, json_string_value(v));
	}
	if (!any)
		return out_done(l->c, o, "The demo is loaded already.");
	return out_done(l->c, o,
	    "Loaded: %d accounts, %d agents, %d keys, %d people, %d prices, "
	    "%lld products, documents and passages.",
	    l->naccounts, l->nagents, l->nkeys, l->npeople, l->nprices,
	    (long long)l->nrows);
}

int
verb_demo_load(struct cli *c, struct err *e)
{
	struct load l = { .c = c };
	int rc;

	if (cli_db(c, &l.db, e) != 0 || cli_templates(c, &l.templates, e) != 0)
		return -1;
	rc = secrets_read(c, cli_opt(c, "secrets"), &l.secrets, e);
	if (rc == 0) {
		struct err why;

		rc = load_all(&l, e);
		/* Also after a failure: what was made must not be lost. */
		if (secrets_write(c, &l.secrets, &why) != 0 && rc == 0) {
			*e = why;
			rc = -1;
		}
		if (rc == 0)
			rc = report(&l);
		secrets_drop(&l.secrets);
	}
	templates_free(l.templates);
	return rc;
}
