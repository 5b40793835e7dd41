/* Event logs of streams: what is told is read again, by whom it belongs to,
 * and nothing stays behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "account/account.h"
#include "auth/key.h"
#include "chat/event_log.h"
#include "chat/turn_priv.h"
#include "shm/procs.h"
#include "util/mem.h"

static char dir[64];

/* What of a turn its log needs to know. */
static struct {
	struct chat_deps deps;
	struct chat_ask ask;
	struct account account;
	struct key key;
	struct chat_turn *turn;
} w;

static int
set_up(void **state)
{
	(void)state;
	procs_map();
	procs_set_self(0);
	id_new(&procs_self()->id);
	live_map(1, 16);
	snprintf(dir, sizeof(dir), "/tmp/sb-event-log-XXXXXX");
	return mkdtemp(dir) && event_log_setup(dir) ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	return rmdir(dir);
}

static struct chat_turn *
turn_begin(enum key_kind kind)
{
	static const struct uuid nil;
	struct chat_turn *t = mem_new(NULL, struct chat_turn);

	t->priv = mem_new(t, struct chat_turn_priv);
	w.deps.turns_dir = dir;
	w.key.kind = kind;
	id_new(&w.key.id);
	id_new(&w.account.id);
	w.ask.key = &w.key;
	id_new(&t->id);
	t->account = &w.account;
	t->priv->deps = &w.deps;
	t->priv->ask = &w.ask;
	t->priv->live = live_enter(&t->id, &w.account.id, &nil);
	t->log = event_log_begin(t);
	w.turn = t;
	return t;
}

static void
turn_end(struct chat_turn *t)
{
	live_leave(t->priv->live);
	mem_free(t);
}

static void
add(struct chat_turn *t, const char *name, int64_t n, const char *data)
{
	struct event ev = { .n = n, .data = data, .len = strlen(data) };

	snprintf(ev.name, sizeof(ev.name), "%s", name);
	event_log_add(t->log, &ev);
}

static struct event_reader *
reader(const struct uuid *turn, const struct uuid *widget_key)
{
	return event_log_open(NULL, dir, turn, &w.account.id, widget_key);
}

static void
expect(struct event_reader *r, const char *name, int64_t n, const char *data)
{
	struct event ev;

	assert_int_equal(event_log_next(r, &ev), 1);
	assert_string_equal(ev.name, name);
	assert_int_equal(ev.n, n);
	assert_int_equal(ev.len, strlen(data));
	assert_memory_equal(ev.data, data, ev.len);
}

static char *
path_of(const struct uuid *turn)
{
	char id[UUID_TEXT];

	id_format(turn, id);
	return mem_printf(NULL, "%s/%s", dir, id);
}

static void
forget(const struct uuid *turn)
{
	char *path = path_of(turn);

	unlink(path);
	mem_free(path);
}

static bool
is_there(const struct uuid *turn)
{
	char *path = path_of(turn);
	bool there = access(path, F_OK) == 0;

	mem_free(path);
	return there;
}

static void
what_is_told_is_read(void **state)
{
	struct chat_turn *t = turn_begin(KEY_API);
	struct uuid turn = t->id;
	struct event_reader *r = reader(&turn, NULL);
	struct event ev;

	(void)state;
	assert_non_null(r);
	assert_int_equal(event_log_next(r, &ev), 0);
	add(t, "session", 1, "{}");
	add(t, "delta", 4, "abc");
	expect(r, "session", 1, "{}");
	expect(r, "delta", 4, "abc");
	assert_int_equal(event_log_next(r, &ev), 0);
	add(t, "tool_result", 5, "{\"ok\":true}");
	expect(r, "tool_result", 5, "{\"ok\":true}");
	/* and after its end, by who comes late */
	turn_end(t);
	mem_free(r);
	r = reader(&turn, NULL);
	expect(r, "session", 1, "{}");
	mem_free(r);
	forget(&turn);
}

static void
it_is_for_its_own(void **state)
{
	struct uuid other;

	(void)state;
	id_new(&other);
	for (int widget = 0; widget < 2; widget++) {
		struct chat_turn *t = turn_begin(widget ? KEY_WIDGET : KEY_API);
		struct event_reader *own = reader(&t->id, NULL);
		struct event_reader *its = reader(&t->id, &w.key.id);

		/* an account's own keys read all; a widget's its own */
		assert_non_null(own);
		assert_int_equal(its != NULL, widget);
		assert_null(reader(&t->id, &other));
		assert_null(reader(&other, NULL));
		assert_null(event_log_open(NULL, dir, &t->id, &other, NULL));
		mem_free(own);
		mem_free(its);
		other = t->id;
		turn_end(t);
		forget(&other);
		id_new(&other);
	}
}

static void
it_does_not_grow_for_ever(void **state)
{
	static char text[10001];
	struct chat_turn *t = turn_begin(KEY_API);
	struct event_reader *r;
	struct uuid turn = t->id;
	struct event ev;
	struct stat st;
	char *path = path_of(&turn);
	int n = 0;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	for (int i = 1; i < 100; i++)
		add(t, "delta", i * 10000, text);
	/* Once there was no room, nothing more comes, however small. */
	add(t, "done", 990001, "{}");
	assert_int_equal(stat(path, &st), 0);
	assert_true((size_t)st.st_size <= EVENT_LOG_MAX);
	r = reader(&turn, NULL);
	while (event_log_next(r, &ev) > 0) {
		n++;
		assert_int_equal(ev.n, n * 10000);
	}
	assert_int_equal(n, 26);
	mem_free(r);
	turn_end(t);
	forget(&turn);
	mem_free(path);
}

/* A record of which the end is missing is none yet. */
static void
half_a_record_is_none(void **state)
{
	struct chat_turn *t = turn_begin(KEY_API);
	struct uuid turn = t->id;
	char *path = path_of(&turn);
	struct event_reader *r = reader(&turn, NULL);
	struct event ev;
	struct stat st;

	(void)state;
	add(t, "session", 1, "{}");
	assert_int_equal(stat(path, &st), 0);
	add(t, "delta", 6, "Hello");
	for (off_t n = st.st_size; n < st.st_size + 24; n += 5) {
		struct event_reader *short_one = reader(&turn, NULL);

		assert_int_equal(truncate(path, n), 0);
		expect(short_one, "session", 1, "{}");
		assert_int_equal(event_log_next(short_one, &ev), 0);
		mem_free(short_one);
		assert_int_equal(truncate(path, st.st_size), 0);
		add(t, "delta", 6, "Hello");
	}
	expect(r, "session", 1, "{}");
	expect(r, "delta", 6, "Hello");
	mem_free(r);
	turn_end(t);
	forget(&turn);
	mem_free(path);
}

static void
without_a_place_there_is_none(void **state)
{
	struct chat_turn *t;
	struct event ev = { .name = "delta" };
	char *path;

	(void)state;
	w.deps.turns_dir = NULL;
	t = turn_begin(KEY_API);
	forget(&t->id);
	w.deps.turns_dir = "/nonexistent/turns";
	assert_null(event_log_begin(t));
	event_log_add(NULL, &ev);
	w.deps.turns_dir = dir;
	/* nobody else's file is written to */
	mem_free(t->log);
	path = path_of(&t->id);
	assert_int_equal(symlink("/tmp/sb-nothing-here", path), 0);
	assert_null(event_log_begin(t));
	forget(&t->id);
	mem_free(path);
	turn_end(t);
}

static void
make_old(const struct uuid *turn)
{
	struct timespec at[2] = { { .tv_sec = time(NULL) - 61 },
		{ .tv_sec = time(NULL) - 61 } };
	char *path = path_of(turn);

	assert_int_equal(utimensat(AT_FDCWD, path, at, 0), 0);
	mem_free(path);
}

static void
what_the_dead_left_is_swept(void **state)
{
	struct chat_turn *runs, *t;
	struct uuid old, young;

	(void)state;
	t = turn_begin(KEY_API);
	old = t->id;
	turn_end(t);
	t = turn_begin(KEY_API);
	young = t->id;
	turn_end(t);
	runs = turn_begin(KEY_API);
	make_old(&old);
	make_old(&runs->id);
	assert_int_equal(event_log_sweep(dir), 1);
	assert_false(is_there(&old));
	assert_true(is_there(&young));
	assert_true(is_there(&runs->id)); /* a model that thinks for long */
	forget(&young);
	old = runs->id;
	turn_end(runs);
	forget(&old);
	assert_int_equal(event_log_sweep("/nonexistent"), 0);
}

/* Many in a minute: the oldest go early. */
static void
their_number_is_bounded(void **state)
{
	struct uuid first = { { 0 } };
	unsigned there = 0;
	struct dirent *f;
	DIR *d;

	(void)state;
	for (int i = 0; i < 5000; i++) {
		struct chat_turn *t = turn_begin(KEY_API);

		if (i == 0)
			first = t->id;
		turn_end(t);
	}
	event_log_tidy(dir); /* none is old enough */
	assert_false(is_there(&first));
	d = opendir(dir);
	while ((f = readdir(d)) != NULL)
		there += f->d_name[0] != '.';
	assert_int_equal(there, 4096);
	rewinddir(d);
	while ((f = readdir(d)) != NULL)
		if (f->d_name[0] != '.')
			unlinkat(dirfd(d), f->d_name, 0);
	closedir(d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_told_is_read),
		cmocka_unit_test(it_is_for_its_own),
		cmocka_unit_test(it_does_not_grow_for_ever),
		cmocka_unit_test(half_a_record_is_none),
		cmocka_unit_test(without_a_place_there_is_none),
		cmocka_unit_test(what_the_dead_left_is_swept),
		cmocka_unit_test(their_number_is_bounded),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
