/* A browser's secret over a real database: it stays while nothing changes, is
 * replaced when something does, and ends its sign-in when it comes again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "audit/audit.h"
#include "auth/browser.h"
#include "crypto/hash.h"
#include "db/db.h"
#include "lib/dbfix.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

#define ANN "0190a000-0000-7000-8000-0000000000a1"
#define LIFE 3600

static struct db_pool *pool;
static struct uuid ann;
static const struct sign_in_from from = { .address = "192.0.2.1",
	.user_agent = "Mozilla/5.0",
	.client = "192.0.2.1",
	.request_id = "test-browser" };

static int64_t
soon(void)
{
	return clock_mono() + 10 * CLOCK_S;
}

static struct browser
fresh(void)
{
	struct err e = { 0 };
	struct browser b;

	if (browser_new(pool, &(struct token){ .user = ann }, &from, LIFE,
		soon(), &b, &e) != 0)
		fail_msg("%s", e.text);
	return b;
}

static struct browser
renew(const char *secret, bool anew)
{
	struct err e = { 0 };
	struct browser b;

	if (browser_renew(pool, secret, anew, LIFE, soon(), &b, &e) != 0)
		fail_msg("%s", e.text);
	return b;
}

static void
refused(const char *secret)
{
	struct err e = { 0 };
	struct browser b;

	assert_int_equal(
	    browser_renew(pool, secret, false, LIFE, soon(), &b, &e), -1);
	assert_int_equal(e.code, ERR_UNKNOWN);
}

static void
change(void)
{
	dbfix_sql("UPDATE control.users SET token_version = token_version + 1"
		  " WHERE id = '" ANN "'");
}

static void
test_same(void **state)
{
	struct browser a = fresh(), b;

	(void)state;
	for (int i = 0; i < 3; i++) {
		b = renew(a.secret, false);
		assert_string_equal(b.secret, "");
		assert_false(b.late);
		assert_true(id_eq(&b.token.user, &ann));
		assert_true(id_eq(&b.token.sign_in, &a.token.sign_in));
		assert_int_equal(b.token.version, a.token.version);
		assert_int_equal(b.token.slot, a.token.slot);
	}
	/* only its hash is there, and the sign-in is on record */
	assert_int_equal(
	    dbfix_number("SELECT count(*) FROM control.refresh_tokens WHERE "
			 "position('sb_web_' in encode(token_hash, 'escape')) "
			 "> 0"),
	    0);
	assert_true(dbfix_number("SELECT count(*) FROM data.audit_log WHERE "
				 "action = 'user.sign_in' AND actor_id = '" ANN
				 "'") > 0);
}

static void
test_changed(void **state)
{
	struct browser a = fresh(), b, late, c;

	(void)state;
	change();
	b = renew(a.secret, false);
	assert_string_not_equal(b.secret, "");
	assert_string_not_equal(b.secret, a.secret);
	assert_int_equal(b.token.version, a.token.version + 1);
	assert_true(id_eq(&b.token.sign_in, &a.token.sign_in));
	/* a request that was on its way is served, and gets nothing new */
	late = renew(a.secret, false);
	assert_true(late.late);
	assert_string_equal(late.secret, "");
	assert_int_equal(late.token.version, b.token.version);
	c = renew(b.secret, true);
	assert_string_not_equal(c.secret, "");
	assert_string_equal(renew(c.secret, false).secret, "");
}

static void
test_reused(void **state)
{
	struct browser a = fresh(), other = fresh(), b;

	(void)state;
	b = renew(a.secret, true);
	dbfix_sql("UPDATE control.refresh_tokens SET used_at = used_at - "
		  "interval '11 s' WHERE used_at IS NOT NULL");
	refused(a.secret);
	/* nobody knows which of the two is hers: both are out */
	refused(b.secret);
	refused(a.secret);
	/* her other browser is not */
	assert_string_not_equal(renew(other.secret, false).secret, "");
}

static void
test_ended(void **state)
{
	struct browser a = fresh(), b = fresh(), c = fresh();
	const struct audit_entry self = { .actor_kind = "user",
		.actor_id = ANN };
	struct err e = { 0 };
	int64_t n;

	(void)state;
	assert_int_equal(sign_in_end(pool, &ann, &a.token.sign_in, "signed out",
			     &self, soon(), &n, &e),
	    0);
	assert_int_equal(n, 1);
	refused(a.secret);
	b = renew(b.secret, false);
	dbfix_sql("UPDATE control.sign_ins SET expires_at = now() WHERE "
		  "ended_at IS NULL");
	refused(c.secret);
	a = fresh();
	dbfix_sql(
	    "UPDATE control.users SET is_active = false WHERE id = '" ANN "'");
	refused(a.secret);
	assert_int_equal(browser_new(pool, &(struct token){ .user = ann },
			     &from, LIFE, soon(), &b, &e),
	    -1);
	assert_int_equal(e.code, ERR_UNKNOWN);
	dbfix_sql(
	    "UPDATE control.users SET is_active = true WHERE id = '" ANN "'");
	refused(a.secret);
	a = fresh();
	dbfix_sql("UPDATE control.users SET password_hash = "
		  "'$argon2id$another' WHERE "
		  "id = '" ANN "'");
	refused(a.secret);
	/* proven before that: not any more */
	assert_int_equal(
	    browser_new(pool, &a.token, &from, LIFE, soon(), &b, &e), -1);
	assert_int_equal(e.code, ERR_UNKNOWN);
}

static int
setup(void **state)
{
	(void)state;
	if (crypto_setup(NULL) != 0 ||
	    id_parse(ANN, sizeof(ANN) - 1, &ann) != 0)
		return -1;
	pool = dbfix_open("sb_admin");
	dbfix_sql("INSERT INTO control.users (id, email, display_name, "
		  "password_hash) VALUES "
		  "('" ANN "', 'ann@example.com', 'Ann', '$argon2id$none')");
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	dbfix_close();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_changed),
		cmocka_unit_test(test_reused),
		cmocka_unit_test(test_ended),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
