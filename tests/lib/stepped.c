/*
 * A child that is stepped through an operation, one machine instruction at a
 * time, and the states that shared memory goes through on the way.
 */
#include "lib/stepped.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/shm.h"

#include "util/banned.h"

#define MAPS 16
#define STATES 256
#define STEPS_MOST 2000000
#define WATCH 8192

/* --- the memory ---------------------------------------------------------- */

static struct {
	unsigned char *at;
	size_t bytes;
} maps[MAPS];
static int nmaps;

void *
shm_map(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED || nmaps == MAPS)
		abort();
	maps[nmaps].at = p;
	maps[nmaps++].bytes = bytes;
	return p;
}

/* What is watched: some bytes of some maps, gathered. */
static struct {
	unsigned char *at;
	size_t bytes;
} watched[MAPS];
static int nwatched;
static unsigned char states[STATES][WATCH];
int stepped_states;
static size_t state_bytes;

void
stepped_watch(int map, size_t offset, size_t bytes)
{
	watched[nwatched].at = maps[map].at + offset;
	watched[nwatched++].bytes = bytes;
	state_bytes += bytes;
	assert_true(state_bytes <= WATCH);
	assert_true(offset + bytes <= maps[map].bytes);
}

static void
state_move(unsigned char *state, bool back)
{
	for (int i = 0; i < nwatched; i++) {
		if (back)
			memcpy(watched[i].at, state, watched[i].bytes);
		else
			memcpy(state, watched[i].at, watched[i].bytes);
		state += watched[i].bytes;
	}
}

static void
state_note(void)
{
	unsigned char now[WATCH];

	state_move(now, false);
	if (stepped_states > 0 &&
	    memcmp(now, states[stepped_states - 1], state_bytes) == 0)
		return;
	assert_true(stepped_states < STATES);
	memcpy(states[stepped_states++], now, state_bytes);
}

/*
 * Run ${what} in a child that is stepped, from the present state, and put that
 * back.  Then states[0..stepped_states) are all that it went through.
 */
void
stepped_through(void (*what)(void))
{
	cpu_set_t before, one;
	int status, n;
	pid_t pid;

	/* Side by side on one processor they hand over without a wake-up. */
	CPU_ZERO(&one);
	CPU_SET((size_t)sched_getcpu(), &one);
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
			_exit(77);
		raise(SIGSTOP);
		what();
		raise(SIGSTOP);
		_exit(0);
	}
	stepped_states = 0;
	state_note();
	for (n = 0; n < STEPS_MOST; n++) {
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
			fail_msg("this test needs ptrace");
		assert_true(WIFSTOPPED(status));
		state_note();
		if (n > 0 && WSTOPSIG(status) == SIGSTOP)
			break;
		assert_int_equal(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
	}
	assert_in_range(n, 50, STEPS_MOST - 1);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	sched_setaffinity(0, sizeof(before), &before);
	state_move(states[0], true);
}

void
stepped_begin(void)
{
	nmaps = nwatched = 0;
	state_bytes = 0;
}

int
stepped_maps(void)
{
	return nmaps;
}

size_t
stepped_bytes(int map)
{
	return maps[map].bytes;
}

void
stepped_restore(int state)
{
	state_move(states[state], true);
}
