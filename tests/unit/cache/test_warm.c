/*
 * The warm tier as several processes see it: what one keeps another finds, no
 * older row takes a newer one's place, and whatever is done to the file or to a
 * process that writes it, the others go on with sound rows or none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cache/row.h"
#include "cache/warm.h"
#include "shm/epoch.h"
#include "util/clock.h"
#include "util/mem.h"

#include "util/banned.h"

#define MOST 100
#define WAIT (30 * CLOCK_S)

static char dir[64];

static struct warm *
opened(unsigned most)
{
	struct warm *w = NULL;
	struct err e = { 0 };

	if (warm_open(dir, most, &w, &e) != 0)
		fail_msg("%s", e.text);
	return w;
}

static void
put(struct warm *w, enum warm_kind kind, const char *key, uint64_t epoch,
    const char *text)
{
	struct row r = {
		.n = 2, .text = { text, NULL }, .len = { strlen(text), 0 }
	};
	struct warm_entry en = {
		.kind = kind, .key = key, .slot = 1, .epoch = epoch, .row = &r
	};

	warm_put(w, &en);
}

static void
flushed(struct warm *w)
{
	assert_int_equal(warm_flush(w, clock_mono() + WAIT), 0);
}

/* The text of a row, "" when there is none; till the next call. */
static const char *
got(struct warm *w, enum warm_kind kind, const char *key)
{
	static char text[256];
	void *ctx = mem_root("test");
	struct row r;

	text[0] = '\0';
	if (warm_get(w, kind, key, ctx, &r))
		snprintf(text, sizeof(text), "%s", row_text(&r, 0));
	mem_free(ctx);
	return text;
}

static bool
until_got(struct warm *w, const char *key, const char *text)
{
	int64_t limit = clock_mono() + WAIT;

	while (strcmp(got(w, WARM_KEY, key), text) != 0) {
		if (clock_mono() > limit)
			return false;
		poll(NULL, 0, 5);
	}
	return true;
}

static void
keeps(void **state)
{
	struct warm *w = opened(MOST);

	(void)state;
	assert_string_equal(got(w, WARM_KEY, "one"), "");
	put(w, WARM_KEY, "one", 5, "five");
	put(w, WARM_SPEC, "one", 5, "spec");
	flushed(w);
	assert_string_equal(got(w, WARM_KEY, "one"), "five");
	assert_string_equal(got(w, WARM_SPEC, "one"), "spec");
	assert_string_equal(got(w, WARM_ACCOUNT, "one"), "");
	/* An older one, however late it comes, is no news. */
	put(w, WARM_KEY, "one", 4, "four");
	flushed(w);
	assert_string_equal(got(w, WARM_KEY, "one"), "five");
	put(w, WARM_KEY, "one", 6, "six");
	flushed(w);
	assert_string_equal(got(w, WARM_KEY, "one"), "six");
	warm_close(w);
	/* It outlives a process. */
	w = opened(MOST);
	assert_string_equal(got(w, WARM_KEY, "one"), "six");
	warm_close(w);
	/* Without one there is nothing. */
	put(NULL, WARM_KEY, "one", 1, "x");
	assert_string_equal(got(NULL, WARM_KEY, "one"), "");
	warm_close(NULL);
}

static void
shared(void **state)
{
	struct warm *w;
	int status;
	pid_t pid;

	(void)state;
	pid = fork();
	if (pid == 0) {
		w = opened(MOST);
		put(w, WARM_KEY, "theirs", 1, "hello");
		status = warm_flush(w, clock_mono() + WAIT);
		warm_close(w);
		_exit(status == 0 ? 0 : 1);
	}
	w = opened(MOST);
	assert_true(until_got(w, "theirs", "hello"));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	warm_close(w);
}

/* Full: the oldest go, of those first that nobody may use any more. */
static void
evicts(void **state)
{
	struct warm *w = opened(MOST);
	struct warm_stats st;
	char key[32];
	int known = 0;

	(void)state;
	for (int i = 0; i < 5 * MOST; i++) {
		snprintf(key, sizeof(key), "e%d", i);
		put(w, WARM_ACCOUNT, key, 1, key);
		if (i % 50 == 0)
			flushed(w);
	}
	flushed(w);
	for (int i = 0; i < 5 * MOST; i++) {
		snprintf(key, sizeof(key), "e%d", i);
		known += strcmp(got(w, WARM_ACCOUNT, key), key) == 0;
	}
	assert_int_equal(known, MOST);
	assert_string_equal(got(w, WARM_ACCOUNT, key), key); /* the newest */
	for (int64_t limit = clock_mono() + WAIT;; poll(NULL, 0, 10)) {
		warm_stats(w, &st);
		if (st.kind[WARM_ACCOUNT].entries == MOST)
			break;
		assert_true(clock_mono() < limit);
	}
	assert_true(st.kind[WARM_ACCOUNT].oldest > 0);
	warm_close(w);
}

/* A file that is full of large rows is emptied and goes on. */
static void
large(void **state)
{
	struct warm *w = opened(1000);
	size_t n = (size_t)60 * 1024;
	char *text = malloc(n + 1), key[32];

	(void)state;
	assert_non_null(text);
	memset(text, 'x', n);
	text[n] = '\0';
	for (int i = 0; i < 900; i++) {
		snprintf(key, sizeof(key), "l%d", i);
		put(w, WARM_SPEC, key, 1, text);
		if (i % 20 == 0)
			flushed(w);
	}
	put(w, WARM_SPEC, "last", 1, "last");
	flushed(w);
	put(w, WARM_SPEC, "last", 2, "last");
	flushed(w);
	assert_string_equal(got(w, WARM_SPEC, "last"), "last");
	free(text);
	warm_close(w);
}

static void
write_file(const char *name, off_t at, const void *p, size_t n, bool cut)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, p, n, at), (ssize_t)n);
	if (cut)
		assert_int_equal(ftruncate(fd, at + (off_t)n), 0);
	close(fd);
}

static void
sound_again(void)
{
	struct warm *w = opened(MOST);

	put(w, WARM_KEY, "again", 1, "there");
	flushed(w);
	assert_string_equal(got(w, WARM_KEY, "again"), "there");
	warm_close(w);
}

/* What cannot be opened is thrown away and made anew. */
static void
damaged_files(void **state)
{
	static char junk[64 * 1024];

	(void)state;
	memset(junk, 0xa5, sizeof(junk));
	sound_again();
	write_file("data.mdb", 0, junk, sizeof(junk), true); /* no LMDB file */
	sound_again();
	write_file("data.mdb", 0, junk, 100, true); /* hardly anything */
	sound_again();
	write_file("data.mdb", 0, junk, 0, true); /* nothing */
	sound_again();
	/* Sound at its head, but what it names is cut off. */
	struct warm *w = opened(MOST);
	for (int i = 0; i < 90; i++) {
		char key[16];

		snprintf(key, sizeof(key), "c%d", i);
		put(w, WARM_KEY, key, 1, "there");
	}
	flushed(w);
	warm_close(w);
	char path[128];
	snprintf(path, sizeof(path), "%s/data.mdb", dir);
	assert_int_equal(truncate(path, 2 * 4096), 0);
	sound_again();
	/* Another layout of ours, whose seed and values we cannot read. */
	FILE *f = fopen(path, "r+");
	assert_non_null(f);
	assert_int_equal(fseek(f, 0, SEEK_END), 0);
	long end = ftell(f), at;
	char *all = malloc((size_t)end);
	assert_non_null(all);
	rewind(f);
	assert_int_equal(fread(all, 1, (size_t)end, f), (size_t)end);
	for (at = 0; at + 7 < end; at++)
		if (memcmp(all + at, "sb-warm", 7) == 0) {
			all[at] = 'S';
		}
	rewind(f);
	assert_int_equal(fwrite(all, 1, (size_t)end, f), (size_t)end);
	fclose(f);
	free(all);
	w = opened(MOST);
	assert_string_equal(got(w, WARM_KEY, "again"), "");
	warm_close(w);
	sound_again();
}

/* A value whose bytes were changed is no row. */
static void
damaged_value(void **state)
{
	struct warm *w = opened(MOST);
	char path[128], *all;
	int changed = 0;
	long end;

	(void)state;
	put(w, WARM_KEY, "precious", 1, "a text that can be found");
	flushed(w);
	warm_close(w);
	snprintf(path, sizeof(path), "%s/data.mdb", dir);
	FILE *f = fopen(path, "r+");
	assert_non_null(f);
	assert_int_equal(fseek(f, 0, SEEK_END), 0);
	end = ftell(f);
	all = malloc((size_t)end);
	assert_non_null(all);
	rewind(f);
	assert_int_equal(fread(all, 1, (size_t)end, f), (size_t)end);
	for (long at = 0; at + 11 < end; at++)
		if (memcmp(all + at, "can be found", 12) == 0) {
			all[at] = 'C';
			changed++;
		}
	assert_true(changed > 0);
	rewind(f);
	assert_int_equal(fwrite(all, 1, (size_t)end, f), (size_t)end);
	fclose(f);
	free(all);
	w = opened(MOST);
	assert_string_equal(got(w, WARM_KEY, "precious"), "");
	put(w, WARM_KEY, "precious", 1, "written again");
	flushed(w);
	assert_string_equal(got(w, WARM_KEY, "precious"), "written again");
	warm_close(w);
}

/* The master has removed the file under a process: it goes over to the new
 * one, where it meets the others.  (Forks come before threads.) */
static void
replaced(void **state)
{
	int status, go[2];
	struct warm *w;
	pid_t pid;
	char c;

	(void)state;
	assert_int_equal(pipe(go), 0);
	pid = fork();
	if (pid == 0) {
		if (read(go[0], &c, 1) != 1)
			_exit(1);
		w = opened(MOST);
		put(w, WARM_KEY, "after", 1, "new");
		status = warm_flush(w, clock_mono() + WAIT);
		warm_close(w);
		_exit(status == 0 ? 0 : 1);
	}
	w = opened(MOST);
	put(w, WARM_KEY, "before", 1, "old");
	flushed(w);
	warm_discard(dir);
	assert_int_equal(write(go[1], "x", 1), 1);
	assert_true(until_got(w, "after", "new"));
	assert_string_equal(got(w, WARM_KEY, "before"), "");
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(go[0]);
	close(go[1]);
	warm_close(w);
}

/* Rows in which a torn write would show: all letters are the same. */
static void
letters(char text[200], int n)
{
	memset(text, 'a' + n % 26, 199);
	text[199] = '\0';
}

static void
victim(int to)
{
	struct warm *w = opened(MOST);
	char key[16], text[200];

	for (unsigned i = 0;; i++) {
		snprintf(key, sizeof(key), "v%u", i % 60);
		letters(text, (int)(i % 26));
		put(w, WARM_SPEC, key, i, text);
		(void)got(w, WARM_SPEC, key);
		if (i == 100 && write(to, "x", 1) != 1)
			_exit(1);
		if (i % 16 == 0)
			(void)warm_flush(w, clock_mono() + WAIT);
	}
}

static void
all_sound(struct warm *w)
{
	char key[16], want[200];

	for (int i = 0; i < 60; i++) {
		const char *text;

		snprintf(key, sizeof(key), "v%d", i);
		text = got(w, WARM_SPEC, key);
		if (text[0] == '\0')
			continue;
		letters(want, text[0] - 'a');
		assert_string_equal(text, want);
	}
}

/*
 * Processes that write and read are killed at any instruction: the others never
 * wait for what the dead held, read no torn row, and their places come free.
 */
static void
killed(void **state)
{
	int rounds = getenv("SB_LONG") ? 500 : 40, fd[2];
	char c;

	(void)state;
	for (int i = 0; i < rounds; i++) {
		struct warm_stats st;
		struct warm *w;
		int64_t began;
		pid_t pid;

		assert_int_equal(pipe(fd), 0);
		pid = fork();
		if (pid == 0) {
			close(fd[0]);
			victim(fd[1]);
		}
		close(fd[1]);
		w = opened(MOST);
		assert_int_equal(read(fd[0], &c, 1), 1);
		close(fd[0]);
		poll(NULL, 0, i % 4);
		all_sound(w);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		began = clock_mono();
		put(w, WARM_KEY, "after a death", (uint64_t)i + 1, "alive");
		flushed(w);
		assert_true(clock_mono() - began < 5 * CLOCK_S);
		assert_string_equal(got(w, WARM_KEY, "after a death"), "alive");
		all_sound(w);
		warm_stats(w, &st);
		assert_int_equal(st.remade, 0);
		warm_close(w);
	}
}

static void *
reader(void *arg)
{
	char key[16], text[256];
	void *ctx;
	struct row r;

	for (int i = 0; i < 20000; i++) {
		ctx = mem_root("reader");
		snprintf(key, sizeof(key), "t%d", i % 50);
		if (warm_get(arg, WARM_SPEC, key, ctx, &r)) {
			snprintf(text, sizeof(text), "%s", row_text(&r, 0));
			if (strspn(text, (char[]){ text[0], '\0' }) != 199)
				return arg;
		}
		mem_free(ctx);
	}
	return NULL;
}

/* More threads than read transactions, while rows change. */
static void
many_threads(void **state)
{
	enum { N = 40 };
	struct warm *w = opened(MOST);
	struct warm_stats st;
	char key[16], text[200];
	pthread_t t[N];
	void *bad;

	(void)state;
	for (int i = 0; i < N; i++)
		assert_int_equal(pthread_create(&t[i], NULL, reader, w), 0);
	for (int i = 0; i < 2000; i++) {
		snprintf(key, sizeof(key), "t%d", i % 50);
		letters(text, i);
		put(w, WARM_SPEC, key, (uint64_t)i, text);
	}
	for (int i = 0; i < N; i++) {
		pthread_join(t[i], &bad);
		assert_null(bad);
	}
	warm_stats(w, &st);
	assert_in_range(st.readers, 1, 32);
	warm_close(w);
}

static void
not_there(void **state)
{
	struct warm *w = NULL;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(warm_open("/nonexistent/cache", MOST, &w, &e), -1);
	assert_int_equal(e.code, ERR_UNAVAILABLE);
	assert_null(w);
}

static int
fresh(void **state)
{
	(void)state;
	warm_discard(dir);
	return 0;
}

static int
setup(void **state)
{
	(void)state;
	epoch_map(1024);
	snprintf(dir, sizeof(dir), "/tmp/sb-warm-%ld", (long)getpid());
	return mkdir(dir, 0700);
}

static int
teardown(void **state)
{
	char path[128];

	(void)state;
	warm_discard(dir);
	snprintf(path, sizeof(path), "%s/guard", dir);
	unlink(path);
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(shared, fresh), /* no thread yet */
		cmocka_unit_test_setup(keeps, fresh),
		cmocka_unit_test_setup(evicts, fresh),
		cmocka_unit_test_setup(large, fresh),
		cmocka_unit_test_setup(damaged_files, fresh),
		cmocka_unit_test_setup(damaged_value, fresh),
		cmocka_unit_test_setup(replaced, fresh),
		cmocka_unit_test_setup(killed, fresh),
		cmocka_unit_test_setup(many_threads, fresh),
		cmocka_unit_test(not_there),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
