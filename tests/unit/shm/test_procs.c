/* shm/procs: rows are shared, wake-ups reach their reader. */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "shm/procs.h"
#include "shm/shm.h"

static void
test_unmapped(void **state)
{
	(void)state;
	assert_null(procs_row(0));
	assert_null(procs_self());
	procs_wake(0);
}

static void
test_rows(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	procs_map();
	assert_null(procs_row(PROCS_MAX));
	assert_null(procs_self()); /* the master has none */
	for (unsigned i = 0; i < PROCS_MAX; i++) {
		assert_non_null(procs_row(i));
		assert_int_equal(procs_row(i)->pid, 0);
		assert_true(procs_row(i)->wake_fd >= 0);
	}
	pid = fork();
	if (pid == 0) {
		procs_set_self(5);
		procs_self()->busy = 3;
		procs_self()->ready = true;
		_exit(procs_self() == procs_row(5) && procs_self_slot() == 5
			  ? 0
			  : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(procs_row(5)->busy, 3);
	assert_true(procs_row(5)->ready);
	assert_int_equal(procs_row(4)->busy, 0);
	assert_int_equal(procs_row(6)->busy, 0);
}

static void
test_wake(void **state)
{
	struct pollfd p = { .events = POLLIN };
	uint64_t n;
	pid_t pid;

	(void)state;
	procs_map();
	p.fd = procs_row(9)->wake_fd;
	assert_int_equal(poll(&p, 1, 0), 0);
	pid = fork();
	if (pid == 0) {
		procs_wake(9);
		procs_wake(9);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(poll(&p, 1, 0), 1);
	assert_int_equal(read(p.fd, &n, sizeof(n)), sizeof(n));
	assert_int_equal(n, 2);
	/* Empty again, and reading does not block. */
	assert_int_equal(poll(&p, 1, 0), 0);
	assert_int_equal(read(p.fd, &n, sizeof(n)), -1);
	p.fd = procs_row(8)->wake_fd;
	assert_int_equal(poll(&p, 1, 0), 0);
	/* A full counter does not block the waker. */
	n = UINT64_MAX - 1;
	assert_int_equal(write(p.fd, &n, sizeof(n)), sizeof(n));
	procs_wake(8);
	assert_int_equal(poll(&p, 1, 0), 1);
}

static void
test_names(void **state)
{
	(void)state;
	assert_string_equal(procs_kind_name(PROC_CHAT), "chat worker");
	assert_string_equal(procs_kind_name(PROC_LISTENER), "listener");
	assert_string_equal(procs_kind_name(PROC_NONE), "none");
}

/* As large as a table could ever be: only touched pages count. */
static void
test_map(void **state)
{
	size_t bytes = (size_t)1 << 32;
	char *p = shm_map(bytes);
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(p[0], 0);
	assert_int_equal(p[bytes - 1], 0);
	pid = fork();
	if (pid == 0) {
		p[bytes / 2] = 42;
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(p[bytes / 2], 42);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unmapped), /* before any map */
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_wake),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_map),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
