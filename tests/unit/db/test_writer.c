/* What the writer stores, merges and refuses, against a real PostgreSQL. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/stat.h>

#include "util/clock.h"
#include "util/mem.h"

#include "lib/dbtemp.h"
#include "unit/db/writer_rig.h"

#include "util/banned.h"

static void
test_types(void **state)
{
	struct writer *w = writer(16, 16, true, false);
	struct uuid account, parent;
	struct piece *p;
	struct err e;
	int i;

	(void)state;
	wipe();
	id_new(&account);
	if (writer_commit(w, whole(&account, "ä\n'\"{}\\", 1),
		clock_mono() + 5 * CLOCK_S, &e) != 0)
		fail_msg("%s", e.text);
	expect(
	    "SELECT count(*) FROM data.child WHERE body = E'ä\\n''\"{}\\\\' "
	    "AND j = '{\"a\": [1, \"ü\"]}' AND b AND i4 = -2147483648 AND i8 "
	    "= 9223372036854775807 AND t = '2023-11-14 "
	    "22:13:20.123456+00' AND raw = '\\x610062'",
	    "1");
	p = piece_new(&account);
	id_new(&parent);
	add_parent(p, &account, &parent);
	piece_row(p, S_CHILD);
	piece_uuid(p, &account);
	piece_uuid(p, &parent);
	piece_uuid(p, &parent);
	for (i = 0; i < 7; i++)
		piece_null(p);
	assert_int_equal(writer_commit(w, p, 0, &e), 0);
	expect("SELECT count(*) FROM data.child WHERE num_nulls(body, j, b, i4,"
	       " i8, t, raw) = 7",
	    "1");
	expect("SELECT note IS NULL FROM data.parent LIMIT 1", "t");
	writer_free(w, clock_mono() + 5 * CLOCK_S);
}

/* Rows with equal keys add up, whatever the batch; the greatest stays. */
static void
test_merge(void **state)
{
	struct writer *w = writer(1000, 100, false, true);
	struct uuid a[3];
	struct piece *p;
	struct err e;
	int i;

	(void)state;
	wipe();
	for (i = 0; i < 3; i++)
		id_new(&a[i]);
	for (i = 0; i < 600; i++) {
		p = piece_new(&a[i % 3]);
		add_sum(p, &a[i % 3], i % 2 ? "odd" : "even", i, i);
		add_sum(p, &a[i % 3], "all", 1, -i);
		if (i < 599)
			writer_post(w, p);
		else
			assert_int_equal(writer_commit(w, p, 0, &e), 0);
	}
	expect("SELECT count(*) FROM data.sums", "9");
	expect("SELECT sum(n) FROM data.sums WHERE name = 'all'", "600");
	expect("SELECT sum(n) FROM data.sums WHERE name <> 'all'", "179700");
	expect(
	    "SELECT string_agg(most::text, ' ' ORDER BY most) FROM data.sums "
	    "WHERE name <> 'all'",
	    "594 595 596 597 598 599");
	expect(
	    "SELECT string_agg(most::text, ' ' ORDER BY most) FROM data.sums "
	    "WHERE name = 'all'",
	    "-2 -1 0");
	writer_free(w, clock_mono() + 5 * CLOCK_S);
}

/* Pieces that do not fit their statements never reach the database. */
static void
test_wrong_pieces(void **state)
{
	struct writer *w = writer(16, 16, true, false);
	struct uuid account;
	struct piece *p;
	struct err e;
	char *big;
	int i;

	(void)state;
	wipe();
	id_new(&account);
	for (i = 0; i < 7; i++) {
		p = piece_new(&account);
		if (i == 1)
			piece_str(p, "no row");
		else if (i == 2)
			piece_row(p, STMTS);
		else if (i >= 3)
			add_sum(p, &account, "x", 1, 1);
		if (i == 3)
			piece_int(p, 1);
		else if (i == 4)
			piece_row(p, S_PARENT);
		else if (i == 5) {
			piece_row(p, S_SUM);
			piece_uuid(p, &account);
			piece_int(p, 1);
		} else if (i == 6) {
			big = mem_array(NULL, char, 9 * 1024 * 1024);
			memset(big, 'x', 9 * 1024 * 1024 - 1);
			piece_str(p, big);
			mem_free(big);
		}
		memset(&e, 0, sizeof(e));
		assert_int_equal(writer_commit(w, p, 0, &e), -1);
		assert_int_equal(e.code, ERR_INTERNAL);
	}
	writer_free(w, clock_mono() + 5 * CLOCK_S);
	expect("SELECT count(*) FROM data.writer_batches", "0");
}

/* Bad pieces among good ones: each goes to the file, alone. */
static void
test_halving(void **state)
{
	enum { CALLERS = 16, PIECES = 30 };
	struct writer *w = writer(1000, 64, true, false);
	struct caller c[CALLERS];
	struct stat st;
	int i;

	(void)state;
	wipe();
	start(c, CALLERS, w, PIECES, 10);
	for (i = 0; i < CALLERS; i++) {
		pthread_join(c[i].thread, NULL);
		assert_int_equal(c[i].ok, 27);
		assert_int_equal(c[i].refused, 3);
	}
	writer_free(w, clock_mono() + 5 * CLOCK_S);
	expect("SELECT count(*) FROM data.child", "432");
	expect("SELECT count(*) FROM data.parent", "432");
	expect("SELECT sum(n) FROM data.sums", "432");
	assert_int_equal(dead_lines(), CALLERS * 3);
	assert_int_equal(stat(dead, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

/* A row of an account that the piece is not for: row security refuses it. */
static void
test_foreign_row(void **state)
{
	struct writer *w = writer(16, 16, true, false);
	struct uuid a, b, parent;
	struct piece *p;
	struct err e = { 0 };

	(void)state;
	wipe();
	id_new(&a);
	id_new(&b);
	id_new(&parent);
	p = piece_new(&a);
	add_sum(p, &a, "all", 1, 1);
	add_parent(p, &b, &parent);
	add_child(p, &b, &parent, "smuggled");
	assert_int_equal(writer_commit(w, p, 0, &e), -1);
	assert_int_equal(e.code, ERR_INTERNAL);
	assert_int_equal(dead_lines(), 1);
	expect("SELECT count(*) FROM data.sums", "0");
	writer_free(w, clock_mono() + 5 * CLOCK_S);
}

/* Somebody holds a table: the attempt ends by lock_timeout and is repeated. */
static void
test_lock(void **state)
{
	struct writer_opts o = { .conninfo = db,
		.stmts = stmts,
		.nstmts = STMTS,
		.queue_max = 16,
		.batch_max = 16,
		.timeout_ms = 200,
		.dead_letter_file = dead };
	struct writer *w = writer_new(&o);
	struct uuid account;
	struct err e;
	struct caller c;

	(void)state;
	wipe();
	id_new(&account);
	assert_int_equal(
	    writer_commit(w, whole(&account, "good", 1), 0, &e), 0);
	start(&c, 1, w, 1, 0);
	mem_free(dbtemp_sql(db, NULL,
	    "BEGIN; LOCK TABLE data.sums; SELECT pg_sleep(0.7); COMMIT"));
	pthread_join(c.thread, NULL);
	assert_int_equal(c.ok, 1);
	expect("SELECT sum(n) FROM data.sums", "2");
	writer_free(w, clock_mono() + 5 * CLOCK_S);
	assert_int_equal(dead_lines(), 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_wrong_pieces),
		cmocka_unit_test(test_halving),
		cmocka_unit_test(test_foreign_row),
		cmocka_unit_test(test_lock),
	};

	if (!dbtemp_there())
		return 77;
	return cmocka_run_group_tests(tests, rig_set_up, rig_tear_down);
}
