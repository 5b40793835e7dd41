/* The writer while its database is away, too slow or refuses, with a journal:
 * everything is acknowledged at once, and there exactly once in the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "db/journal.h"
#include "util/clock.h"
#include "util/mem.h"

#include "lib/dbtemp.h"
#include "unit/db/writer_rig.h"

#include "util/banned.h"

#define SLOT 3
#define SOON (20 * CLOCK_S)

static char dir[] = "/tmp/sb-journal-XXXXXX";

static struct writer *
journaling(unsigned slot, int64_t max, const struct writer_stmt *s)
{
	struct writer_opts o = { .conninfo = db,
		.stmts = s,
		.nstmts = STMTS,
		.queue_max = 1000,
		.batch_max = 16,
		.timeout_ms = 500,
		.dead_letter_file = dead,
		.journal_dir = dir,
		.journal_slot = slot,
		.journal_max = max,
		.prepared = true };

	return writer_new(&o);
}

/* No more connections for anybody but the superuser, and none stays. */
static void
away(bool yes)
{
	char *name = dbtemp_sql(db, NULL, "SELECT current_database()");
	char *sql = mem_printf(
	    NULL, "ALTER DATABASE %s CONNECTION LIMIT %d", name, yes ? 0 : -1);

	mem_free(dbtemp_sql(db, NULL, sql));
	if (yes)
		mem_free(dbtemp_sql(db, NULL,
		    "SELECT count(pg_terminate_backend(pid)) FROM "
		    "pg_stat_activity WHERE usename = 'sb_writer' AND datname "
		    "= current_database()"));
	mem_free(sql);
	mem_free(name);
}

static unsigned
files(void)
{
	struct journal_state s;

	assert_int_equal(journal_look(dir, &s, NULL), 0);
	return s.files;
}

/* Until ${n} files are left. */
static void
wait_files(unsigned n)
{
	int64_t until = clock_mono() + SOON;

	while (files() != n) {
		if (clock_mono() > until)
			fail_msg("%u files, not %u", files(), n);
		poll(NULL, 0, 5);
	}
}

static int
commit(struct writer *w, const char *body)
{
	struct uuid account;
	struct err e = { 0 };

	id_new(&account);
	return writer_commit(
	    w, whole(&account, body, 1), clock_mono() + 5 * CLOCK_S, &e);
}

/* Each piece is there, and counted, once. */
static void
expect_rows(int n)
{
	char want[32];

	snprintf(want, sizeof(want), "%d", n);
	expect("SELECT count(*) FROM data.child", want);
	expect("SELECT count(*) FROM data.parent", want);
	expect("SELECT sum(n) FROM data.sums", want);
}

/* The database goes and comes; callers hardly notice. */
static void
test_away(void **state)
{
	struct writer *w = journaling(SLOT, 1 << 20, stmts);
	int64_t began;
	int i;

	(void)state;
	wipe();
	assert_int_equal(commit(w, "good"), 0);
	away(true);
	began = clock_mono();
	for (i = 0; i < 30; i++)
		assert_int_equal(commit(w, "good"), 1);
	assert_true(clock_mono() - began < 5 * CLOCK_S);
	assert_true(writer_has_room(w));
	assert_int_equal(files(), 1);
	expect("SELECT count(*) FROM data.child", "1");
	away(false);
	wait_files(0);
	expect("SELECT count(*) FROM data.child", "31");
	expect("SELECT sum(n) FROM data.sums", "31");
	assert_int_equal(commit(w, "good"), 0);
	writer_free(w, clock_mono() + SOON);
	expect("SELECT sum(n) FROM data.sums", "32");
	assert_int_equal(dead_lines(), 0);
}

/* It goes and comes ten times under load. */
static void
test_flapping(void **state)
{
	enum { CALLERS = 16, PIECES = 60 };
	struct writer *w = journaling(SLOT, 1 << 26, stmts);
	struct caller c[CALLERS];
	struct timespec ts;
	int i, flaps = 0;

	(void)state;
	wipe();
	start(c, CALLERS, w, PIECES, 0);
	for (i = 0; i < CALLERS; i++) {
		do {
			away(true);
			away(false);
			flaps++;
			clock_gettime(CLOCK_REALTIME, &ts);
			ts.tv_nsec += 20 * 1000000;
			ts.tv_sec += ts.tv_nsec / 1000000000;
			ts.tv_nsec %= 1000000000;
		} while (pthread_timedjoin_np(c[i].thread, NULL, &ts) != 0);
		assert_int_equal(c[i].refused + c[i].late, 0);
	}
	wait_files(0);
	writer_free(w, clock_mono() + SOON);
	expect_rows(CALLERS * PIECES);
	assert_int_equal(dead_lines(), 0);
	assert_true(flaps > 3);
}

static void
copy(const char *from, const char *to)
{
	char data[65536];
	ssize_t n;
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(in >= 0 && out >= 0);
	while ((n = read(in, data, sizeof(data))) > 0)
		assert_int_equal(write(out, data, (size_t)n), n);
	close(in);
	close(out);
}

/* The path of the only journal. */
static char *
journal_path(void)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	char *path = NULL;

	while ((e = readdir(d)) != NULL)
		if (strstr(e->d_name, ".journal") != NULL) {
			assert_null(path);
			path = mem_printf(NULL, "%s/%s", dir, e->d_name);
		}
	closedir(d);
	assert_non_null(path);
	return path;
}

/*
 * A journal whose owner is dead goes to the next worker of its slot.  Replayed
 * again from the start, as by one who died before it could remove the file,
 * also where halves had to be made, nothing is stored twice.
 */
static void
test_slot_again(void **state)
{
	struct writer *w;
	struct uuid account;
	char *path, saved[64];
	int i;

	(void)state;
	wipe();
	away(true);
	id_new(&account);
	w = journaling(SLOT, 1 << 20, stmts);
	for (i = 0; i < 12; i++)
		writer_post(w, whole(&account, i == 5 ? "bad" : "good", i));
	writer_free(w, clock_mono() + SOON);
	assert_int_equal(dead_lines(), 0);
	path = journal_path();
	snprintf(saved, sizeof(saved), "%s/saved", dir);
	copy(path, saved);
	away(false);
	/* another slot's worker has no business with it */
	w = journaling(SLOT + 1, 1 << 20, stmts);
	assert_int_equal(commit(w, "good"), 0);
	assert_int_equal(files(), 1);
	writer_free(w, clock_mono() + SOON);
	for (i = 0; i < 3; i++) {
		w = journaling(SLOT, 1 << 20, stmts);
		wait_files(0);
		writer_free(w, clock_mono() + SOON);
		expect("SELECT count(*) FROM data.child", "12");
		expect("SELECT sum(n) FROM data.sums", "12");
		assert_true(dead_lines() >= 1);
		copy(saved, path);
	}
	assert_int_equal(unlink(path), 0);
	assert_int_equal(unlink(saved), 0);
	mem_free(path);
}

static bool
slot_is_taken(unsigned slot)
{
	return slot == SLOT;
}

/* What no slot owns is somebody's too. */
static void
test_orphans(void **state)
{
	struct writer_opts o = { .conninfo = db,
		.stmts = stmts,
		.nstmts = STMTS,
		.batch_max = 16,
		.timeout_ms = 500,
		.dead_letter_file = dead,
		.journal_dir = dir };
	struct writer *a, *b;
	struct replayer *r;
	struct uuid account;
	int64_t began;

	(void)state;
	wipe();
	away(true);
	id_new(&account);
	a = journaling(SLOT, 1 << 20, stmts);
	b = journaling(SLOT + 1, 1 << 20, stmts);
	writer_post(a, whole(&account, "good", 1));
	writer_post(b, whole(&account, "good", 1));
	writer_free(a, clock_mono() + SOON);
	writer_free(b, clock_mono() + SOON);
	assert_int_equal(files(), 2);
	r = replayer_new(&o, slot_is_taken);
	/* it ends at once, whatever the database does */
	began = clock_mono();
	replayer_free(r);
	assert_true(clock_mono() - began < 3 * CLOCK_S);
	away(false);
	r = replayer_new(&o, slot_is_taken);
	wait_files(1);
	expect("SELECT sum(n) FROM data.sums", "1");
	replayer_free(r);
	r = replayer_new(&o, NULL);
	replayer_free(r);
	a = journaling(SLOT, 1 << 20, stmts);
	wait_files(0);
	writer_free(a, clock_mono() + SOON);
	expect("SELECT sum(n) FROM data.sums", "2");
}

/* Full: the caller is not told that it is durable, and no new turn begins. */
static void
test_full(void **state)
{
	struct writer *w = journaling(SLOT, 20000, stmts);
	struct uuid account;
	struct err e = { 0 };
	int i;

	(void)state;
	wipe();
	away(true);
	for (i = 0; writer_has_room(w); i++)
		assert_int_equal(commit(w, "good"), 1);
	id_new(&account);
	for (;; i++)
		if (writer_commit(w, whole(&account, "good", 1),
			clock_mono() + 300 * CLOCK_MS, &e) != 1)
			break;
	assert_int_equal(e.code, ERR_UNAVAILABLE);
	assert_false(writer_has_room(w));
	away(false);
	wait_files(0);
	assert_int_equal(commit(w, "good"), 0);
	assert_true(writer_has_room(w));
	writer_free(w, clock_mono() + SOON);
	/* what could not be acknowledged has waited, and is there once */
	expect_rows(i + 2);
	assert_int_equal(dead_lines(), 0);
}

/* The disk takes no more; when it does again, all goes on by itself. */
static void
test_disk_full(void **state)
{
	struct writer *w = journaling(SLOT, 1 << 20, stmts);
	struct rlimit was, tight;
	struct uuid account;
	struct err e = { 0 };
	int i, durable;

	(void)state;
	wipe();
	away(true);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	tight = was;
	tight.rlim_cur = 1500;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
	id_new(&account);
	for (i = 1;; i++)
		if (writer_commit(w, whole(&account, "good", 1),
			clock_mono() + 300 * CLOCK_MS, &e) != 1)
			break;
	durable = i - 1;
	assert_true(durable > 0 && durable < 100);
	assert_int_equal(e.code, ERR_UNAVAILABLE);
	assert_false(writer_has_room(w));
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	assert_int_equal(commit(w, "good"), 1);
	assert_true(writer_has_room(w));
	away(false);
	wait_files(0);
	writer_free(w, clock_mono() + SOON);
	expect_rows(durable + 2);
	assert_int_equal(dead_lines(), 0);
}

/* A table is locked: answered after the time limit, then at once. */
static void
test_stall(void **state)
{
	struct writer *w = journaling(SLOT, 1 << 20, stmts);
	struct caller c;
	int64_t began;

	(void)state;
	wipe();
	assert_int_equal(commit(w, "good"), 0);
	start(&c, 1, w, 40, 0);
	mem_free(dbtemp_sql(db, NULL,
	    "BEGIN; LOCK TABLE data.sums; SELECT pg_sleep(2); COMMIT"));
	began = clock_mono();
	pthread_join(c.thread, NULL);
	wait_files(0);
	assert_true(clock_mono() - began < 5 * CLOCK_S);
	assert_int_equal(c.refused + c.late, 0);
	writer_free(w, clock_mono() + SOON);
	expect("SELECT sum(n) FROM data.sums", "41");
	assert_int_equal(dead_lines(), 0);
}

/* Written by a program that stored children differently. */
static void
test_upgrade(void **state)
{
	struct writer_stmt older[STMTS];
	struct writer *w;
	struct uuid account;
	struct piece *p;

	(void)state;
	wipe();
	away(true);
	memcpy(older, stmts, sizeof(older));
	older[S_CHILD].name = "w_child_of_old";
	id_new(&account);
	w = journaling(SLOT, 1 << 20, older);
	writer_post(w, whole(&account, "good", 1));
	p = piece_new(&account);
	add_sum(p, &account, "all", 5, 1);
	writer_post(w, p);
	writer_free(w, clock_mono() + SOON);
	away(false);
	w = journaling(SLOT, 1 << 20, stmts);
	wait_files(0);
	writer_free(w, clock_mono() + SOON);
	expect("SELECT sum(n) FROM data.sums", "5");
	assert_int_equal(dead_lines(), 1);
}

static int
set_up(void **state)
{
	if (mkdtemp(dir) == NULL)
		return -1;
	return rig_set_up(state);
}

static int
tear_down(void **state)
{
	rmdir(dir);
	return rig_tear_down(state);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_away),
		cmocka_unit_test(test_flapping),
		cmocka_unit_test(test_slot_again),
		cmocka_unit_test(test_orphans),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_disk_full),
		cmocka_unit_test(test_stall),
		cmocka_unit_test(test_upgrade),
	};

	if (!dbtemp_there())
		return 77;
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
