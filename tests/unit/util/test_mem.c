/* util/mem: zeroed, named, bounded; stops the process instead of failing. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "util/mem.h"

/* AddressSanitizer asks for this: too much gives NULL there as well. */
const char *__asan_default_options(void);

const char *
__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

struct thing {
	int a;
	char b[100];
};

static int dropped;

static int
thing_drop(struct thing *t)
{
	(void)t;
	dropped++;
	return 0;
}

static void
test_tree(void **state)
{
	static const char zero[100];
	void *root = mem_root("test");
	struct thing *t = mem_new(root, struct thing);
	struct thing *list = mem_array(t, struct thing, 3);

	(void)state;
	assert_int_equal(t->a, 0);
	assert_memory_equal(t->b, zero, 100);
	assert_memory_equal(list[2].b, zero, 100);
	assert_ptr_equal(talloc_parent(t), root);
	assert_ptr_equal(talloc_parent(list), t);
	assert_string_equal(talloc_get_name(t), "struct thing");
	dropped = 0;
	talloc_set_destructor(t, thing_drop);
	assert_ptr_equal(talloc_parent(mem_branch(root, "twig")), root);
	mem_free(root);
	assert_int_equal(dropped, 1);
	mem_free(NULL);
}

static void
test_copies(void **state)
{
	void *root = mem_root("test");

	(void)state;
	assert_null(mem_strdup(root, NULL));
	assert_null(mem_strndup(root, NULL, 3));
	assert_string_equal(mem_strdup(root, ""), "");
	assert_string_equal(mem_strdup(root, "text"), "text");
	assert_string_equal(mem_strndup(root, "text", 2), "te");
	assert_string_equal(mem_strndup(root, "text", 99), "text");
	assert_string_equal(mem_strndup(root, "text", 0), "");
	assert_string_equal(mem_printf(root, "%s-%d", "x", 7), "x-7");
	mem_free(root);
}

/* Does ${f} end its process by abort()? */
static int
stops(void (*f)(void))
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		(void)signal(SIGABRT, SIG_DFL);
		(void)close(STDERR_FILENO);
		f();
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void
too_much(void)
{
	(void)mem_zalloc(NULL, SIZE_MAX / 2, "too much");
}

static void
overflow(void)
{
	volatile size_t n = SIZE_MAX / 2;

	(void)mem_array(NULL, struct thing, n);
}

static void
too_much_for_libraries(void)
{
	free(mem_malloc(SIZE_MAX / 2));
}

static void
nothing_wrong(void)
{
	free(mem_malloc(100));
	mem_free(mem_array(NULL, struct thing, 10));
}

static void
test_stop(void **state)
{
	(void)state;
	assert_true(stops(too_much));
	assert_true(stops(overflow));
	assert_true(stops(too_much_for_libraries));
	assert_false(stops(nothing_wrong));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tree),
		cmocka_unit_test(test_copies),
		cmocka_unit_test(test_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
