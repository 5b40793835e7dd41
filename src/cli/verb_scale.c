/*
 * switchboard demo scale: many accounts with a few agents each, to see that
 * the ten-thousandth is served as the first.  They go as fast as they came.
 */
#include <stdio.h>
#include <string.h>

#include "auth/key.h"
#include "cli/cli.h"
#include "cli/files.h"
#include "cli/out.h"
#include "cli/scale/store.h"
#include "cli/verbs.h"
#include "db/db.h"
#include "util/buf.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define ACCOUNTS_MOST 100000
#define AGENTS_MOST 50
#define AT_ONCE 250 /* accounts a transaction */
#define REMOVE_AT_ONCE 1000
#define KIND "scale"
#define KEYS_MAX ((size_t)ACCOUNTS_MOST * 128)

/* Types that every installation has; agents take them in turn. */
static const char *const types[] = { "sales", "research", "rag",
	"digital_expert" };
#define TYPES (sizeof(types) / sizeof(types[0]))

struct scale {
	struct cli *c;
	struct db_pool *owner;
	int64_t accounts, agents;
	const char *keys_file; /* NULL: no keys are made */
	json_t *configuration;
	struct buf keys; /* what goes into that file */
	int64_t made;
};

static json_t *
new_id(void)
{
	struct uuid id;
	char text[UUID_TEXT];

	id_new(&id);
	id_format(&id, text);
	return json_string(text);
}

static void
add_agents(struct scale *s, const char *slug, json_t *agents)
{
	for (int64_t i = 0; i < s->agents; i++) {
		char name[32];

		snprintf(name, sizeof(name), "scale_%lld", (long long)i + 1);
		json_array_append_new(
		    agents, json_pack("{s:o, s:s, s:s, s:s, s:O}", "id",
				new_id(), "slug", slug, "agent_type",
				types[(size_t)i % TYPES], "instance_name", name,
				"configuration", s->configuration));
	}
}

static void
add_key(struct scale *s, const char *slug, json_t *keys)
{
	char text[KEY_TEXT], prefix[KEY_PREFIX], hex[65];
	unsigned char hash[32];

	key_make(KEY_API, text, prefix, hash);
	str_hex(hash, sizeof(hash), hex);
	json_array_append_new(
	    keys, json_pack("{s:o, s:s, s:s, s:s}", "id", new_id(), "slug",
		      slug, "prefix", prefix, "key_hash", hex));
	buf_addf(&s->keys, "%s %s\n", slug, text);
}

/* Accounts from..to, counted from 1. */
static int
add_some(struct scale *s, int64_t from, int64_t to, struct err *e)
{
	json_t *accounts = json_array(), *agents = json_array(),
	       *keys = json_array();
	int64_t made = 0;
	int rc;

	for (int64_t i = from; i <= to; i++) {
		char slug[32];

		snprintf(slug, sizeof(slug), KIND "-%05lld", (long long)i);
		json_array_append_new(accounts,
		    json_pack("{s:o, s:s}", "id", new_id(), "slug", slug));
		add_agents(s, slug, agents);
		if (s->keys_file != NULL)
			add_key(s, slug, keys);
	}
	rc = store_scale_add(
	    s->owner, accounts, agents, keys, cli_who(s->c), &made, e);
	json_decref(accounts);
	json_decref(agents);
	json_decref(keys);
	s->made += made;
	return rc;
}

static int
add_all(struct scale *s, struct err *e)
{
	buf_init(&s->keys, s->c->ctx, KEYS_MAX);
	for (int64_t from = 1; from <= s->accounts; from += AT_ONCE) {
		int64_t to = from + AT_ONCE - 1;

		if (add_some(s, from, to < s->accounts ? to : s->accounts, e) !=
		    0)
			return -1;
	}
	if (s->keys_file != NULL &&
	    files_write(s->keys_file, s->keys.data, s->keys.len, 0600, e) != 0)
		return -1;
	json_int_t accounts = s->accounts, agents = accounts * s->agents;

	return out_done(s->c,
	    json_pack("{s:I, s:I, s:I, s:s?}", "accounts", accounts, "agents",
		agents, "made", (json_int_t)s->made, "keys_file", s->keys_file),
	    "%lld accounts with %lld agents each are there; %lld accounts are "
	    "new.",
	    (long long)s->accounts, (long long)s->agents, (long long)s->made);
}

static int
remove_all(struct scale *s, struct err *e)
{
	int64_t removed = 0, n;
	char *ids;

	do {
		if (store_scale_find(s->owner, KIND, REMOVE_AT_ONCE, s->c->ctx,
			&ids, &n, e) != 0 ||
		    (n > 0 && store_scale_remove(
				  s->owner, ids, n, cli_who(s->c), e) != 0))
			return -1;
		removed += n;
	} while (n > 0);
	return out_done(s->c,
	    json_pack("{s:I}", "removed", (json_int_t)removed),
	    "Removed %lld accounts and all of theirs.", (long long)removed);
}

int
verb_demo_scale(struct cli *c, struct err *e)
{
	struct scale s = { .c = c,
		.accounts = 10000,
		.agents = 5,
		.keys_file = cli_opt(c, "keys") };
	const char *accounts = cli_opt(c, "accounts"),
		   *agents = cli_opt(c, "agents"), *model = cli_opt(c, "model");
	int rc;

	if (accounts != NULL &&
	    str_int(accounts, 1, ACCOUNTS_MOST, &s.accounts) != 0)
		return cli_misuse(
		    c, e, "--accounts: a number from 1 to %d", ACCOUNTS_MOST);
	if (agents != NULL && str_int(agents, 1, AGENTS_MOST, &s.agents) != 0)
		return cli_misuse(
		    c, e, "--agents: a number from 1 to %d", AGENTS_MOST);
	if (cli_db_as(c, "sb_owner", &s.owner, e) != 0)
		return -1;
	s.configuration = json_object();
	if (model != NULL) {
		json_object_set_new(
		    s.configuration, "model_override", json_string(model));
		json_object_set_new(
		    s.configuration, "model_fallback", json_false());
	}
	rc = cli_flag(c, "remove") ? remove_all(&s, e) : add_all(&s, e);
	json_decref(s.configuration);
	db_pool_free(s.owner);
	return rc;
}
