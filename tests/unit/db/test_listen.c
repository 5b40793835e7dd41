/* LISTEN: notices come, and come again after the connection was lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "db/listen.h"
#include "util/clock.h"
#include "util/mem.h"

#include "lib/dbtemp.h"

#include "util/banned.h"

static char *db;

struct heard {
	int n;
	char all[200];
};

static void
hear(void *arg, const char *payload)
{
	struct heard *h = arg;
	size_t n = strlen(h->all);

	snprintf(h->all + n, sizeof(h->all) - n, "%s;", payload);
	h->n++;
}

static void
notify(const char *payload)
{
	char *sql = mem_printf(NULL, "NOTIFY sb_test, '%s'", payload);

	mem_free(dbtemp_sql(db, NULL, sql));
	mem_free(sql);
}

static void
test_notices(void **state)
{
	struct db_listen *l = db_listen_new(db, "sb_job", "sb_test", 2000);
	struct heard h = { 0 };
	struct err e = { 0 };
	int64_t began;
	bool fresh;

	(void)state;
	assert_int_equal(db_listen_ping(l, 100, &e), -1);
	assert_int_equal(db_listen_wait(l, 0, hear, &h, &fresh, &e), 0);
	assert_true(fresh);
	notify("1 2");
	notify("3 4");
	began = clock_mono();
	while (h.n < 2 && clock_mono() - began < 5 * CLOCK_S) {
		assert_int_equal(
		    db_listen_wait(l, 1000, hear, &h, &fresh, &e), 0);
		assert_false(fresh);
	}
	assert_string_equal(h.all, "1 2;3 4;");
	/* what came during a ping is not lost */
	notify("5 6");
	assert_int_equal(db_listen_ping(l, 2000, &e), 0);
	assert_int_equal(db_listen_wait(l, 0, hear, &h, &fresh, &e), 0);
	assert_string_equal(h.all, "1 2;3 4;5 6;");
	/* quiet: the time passes, and that is no error */
	began = clock_mono();
	assert_int_equal(db_listen_wait(l, 60, hear, &h, &fresh, &e), 0);
	assert_true(clock_mono() - began >= 59 * CLOCK_MS);
	assert_int_equal(h.n, 3);
	db_listen_free(l);
}

static void
test_lost(void **state)
{
	struct db_listen *l = db_listen_new(db, "sb_job", "sb_test", 2000);
	struct heard h = { 0 };
	struct err e = { 0 };
	int64_t began = clock_mono();
	bool fresh;
	int failures = 0;

	(void)state;
	assert_int_equal(db_listen_wait(l, 0, hear, &h, &fresh, &e), 0);
	mem_free(dbtemp_sql(db, NULL,
	    "SELECT count(pg_terminate_backend(pid, 5000)) FROM "
	    "pg_stat_activity WHERE usename = 'sb_job' AND datname = "
	    "current_database()"));
	do {
		if (db_listen_wait(l, 50, hear, &h, &fresh, &e) != 0) {
			assert_int_equal(e.code, ERR_UNAVAILABLE);
			failures++;
		}
	} while (!fresh && clock_mono() - began < 5 * CLOCK_S);
	assert_true(fresh);
	assert_true(failures > 0);
	notify("7 8");
	assert_int_equal(db_listen_ping(l, 2000, &e), 0);
	assert_int_equal(db_listen_wait(l, 0, hear, &h, &fresh, &e), 0);
	assert_string_equal(h.all, "7 8;");
	db_listen_free(l);
}

static void
test_nobody(void **state)
{
	struct db_listen *l =
	    db_listen_new("host=/nonexistent", "sb_job", "sb_test", 1000);
	struct heard h = { 0 };
	struct err e = { 0 };
	int64_t began = clock_mono();
	bool fresh;
	int i;

	(void)state;
	for (i = 0; i < 6; i++) {
		assert_int_equal(
		    db_listen_wait(l, 40, hear, &h, &fresh, &e), -1);
		assert_int_equal(e.code, ERR_UNAVAILABLE);
		assert_false(fresh);
	}
	/* it paused, and no longer than it was told to wait */
	assert_true(clock_mono() - began > 80 * CLOCK_MS);
	assert_true(clock_mono() - began < CLOCK_S);
	db_listen_free(l);
}

static int
set_up(void **state)
{
	(void)state;
	db = dbtemp_new_empty();
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	dbtemp_drop(db);
	return 0;
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_notices),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_nobody),
	};

	if (!dbtemp_there())
		return 77;
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
