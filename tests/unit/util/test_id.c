/* util/id: RFC 9562 version 7, order, uniqueness across threads and forks. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "util/clock.h"
#include "util/id.h"

#define MANY 20000

static void
test_form(void **state)
{
	int64_t before = clock_wall_us() / 1000, after;
	struct uuid u;

	(void)state;
	id_new(&u);
	after = clock_wall_us() / 1000;
	assert_int_equal(u.b[6] >> 4, 7);
	assert_int_equal(u.b[8] >> 6, 2);
	assert_int_equal(u.b[15] & 3, 0);
	assert_in_range(id_time_ms(&u), before, after + 1);
}

static void
test_increasing(void **state)
{
	struct uuid a, b;

	(void)state;
	id_new(&a);
	for (int i = 0; i < MANY; i++) {
		id_new(&b);
		assert_true(memcmp(a.b, b.b, 16) < 0);
		a = b;
	}
}

static void *
make_many(void *arg)
{
	struct uuid *list = arg;

	for (int i = 0; i < MANY; i++)
		id_new(&list[i]);
	return NULL;
}

static int
compare(const void *a, const void *b)
{
	return memcmp(a, b, 16);
}

/* Two threads and a child that starts where its parent stood. */
static void
test_unique(void **state)
{
	struct uuid *list = calloc(3 * MANY, sizeof(*list));
	pthread_t threads[2];
	int fds[2], status;
	size_t got = 0;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	id_new(&list[0]);
	pid = fork();
	if (pid == 0) {
		make_many(list);
		for (int i = 0; i < MANY; i++)
			if (write(fds[1], &list[i], 16) != 16)
				_exit(1);
		_exit(0);
	}
	(void)close(fds[1]);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, make_many,
				     list + i * MANY),
		    0);
	while (got < (size_t)MANY * 16) {
		ssize_t n = read(fds[0], (char *)(list + 2 * MANY) + got,
		    (size_t)MANY * 16 - got);

		assert_true(n > 0);
		got += (size_t)n;
	}
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	(void)close(fds[0]);
	qsort(list, 3 * MANY, sizeof(*list), compare);
	for (int i = 1; i < 3 * MANY; i++)
		assert_true(memcmp(list[i - 1].b, list[i].b, 16) < 0);
	free(list);
}

static void
test_text(void **state)
{
	static const char good[] = "01890a5d-ac96-774b-bcce-b302099a8057";
	static const char *const bad[] = { "",
		"01890a5d-ac96-774b-bcce-b302099a805",
		"01890a5d-ac96-774b-bcce-b302099a80577",
		"01890a5dac96774bbcceb302099a8057",
		"01890a5d-ac96-774b-bcce_b302099a8057",
		"01890a5d-ac96-774b-bccg-b302099a8057",
		"{1890a5d-ac96-774b-bcce-b302099a805}",
		" 1890a5d-ac96-774b-bcce-b302099a8057",
		"01890a5da-c96-774b-bcce-b302099a8057",
		"+1890a5d-ac96-774b-bcce-b302099a8057" };
	struct uuid u, v;
	char text[UUID_TEXT];

	(void)state;
	assert_int_equal(id_parse(good, 36, &u), 0);
	assert_int_equal(u.b[0], 0x01);
	assert_int_equal(u.b[15], 0x57);
	id_format(&u, text);
	assert_string_equal(text, good);
	assert_int_equal(
	    id_parse("01890A5D-AC96-774B-BCCE-B302099A8057", 36, &v), 0);
	assert_true(id_eq(&u, &v));
	v.b[15] ^= 1;
	assert_false(id_eq(&u, &v));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		v = u;
		assert_int_equal(id_parse(bad[i], strlen(bad[i]), &v), -1);
		assert_true(id_eq(&u, &v));
	}
	/* A longer text with a good start is no id. */
	assert_int_equal(id_parse(good, 35, &v), -1);
	assert_int_equal(id_time_ms(&u), INT64_C(0x01890a5dac96));
}

static void
test_messages(void **state)
{
	struct uuid turn, user, reply, nil;

	(void)state;
	memset(&nil, 0, sizeof(nil));
	assert_true(id_is_nil(&nil));
	id_new(&turn);
	assert_false(id_is_nil(&turn));
	id_user_message(&turn, &user);
	id_reply_message(&turn, &reply);
	assert_memory_equal(turn.b, user.b, 15);
	assert_memory_equal(turn.b, reply.b, 15);
	assert_int_equal(user.b[15], turn.b[15] | 1);
	assert_int_equal(reply.b[15], turn.b[15] | 2);
	/* From a message's id as well as from the turn's. */
	id_reply_message(&user, &nil);
	assert_true(id_eq(&nil, &reply));
	id_user_message(&reply, &reply);
	assert_true(id_eq(&user, &reply));
}

static void
test_random(void **state)
{
	unsigned char a[300] = { 0 }, b[300] = { 0 };
	unsigned zeros = 0;

	(void)state;
	id_random(a, sizeof(a));
	id_random(b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
	for (size_t i = 0; i < sizeof(a); i++)
		zeros += a[i] == 0;
	assert_true(zeros < 30);
	id_random(a, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_form),
		cmocka_unit_test(test_increasing),
		cmocka_unit_test(test_unique),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
