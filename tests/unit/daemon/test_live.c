/*
 * Running turns in shared memory, between real processes: one finds and stops
 * what another runs, and a request that comes too late hits nobody.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chat/live.h"
#include "shm/procs.h"
#include "shm/shm.h"
#include "util/clock.h"

#define PLACES 64

struct shared {
	struct uuid turn, account, session;
	atomic_int step, said;
};

static struct shared *shared;
static atomic_int woken;

static void
wake(struct net_wait *w)
{
	assert_ptr_equal(w, &woken);
	atomic_fetch_add(&woken, 1);
}

static void
step_wait(int step)
{
	int64_t until = clock_mono() + 10 * CLOCK_S;

	while (atomic_load(&shared->step) < step) {
		assert_true(clock_mono() < until);
		poll(NULL, 0, 1);
	}
}

/* The worker: runs a turn until it is told to stop, then another. */
static void
child_main(void)
{
	struct pollfd pf = { .events = POLLIN };
	struct uuid next;
	struct live *l;

	procs_set_self(3);
	live_waker(wake);
	l = live_enter(&shared->turn, &shared->account, &shared->session);
	if (l == NULL)
		_exit(1);
	*live_wait(l) = (void *)&woken;
	atomic_store(&shared->step, 1);
	pf.fd = procs_self()->wake_fd;
	if (poll(&pf, 1, 10000) != 1 || atomic_load(&l->cancel))
		_exit(2);
	live_wake_cancelled();
	if (!atomic_load(&l->cancel) || atomic_load(&woken) != 1)
		_exit(3);
	/* Asked again, and gone before it looks: the next one goes on. */
	atomic_store(&shared->step, 2);
	while (atomic_load(&shared->step) < 3)
		poll(NULL, 0, 1);
	live_leave(l);
	id_new(&next);
	l = live_enter(&next, &shared->account, &shared->session);
	live_wake_cancelled();
	if (atomic_load(&l->cancel))
		_exit(4);
	live_cancel_all();
	if (!atomic_load(&l->cancel))
		_exit(5);
	shared->turn = next;
	atomic_store(&shared->step, 4);
	pause();
	_exit(6);
}

static void
lost(void *arg, const struct uuid *turn, const struct uuid *account)
{
	int *n = arg;

	assert_true(id_eq(turn, &shared->turn));
	assert_true(id_eq(account, &shared->account));
	(*n)++;
}

static void
test_across_processes(void **state)
{
	struct uuid session, other;
	int status, n = 0;
	pid_t pid;

	(void)state;
	atomic_store(&shared->step, 0);
	id_new(&shared->turn);
	id_new(&shared->account);
	id_new(&shared->session);
	id_new(&other);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		child_main();
	step_wait(1);
	assert_true(live_find(&shared->turn, &shared->account, &session));
	assert_true(id_eq(&session, &shared->session));
	/* Another account's turn is nobody's. */
	assert_false(live_find(&shared->turn, &other, &session));
	assert_false(live_cancel(&shared->turn, &other));
	assert_false(live_cancel(&other, &shared->account));
	assert_true(live_cancel(&shared->turn, &shared->account));
	step_wait(2);
	assert_true(live_cancel(&shared->turn, &shared->account));
	atomic_store(&shared->step, 3);
	step_wait(4);
	assert_true(live_find(&shared->turn, &shared->account, NULL));
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	live_reap(3, lost, &n);
	assert_int_equal(n, 1);
	assert_false(live_find(&shared->turn, &shared->account, NULL));
	n = 0;
	live_reap(3, lost, &n);
	assert_int_equal(n, 0);
}

/* The worker whose turn is followed: says a hundred things, then hangs. */
static void
said_main(void)
{
	struct live *l;
	int i;

	procs_set_self(4);
	l = live_enter(&shared->turn, &shared->account, &shared->session);
	if (l == NULL || live_heard(l) != 0)
		_exit(1);
	atomic_store(&shared->step, 1);
	while (live_heard(l) == 0)
		poll(NULL, 0, 1);
	for (i = 0; i < 100; i++) {
		atomic_fetch_add(&shared->said, 1);
		live_said(l);
		if (i % 10 == 0)
			poll(NULL, 0, 2);
	}
	pause();
}

static void *
reap_later(void *arg)
{
	pid_t *pid = arg;

	poll(NULL, 0, 100);
	kill(*pid, SIGKILL);
	waitpid(*pid, NULL, 0);
	live_reap(4, NULL, NULL);
	return NULL;
}

/* Whoever follows hears all, and at once that it is over. */
static void
test_following(void **state)
{
	struct follow f;
	pthread_t reaper;
	int64_t began;
	struct uuid other;
	pid_t pid;
	int heard = 0;

	(void)state;
	atomic_store(&shared->step, 0);
	atomic_store(&shared->said, 0);
	id_new(&shared->turn);
	id_new(&other);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		said_main();
	step_wait(1);
	assert_false(live_follow(&other, &f));
	assert_false(live_follow_runs(&f));
	assert_false(live_runs(&other));
	assert_true(live_runs(&shared->turn));
	assert_true(live_follow(&shared->turn, &f));
	began = clock_mono();
	while (heard < 100) {
		assert_true(live_follow_runs(&f));
		heard = atomic_load(&shared->said);
		if (heard < 100)
			live_follow_wait(&f, 10000);
	}
	assert_true(clock_mono() - began < 9 * CLOCK_S); /* never too late */
	/* Its worker dies while it is listened to. */
	pthread_create(&reaper, NULL, reap_later, &pid);
	began = clock_mono();
	while (live_follow_runs(&f))
		live_follow_wait(&f, 10000);
	assert_true(clock_mono() - began < 9 * CLOCK_S);
	pthread_join(reaper, NULL);
	assert_false(live_runs(&shared->turn));
}

/* A turn is found by its key, while it runs. */
static void
test_keys(void **state)
{
	struct uuid t, a, key, other, got;
	struct live *l;

	(void)state;
	procs_set_self(6);
	id_new(&t);
	id_new(&a);
	id_new(&key);
	id_new(&other);
	l = live_enter(&t, &a, &a);
	assert_false(live_find_key(&key, &a, &got));
	live_key(l, &key);
	assert_true(live_find_key(&key, &a, &got));
	assert_true(id_eq(&got, &t));
	assert_false(live_find_key(&other, &a, &got));
	assert_false(live_find_key(&key, &other, &got));
	live_session(l, &other);
	assert_true(live_find(&t, &a, &got));
	assert_true(id_eq(&got, &other));
	live_leave(l);
	assert_false(live_find_key(&key, &a, &got));
	/* the next turn of the place has none */
	l = live_enter(&t, &a, &a);
	assert_false(live_find_key(&key, &a, &got));
	live_leave(l);
}

static void *
turns(void *arg)
{
	struct uuid t, a, s, got;
	struct live *l;
	int i;

	(void)arg;
	id_new(&a);
	for (i = 0; i < 2000; i++) {
		id_new(&t);
		id_new(&s);
		l = live_enter(&t, &a, &s);
		if (l == NULL)
			continue;
		if (!live_find(&t, &a, &got) || !id_eq(&got, &s))
			return "a turn of ours was not found";
		if (i % 3 == 0) {
			if (!live_cancel(&t, &a))
				return "a turn of ours was not stopped";
			live_wake_cancelled();
			if (!atomic_load(&l->cancel))
				return "a turn was not told";
		} else if (atomic_load(&l->cancel)) {
			return "a turn was stopped in place of another";
		}
		live_leave(l);
		if (live_find(&t, &a, NULL))
			return "a turn that has ended was found";
	}
	return NULL;
}

static void
test_threads(void **state)
{
	struct live *l[PLACES];
	struct uuid t, a;
	pthread_t th[8];
	void *why;
	int i;

	(void)state;
	procs_set_self(5);
	for (i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&th[i], NULL, turns, NULL), 0);
	for (i = 0; i < 8; i++) {
		pthread_join(th[i], &why);
		assert_null(why);
	}
	/* Every place can be had, no more, and again. */
	id_new(&a);
	for (i = 0; i < PLACES; i++) {
		id_new(&t);
		assert_non_null(l[i] = live_enter(&t, &a, &a));
	}
	assert_null(live_enter(&t, &a, &a));
	live_leave(l[17]);
	assert_non_null(l[17] = live_enter(&t, &a, &a));
	for (i = 0; i < PLACES; i++)
		live_leave(l[i]);
	live_leave(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_across_processes),
		cmocka_unit_test(test_following),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_keys),
	};

	procs_map();
	live_map(8, PLACES);
	shared = shm_map(sizeof(*shared));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
