/* Journals as files: what is read back, torn, damaged, locked. */
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
#include <sys/stat.h>
#include <unistd.h>

#include "db/journal_priv.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

#define RECORDS 5
#define SLOT 7

static const struct writer_stmt stmts[] = {
	{ .name = "j_one",
	    .ncols = 3,
	    .col = { COL_UUID, COL_TEXT, COL_INT8 } },
	{ .name = "j_two", .ncols = 2, .col = { COL_UUID, COL_BYTEA } },
};
/* The next version of the program: another order, j_two has changed, and j_one
 * has another column. */
static const struct writer_stmt later[] = {
	{ .name = "j_two", .ncols = 2, .col = { COL_UUID, COL_TEXT } },
	{ .name = "j_new", .ncols = 1, .col = { COL_UUID } },
	{ .name = "j_one",
	    .ncols = 4,
	    .col = { COL_UUID, COL_TEXT, COL_INT8, COL_UUID } },
};

static char dir[] = "/tmp/sb-journal-XXXXXX";
static struct uuid ids[RECORDS];

static struct piece *
piece(int64_t n)
{
	struct uuid account;
	struct piece *p;

	id_new(&account);
	p = piece_new(&account);
	piece_row(p, 0);
	piece_uuid(p, &account);
	piece_str(p, n % 2 ? NULL : "text");
	piece_int(p, n);
	if (n == 3) {
		piece_row(p, 1);
		piece_uuid(p, &account);
		piece_text(p, "\0SBJR\xff", 6);
	}
	return p;
}

/* The name of the only file there. */
static char *
only_file(const void *ctx)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	char *name = NULL;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		assert_null(name);
		name = mem_strdup(ctx, e->d_name);
	}
	closedir(d);
	assert_non_null(name);
	return name;
}

static struct journal *
fill(int64_t max)
{
	struct writer_opts o = { .stmts = stmts,
		.nstmts = 2,
		.journal_dir = dir,
		.journal_slot = SLOT,
		.journal_max = max };
	struct journal *j = journal_new(NULL, &o);
	struct piece *p[2];
	struct err e;
	int i;

	for (i = 0; i < RECORDS; i++) {
		id_new(&ids[i]);
		p[0] = piece(i);
		p[1] = piece(10 + i);
		if (journal_append(j, &ids[i], p, 2, &e) != 0)
			fail_msg("%s", e.text);
		piece_free(p[0]);
		piece_free(p[1]);
	}
	return j;
}

static void
empty(void)
{
	char *name = only_file(NULL);
	char *path = mem_printf(name, "%s/%s", dir, name);

	assert_int_equal(unlink(path), 0);
	mem_free(name);
}

/* How many records can be read; each is one of those written, in order. */
static int
count(const struct writer_stmt *s, int n, bool *damaged)
{
	void *ctx = mem_root("test");
	struct journal_file f;
	struct record r;
	struct err e = { 0 };
	int last = -1, found = 0, i;

	assert_int_equal(
	    journal_file_open(&f, ctx, dir, only_file(ctx), s, n, &e), 1);
	while (journal_file_next(&f, lseek(f.fd, 0, SEEK_END), ctx, &r)) {
		for (i = last + 1; i < RECORDS && !id_eq(&ids[i], &r.id); i++)
			continue;
		assert_true(i < RECORDS);
		assert_int_equal(r.n, 2);
		last = i;
		found++;
		record_free(&r);
	}
	*damaged = f.damaged;
	journal_file_close(&f);
	mem_free(ctx);
	return found;
}

static void
test_whole(void **state)
{
	struct journal *j = fill(1 << 20);
	struct journal_state s;
	struct journal_file f;
	struct stat st;
	bool damaged;
	char *name = only_file(NULL), *path;

	(void)state;
	assert_int_equal(journal_look(dir, &s, NULL), 0);
	assert_int_equal(s.files, 1);
	assert_true(s.bytes > 0 && s.damaged == 0);
	assert_true(llabs(s.oldest_us - clock_wall_us()) < 60 * 1000000);
	path = mem_printf(name, "%s/%s", dir, name);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	/* while it is somebody's nobody else gets it */
	assert_int_equal(
	    journal_file_open(&f, name, dir, name, stmts, 2, NULL), 0);
	journal_free(j);
	assert_int_equal(count(stmts, 2, &damaged), RECORDS);
	assert_false(damaged);
	mem_free(name);
	empty();
	assert_int_equal(journal_look("/nonexistent/x", &s, NULL), 0);
	assert_int_equal(s.files, 0);
}

/* Cut at any byte: what was whole is read, the rest is no damage. */
static void
test_torn(void **state)
{
	struct journal *j = fill(1 << 20);
	char *name = only_file(NULL);
	char *path = mem_printf(name, "%s/%s", dir, name);
	off_t whole = j->end, size;
	int records, before = RECORDS;
	bool damaged;

	(void)state;
	journal_free(j);
	for (size = whole - 1; size > whole / 2; size--) {
		assert_int_equal(truncate(path, size), 0);
		records = count(stmts, 2, &damaged);
		assert_true(records == before || records == before - 1);
		assert_false(damaged);
		before = records;
	}
	assert_true(before < RECORDS - 1 && before > 0);
	mem_free(name);
	empty();
}

/* A byte changed: that record is lost, the others are not, and it is told. */
static void
test_damaged(void **state)
{
	struct journal *j = fill(1 << 20);
	char *name = only_file(NULL);
	char *path = mem_printf(name, "%s/%s", dir, name), was, is;
	off_t whole = j->end, at, head;
	struct journal_file f;
	int fd;
	bool damaged;

	(void)state;
	assert_int_equal(journal_file_head(&f, name, j->fd, stmts, 2, NULL), 0);
	head = f.pos;
	journal_free(j);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	for (at = head; at < whole; at++) {
		assert_int_equal(pread(fd, &was, 1, at), 1);
		is = (char)(was ^ 0x10);
		assert_int_equal(pwrite(fd, &is, 1, at), 1);
		assert_int_equal(count(stmts, 2, &damaged), RECORDS - 1);
		/* a last record whose length has grown looks torn */
		if (at < whole - (whole - head) / RECORDS - 60)
			assert_true(damaged);
		assert_int_equal(pwrite(fd, &was, 1, at), 1);
	}
	/* the head: the file is set aside as a whole */
	assert_int_equal(pwrite(fd, "x", 1, 20), 1);
	close(fd);
	assert_int_equal(
	    journal_file_open(&f, name, dir, name, stmts, 2, NULL), -1);
	mem_free(name);
	name = only_file(NULL);
	assert_non_null(strstr(name, JOURNAL_DAMAGED));
	mem_free(name);
	empty();
}

static void
test_later_version(void **state)
{
	void *ctx = mem_root("test");
	struct journal *j = fill(1 << 20);
	struct journal_file f;
	struct record r;
	struct cell c;
	struct err e;
	int i = 0;

	(void)state;
	journal_free(j);
	assert_int_equal(
	    journal_file_open(&f, ctx, dir, only_file(ctx), later, 3, NULL), 1);
	while (journal_file_next(&f, lseek(f.fd, 0, SEEK_END), ctx, &r)) {
		size_t pos = 0;

		if (i == 3) {
			assert_string_equal(
			    journal_file_map(&f, r.pieces[0]), "j_two");
		} else {
			assert_null(journal_file_map(&f, r.pieces[0]));
			assert_true(cell_next(r.pieces[0], &pos, &c));
			assert_int_equal(c.tag, CELL_ROW);
			assert_int_equal(c.stmt, 2);
			if (piece_check(r.pieces[0], later, 3, &e) != 0)
				fail_msg("%s", e.text);
			/* what was added is null, the rest as it was */
			for (int col = 0; col < 3; col++)
				assert_true(cell_next(r.pieces[0], &pos, &c));
			assert_int_equal(c.tag, CELL_INT);
			assert_int_equal(c.i, i);
			assert_true(cell_next(r.pieces[0], &pos, &c));
			assert_int_equal(c.tag, CELL_NULL);
			assert_false(cell_next(r.pieces[0], &pos, &c));
		}
		record_free(&r);
		i++;
	}
	assert_int_equal(i, RECORDS);
	journal_file_done(&f, dir);
	journal_file_close(&f);
	mem_free(ctx);
}

/* The limit holds for all journals together, and says so before it is hit. */
static void
test_limit(void **state)
{
	struct journal *j = fill(1 << 20);
	struct piece *p = piece(1);
	struct err e = { 0 };
	struct uuid id;

	(void)state;
	assert_false(atomic_load(&j->full));
	id_new(&id);
	j->max = j->end + 150;
	assert_int_equal(journal_append(j, &id, &p, 1, &e), 0);
	assert_true(atomic_load(&j->full)); /* seven eighths */
	j->max = j->end + 10;
	assert_int_equal(journal_append(j, &id, &p, 1, &e), -1);
	assert_int_equal(e.code, ERR_UNAVAILABLE);
	assert_non_null(strstr(e.text, "journal_max"));
	j->max = 1 << 20;
	assert_int_equal(journal_append(j, &id, &p, 1, &e), 0);
	assert_false(atomic_load(&j->full));
	assert_false(journal_finish(j, 1, false));
	assert_true(journal_finish(j, j->end, false));
	assert_false(journal_active(j));
	piece_free(p);
	journal_free(j);
}

static void
test_halves(void **state)
{
	struct uuid id, a, b, again;

	(void)state;
	id_new(&id);
	batch_half(&id, 0, &a);
	batch_half(&id, 1, &b);
	batch_half(&id, 0, &again);
	assert_true(id_eq(&a, &again));
	assert_false(id_eq(&a, &b) || id_eq(&a, &id) || id_eq(&b, &id));
	assert_int_equal(id_time_ms(&a), id_time_ms(&id));
	assert_int_equal(a.b[8] & 0xc0, 0x80);
	assert_int_equal(a.b[6] & 0xf0, 0x70);
}

static int
set_up(void **state)
{
	(void)state;
	return mkdtemp(dir) == NULL;
}

static int
tear_down(void **state)
{
	(void)state;
	return rmdir(dir);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_torn),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_later_version),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_halves),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
