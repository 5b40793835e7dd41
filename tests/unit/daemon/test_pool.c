/*
 * The wait and the threads, with a protocol of eight bytes in place of FastCGI:
 * "echo...." is answered at once, "nap....." in ten milliseconds, "block..."
 * when the gate opens.  A client
 * behaves as a web server does: it keeps its connections, and one that is
 * closed under it while it sends a request is a lost request.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/pool.h"
#include "shm/procs.h"
#include "util/clock.h"

#define MESSAGE 8

static char dir[] = "/tmp/sb-pool-XXXXXX";
static struct sockaddr_un address = { .sun_family = AF_UNIX };
static int listener;

static pthread_mutex_t gate_mu = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_cv = PTHREAD_COND_INITIALIZER;
static bool gate_open;
static atomic_int blocked;
static atomic_bool everyone_full;
static struct proc row, other_row;
static int hand[2] = { -1, -1 };

static void
gate_set(bool open)
{
	pthread_mutex_lock(&gate_mu);
	gate_open = open;
	pthread_cond_broadcast(&gate_cv);
	pthread_mutex_unlock(&gate_mu);
}

static int
answer(int fd, const char *text)
{
	char m[MESSAGE];
	ssize_t n = recv(fd, m, sizeof(m), MSG_WAITALL);

	if (n != MESSAGE) {
		close(fd);
		return -1;
	}
	if (memcmp(m, "nap", 3) == 0 && strcmp(text, "served..") == 0)
		poll(NULL, 0, 10);
	if (memcmp(m, "block", 5) == 0 && strcmp(text, "served..") == 0) {
		atomic_fetch_add(&blocked, 1);
		pthread_mutex_lock(&gate_mu);
		while (!gate_open)
			pthread_cond_wait(&gate_cv, &gate_mu);
		pthread_mutex_unlock(&gate_mu);
		atomic_fetch_sub(&blocked, 1);
	}
	if (send(fd, text, MESSAGE, MSG_NOSIGNAL) != MESSAGE) {
		close(fd);
		return -1;
	}
	return fd;
}

static int
serve(void *arg, void *state, int fd)
{
	(void)arg;
	assert_ptr_equal(state, &row);
	return answer(fd, "served..");
}

static int
shed(void *arg, void *state, int fd)
{
	(void)arg;
	(void)state;
	return answer(fd, "shed....");
}

static void *
state_new(void *arg)
{
	(void)arg;
	return &row;
}

static void
state_free(void *arg, void *state)
{
	(void)arg;
	(void)state;
}

static bool
all_full(void *arg)
{
	int64_t full = atomic_load(&row.full_since);

	(void)arg;
	return atomic_load(&everyone_full) && full != 0 &&
	       clock_mono() - full > 20 * CLOCK_MS;
}

static struct pool *
start_with(unsigned threads, unsigned spare, int idle_ms, const int *pair,
    struct proc *its_row)
{
	struct pool_opts o = { .listen_fd = listener,
		.hand = pair,
		.threads = threads,
		.spare = spare,
		.idle_ms = idle_ms,
		.stack = 262144,
		.serve = serve,
		.shed = shed,
		.state_new = state_new,
		.state_free = state_free,
		.all_full = all_full,
		.row = its_row };
	struct err e = { 0 };
	struct pool *p = pool_new(&o, &e);

	assert_non_null(p);
	pool_listen(p);
	return p;
}

static struct pool *
start(unsigned threads, unsigned spare, int idle_ms)
{
	return start_with(threads, spare, idle_ms, NULL, &row);
}

static void
end(struct pool *p)
{
	assert_int_equal(pool_drain(p, clock_mono() + 5 * CLOCK_S), 0);
	assert_int_equal(pool_free(p, clock_mono() + 5 * CLOCK_S), 0);
}

static int
dial(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int rc;

	if (fd < 0)
		return -1;
	do
		rc = connect(fd, (const void *)&address, sizeof(address));
	while (rc != 0 && errno == EINTR);
	if (rc != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static int
ask(int fd, const char *what)
{
	return send(fd, what, MESSAGE, MSG_NOSIGNAL) == MESSAGE ? 0 : -1;
}

/* What came within ${ms}: 's' served, 'r' refused, '-' nothing, 'x' closed. */
static char
reply(int fd, int ms)
{
	struct pollfd pf = { .fd = fd, .events = POLLIN };
	char m[MESSAGE];

	if (poll(&pf, 1, ms) == 0)
		return '-';
	if (recv(fd, m, sizeof(m), MSG_WAITALL) != MESSAGE)
		return 'x';
	return m[1] == 'e' ? 's' : 'r';
}

static bool
wait_for(bool (*yes)(void *), void *arg)
{
	int64_t until = clock_mono() + 10 * CLOCK_S;

	while (!yes(arg)) {
		if (clock_mono() > until)
			return false;
		poll(NULL, 0, 2);
	}
	return true;
}

static bool
is_blocked(void *arg)
{
	return atomic_load(&blocked) == *(const int *)arg;
}

static bool
has_threads(void *arg)
{
	return atomic_load(&row.threads) == *(const unsigned *)arg;
}

static bool
five_connections(void *arg)
{
	return pool_connections(arg) == 5;
}

static bool
no_connections(void *arg)
{
	return pool_connections(arg) == 0;
}

/* --- tests --------------------------------------------------------------- */

static void
test_idle_connections_hold_no_thread(void **state)
{
	struct pool *p = start(2, 1, 60000);
	int fd[64], i, round;

	(void)state;
	for (i = 0; i < 64; i++)
		assert_true((fd[i] = dial()) >= 0);
	for (round = 0; round < 5; round++)
		for (i = 0; i < 64; i++) {
			assert_int_equal(ask(fd[i], "echo...."), 0);
			assert_int_equal(reply(fd[i], 5000), 's');
		}
	/* And some that connected and never said a word. */
	for (i = 0; i < 32; i++)
		close(fd[i]);
	for (i = 0; i < 32; i++)
		assert_true((fd[i] = dial()) >= 0);
	assert_int_equal(ask(fd[40], "echo...."), 0);
	assert_int_equal(reply(fd[40], 5000), 's');
	assert_true(atomic_load(&row.threads) <= 2);
	for (i = 0; i < 64; i++)
		close(fd[i]);
	assert_true(wait_for(no_connections, p));
	end(p);
}

static void
test_threads_come_and_go(void **state)
{
	struct pool *p = start(64, 3, 100);
	unsigned few = 3;
	int fd[40], i, all = 40;

	(void)state;
	gate_set(false);
	for (i = 0; i < 40; i++) {
		assert_true((fd[i] = dial()) >= 0);
		assert_int_equal(ask(fd[i], "block..."), 0);
	}
	assert_true(wait_for(is_blocked, &all));
	assert_int_equal(atomic_load(&row.busy), 40);
	assert_true(atomic_load(&row.threads) >= 40 + 3);
	gate_set(true);
	for (i = 0; i < 40; i++)
		assert_int_equal(reply(fd[i], 5000), 's');
	assert_true(wait_for(has_threads, &few));
	assert_int_equal(ask(fd[0], "echo...."), 0);
	assert_int_equal(reply(fd[0], 5000), 's');
	for (i = 0; i < 40; i++)
		close(fd[i]);
	end(p);
}

static void
test_reserve_answers_when_all_are_full(void **state)
{
	struct pool *p = start(2, 1, 60000);
	int a, b, c, kept, two = 2;
	int64_t began;

	(void)state;
	gate_set(false);
	atomic_store(&everyone_full, false);
	kept = dial();
	assert_int_equal(ask(kept, "echo...."), 0);
	assert_int_equal(reply(kept, 5000), 's');
	a = dial();
	b = dial();
	assert_int_equal(ask(a, "block..."), 0);
	assert_int_equal(ask(b, "block..."), 0);
	assert_true(wait_for(is_blocked, &two));
	/* Somebody else has room: a new connection is left to them, ... */
	c = dial();
	assert_int_equal(ask(c, "echo...."), 0);
	assert_int_equal(reply(c, 300), '-');
	/* ... but nobody else can serve this one. */
	assert_int_equal(ask(kept, "echo...."), 0);
	assert_int_equal(reply(kept, 5000), 'r');
	assert_int_equal(reply(c, 0), '-');
	/* Nobody has. */
	began = clock_mono();
	atomic_store(&everyone_full, true);
	assert_int_equal(reply(c, 5000), 'r');
	assert_true(clock_mono() - began < 500 * CLOCK_MS);
	/* A thread is free again, and so is everything. */
	gate_set(true);
	assert_int_equal(reply(a, 5000), 's');
	assert_int_equal(reply(b, 5000), 's');
	assert_int_equal(ask(c, "echo...."), 0);
	assert_int_equal(reply(c, 5000), 's');
	atomic_store(&everyone_full, false);
	close(a);
	close(b);
	close(c);
	close(kept);
	end(p);
}

/* What comes on a full process's kept connections is served by another one, and
 * the connections are its own from then on. */
static void
test_full_hands_over(void **state)
{
	struct pool *full, *calm;
	int kept[8], busy[2], i, two = 2;
	int64_t began;

	(void)state;
	gate_set(false);
	atomic_store(&everyone_full, false);
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
		0, hand),
	    0);
	full = start_with(2, 1, 60000, hand, &row);
	for (i = 0; i < 8; i++) {
		assert_true((kept[i] = dial()) >= 0);
		assert_int_equal(ask(kept[i], "echo...."), 0);
		assert_int_equal(reply(kept[i], 5000), 's');
	}
	for (i = 0; i < 2; i++) {
		assert_true((busy[i] = dial()) >= 0);
		assert_int_equal(ask(busy[i], "block..."), 0);
	}
	assert_true(wait_for(is_blocked, &two));
	calm = start_with(4, 1, 60000, hand, &other_row);
	began = clock_mono();
	for (i = 0; i < 8; i++)
		assert_int_equal(ask(kept[i], "echo...."), 0);
	for (i = 0; i < 8; i++)
		assert_int_equal(reply(kept[i], 5000), 's');
	assert_true(clock_mono() - began < 900 * CLOCK_MS);
	assert_int_equal(pool_connections(full), 2);
	assert_int_equal(pool_connections(calm), 8);
	/* Once and for all: they are waited for where they are. */
	for (i = 0; i < 8; i++) {
		assert_int_equal(ask(kept[i], "echo...."), 0);
		assert_int_equal(reply(kept[i], 5000), 's');
		close(kept[i]);
	}
	assert_true(wait_for(no_connections, calm));
	/* Nobody is there to take it: it waits for this one. */
	end(calm);
	kept[0] = dial();
	assert_int_equal(ask(kept[0], "echo...."), 0);
	assert_int_equal(reply(kept[0], 100), '-');
	gate_set(true);
	assert_int_equal(reply(kept[0], 5000), 's');
	for (i = 0; i < 2; i++) {
		assert_int_equal(reply(busy[i], 5000), 's');
		close(busy[i]);
	}
	close(kept[0]);
	end(full);
	close(hand[0]);
	close(hand[1]);
}

/* Threads that go from one request to the next leave no gap in which the
 * process would not be full: who waits is refused, and the threads stay busy.
 */
static void
test_overload_is_refused(void **state)
{
	struct pool *p = start(2, 1, 60000);
	int fd[12], i, served = 0, refused = 0;
	int64_t began, until = clock_mono() + CLOCK_S;

	(void)state;
	atomic_store(&everyone_full, true);
	for (i = 0; i < 12; i++) {
		assert_true((fd[i] = dial()) >= 0);
		assert_int_equal(ask(fd[i], "nap....."), 0);
	}
	for (i = 0; clock_mono() < until; i = (i + 1) % 12) {
		char r = reply(fd[i], 0);

		assert_true(r == 's' || r == 'r' || r == '-');
		served += r == 's';
		refused += r == 'r';
		if (r == '-')
			poll(NULL, 0, 1);
		else
			assert_int_equal(ask(fd[i], "nap....."), 0);
	}
	/* A thread serves 100 a second where nothing else runs. */
	assert_true(served >= 30);
	assert_true(refused >= 30);
	began = clock_mono();
	for (i = 0; i < 12; i++)
		assert_int_not_equal(reply(fd[i], 5000), '-');
	assert_true(clock_mono() - began < CLOCK_S);
	atomic_store(&everyone_full, false);
	for (i = 0; i < 12; i++)
		close(fd[i]);
	end(p);
}

static void
test_leave_serves_what_is_connected(void **state)
{
	struct pool *old = start(4, 1, 60000), *new;
	int kept = dial(), fresh;

	(void)state;
	assert_int_equal(ask(kept, "echo...."), 0);
	assert_int_equal(reply(kept, 5000), 's');
	pool_leave(old);
	fresh = dial();
	assert_int_equal(ask(fresh, "echo...."), 0);
	assert_int_equal(reply(fresh, 200), '-');
	assert_int_equal(ask(kept, "echo...."), 0);
	assert_int_equal(reply(kept, 5000), 's');
	assert_int_equal(pool_connections(old), 1);
	new = start(4, 1, 60000);
	assert_int_equal(reply(fresh, 5000), 's');
	close(kept);
	assert_true(wait_for(no_connections, old));
	end(old);
	close(fresh);
	end(new);
}

static void
test_drain_finishes_what_runs(void **state)
{
	struct pool *p = start(4, 1, 60000);
	int idle = dial(), busy = dial(), one = 1;

	(void)state;
	gate_set(false);
	assert_int_equal(ask(idle, "echo...."), 0);
	assert_int_equal(reply(idle, 5000), 's');
	assert_int_equal(ask(busy, "block..."), 0);
	assert_true(wait_for(is_blocked, &one));
	assert_int_equal(pool_drain(p, clock_mono() + 100 * CLOCK_MS), -1);
	assert_int_equal(reply(idle, 5000), 'x');
	assert_int_equal(reply(busy, 0), '-');
	gate_set(true);
	assert_int_equal(pool_drain(p, clock_mono() + 5 * CLOCK_S), 0);
	assert_int_equal(reply(busy, 0), 's');
	assert_int_equal(reply(busy, 5000), 'x');
	assert_int_equal(pool_free(p, 0), 0);
	close(idle);
	close(busy);
}

struct load {
	atomic_bool stop;
	atomic_long served, lost;
};

/* Keeps a connection for a few requests, then closes it itself. */
static void *
load_main(void *arg)
{
	struct load *l = arg;
	int fd = -1, left = 0;

	while (!atomic_load(&l->stop)) {
		if (left == 0) {
			if (fd >= 0)
				close(fd);
			fd = dial();
			left = 20;
		}
		if (fd < 0 || ask(fd, "echo....") != 0 ||
		    reply(fd, 10000) != 's') {
			atomic_fetch_add(&l->lost, 1);
			left = 0;
			continue;
		}
		atomic_fetch_add(&l->served, 1);
		left--;
	}
	if (fd >= 0)
		close(fd);
	return NULL;
}

static void
test_generations_lose_nothing(void **state)
{
	struct load l = { false, 0, 0 };
	struct pool *old, *new;
	pthread_t t[8];
	long before;
	int i;

	(void)state;
	old = start(16, 2, 60000);
	for (i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&t[i], NULL, load_main, &l), 0);
	for (i = 0; i < 20; i++) {
		before = atomic_load(&l.served);
		while (atomic_load(&l.served) < before + 200)
			poll(NULL, 0, 1);
		new = start(16, 2, 60000);
		pool_leave(old);
		assert_true(wait_for(no_connections, old));
		end(old);
		old = new;
	}
	atomic_store(&l.stop, true);
	for (i = 0; i < 8; i++)
		pthread_join(t[i], NULL);
	end(old);
	assert_int_equal(atomic_load(&l.lost), 0);
	assert_true(atomic_load(&l.served) >= 4000);
}

/* Two processes share the socket; one is killed in the middle. */
static void
test_two_processes(void **state)
{
	atomic_int *served = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int i, k, fd[200], status, hello[2];
	pid_t pid[2];
	char c;

	(void)state;
	assert_ptr_not_equal(served, MAP_FAILED);
	assert_int_equal(pipe(hello), 0);
	for (k = 0; k < 2; k++) {
		pid[k] = fork();
		assert_true(pid[k] >= 0);
		if (pid[k] == 0) {
			struct pool *p = start(256, 2, 60000);

			if (write(hello[1], "h", 1) != 1)
				_exit(1);
			for (;;) {
				atomic_store(
				    &served[k], (int)pool_connections(p));
				poll(NULL, 0, 1);
			}
		}
	}
	assert_int_equal(read(hello[0], &c, 1), 1);
	assert_int_equal(read(hello[0], &c, 1), 1);
	for (i = 0; i < 200; i++) {
		assert_true((fd[i] = dial()) >= 0);
		assert_int_equal(ask(fd[i], "echo...."), 0);
		assert_int_equal(reply(fd[i], 5000), 's');
	}
	while (atomic_load(&served[0]) + atomic_load(&served[1]) < 200)
		poll(NULL, 0, 1);
	/* Neither takes everything. */
	assert_true(atomic_load(&served[0]) >= 16);
	assert_true(atomic_load(&served[1]) >= 16);
	for (i = 0; i < 200; i++)
		close(fd[i]);
	kill(pid[0], SIGKILL);
	assert_int_equal(waitpid(pid[0], &status, 0), pid[0]);
	for (i = 0; i < 50; i++) {
		fd[0] = dial();
		assert_int_equal(ask(fd[0], "echo...."), 0);
		assert_int_equal(reply(fd[0], 5000), 's');
		close(fd[0]);
	}
	kill(pid[1], SIGKILL);
	assert_int_equal(waitpid(pid[1], &status, 0), pid[1]);
	close(hello[0]);
	close(hello[1]);
	munmap(served, 4096);
}

/* Out of descriptors: who waits is served within a second of their return. */
static void
test_descriptors_run_out(void **state)
{
	struct pool *p = start(8, 2, 60000);
	struct rlimit before, tight;
	int client[40], spare[60], n = 0, i, late;
	int64_t began;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	for (i = 0; i < 4; i++)
		assert_true((client[i] = dial()) >= 0);
	assert_true((late = dial()) >= 0);
	assert_true(wait_for(five_connections, p));
	for (n = 0; n < 60; n++)
		assert_true((spare[n] = dup(0)) >= 0);
	tight = before;
	tight.rlim_cur = (rlim_t)spare[59] + 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	/* The client's end takes the last place; the server has none. */
	close(spare[59]);
	client[4] = dial();
	assert_true(client[4] >= 0);
	assert_int_equal(ask(client[4], "echo...."), 0);
	assert_int_equal(reply(client[4], 300), '-');
	assert_int_equal(ask(late, "echo...."), 0);
	assert_int_equal(reply(late, 5000), 's');
	began = clock_mono();
	for (n = 0; n < 59; n++)
		close(spare[n]);
	assert_int_equal(reply(client[4], 5000), 's');
	assert_true(clock_mono() - began < CLOCK_S);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	for (i = 0; i < 5; i++)
		close(client[i]);
	close(late);
	end(p);
}

static int
listen_start(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/s", dir);
	listener =
	    socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (bind(listener, (const void *)&address, sizeof(address)) != 0)
		return -1;
	return listen(listener, 512);
}

static int
listen_end(void **state)
{
	(void)state;
	close(listener);
	unlink(address.sun_path);
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_processes),
		cmocka_unit_test(test_idle_connections_hold_no_thread),
		cmocka_unit_test(test_threads_come_and_go),
		cmocka_unit_test(test_reserve_answers_when_all_are_full),
		cmocka_unit_test(test_full_hands_over),
		cmocka_unit_test(test_overload_is_refused),
		cmocka_unit_test(test_leave_serves_what_is_connected),
		cmocka_unit_test(test_drain_finishes_what_runs),
		cmocka_unit_test(test_generations_lose_nothing),
		cmocka_unit_test(test_descriptors_run_out),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, listen_start, listen_end);
}
