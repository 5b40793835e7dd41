/* Keys against a real database: found, refused, forgotten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>

#include "account/account.h"
#include "auth/key.h"
#include "crypto/hash.h"
#include "db/db.h"
#include "lib/dbfix.h"
#include "lib/dbtemp.h"
#include "shm/epoch.h"
#include "util/lru.h"
#include "util/mem.h"
#include "util/str.h"

#include "util/banned.h"

#define ACME "0190a000-0000-7000-8000-0000000000a0"
#define AGENT "0190a000-0000-7000-8000-00000000a9e0"
#define THREADS 16

static struct db_pool *pool;
static struct keys *keys;

/* Store ${text} as an API key; ${rest} are role, expires_at, revoked_at. */
static void
store_api(const char *text, const char *rest)
{
	unsigned char hash[32];
	char hex[65];
	char *insert;

	key_hash(text, hash);
	str_hex(hash, 32, hex);
	insert = mem_printf(NULL,
	    "INSERT INTO control.api_keys (account_id, id, name, prefix, "
	    "key_hash, role, expires_at, revoked_at) VALUES ('" ACME "', "
	    "gen_random_uuid(), 'k', '%.12s', '\\x%s', %s)",
	    text, hex, rest);
	dbfix_sql(insert);
	mem_free(insert);
}

static void
store_widget(const char *text, const char *agent, const char *revoked)
{
	unsigned char hash[32];
	char hex[65];
	char *insert;

	key_hash(text, hash);
	str_hex(hash, 32, hex);
	insert = mem_printf(NULL,
	    "INSERT INTO control.widget_keys (account_id, id, name, prefix, "
	    "key_hash, agent_instance_id, allowed_origins, revoked_at) VALUES "
	    "('" ACME "', gen_random_uuid(), 'w', '%.12s', '\\x%s', %s, "
	    "'{https://a.test,http://localhost:*}', %s)",
	    text, hex, agent, revoked);
	dbfix_sql(insert);
	mem_free(insert);
}

static int
find(enum key_kind kind, const char *text, const struct key **k)
{
	struct err e = { 0 };
	int rc = keys_find(keys, kind, text, 0, k, &e);

	if (rc != 0) {
		/* One text for everything. */
		assert_int_equal(e.code, ERR_UNKNOWN);
		assert_string_equal(e.text, "The key is not valid.");
	}
	return rc;
}

static void
made_keys(void **state)
{
	char a[KEY_TEXT], b[KEY_TEXT], prefix[KEY_PREFIX];
	unsigned char hash[32], again[32];

	(void)state;
	key_make(KEY_API, a, prefix, hash);
	assert_int_equal(strncmp(a, "sb_live_", 8), 0);
	assert_int_equal(strlen(a), 8 + 43);
	assert_int_equal(strlen(prefix), 12);
	assert_int_equal(strncmp(a, prefix, 12), 0);
	key_hash(a, again);
	assert_memory_equal(hash, again, 32);
	assert_true(key_well_formed(KEY_API, a));
	assert_false(key_well_formed(KEY_WIDGET, a));
	key_make(KEY_API, b, prefix, hash);
	assert_string_not_equal(a, b);
	key_make(KEY_WIDGET, b, prefix, hash);
	assert_int_equal(strncmp(b, "sb_pub_", 7), 0);
	assert_true(key_well_formed(KEY_WIDGET, b));
}

static void
api_key(void **state)
{
	char text[KEY_TEXT], prefix[KEY_PREFIX];
	unsigned char hash[32];
	const struct key *k, *again;
	struct uuid acme;

	(void)state;
	assert_int_equal(id_parse(ACME, 36, &acme), 0);
	key_make(KEY_API, text, prefix, hash);
	store_api(text, "'agent_manager', NULL, NULL");
	assert_int_equal(find(KEY_API, text, &k), 0);
	assert_int_equal(k->kind, KEY_API);
	assert_int_equal(k->role, ROLE_AGENT_MANAGER);
	assert_true(id_eq(&k->account_id, &acme));
	assert_true(k->account_slot > 0);
	assert_true(id_is_nil(&k->agent_id));
	assert_int_equal(k->norigins, 0);
	assert_int_equal(k->expires_us, 0);
	assert_int_equal(find(KEY_API, text, &again), 0);
	assert_ptr_equal(k, again);
	key_unref(again);
	/* Shown as the other kind it is nothing. */
	assert_int_equal(find(KEY_WIDGET, text, &again), -1);

	/* Another role, heard of: there at once. */
	dbfix_sql("UPDATE control.api_keys SET role = 'viewer'");
	dbfix_hear();
	assert_int_equal(find(KEY_API, text, &again), 0);
	assert_int_equal(again->role, ROLE_VIEWER);
	key_unref(again);
	/* Revoked. */
	dbfix_sql("UPDATE control.api_keys SET revoked_at = now()");
	dbfix_hear();
	assert_int_equal(find(KEY_API, text, &again), -1);
	assert_int_equal(k->role, ROLE_AGENT_MANAGER);
	key_unref(k);
}

static void
widget_key(void **state)
{
	char text[KEY_TEXT], prefix[KEY_PREFIX];
	unsigned char hash[32];
	const struct key *k;
	struct uuid agent;

	(void)state;
	assert_int_equal(id_parse(AGENT, 36, &agent), 0);
	key_make(KEY_WIDGET, text, prefix, hash);
	store_widget(text, "'" AGENT "'", "NULL");
	assert_int_equal(find(KEY_WIDGET, text, &k), 0);
	assert_int_equal(k->kind, KEY_WIDGET);
	assert_int_equal(k->role, ROLE_VISITOR);
	assert_true(id_eq(&k->agent_id, &agent));
	assert_int_equal(k->norigins, 2);
	assert_true(
	    origin_allowed("http://localhost:1", k->origins, k->norigins));
	key_unref(k);
	assert_int_equal(find(KEY_API, text, &k), -1);

	/* 24 bytes are enough for a public key. */
	store_widget("sb_pub_0123456789abcdefghijklmnopqrstuv", "NULL", "NULL");
	dbfix_hear();
	assert_int_equal(
	    find(KEY_WIDGET, "sb_pub_0123456789abcdefghijklmnopqrstuv", &k), 0);
	assert_true(id_is_nil(&k->agent_id));
	key_unref(k);

	key_make(KEY_WIDGET, text, prefix, hash);
	store_widget(text, "NULL", "now()");
	assert_int_equal(find(KEY_WIDGET, text, &k), -1);
}

static void
expired(void **state)
{
	char text[KEY_TEXT], prefix[KEY_PREFIX];
	unsigned char hash[32];
	const struct key *k;

	(void)state;
	key_make(KEY_API, text, prefix, hash);
	store_api(text, "'viewer', now() - interval '1 second', NULL");
	assert_int_equal(find(KEY_API, text, &k), -1);
	/* One that expires while it is cached: nobody tells, the clock does. */
	key_make(KEY_API, text, prefix, hash);
	store_api(text,
	    "'viewer', clock_timestamp() + interval '700 milliseconds', NULL");
	assert_int_equal(find(KEY_API, text, &k), 0);
	assert_true(k->expires_us > 0);
	key_unref(k);
	for (int i = 0; i < 300 && find(KEY_API, text, &k) == 0; i++) {
		key_unref(k);
		dbfix_sql("SELECT pg_sleep(0.02)");
	}
	assert_int_equal(find(KEY_API, text, &k), -1);
}

static void
bad_roles(void **state)
{
	static const char *const roles[] = { "platform_admin", "visitor",
		"none", "nobody" };
	char text[KEY_TEXT], prefix[KEY_PREFIX], rest[80];
	unsigned char hash[32];
	const struct key *k;

	(void)state;
	/* The database refuses them, too. */
	dbfix_sql("ALTER TABLE control.api_keys DISABLE TRIGGER role_is_known");
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
		key_make(KEY_API, text, prefix, hash);
		snprintf(rest, sizeof(rest), "'%s', NULL, NULL", roles[i]);
		store_api(text, rest);
		assert_int_equal(find(KEY_API, text, &k), -1);
	}
	dbfix_sql("ALTER TABLE control.api_keys ENABLE TRIGGER role_is_known");
}

/* A role of the account's own is what its row says, and nothing else. */
static void
own_roles(void **state)
{
	const perm_set always = perm_bit(PERM_PUBLIC) | perm_bit(PERM_SELF);
	char text[KEY_TEXT], prefix[KEY_PREFIX];
	unsigned char hash[32];
	const struct key *k;

	(void)state;
	dbfix_sql("INSERT INTO control.roles (account_id, name, permissions) "
		  "VALUES ('" ACME "', 'night', '{chat.talk,account.limits}')");
	key_make(KEY_API, text, prefix, hash);
	store_api(text, "'night', NULL, NULL");
	assert_int_equal(find(KEY_API, text, &k), 0);
	assert_int_equal(k->role, ROLE_CUSTOM);
	assert_string_equal(k->role_name, "night");
	assert_int_equal(k->perms, always | perm_bit(PERM_CHAT));
	key_unref(k);
}

/* What cannot be a key costs no query: there is no database here. */
static void
malformed(void **state)
{
	static const char *const bad[] = { "", "sb_live_", "sb_pub_",
		"Bearer x", "sb_live_short",
		"sb_live_0123456789abcdefghijklmnopqrstuvwxyzABCDEF",
		"sb_live_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGH",
		"sb_live_0123456789abcdefghijklmnopqrstuvwxyzABCDEF=",
		"sb_live_0123456789abcdefghijklmnopqrstuvwxyzABCDE'G",
		"SB_LIVE_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG",
		" sb_live_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG",
		"sb_pub_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG" };
	struct db_pool *away = dbfix_away();
	struct keys *ks = keys_new(dbfix_tiers(away), 10);
	const struct key *k = NULL;
	struct err e = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(keys_find(ks, KEY_API, bad[i], 0, &k, &e), -1);
		assert_int_equal(e.code, ERR_UNKNOWN);
		assert_string_equal(e.text, "The key is not valid.");
	}
	assert_int_equal(keys_find(ks, KEY_API, NULL, 0, &k, &e), -1);
	assert_int_equal(e.code, ERR_UNKNOWN);
	assert_int_equal(
	    keys_find(ks, KEY_WIDGET, "sb_pub_0123456789abcdefghijklmnopqrstu",
		0, &k, &e),
	    -1);
	assert_int_equal(e.code, ERR_UNKNOWN);
	assert_int_equal(keys_find(ks, KEY_API,
			     "sb_live_"
			     "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG",
			     0, &k, &e),
	    -1);
	assert_int_equal(e.code, ERR_UNAVAILABLE);
	assert_null(k);
	keys_free(ks);
	db_pool_free(away);
}

/* Unknown, then made: good at once when the change is heard of. */
static void
unknown_then_made(void **state)
{
	char text[KEY_TEXT], prefix[KEY_PREFIX];
	unsigned char hash[32];
	const struct key *k;

	(void)state;
	key_make(KEY_API, text, prefix, hash);
	assert_int_equal(find(KEY_API, text, &k), -1);
	/* Not asked again: what is made behind the back is not seen ... */
	store_api(text, "'viewer', NULL, NULL");
	assert_int_equal(find(KEY_API, text, &k), -1);
	/* ... until it is heard of. */
	dbfix_hear();
	assert_int_equal(find(KEY_API, text, &k), 0);
	key_unref(k);
}

static const char *shared_text;

static void *
finder(void *arg)
{
	const struct key *k;
	struct err e = { 0 };

	for (int i = 0; i < 500; i++) {
		if (keys_find(keys, KEY_API, shared_text, 0, &k, &e) != 0)
			return arg;
		key_unref(k);
	}
	return NULL;
}

static void
one_flight(void **state)
{
	char text[KEY_TEXT], prefix[KEY_PREFIX];
	unsigned char hash[32];
	pthread_t threads[THREADS];
	struct lru_stats before, after;
	void *bad;

	(void)state;
	key_make(KEY_API, text, prefix, hash);
	store_api(text, "'viewer', NULL, NULL");
	shared_text = text;
	dbfix_hear();
	keys_stats(keys, &before);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, finder, keys), 0);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &bad);
		assert_null(bad);
	}
	keys_stats(keys, &after);
	assert_int_equal(after.misses - before.misses, 1);
}

static int
setup(void **state)
{
	struct err e = { 0 };

	(void)state;
	epoch_map(1024);
	dbfix_listen();
	if (crypto_setup(&e) != 0)
		return -1;
	pool = dbfix_open("sb_chat");
	dbfix_sql("INSERT INTO control.accounts (id, slug, name, tier) VALUES "
		  "('" ACME "', 'acme', 'Acme', 'standard')");
	dbfix_sql(
	    "INSERT INTO control.agent_instances (account_id, id, agent_type, "
	    "instance_name, display_name) VALUES ('" ACME "', '" AGENT "', "
	    "'sales', 'one', 'One')");
	keys = keys_new(dbfix_tiers(pool), 100);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	keys_free(keys);
	dbfix_close();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(made_keys),
		cmocka_unit_test(api_key),
		cmocka_unit_test(widget_key),
		cmocka_unit_test(expired),
		cmocka_unit_test(bad_roles),
		cmocka_unit_test(own_roles),
		cmocka_unit_test(malformed),
		cmocka_unit_test(unknown_then_made),
		cmocka_unit_test(one_flight),
	};

	if (!dbtemp_there())
		return 77;
	return cmocka_run_group_tests(tests, setup, teardown);
}
