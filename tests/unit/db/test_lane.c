/* The lane of writers: no wait alone, a short one otherwise, none for the
 * dead. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "db/lane.h"
#include "util/clock.h"

#include "util/banned.h"

#define MUCH (5 * CLOCK_S)

static struct lane *lane;

/* A process that enters and ends ${how}: stays until it is told, or dies in
 * it.  *in: readable when it is in; *out: closing it tells. */
static pid_t
other(int *in, int *out, bool dies)
{
	int a[2], b[2];
	char c = 0;
	pid_t pid;

	assert_int_equal(pipe(a), 0);
	assert_int_equal(pipe(b), 0);
	pid = fork();
	if (pid == 0) {
		close(b[1]);
		if (!lane_enter(lane) || write(a[1], &c, 1) != 1)
			_exit(1);
		if (!dies && read(b[0], &c, 1) == 0)
			lane_leave(lane);
		_exit(0);
	}
	close(a[1]);
	close(b[0]);
	*in = a[0];
	*out = b[1];
	return pid;
}

static void
test_lane(void **state)
{
	int64_t began = clock_mono();
	int in, out, status, i;
	char c;
	pid_t pid;

	(void)state;
	assert_false(lane_enter(NULL));
	for (i = 0; i < 1000; i++) {
		assert_true(lane_enter(lane));
		lane_leave(lane);
	}
	assert_true(clock_mono() - began < MUCH);

	/* somebody is in it: not for ever */
	pid = other(&in, &out, false);
	assert_int_equal(read(in, &c, 1), 1);
	began = clock_mono();
	assert_false(lane_enter(lane));
	assert_true(clock_mono() - began < MUCH);
	close(out);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(in);
	assert_true(lane_enter(lane));
	lane_leave(lane);

	/* one that has died in it is out of it, again and again */
	for (i = 0; i < 3; i++) {
		pid = other(&in, &out, true);
		assert_int_equal(read(in, &c, 1), 1);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		close(in);
		close(out);
	}
	assert_true(lane_enter(lane));
	lane_leave(lane);
	assert_true(lane_enter(lane));
	lane_leave(lane);
}

static int
set_up(void **state)
{
	(void)state;
	lane = mmap(NULL, sizeof(*lane), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (lane == MAP_FAILED)
		return -1;
	lane_init(lane);
	return 0;
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lane),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
