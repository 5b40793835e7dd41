/* Entries and their chains in a real database. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>

#include "audit/audit.h"
#include "audit/walk.h"
#include "lib/dbfix.h"
#include "lib/dbtemp.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/mem.h"

#include "util/banned.h"

#define ACME "0190a000-0000-7000-8000-0000000000a0"
#define OTHER "0190a000-0000-7000-8000-0000000000b0"
#define WRITERS 8
#define EACH 1000

static struct db_pool *pool;
static struct uuid acme, other;
static const struct uuid platform;

static int64_t
soon(void)
{
	return clock_mono() + 60 * CLOCK_S;
}

static const struct db_stmt rename_sql = { "test_rename",
	"WITH c AS (UPDATE accounts SET name = $2 WHERE id = $1::uuid "
	"RETURNING 1) SELECT gate.found(count(*), 'account') FROM c" };

/* Rename the account ${id} in a transaction of ${whose}, with ${entry} in the
 * chain of ${chain}. */
static int
rename_to(const struct uuid *whose, const char *id, const char *name,
    const struct uuid *chain, const struct audit_entry *entry, struct err *e)
{
	struct db_call calls[2] = {
		{ .stmt = &rename_sql, .param = { id, name }, .nparams = 2 }
	};
	void *ctx = mem_root("test");
	int rc;

	audit_call(ctx, chain, entry, &calls[1]);
	rc = db_run(pool, DB_WRITE, whose, calls, 2, soon(), ctx, e);
	mem_free(ctx);
	return rc;
}

static int
count(void *arg, const struct chain_entry *entry, struct err *e)
{
	struct chain *c = arg;
	struct chain_fault f;

	if (chain_add(c, entry, &f) != 0)
		return err_set(
		    e, ERR_INVALID, "%lld %s", (long long)f.seq, f.text);
	return 0;
}

/* The chain of ${account} holds; it has so many entries. */
static int64_t
chain_length(const struct uuid *account)
{
	unsigned char hash[CHAIN_HASH];
	struct audit_range all = { 0 };
	struct err e = { 0 };
	struct chain c;
	int64_t seq = -1;

	chain_init(&c, account);
	if (audit_walk(pool, account, &all, count, &c, &e) != 0 ||
	    audit_head(pool, account, &seq, hash, &e) != 0)
		fail_msg("%s", e.text);
	assert_int_equal(seq, c.last);
	assert_memory_equal(hash, c.hash, CHAIN_HASH);
	return c.entries;
}

static void
test_with_the_change(void **state)
{
	json_t *before = json_pack("{s:s, s:s}", "name", "n", "password", "p"),
	       *after = json_pack("{s:s}", "name", "new \"name\" \xc3\xa4");
	struct audit_entry entry = { .action = "account.rename",
		.actor_kind = "user",
		.actor_id = "u1",
		.actor_name = "Ann \xff",
		.address = "192.0.2.1",
		.request_id = "r1",
		.object_kind = "account",
		.object_id = ACME,
		.before = before,
		.after = after };
	struct err e = { 0 };
	json_t *page, *got;

	(void)state;
	if (rename_to(&acme, ACME, "new", &acme, &entry, &e) != 0)
		fail_msg("%s", e.text);
	assert_int_equal(chain_length(&acme), 1);
	struct audit_filter all = { 0 };

	assert_int_equal(
	    audit_list(pool, &acme, &all, NULL, 10, soon(), &page, &e), 0);
	assert_int_equal(json_array_size(json_object_get(page, "data")), 1);
	assert_true(json_is_null(json_object_get(page, "next")));
	got = json_array_get(json_object_get(page, "data"), 0);
	assert_string_equal(
	    json_string_value(json_object_get(got, "action")), entry.action);
	assert_string_equal(json_string_value(json_object_get(
				json_object_get(got, "actor"), "name")),
	    "Ann ?");
	assert_string_equal(json_string_value(json_object_get(
				json_object_get(got, "before"), "password")),
	    "[masked]");
	assert_true(json_equal(json_object_get(got, "after"), after));
	json_decref(page);
	json_decref(before);
	json_decref(after);
}

/* No change without its entry, no entry without its change. */
static void
test_both_or_none(void **state)
{
	struct audit_entry entry = { .action = "account.rename",
		.actor_kind = "nobody" };
	int64_t had = chain_length(&acme);
	struct err e = { 0 };

	(void)state;
	assert_int_equal(rename_to(&acme, ACME, "x1", &acme, &entry, &e), -1);
	assert_int_equal(e.code, ERR_INVALID);
	entry.actor_kind = "cli";
	/* of another account's chain */
	assert_int_equal(rename_to(&acme, ACME, "x2", &other, &entry, &e), -1);
	assert_int_equal(e.code, ERR_DENIED);
	assert_int_equal(rename_to(NULL, ACME, "x3", &acme, &entry, &e), -1);
	/* nothing to change: row security hides it */
	assert_int_equal(rename_to(&acme, OTHER, "x4", &acme, &entry, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	assert_string_equal(e.text, "no such account");
	assert_int_equal(
	    dbfix_number("SELECT count(*) FROM accounts WHERE name LIKE 'x%'"),
	    0);
	assert_int_equal(chain_length(&acme), had);
	/* without its table nothing is changed either */
	dbfix_sql("ALTER TABLE data.audit_log RENAME TO audit_gone");
	assert_int_equal(rename_to(&acme, ACME, "x5", &acme, &entry, &e), -1);
	dbfix_sql("ALTER TABLE data.audit_gone RENAME TO audit_log");
	assert_int_equal(
	    dbfix_number("SELECT count(*) FROM accounts WHERE name LIKE 'x%'"),
	    0);
}

static void
test_platform(void **state)
{
	struct audit_entry entry = { .action = "price.set",
		.actor_kind = "system" };
	struct audit_filter all = { 0 };
	struct db_call call;
	struct err e = { 0 };
	void *ctx = mem_root("test");
	json_t *page;

	(void)state;
	for (int i = 0; i < 2; i++) {
		audit_call(ctx, NULL, &entry, &call);
		/* in a transaction of no account, and in one of any */
		if (db_run(pool, DB_WRITE, i == 0 ? NULL : &acme, &call, 1,
			soon(), ctx, &e) != 0)
			fail_msg("%s", e.text);
	}
	assert_int_equal(chain_length(&platform), 2);
	assert_int_equal(
	    audit_list(pool, NULL, &all, NULL, 10, soon(), &page, &e), 0);
	assert_int_equal(json_array_size(json_object_get(page, "data")), 2);
	json_decref(page);
	mem_free(ctx);
}

/* Running roles write through the gate alone, and change nothing. */
static void
test_rights(void **state)
{
	static const char *const denied[] = {
		"INSERT INTO data.audit_log SELECT * FROM data.audit_log",
		"UPDATE data.audit_log SET actor_name = 'x'",
		"DELETE FROM data.audit_log",
		"UPDATE data.audit_heads SET seq = 1",
		"DELETE FROM data.audit_heads",
		"UPDATE data.audit_checkpoints SET seq = 1",
		"DELETE FROM data.audit_checkpoints",
		"UPDATE control.audit_keys SET sealed = ''",
	};
	static const char *const roles[] = { "sb_admin", "sb_job", "sb_chat",
		"sb_writer" };
	char *sql;

	(void)state;
	for (size_t r = 0; r < 4; r++)
		for (size_t i = 0; i < sizeof(denied) / sizeof(denied[0]);
		     i++) {
			sql = mem_printf(NULL,
			    "SELECT has_table_privilege('%s', "
			    "'data.audit_log', 'INSERT, UPDATE, DELETE, "
			    "TRUNCATE')::int",
			    roles[r]);
			assert_int_equal(dbfix_number(sql), 0);
			mem_free(sql);
		}
	for (size_t i = 0; i < sizeof(denied) / sizeof(denied[0]); i++) {
		struct db_stmt stmt = { NULL, denied[i] };
		struct db_call call = { .stmt = &stmt };
		struct err e = { 0 };
		void *ctx = mem_root("test");

		assert_int_equal(
		    db_run(pool, DB_WRITE, &acme, &call, 1, soon(), ctx, &e),
		    -1);
		assert_int_equal(e.code, ERR_DENIED);
		mem_free(ctx);
	}
	assert_int_equal(
	    dbfix_number("SELECT (has_function_privilege('sb_chat', "
			 "'gate.audit_append(uuid, text, text, text, text, "
			 "text, text, text, text, text, text)', 'EXECUTE') OR "
			 "has_function_privilege('sb_writer', "
			 "'gate.audit_append(uuid, text, text, text, text, "
			 "text, text, text, text, text, text)', "
			 "'EXECUTE'))::int"),
	    0);
}

static void
test_pages(void **state)
{
	struct audit_filter f = { .action = "page.*" };
	struct audit_entry entry = { .actor_kind = "cli",
		.object_kind = "thing" };
	struct err e = { 0 };
	char after[24] = "", name[32];
	int64_t last = INT64_MAX;
	json_t *page, *row;
	int seen = 0;
	size_t i;

	(void)state;
	for (int n = 0; n < 25; n++) {
		snprintf(name, sizeof(name), "page.n%d", n % 5);
		entry.action = name;
		entry.object_id = name + 5;
		assert_int_equal(
		    rename_to(&acme, ACME, "new", &acme, &entry, &e), 0);
	}
	do {
		assert_int_equal(
		    audit_list(pool, &acme, &f, after[0] != '\0' ? after : NULL,
			10, soon(), &page, &e),
		    0);
		json_array_foreach(json_object_get(page, "data"), i, row)
		{
			int64_t seq =
			    json_integer_value(json_object_get(row, "seq"));

			assert_true(seq < last);
			last = seq;
			seen++;
		}
		snprintf(after, sizeof(after), "%s",
		    json_is_null(json_object_get(page, "next"))
			? ""
			: json_string_value(json_object_get(page, "next")));
		json_decref(page);
	} while (after[0] != '\0');
	assert_int_equal(seen, 25);
	f = (struct audit_filter){ .action = "page.n3",
		.actor_kind = "cli",
		.object_kind = "thing",
		.object_id = "n3",
		.since_us = clock_wall_us() - 3600000000,
		.until_us = clock_wall_us() + 3600000000 };
	assert_int_equal(
	    audit_list(pool, &acme, &f, NULL, 200, soon(), &page, &e), 0);
	assert_int_equal(json_array_size(json_object_get(page, "data")), 5);
	json_decref(page);
	f.until_us = f.since_us;
	assert_int_equal(
	    audit_list(pool, &acme, &f, NULL, 200, soon(), &page, &e), 0);
	assert_int_equal(json_array_size(json_object_get(page, "data")), 0);
	json_decref(page);
	assert_int_equal(
	    audit_list(pool, &acme, &f, "x", 10, soon(), &page, &e), -1);
	assert_int_equal(e.code, ERR_INVALID);
}

/* Long values make short pages, and nothing is left out. */
static void
test_long_pages(void **state)
{
	struct audit_filter f = { .action = "long.one" };
	char *text = mem_zalloc(NULL, 90001, "text"), after[24];
	struct audit_entry entry = { .action = "long.one",
		.actor_kind = "cli" };
	struct err e = { 0 };
	json_t *v, *page;
	size_t first;

	(void)state;
	memset(text, 'x', 90000);
	v = json_pack("{s:s}", "text", text);
	entry.before = entry.after = v;
	for (int i = 0; i < 20; i++)
		assert_int_equal(
		    rename_to(&acme, ACME, "new", &acme, &entry, &e), 0);
	assert_int_equal(
	    audit_list(pool, &acme, &f, NULL, 200, soon(), &page, &e), 0);
	first = json_array_size(json_object_get(page, "data"));
	assert_int_equal(first, 3000000 / (2 * 90011));
	snprintf(after, sizeof(after), "%s",
	    json_string_value(json_object_get(page, "next")));
	json_decref(page);
	assert_int_equal(
	    audit_list(pool, &acme, &f, after, 200, soon(), &page, &e), 0);
	assert_int_equal(
	    json_array_size(json_object_get(page, "data")), 20 - first);
	assert_true(json_is_null(json_object_get(page, "next")));
	json_decref(page);
	json_decref(v);
	mem_free(text);
}

static void *
write_many(void *arg)
{
	struct audit_entry entry = {
		.action = "race.entry", .actor_kind = "system", .actor_id = arg
	};
	intptr_t failed = 0;

	for (int i = 0; i < EACH; i++) {
		void *ctx = mem_root("test");
		struct err e = { 0 };
		struct db_call call;

		audit_call(ctx, &other, &entry, &call);
		failed += db_run(pool, DB_WRITE, &other, &call, 1, soon(), ctx,
			      &e) != 0;
		mem_free(ctx);
	}
	return (void *)failed;
}

/* F10: 8 writers x 1,000 entries, no gap, in the order of their moments. */
static void
test_race(void **state)
{
	pthread_t thread[WRITERS];
	char name[WRITERS][2];
	void *failed;

	(void)state;
	for (int i = 0; i < WRITERS; i++) {
		name[i][0] = (char)('a' + i);
		name[i][1] = '\0';
		pthread_create(&thread[i], NULL, write_many, name[i]);
	}
	for (int i = 0; i < WRITERS; i++) {
		pthread_join(thread[i], &failed);
		assert_null(failed);
	}
	assert_int_equal(chain_length(&other), WRITERS * EACH);
	assert_int_equal(
	    dbfix_number("SELECT count(*) FROM (SELECT id, at, lag(id) OVER w "
			 "AS i, lag(at) OVER w AS a FROM data.audit_log "
			 "WHERE account_id = '" OTHER "' WINDOW w AS (ORDER BY "
			 "seq)) x WHERE id <= i OR at < a"),
	    0);
}

/* Retention takes the beginning of a chain; the rest holds. */
static void
test_retention(void **state)
{
	int64_t had = chain_length(&other), gone;

	(void)state;
	dbfix_sql("UPDATE data.audit_log SET id = (left((data.uuid_floor(now() "
		  "- interval '20 days'))::text, 19) || "
		  "right(id::text, 17))::uuid WHERE account_id = '" OTHER
		  "' AND seq <= 100");
	gone = dbfix_number("SELECT gate.retain_audit_log(10)");
	assert_int_equal(gone, 100);
	assert_int_equal(dbfix_number("SELECT gate.retain_audit_log(10)"), 0);
	assert_int_equal(chain_length(&other), had - 100);
}

static int
set_up(void **state)
{
	(void)state;
	pool = dbfix_open("sb_admin");
	assert_int_equal(id_parse(ACME, 36, &acme), 0);
	assert_int_equal(id_parse(OTHER, 36, &other), 0);
	dbfix_sql(
	    "INSERT INTO accounts (id, slug, name, tier) VALUES ('" ACME
	    "', 'acme', 'n', 'free'), ('" OTHER "', 'other', 'n', 'free')");
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	dbfix_close();
	return 0;
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_with_the_change),
		cmocka_unit_test(test_both_or_none),
		cmocka_unit_test(test_platform),
		cmocka_unit_test(test_rights),
		cmocka_unit_test(test_pages),
		cmocka_unit_test(test_long_pages),
		cmocka_unit_test(test_race),
		cmocka_unit_test(test_retention),
	};

	if (!dbtemp_there())
		return 77;
	json_setup();
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
